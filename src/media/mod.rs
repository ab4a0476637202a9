//! Where capture and peers meet: pictures as encoders take them, encoded frames, the hub that fans them out, RTP time.
//!
//! A [`Track`] is one medium in one codec. It is had in [`Rendition`]s, which are the rungs of a [`Ladder`]: the whole
//! picture, and smaller ones of fewer frames for lines that carry less. Each is encoded once, for all who watch it, and
//! only while somebody does. Who watches which, and what rate each gets, is decided by what viewers' paths carry
//! (`moves.rs`); a viewer moves at a key frame. Whoever takes the colours in full gets them so while the picture hardly moves
//! (`colours.rs`).
//!
//! The hub of an instance outlives its capture process and its peers: either side may be restarted while the other
//! goes on. A capture that comes back starts with a key frame; a viewer that comes late, or was too slow, gets
//! nothing until the next one, which the hub asks for on its behalf.
//!
//! ```text
//! capture client ── publish ──▶ Hub ── slot of a few frames ──▶ Subscription (one per peer)
//!        ▲                      │ ▲                                  │
//!        └ wanted, rates, keys ─┘ └─── capacity, pause, stalled ─────┘
//! ```
//!
//! [`Presses`] joins the two ends: which frame is the first to show what a viewer pressed, with the [`Stamps`] of its way.
//!
//! Faults it survives: a capture that restarts (sequence and time run on), a subscriber that stops reading (it skips
//! to a key frame), a publisher whose clock steps back (time never does).

mod capacity;
mod changes;
mod colours;
mod frame;
mod hub;
mod ladder;
mod moves;
mod planar;
mod presses;
mod rtp_time;
mod scale;
mod tiles;
mod track;
pub(crate) mod waiting;

pub use changes::Changes;
pub use frame::{Frame, Stamps};
pub use hub::{Hub, HubStats, KeyRequests, Subscription};
pub use ladder::{Ladder, MOST_RUNGS, Rung};
pub use planar::{Layout, Planar, PlanarPicture, strides};
pub use presses::{Press, Presses, Shown};
pub use rtp_time::RtpClock;
pub use scale::{Scaler, scaled};
pub use tiles::{Area, TILE, Tiles};
pub use track::{Codec, Rendition, Track, TrackKind};
