//! What media there are: tracks, and the renditions that each is encoded in.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a track is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TrackKind {
    /// Pictures.
    Video,
    /// Sound.
    Audio,
}

/// A video codec that an instance can be encoded with, once for all its viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// H.264 constrained baseline, Annex B, one access unit a frame (RFC 6184).
    H264,
    /// The same with its colours in full size (High 4:4:4 Predictive): of a picture that hardly moves. Whoever decodes it
    /// decodes [`Codec::H264`] as well, and gets that in the same stream where the picture moves.
    #[serde(rename = "h264-444")]
    H264Full,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9, profile 0 (RFC 9628).
    Vp9,
    /// AV1, main profile, one temporal unit a frame.
    Av1,
}

impl Codec {
    /// Every codec that can be configured, in the order of preference; [`Self::H264Full`] goes with H.264.
    pub const ALL: [Self; 4] = [Self::H264, Self::Vp8, Self::Vp9, Self::Av1];

    /// The name used on the wire and in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::H264 => "h264",
            Self::H264Full => "h264-444",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Av1 => "av1",
        }
    }

    /// What moving pictures are encoded in for those who take this.
    #[must_use]
    pub const fn moving(self) -> Self {
        match self {
            Self::H264Full => Self::H264,
            other => other,
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
            .chain([Self::H264Full])
            .find(|c| c.name() == text)
            .ok_or_else(|| format!("unknown codec {text:?} (h264, vp8, vp9 or av1)"))
    }
}

/// One medium of an instance in one codec: what a subscriber asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Track {
    codec: Codec,
}

impl Track {
    /// What it is for.
    #[must_use]
    pub const fn kind(self) -> TrackKind {
        match self.codec {
            Codec::H264 | Codec::H264Full | Codec::Vp8 | Codec::Vp9 | Codec::Av1 => TrackKind::Video,
        }
    }

    /// How it is encoded.
    #[must_use]
    pub const fn codec(self) -> Codec {
        self.codec
    }

    /// Ticks a second of its RTP time.
    #[must_use]
    pub const fn clock_hz(self) -> u32 {
        match self.kind() {
            // RFC 6184, RFC 7741, RFC 9628, and AV1's own.
            TrackKind::Video => 90_000,
            // What Opus always has (RFC 7587).
            TrackKind::Audio => 48_000,
        }
    }
}

impl From<Codec> for Track {
    fn from(codec: Codec) -> Self {
        Self { codec }
    }
}

impl fmt::Display for Track {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.codec.fmt(f)
    }
}

/// One form of a track: encoded once, for all who watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rendition {
    /// Of what.
    pub track: Track,
    /// Its rung of the [`Ladder`](super::Ladder), 0 being the best.
    pub rung: u8,
}

impl Rendition {
    /// The rendition of a track on a rung.
    #[must_use]
    pub const fn new(track: Track, rung: u8) -> Self {
        Self { track, rung }
    }
}

/// The best one.
impl From<Track> for Rendition {
    fn from(track: Track) -> Self {
        Self::new(track, 0)
    }
}

/// The best one.
impl From<Codec> for Rendition {
    fn from(codec: Codec) -> Self {
        Self::new(codec.into(), 0)
    }
}

impl fmt::Display for Rendition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.track, self.rung)
    }
}
