//! The hub's codecs and renditions and the wire's.

use crate::media::{Codec, Rendition};
use crate::protocol::capture::{CodecNumber, RenditionNumber};

impl From<Codec> for CodecNumber {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264,
            Codec::H264Full => Self::H264Full,
            Codec::Vp8 => Self::Vp8,
            Codec::Vp9 => Self::Vp9,
            Codec::Av1 => Self::Av1,
        }
    }
}

impl From<CodecNumber> for Codec {
    fn from(number: CodecNumber) -> Self {
        match number {
            CodecNumber::H264 => Self::H264,
            CodecNumber::H264Full => Self::H264Full,
            CodecNumber::Vp8 => Self::Vp8,
            CodecNumber::Vp9 => Self::Vp9,
            CodecNumber::Av1 => Self::Av1,
        }
    }
}

impl From<Rendition> for RenditionNumber {
    fn from(rendition: Rendition) -> Self {
        Self {
            codec: rendition.track.codec().into(),
            rung: rendition.rung,
        }
    }
}

impl From<RenditionNumber> for Rendition {
    fn from(number: RenditionNumber) -> Self {
        Self::new(Codec::from(number.codec).into(), number.rung)
    }
}
