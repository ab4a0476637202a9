//! Where capture and peers meet: pictures as encoders take them, encoded frames, the hub that fans them out, RTP time.
//!
//! The hub of an instance outlives its capture process and its peers: either side may be restarted while the other
//! goes on. A capture that comes back starts with a key frame; a viewer that comes late, or was too slow, gets
//! nothing until the next one, which the hub asks for on its behalf.
//!
//! ```text
//! capture client ── publish ──▶ Hub ── slot of a few frames ──▶ Subscription (one per peer)
//!        ▲                        │
//!        └ wanted, rates, key requests ◀── what each one's path carries
//! ```
//!
//! Faults it survives: a capture that restarts (sequence and time run on), a subscriber that stops reading (it skips
//! to a key frame), a publisher whose clock steps back (time never does).

mod capacity;
mod frame;
mod hub;
mod planar;
mod rtp_time;

pub use frame::{Codec, Frame};
pub use hub::{Hub, HubStats, KeyRequests, Subscription};
pub use planar::{Planar, PlanarPicture};
pub use rtp_time::RtpClock;
