//! One encoded picture, and what it belongs to.

use bytes::Bytes;

use super::Rendition;

/// One encoded picture, shared by every viewer.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What it is a picture of the stream of. A subscriber gets another one from a key frame on.
    pub rendition: Rendition,
    /// The access unit (H.264, Annex B) or frame (VP8).
    pub data: Bytes,
    /// Whether decoding can start here.
    pub key: bool,
    /// When the picture was grabbed: `CLOCK_MONOTONIC`, µs.
    pub pts_us: u64,
    /// Where its time went.
    pub stamps: Stamps,
}

/// When what was done to a picture at the host: `CLOCK_MONOTONIC`, µs; 0 where nobody knows. A picture that is encoded again has
/// those of the grab that it shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The last change in it was heard of.
    pub changed_us: u64,
    /// It was in memory.
    pub grabbed_us: u64,
    /// It was converted to what encoders take.
    pub converted_us: u64,
    /// It came out of its encoder.
    pub encoded_us: u64,
    /// The host had it.
    pub received_us: u64,
}

impl Stamps {
    /// None of them later than this: they come from another process.
    #[must_use]
    pub fn until(self, now_us: u64) -> Self {
        Self {
            changed_us: self.changed_us.min(now_us),
            grabbed_us: self.grabbed_us.min(now_us),
            converted_us: self.converted_us.min(now_us),
            encoded_us: self.encoded_us.min(now_us),
            received_us: self.received_us.min(now_us),
        }
    }
}
