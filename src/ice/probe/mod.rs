//! Asks STUN and TURN servers what a browser asks them (RFC 8489, RFC 8656), and says what came of it.
//!
//! - `way`: how bytes get to a server and back: datagrams, a connection, TLS.
//! - `client`: requests and their answers over a way; credentials.
//! - [`check`]: everything that has to work of one server; [`step`]: what came of each part.
//! - [`public`]: the address that a server sees.
//! - [`trust`]: which certificates are believed.
//!
//! All of it blocks: it runs on threads of its own, never on an arbiter. Every wait has a deadline.

pub mod check;
mod client;
mod error;
pub mod public;
pub mod step;
pub mod trust;
mod way;

pub use check::{Checked, Setting, check};
pub use error::ProbeError;
pub use public::public_addresses;
pub use step::Step;
pub use trust::Trust;
