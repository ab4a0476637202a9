//! The two folders of the host, and whose they are.
//!
//! Owns: the state folder with its lock ([`state_dir`]), the folder of the apps ([`apps_dir`]) with homes that lie aside
//! ([`aside`]), the user that apps run as ([`owner`]), and what looks at or removes what an app could fill as it liked
//! ([`mod@usage`], [`removal`]).
//!
//! Faults it survives: links that lead out, names of any bytes, folders nested without end or closed to the host, a disk
//! that is full, folders that are exchanged while they are walked.

pub mod apps_dir;
pub mod aside;
pub mod owner;
pub mod removal;
pub mod state_dir;
pub mod usage;

pub use apps_dir::{AppsDir, InstanceFolders};
pub use aside::Aside;
pub use owner::AppOwner;
pub use state_dir::{StateDir, StateDirError};
pub use usage::{Usage, Walk, usage};
