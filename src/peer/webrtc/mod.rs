//! The real connection, by the crates `webrtc` and `rtc`.
//!
//! - `factory`: builds one, with everything that is negotiated and timed.
//! - `connection`: the connection itself, and the guard that closes it.
//! - `callbacks`: what the crate calls back on its driver, which only posts.
//! - `sender`, `packets`: the way of a frame into the network.
//! - `parity`, `protection`: what makes up for packets that a far line loses.
//! - `transport`: numbers what leaves and reads what the browser says about it; `path`: what is known by that.
//! - `feedback`: RTCP from the browser: key frames asked for; `requests`: packets lost.
//! - `channel`: one data channel.
//! - `socket`: its sockets, which send flights of the handshake again, as `handshake` says, and give the crate checks of the
//!   browser once more, as `nomination` says, and see how far away
//!   the browser is (`checks`).

mod bursts;
mod callbacks;
mod channel;
mod checks;
mod connection;
mod factory;
mod feedback;
mod handshake;
mod nomination;
mod packets;
mod parity;
mod path;
mod protection;
mod requests;
mod sender;
mod socket;
mod stun;
mod transport;
mod vp9;

pub use factory::{WebrtcFactory, WebrtcOptions};

use super::error::PeerError;

/// Wraps an error of the crate.
fn failed(error: impl std::fmt::Display) -> PeerError {
    PeerError::Connection(error.to_string())
}
