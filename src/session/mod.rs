//! Sessions: one user's stay. Identified by a public id, opened only by its secret.
//!
//! [`SessionBook`] knows whom a secret belongs to; [`Sessions`] runs one [`actor::SessionActor`] per session that has
//! sockets. Faults it survives: a session's panic (its sockets come back), a database that is away (who is known stays
//! known).

pub mod actor;
mod book;
mod secret;
mod sessions;

pub use book::{Identity, SessionBook, SessionError};
pub use secret::{Secret, SecretHash};
pub use sessions::Sessions;
