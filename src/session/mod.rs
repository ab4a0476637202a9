//! Sessions and roles: who somebody is, what they may, and the actor that speaks for each browser.
//!
//! [`SessionBook`] knows whom a secret belongs to, [`Admins`] who has shown the token, [`Links`] who came by which link;
//! [`Tenure`] is what a socket was opened with, for as long as that holds;
//! [`Roles`] says what somebody is at an instance (`crate::policy` what that allows), and puts out those whose
//! link ends. [`Sessions`] runs one [`actor::SessionActor`] per session that has sockets. Faults it survives: a
//! session's panic (its sockets come back), a database that is away (who is known stays known).

pub mod actor;
mod admins;
mod book;
mod link_book;
mod links;
mod requests;
mod roles;
mod secret;
mod sessions;
mod tenure;
#[cfg(test)]
pub(crate) mod testing;
mod tickets;

pub use admins::{Admins, COOKIE_DAYS, Pass};
pub use book::{Identity, SessionBook, SessionError};
pub use link_book::Link;
pub use links::{LinkError, Links, MOST_LINKS, MOST_USES, USUAL, Wish};
pub use roles::Roles;
pub use secret::{Secret, SecretHash};
pub use sessions::{Around, Sessions};
pub use tenure::Tenure;
pub use tickets::LIFE as TICKET_LIFE;

#[cfg(test)]
mod tests;
