//! The processes of one instance: display, window manager, app, capture, and the connection that injects input.
//!
//! ```text
//! Desktop             rest_for_one
//!  ├ keeper           the link to the keeper, whose loss ends the Desktop
//!  ├ display          Xvfb
//!  └ stage            one_for_one, a budget per child
//!     ├ window_manager
//!     ├ capture       process and client; feeds the hub
//!     ├ input         XTEST, on a thread of its own
//!     ├ vnc           x11vnc, while somebody watches by it
//!     └ render        the app
//! ```
//!
//! Every child is one future: it makes sure that its process runs (or attaches to the one that runs already), waits for
//! its end, and says why it ended. What outlives the children is in [`DesktopShared`]; what is known about them in
//! [`crate::source::Facts`]. To its instance a Desktop is a [`crate::source::Source`].
//!
//! Faults it survives: any of these processes dying or hanging, in any order; the host dying (the processes stay, the
//! next host attaches to them); any child panicking (the processes stay, its successor attaches to them, and so do those
//! that are restarted with it: `takeover`).

mod children;
pub mod commands;
mod encoders;
mod own_thread;
mod parts;
mod process_child;
mod setup;
mod shared;
mod siblings;
mod source;
mod starting;
mod takeover;
mod tree;
mod vnc_door;

pub use commands::Layout;
pub use encoders::encoder_set::EncoderSet;
pub use parts::PARTS;
pub use setup::{SetupError, files, prepare};
pub use shared::{DesktopParts, DesktopShared};
pub use starting::kept_home::{HomeFull, judge as judge_home};
pub use starting::starts::StartTurns;
pub use vnc_door::VncDoor;
