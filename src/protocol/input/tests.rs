use super::super::latency::Measured;
use super::*;
use proptest::prelude::*;

fn events() -> impl Strategy<Value = InputEvent> {
    prop_oneof![
        any::<(u16, u16)>().prop_map(|(x, y)| InputEvent::Move { x, y }),
        any::<(i16, i16)>().prop_map(|(dx, dy)| InputEvent::RelativeMove { dx, dy }),
        (0u8..=4, any::<bool>(), any::<u16>(), any::<u16>()).prop_map(|(number, pressed, x, y)| InputEvent::Button {
            number,
            pressed,
            x,
            y
        }),
        any::<(i16, i16, u16, u16)>().prop_map(|(dx, dy, x, y)| InputEvent::Wheel { dx, dy, x, y }),
        any::<(bool, u16, u32)>().prop_map(|(pressed, usage, keysym)| InputEvent::Key { pressed, usage, keysym }),
        any::<(u16, u32)>().prop_map(|(usage, keysym)| InputEvent::Repeat { usage, keysym }),
        "\\PC{1,256}".prop_map(InputEvent::Text),
        Just(InputEvent::ReleaseAll),
        Just(InputEvent::Hidden),
        Just(InputEvent::Visible),
        any::<u64>().prop_map(|t| InputEvent::Ping { t }),
        proptest::option::of(0..4_u8).prop_map(|rung| InputEvent::Rendition { rung }),
        any::<([u16; 4], [bool; 2])>().prop_map(|([a, b, c, d], [click, glass])| {
            let measured = |p50: u16, more: u16| Measured {
                p50,
                p95: p50.saturating_add(more),
                samples: more.max(1),
            };
            InputEvent::Latency(LatencyReport {
                click: click.then(|| measured(a, b)),
                glass: glass.then(|| measured(c, d)),
            })
        }),
    ]
}

fn header(kind: u8) -> Vec<u8> {
    vec![1, kind, 0, 0, 0, 0, 0, 0, 0, 0]
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(seq: u32, time_ms: u32, event in events()) {
        let frame = InputFrame { seq, time_ms, event };
        let bytes = encode(&frame);
        prop_assert!(bytes.len() <= MAX_FRAME);
        prop_assert_eq!(decode(&bytes), Ok(frame));
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_have_one_reading(
        kind in 0u8..15,
        mut bytes in prop::collection::vec(any::<u8>(), 0..1100),
        framed: bool,
    ) {
        if framed && bytes.len() > 2 {
            bytes[0] = VERSION;
            bytes[1] = kind;
        }
        if let Ok(frame) = decode(&bytes) {
            prop_assert_eq!(encode(&frame), bytes);
        }
    }

    #[test]
    fn a_byte_more_or_less_is_refused(event in events()) {
        prop_assume!(!matches!(event, InputEvent::Text(_)));
        let mut bytes = encode(&InputFrame { seq: 1, time_ms: 2, event });
        bytes.push(0);
        prop_assert!(decode(&bytes).is_err());
        bytes.truncate(bytes.len() - 2);
        prop_assert!(decode(&bytes).is_err());
    }
}

#[test]
fn the_layout_is_the_documented_one() {
    let frame = InputFrame {
        seq: 0x0403_0201,
        time_ms: 7,
        event: InputEvent::Wheel {
            dx: -1,
            dy: 120,
            x: 256,
            y: 65535,
        },
    };
    assert_eq!(
        encode(&frame),
        [1, 4, 1, 2, 3, 4, 7, 0, 0, 0, 255, 255, 120, 0, 0, 1, 255, 255]
    );
    assert_eq!(
        encode_pong(1, 258),
        [1, 0x81, 1, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0, 0, 0, 0, 0]
    );
    assert_eq!(encode_status("{}"), [1, 0x82, b'{', b'}']);
    assert_eq!(encode_closed(CloseReason::Fault), *b"\x01\x85fault");
}

#[test]
fn values_out_of_range_are_refused_with_their_code() {
    let code = |bytes: &[u8]| decode(bytes).unwrap_err().code();
    assert_eq!(code(&[]), "bad_length");
    assert_eq!(code(&[2, 7, 0, 0, 0, 0, 0, 0, 0, 0]), "bad_version");
    assert_eq!(code(&header(0)), "unknown_type");
    assert_eq!(code(&header(14)), "unknown_type");
    assert_eq!(code(&[header(3), vec![5, 0, 0, 0, 0, 0]].concat()), "out_of_range");
    assert_eq!(code(&[header(3), vec![4, 2, 0, 0, 0, 0]].concat()), "out_of_range");
    assert_eq!(code(&[header(5), vec![2, 0, 0, 0, 0, 0, 0]].concat()), "out_of_range");
    assert_eq!(code(&[header(13), vec![4]].concat()), "out_of_range");
    assert_eq!(code(&header(6)), "bad_length");
    assert_eq!(code(&[header(6), vec![0xff]].concat()), "bad_utf8");
    assert_eq!(code(&[header(6), vec![b'a'; MAX_TEXT + 1]].concat()), "too_large");
    assert!(decode(&[header(6), vec![b'a'; MAX_TEXT]].concat()).is_ok());
}
