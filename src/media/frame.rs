//! One encoded picture and the name of its codec.

use std::fmt;
use std::str::FromStr;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// A video codec that an instance can be encoded with, once for all its viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264 constrained baseline, Annex B, one access unit a frame (RFC 6184).
    H264,
    /// VP8 (RFC 7741).
    Vp8,
}

impl Codec {
    /// Every codec, in the order of preference.
    pub const ALL: [Self; 2] = [Self::H264, Self::Vp8];

    /// The name used on the wire and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::Vp8 => "vp8",
        }
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Codec {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|c| c.name() == text)
            .ok_or_else(|| format!("unknown codec {text:?} (h264 or vp8)"))
    }
}

/// One encoded picture, shared by every viewer.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The access unit (H.264, Annex B) or frame (VP8).
    pub data: Bytes,
    /// Whether decoding can start here.
    pub key: bool,
    /// When the picture was grabbed: `CLOCK_MONOTONIC`, µs.
    pub pts_us: u64,
}
