//! One WebRTC peer connection of one viewer: the host's end of it.
//!
//! A [`Peer`] is opened with a browser's offer. From then on a task on the media runtime owns the connection, feeds it
//! frames from the instance's hub, hands input events to the instance's [`InputSink`], and closes it: when asked, when
//! the network is lost, when the browser closes it, when it never connects, and when its owner breaks.
//!
//! ```text
//!   offer ──▶ codec chosen ──▶ connection opened ──▶ Open: the answer is made, candidates are added, frames and input flow
//!
//!           asked for · network lost · closed by             settled, or 5 s
//!           the browser · 20 s not connected · broke         (host shutdown: 1 s)         closed, or 2 s
//!   Open ─────────────────────────────────────────▶ Draining ────────────────▶ Closing ────────────────▶ Closed
//!           operations are denied, the feeder is              close(), once
//!           detached, the browser is told why
//!
//!   Hub ──▶ feeder ──▶ packets, paced ──▶ UDP          data channel ──▶ rate, decode ──▶ InputSink
//!    ▲         ▲                           │
//!    └ rate ───┴─── what the line carries ◀┘ feedback
//! ```
//!
//! Who may talk to it: whoever has its [`Peer`], which is there before the connection; it answers by [`PeerEvents`], to its
//! owner. A peer whose picture goes another way is the same [`Peer`], and what carries it follows the [`PeerOrders`].
//! Nothing here names a sibling.
//!
//! Faults it survives: an owner that panics or is aborted (the connection is closed), a feeder or reader that panics
//! (the peer ends as `fault`, so that the page offers anew), a viewer that is too slow (it skips to a key frame; no one
//! else notices), a browser that vanishes (ICE: 3 s disconnected, 5 s more failed), that floods (a bounded rate,
//! releases always pass) or sends rubbish (the channel is closed), an answer that hangs (5 s), a connection that does
//! not close (it is let go after 2 s).
//!
//! - `peer`: what is said to a peer; `opening`: how one begins.
//! - `task`: owns the connection; `operation`: what is asked of it; [`state`]: when it may be closed; pure.
//! - [`codec_choice`]: what to answer; [`candidate`]: which addresses to check; pure.
//! - [`connection`]: what is needed from a WebRTC implementation; [`webrtc`] is the one there is.
//! - `feeder`: the way of a frame; `repeats`: which packets are sent
//!   again, `key_rate`: how often a key frame is made for one browser; pure. `bandwidth`: what the line carries; pure.
//! - `channels`, `events`, `rate`: the way of an input event.
//! - [`ports`], [`addresses`](local_addresses): where it binds.

mod addresses;
mod bandwidth;
pub mod candidate;
mod channels;
pub mod codec_choice;
pub mod connection;
mod error;
mod events;
#[cfg(test)]
pub(crate) mod fake;
mod feeder;
mod key_rate;
mod opening;
mod operation;
#[allow(clippy::module_inception, reason = "the noun of this file is the folder's")]
mod peer;
pub mod ports;
mod rate;
mod repeats;
pub mod state;
mod task;
pub mod webrtc;

pub use addresses::{MediaAddresses, local_addresses};
pub use channels::{InputChannel, InputSink, told};
pub use error::PeerError;
pub use events::{InputCounters, InputEvents};
pub use key_rate::KeyRate;
pub use opening::{PeerAnswer, PeerEvent, PeerEvents, PeerOptions};
pub use peer::{EndAsked, Peer, PeerOrders, PeerStats};
pub use ports::PortRange;
pub use state::ConnectionState;

/// What is written down of all peers: each line is one that a browser can cause at will.
static LINES: crate::observe::Lines = crate::observe::Lines::a_minute(300);

#[cfg(test)]
mod tests;
