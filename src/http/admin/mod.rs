//! What administrators see and do: the supervision tree, its history, and restarts by hand.
//!
//! Who has shown the host's token is an administrator (see [`super::who::Admin`]).

mod counters;
mod events;
mod live;
mod servers;
mod supervision;
mod view;

pub use counters::counters;
pub use events::events;
pub use live::{Watchers, stream};
pub use servers::servers;
pub use supervision::{restart, tree};
