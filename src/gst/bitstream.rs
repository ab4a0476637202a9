//! What an encoder's first frame has to be, looked at without a decoder. Pure.

use crate::media::Codec;

/// The profile of a stream that the browsers were told of: constrained baseline, or the baseline that it is a part of.
const BASELINE: u8 = 66;
/// The one of those who take colours in full: High 4:4:4 Predictive.
const HIGH_444: u8 = 244;

/// Says why a frame is no key frame that a browser can begin with; what is not looked at is for a decoder to say.
pub(super) fn key_frame(codec: Codec, frame: &[u8]) -> Result<(), &'static str> {
    match codec {
        Codec::H264 => h264(frame, BASELINE),
        Codec::H264Full => h264(frame, HIGH_444),
        // RFC 6386, 9.1: the lowest bit is zero in a key frame, whose fourth byte begins a fixed code.
        Codec::Vp8 => match frame {
            [tag, _, _, 0x9d, 0x01, 0x2a, ..] if tag & 1 == 0 => Ok(()),
            _ => Err("no key frame of VP8 came out"),
        },
        // VP9 bitstream, 6.2: the marker 2, profile 0 in two bits, "shows an existing frame" and "is no key frame" zero.
        Codec::Vp9 => match frame {
            [first, 0x49, 0x83, 0x42, ..] if first & 0b1111_1100 == 0b1000_0000 => Ok(()),
            _ => Err("no key frame of VP9, profile 0, came out"),
        },
        Codec::Av1 => av1(frame),
    }
}

/// H.264, Annex B: parameter sets, and a picture that stands for itself.
fn h264(frame: &[u8], profile: u8) -> Result<(), &'static str> {
    let mut units = units(frame);
    let set = units
        .find(|unit| unit[0] & 0x1f == 7)
        .ok_or("its key frame has no sequence parameter set")?;
    if set.get(1) != Some(&profile) {
        return Err("its profile is not the one that browsers are told of");
    }
    let mut units = units.map(|unit| unit[0] & 0x1f);
    if !units.any(|kind| kind == 8) {
        return Err("its key frame has no picture parameter set");
    }
    units
        .any(|kind| kind == 5)
        .then_some(())
        .ok_or("its first frame is not a key frame")
}

/// The units of an Annex B stream, none of them empty.
fn units(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    const CODE: [u8; 3] = [0, 0, 1];
    let starts: Vec<usize> = stream
        .windows(3)
        .enumerate()
        .filter(|(_, w)| *w == CODE)
        .map(|(at, _)| at + 3)
        .collect();
    let ends: Vec<usize> = starts.iter().skip(1).map(|at| at - 3).chain([stream.len()]).collect();
    let pairs = starts.into_iter().zip(ends);
    pairs
        .map(|(from, to)| &stream[from..to])
        .filter(|unit| !unit.is_empty())
}

/// AV1, 5.3: units with a type and a size; a sequence header is what a decoder begins with.
fn av1(frame: &[u8]) -> Result<(), &'static str> {
    let none = Err("its key frame has no sequence header");
    let mut rest = frame;
    // There are a few in a frame; more would be rubbish.
    for _ in 0..16 {
        let [head, after @ ..] = rest else { return none };
        if head & 0b1000_0010 != 0b10 {
            return Err("what came out is no AV1 with sizes");
        }
        if head >> 3 & 0xf == 1 {
            return Ok(());
        }
        let after = if head & 0b100 == 0 {
            after
        } else {
            after.get(1..).unwrap_or_default()
        };
        let Some((size, used)) = leb128(after) else { return none };
        rest = after.get(used.saturating_add(size)..).unwrap_or_default();
    }
    none
}

/// A size of AV1 (4.10.5), and how many bytes it takes.
fn leb128(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut size = 0_usize;
    for (n, byte) in bytes.iter().take(4).enumerate() {
        size |= usize::from(byte & 0x7f) << (7 * n);
        if byte & 0x80 == 0 {
            return Some((size, n + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETS: [u8; 16] = [0, 0, 0, 1, 0x67, 66, 0xc0, 31, 0, 0, 0, 1, 0x68, 1, 2, 3];

    fn with(profile: u8, picture: u8) -> Vec<u8> {
        let mut frame = SETS.to_vec();
        frame[5] = profile;
        frame.extend([0, 0, 1, picture, 9, 9]);
        frame
    }

    #[test]
    fn a_key_frame_of_h264_has_its_sets_and_the_profile_that_browsers_were_told_of() {
        assert_eq!(key_frame(Codec::H264, &with(66, 0x65)), Ok(()));
        assert_eq!(
            key_frame(Codec::H264, &with(100, 0x65)),
            Err("its profile is not the one that browsers are told of")
        );
        assert_eq!(key_frame(Codec::H264Full, &with(244, 0x65)), Ok(()));
        assert!(key_frame(Codec::H264Full, &with(66, 0x65)).is_err());
        assert_eq!(
            key_frame(Codec::H264, &with(66, 0x41)),
            Err("its first frame is not a key frame")
        );
        assert_eq!(
            key_frame(Codec::H264, &[0, 0, 1, 0x65, 1, 2]),
            Err("its key frame has no sequence parameter set")
        );
        assert_eq!(
            key_frame(Codec::H264, &SETS[..12]),
            Err("its key frame has no picture parameter set")
        );
    }

    #[test]
    fn frames_between_key_frames_are_none_in_any_codec() {
        assert_eq!(key_frame(Codec::Vp8, &[0x10, 0, 0, 0x9d, 1, 0x2a, 0]), Ok(()));
        assert!(key_frame(Codec::Vp8, &[0x11, 0, 0, 0x9d, 1, 0x2a, 0]).is_err());
        assert_eq!(key_frame(Codec::Vp9, &[0x82, 0x49, 0x83, 0x42, 0]), Ok(()));
        assert!(key_frame(Codec::Vp9, &[0x86, 0, 0x40, 0x92]).is_err());
        // A temporal delimiter, then a sequence header, or a frame.
        assert_eq!(key_frame(Codec::Av1, &[0x12, 0, 0x0a, 1, 0]), Ok(()));
        assert!(key_frame(Codec::Av1, &[0x12, 0, 0x32, 1, 0]).is_err());
    }

    proptest! {
        #[test]
        fn rubbish_is_no_key_frame_and_no_panic(mut bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            // What begins as each of them does is not rubbish.
            if let Some(first) = bytes.first_mut() {
                *first |= 0x81;
            }
            for codec in [Codec::Vp8, Codec::Vp9, Codec::Av1] {
                prop_assert!(key_frame(codec, &bytes).is_err() || codec == Codec::Vp9, "{codec}");
            }
            let _ = key_frame(Codec::H264, &bytes);
        }
    }
}
