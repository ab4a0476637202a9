use actix_http::ws::Codec;
use bytes::BytesMut;
use proptest::prelude::*;
use tokio_util::codec::Decoder;

use super::*;

const TEXT: u8 = 0x1;
const CONTINUE: u8 = 0x0;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const LAST: u8 = 0x80;

/// A frame as a browser sends it, with its length in the given number of bytes.
fn frame(first: u8, length: u64, digits: usize) -> Vec<u8> {
    let mut bytes = head(first, length, digits);
    bytes.extend(std::iter::repeat_n(b'x', usize::try_from(length).unwrap()));
    bytes
}

fn head(first: u8, length: u64, digits: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match digits {
        0 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        2 => bytes.push(0x80 | 126),
        _ => bytes.push(0x80 | 127),
    }
    bytes.extend_from_slice(&length.to_be_bytes()[8 - digits..]);
    bytes.extend_from_slice(&[0; 4]);
    bytes
}

/// Gives all of it to fresh frames; says how many ended, or why it was refused.
fn feed(bytes: &[u8]) -> Result<usize, Refused> {
    let (mut frames, now, mut at, mut ended) = (Frames::default(), Instant::now(), 0, 0);
    while at < bytes.len() {
        let step = frames.take(&bytes[at..], now)?;
        at += step.taken;
        ended += usize::from(step.ended);
    }
    Ok(ended)
}

#[test]
fn a_frame_that_announces_too_much_is_refused_before_its_payload() {
    let largest = MAX_FRAME as u64;
    assert_eq!(feed(&head(LAST | TEXT, largest, 8)), Ok(0));
    for length in [largest + 1, 1 << 32, 1 << 62, u64::MAX] {
        // Its mask has not even come.
        assert_eq!(
            feed(&head(LAST | TEXT, length, 8)[..10]),
            Err(Refused::TooLarge),
            "{length}"
        );
    }
    assert_eq!(feed(&head(LAST | PING, 126, 2)[..4]), Err(Refused::Protocol));
    assert_eq!(feed(&head(LAST | CLOSE, 1 << 62, 8)[..10]), Err(Refused::Protocol));
}

#[test]
fn a_message_in_parts_is_refused_by_what_its_parts_announce() {
    let (half, rest) = (MAX_MESSAGE as u64 / 2, MAX_MESSAGE as u64 - MAX_MESSAGE as u64 / 2);
    let mut whole = frame(TEXT, half, 8);
    whole.extend(frame(LAST | PING, 3, 0));
    whole.extend(frame(LAST | CONTINUE, rest, 8));
    assert_eq!(feed(&whole), Ok(3));
    // The next begins from nothing.
    let again: Vec<u8> = [whole.clone(), whole].concat();
    assert_eq!(feed(&again), Ok(6));
    let mut large = frame(TEXT, half, 8);
    large.extend(head(CONTINUE, rest + 1, 8));
    assert_eq!(feed(&large), Err(Refused::TooLarge));
    assert_eq!(feed(&head(TEXT, half + rest + 1, 8)), Err(Refused::TooLarge));
}

#[test]
fn neither_empty_frames_nor_pings_between_them_make_a_message_of_more_frames() {
    let mut bytes = frame(TEXT, 0, 0);
    for _ in 1..MAX_FRAGMENTS {
        bytes.extend(frame(LAST | PING, 0, 0));
        bytes.extend(frame(CONTINUE, 0, 2));
    }
    assert!(feed(&bytes).is_ok());
    bytes.extend(frame(LAST | CONTINUE, 0, 0));
    assert_eq!(feed(&bytes), Err(Refused::TooLarge));
}

#[test]
fn what_is_no_frame_of_a_browser_is_refused() {
    let unmasked = [LAST | TEXT, 3];
    let reserved = [LAST | TEXT | 0x40, 0x83];
    let unknown = [LAST | 0x3, 0x83];
    let parted_ping = [PING, 0x83];
    let out_of_nothing = [LAST | CONTINUE, 0x83];
    for bytes in [unmasked, reserved, unknown, parted_ping, out_of_nothing] {
        assert_eq!(feed(&bytes), Err(Refused::Protocol), "{bytes:?}");
    }
    let mut second = frame(TEXT, 1, 0);
    second.extend(frame(LAST | TEXT, 1, 0));
    assert_eq!(feed(&second), Err(Refused::Protocol));
}

#[test]
fn a_message_has_its_time_from_its_first_byte_whatever_comes_between() {
    let (mut frames, begun) = (Frames::default(), Instant::now());
    let later = begun + MESSAGE_DEADLINE / 2;
    assert_eq!(frames.deadline(), None);
    let parts = [frame(TEXT, 2, 0), frame(LAST | PING, 0, 0), frame(CONTINUE, 2, 0)];
    assert!(frames.take(&parts[0][..1], begun).is_ok());
    assert_eq!(frames.deadline(), Some(begun + MESSAGE_DEADLINE));
    assert!(frames.take(&parts[0][1..], later).is_ok());
    for part in &parts[1..] {
        assert!(frames.take(part, later).unwrap().ended);
        assert_eq!(frames.deadline(), Some(begun + MESSAGE_DEADLINE));
    }
    assert!(frames.take(&frame(LAST | CONTINUE, 2, 0), later).unwrap().ended);
    assert_eq!(frames.deadline(), None);
    assert!(frames.take(&head(LAST | PING, 2, 0), later).is_ok());
    assert_eq!(frames.deadline(), Some(later + MESSAGE_DEADLINE));
}

/// Frames of all kinds, most of them good, as they stand one after the other.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let good = (
        prop::sample::select(vec![TEXT, 0x81, 0x82, CONTINUE, 0x80, 0x88, 0x89, 0x8a]),
        0_u64..130,
    );
    let odd = (any::<u8>(), prop_oneof![0_u64..300, 65_000_u64..70_000]);
    let one = prop_oneof![6 => good, 1 => odd].prop_flat_map(|(first, length)| {
        let least = match length {
            0..126 => 0,
            126..65_536 => 2,
            _ => 8,
        };
        let digits = [0, 2, 8]
            .into_iter()
            .filter(|digits| *digits >= least)
            .collect::<Vec<_>>();
        (
            Just(first),
            Just(length),
            prop::sample::select(digits),
            any::<[u8; 4]>(),
        )
    });
    prop::collection::vec(one, 0..40).prop_map(|all| {
        let bytes = |(first, length, digits, mask): (u8, u64, usize, [u8; 4])| {
            let mut bytes = frame(first, length, digits);
            bytes[2 + digits..6 + digits].copy_from_slice(&mask);
            bytes
        };
        all.into_iter().flat_map(bytes).collect()
    })
}

proptest! {
    /// Whatever comes in whatever pieces: the codec finds a frame exactly where one ends here, and holds no more than one.
    #[test]
    fn the_codec_finds_the_frames_that_were_let_through(bytes in frames(), cuts in prop::collection::vec(1_usize..400, 1..50)) {
        let (mut frames, now) = (Frames::default(), Instant::now());
        let (mut codec, mut held) = (Codec::new().max_size(MAX_FRAME), BytesMut::new());
        let (mut at, mut cuts) = (0, cuts.into_iter().cycle());
        while at < bytes.len() {
            let end = bytes.len().min(at + cuts.next().unwrap());
            let Ok(step) = frames.take(&bytes[at..end], now) else { return Ok(()) };
            held.extend_from_slice(&bytes[at..at + step.taken]);
            at += step.taken;
            match codec.decode(&mut held) {
                Ok(Some(_)) => prop_assert!(step.ended && held.is_empty(), "{} left", held.len()),
                Ok(None) => prop_assert!(!step.ended && held.len() <= MAX_FRAME + LONGEST_HEAD),
                // It judges what a payload says, which closes the socket.
                Err(_) => return Ok(()),
            }
        }
    }
}
