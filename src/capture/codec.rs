//! The hub's codecs and the wire's.

use crate::media::Codec;
use crate::protocol::capture::CodecNumber;

impl From<Codec> for CodecNumber {
    fn from(codec: Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264,
            Codec::Vp8 => Self::Vp8,
        }
    }
}

impl From<CodecNumber> for Codec {
    fn from(number: CodecNumber) -> Self {
        match number {
            CodecNumber::H264 => Self::H264,
            CodecNumber::Vp8 => Self::Vp8,
        }
    }
}
