//! VP9 into the payloads of RTP packets (RFC 9628), in the flexible mode: each picture refers to the one before.
//!
//! The crate's own payloader never says which pictures are predicted, so that a browser takes each for a key frame.

use bytes::{BufMut, Bytes, BytesMut};
use rtc::rtp::packetizer::Payloader;
use rtc::shared::error::Result;

/// Bits of the payload descriptor's first byte (RFC 9628, section 4.2).
const PICTURE_ID: u8 = 0x80;
const PREDICTED: u8 = 0x40;
const FLEXIBLE: u8 = 0x10;
const BEGINS: u8 = 0x08;
const ENDS: u8 = 0x04;
/// The longest descriptor: the bits, a picture's id of two bytes, and how far back the picture is that it refers to.
const HEAD: usize = 4;
/// One back, and no further one.
const ONE_BACK: u8 = 1 << 1;

/// Payloads of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Vp9Payloads {
    picture: u16,
}

/// Whether a frame stands for itself: marker, profile, then "shows an existing frame" and "is no key frame", which is the
/// order of the first byte for the profiles 0 to 2.
fn is_key(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & 0b1100 == 0)
}

impl Payloader for Vp9Payloads {
    fn payload(&mut self, mtu: usize, frame: &Bytes) -> Result<Vec<Bytes>> {
        let Some(most) = mtu.checked_sub(HEAD).filter(|most| *most > 0) else {
            return Ok(Vec::new());
        };
        let key = is_key(frame);
        let count = frame.len().div_ceil(most);
        let mut payloads = Vec::with_capacity(count);
        for (n, part) in frame.chunks(most).enumerate() {
            let mut bits = PICTURE_ID | FLEXIBLE;
            for (bit, set) in [(PREDICTED, !key), (BEGINS, n == 0), (ENDS, n + 1 == count)] {
                if set {
                    bits |= bit;
                }
            }
            let mut out = BytesMut::with_capacity(HEAD + part.len());
            out.put_u8(bits);
            out.put_u16(0x8000 | self.picture);
            if !key {
                out.put_u8(ONE_BACK);
            }
            out.put_slice(part);
            payloads.push(out.freeze());
        }
        self.picture = (self.picture + 1) & 0x7fff;
        Ok(payloads)
    }

    fn clone_to(&self) -> Box<dyn Payloader> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: u8 = 0x82;
    const DELTA: u8 = 0x86;

    fn frame(first: u8, len: usize) -> Bytes {
        let mut frame = vec![0x11; len];
        frame[0] = first;
        frame.into()
    }

    #[test]
    fn a_key_frame_says_so_and_what_follows_refers_to_the_picture_before() {
        let mut payloads = Vp9Payloads::default();
        let key = payloads.payload(104, &frame(KEY, 250)).unwrap();
        let heads: Vec<&[u8]> = key.iter().map(|payload| &payload[..3]).collect();
        assert_eq!(heads, [[0x98, 0x80, 0], [0x90, 0x80, 0], [0x94, 0x80, 0]]);
        let delta = payloads.payload(104, &frame(DELTA, 50)).unwrap();
        assert_eq!(&delta[0][..4], [0xdc, 0x80, 1, 2]);
        assert_eq!(delta.len(), 1);
    }

    #[test]
    fn nothing_of_a_frame_is_lost_and_no_payload_is_too_large() {
        let mut payloads = Vp9Payloads { picture: 0x7fff };
        let whole = frame(DELTA, 5000);
        let parts = payloads.payload(1188, &whole).unwrap();
        assert!(parts.iter().all(|part| part.len() <= 1188));
        let joined: Vec<u8> = parts.iter().flat_map(|part| part[4..].to_vec()).collect();
        assert_eq!(joined, whole);
        assert_eq!(payloads.picture, 0, "it begins again");
        assert!(payloads.payload(3, &whole).unwrap().is_empty());
        assert!(payloads.payload(1188, &Bytes::new()).unwrap().is_empty());
    }
}
