//! What the line to one browser carries. Pure: time is an argument, effects are values; knows neither WebRTC nor RTP.
//!
//! ```text
//!   packets that leave ──▶ History ◀── feedback (transport-cc)
//!                             │ Report: sent, arrived or lost
//!            ┌────────────────┼───────────────┬───────────────┐
//!            ▼                ▼               ▼               ▼
//!          Delay            Loss        Acknowledged        Trains
//!     does the queue    more than the  what has come   how far apart do packets
//!         grow?          line's own?   in 500 ms?     arrive that left together?
//!            └────────────────┴───────┬───────┴───────────────┘
//!                                     ▼
//!                 Rate: down to what came through, up while it is used ──▶ bits a second
//! ```
//!
//! - [`history`]: which packet is which, what became of it, and how far packets overtake each other.
//! - `delay`, `trend`: the queue of the line, told from jitter by the quickest packets of a moment.
//! - `loss`: what is lost; a line's own loss, that no lower rate would save, is none of a queue's.
//! - `acknowledged`, `trains`: what is proven to come through.
//! - `rate`: the estimate. `estimator`: all of it together. [`pacer`]: when a packet may leave.
//!
//! Everything here comes from the browser's word: feedback for packets that were never sent is dropped, times that jump
//! start anew, and no estimate leaves [`FLOOR`] … [`CAP`].

mod acknowledged;
mod delay;
mod estimator;
mod history;
mod loss;
mod pacer;
mod rate;
mod trains;
mod trend;

use std::time::{Duration, Instant};

pub(super) use estimator::Estimator;
pub(super) use history::Sent;
pub(super) use pacer::Pacer;

/// What a line is taken to carry before anything is known of it, in bits a second.
pub(super) const SEED: f64 = 2_000_000.0;
/// No line counts as carrying less, …
pub(super) const FLOOR: f64 = 100_000.0;
/// … nor more.
pub(super) const CAP: f64 = 100_000_000.0;

/// What became of one packet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Report {
    /// When it left.
    pub(super) sent: Instant,
    /// Of the whole packet, with the headers below RTP.
    pub(super) bytes: u32,
    /// When it arrived, by the browser's clock; `None` when it is lost.
    pub(super) arrived: Option<Duration>,
    /// Which packet of the picture it carried.
    pub(super) media: Option<u16>,
}

#[cfg(test)]
mod tests;
