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
}
