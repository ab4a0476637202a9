//! The media socket: pictures to a browser that has no way for WebRTC, and its input.
//!
//! ```text
//!   Hub ──▶ Subscription ──▶ feed ──▶ MediaSocket ──▶ codec ──▶ TCP        pulled: only as fast as that takes it
//!                             ▲ gate: what the page has not taken yet (`under_way`)
//!   connection ──▶ guard ──▶ codec ──▶ MediaSocket ──▶ InputEvents ──▶ instance
//!                                          └─ taken ──▶ `capacity` ──▶ Hub: what encoders make
//!                                                             └──────▶ `kernel`: how fast it sends
//! ```
//!
//! Faults it survives: a page that does not read (nothing is pulled for it, TCP ends it after 20 s), that reads and takes
//! nothing (closed after 10 s), that floods or sends rubbish (bounded, then closed), an instance that goes (closed with its
//! reason).

mod ask;
mod capacity;
mod feed;
mod kernel;
mod shows;
mod socket;
mod under_way;

pub use ask::{Ask, Whose};
pub use kernel::Kernel;
pub use socket::{MediaRequest, MediaSocket, open};
