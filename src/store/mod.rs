//! The database: what is known of servers, sessions, instances, peers and events beyond the life of a host.
//!
//! Owns the schema, its migrations, the pool of connections, and the journal. The only folder that names diesel.
//!
//! ```text
//!  a request that must not succeed without its row ──> Store::create_session, insert_instance, …  (may fail: 503)
//!  what merely happened ──> Journal (bounded, in memory) ──> its writer ──> Store::write          (never fails)
//! ```
//!
//! Survives: a database that is locked, slow, full, moved away or replaced. Calls then end with a typed error before their deadline,
//! and the journal keeps what it can hold and tries again. Nothing that streams waits for the database.
//!
//! Secrets are unknown here: only their SHA-256 hashes arrive.

pub mod admissions;
mod check;
mod connections;
pub mod error;
pub mod events;
pub mod identity;
pub mod instances;
pub mod journal;
pub mod links;
pub mod machine;
pub mod migrate;
pub mod peers;
mod pool;
pub mod retention;
pub mod revision;
mod schema;
pub mod servers;
pub mod sessions;
#[cfg(test)]
mod test_access;
mod text;
pub mod url;

pub use error::StoreError;
pub use events::NewEvent;
pub use instances::{InstanceRow, NewInstance, StatusChange};
pub use journal::{Journal, JournalStats};
pub use links::{Exchanged, LinkRow};
pub use machine::Machine;
pub use migrate::newest_change;
pub use peers::{NewPeer, PeerClosed};
pub use pool::Store;
pub use retention::{Keep, Removed};
pub use servers::{LEASE, ServerRow};
pub use sessions::SessionRow;
