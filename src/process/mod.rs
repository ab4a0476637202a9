//! The processes of an instance: the keeper that owns them, the host's client of it, and the sweep after a crash.
//!
//! ```text
//! host ── KeeperClient ──(DIR/keeper.sock)── keeper ──┬─ display  ├─ app  ├─ capture …
//! ```
//!
//! - `keeper` the process itself · `client` the host's side of it · `sweep` what a dead keeper left is ended ·
//!   `last_resort` what did not end in time is killed
//! - `proc` what `/proc` tells · `seccomp` what no program needs · `privileges` what host and keepers give up · `error` what can go wrong

mod client;
mod error;
pub mod keeper;
mod last_resort;
pub mod privileges;
mod proc;
pub mod seccomp;
mod sweep;

pub use client::{KeeperClient, KeeperEvent, KeeperOptions, Lost};
pub use error::ProcessError;
pub use keeper::{MAX_LOG_BYTES, SizedFolder};
pub use last_resort::kill_left;
pub use sweep::{SweepReport, end_keepers, is_kept, sweep, sweep_instance};
