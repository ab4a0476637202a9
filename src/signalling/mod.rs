//! The signalling socket: frames to messages and back. Nothing here decides anything.
//!
//! `actix-web-actors` polls its actor only while the client reads, so liveness, grace and queues belong to others:
//! this actor may vanish or hang at any moment and nobody waits for it.

//!
//! ```text
//! connection ─▶ guard (frames) ─▶ codec ─▶ SocketActor ─▶ SessionActor
//! ```

mod frames;
mod guard;
pub mod media;
mod socket;

pub use socket::{NoUpgrade, SocketActor, check, upgrade};
