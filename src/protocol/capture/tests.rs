use super::*;
use proptest::prelude::*;

fn codec() -> impl Strategy<Value = CodecNumber> {
    prop_oneof![
        Just(CodecNumber::H264),
        Just(CodecNumber::Vp8),
        Just(CodecNumber::Vp9),
        Just(CodecNumber::Av1)
    ]
}

fn rendition() -> impl Strategy<Value = RenditionNumber> {
    (codec(), any::<u8>()).prop_map(|(codec, rung)| RenditionNumber { codec, rung })
}

fn form() -> impl Strategy<Value = RenditionForm> {
    (1..=100u8, 1..u16::MAX, any::<u32>()).prop_map(|(percent, fps, kbps)| RenditionForm { percent, fps, kbps })
}

fn host_message() -> impl Strategy<Value = HostMessage> {
    prop_oneof![
        any::<u16>().prop_map(|version| HostMessage::Hello { version }),
        prop::collection::btree_map(rendition(), form(), 0..9).prop_map(HostMessage::Want),
        rendition().prop_map(HostMessage::KeyFrame),
        (rendition(), any::<u32>()).prop_map(|(rendition, kbps)| HostMessage::Bitrate { rendition, kbps }),
        Just(HostMessage::ExpectChange),
    ]
}

fn capture_message() -> impl Strategy<Value = CaptureMessage> {
    prop_oneof![
        (any::<[u16; 3]>(), prop::collection::vec((codec(), ".{0,20}"), 0..4)).prop_map(|(n, encoders)| {
            CaptureMessage::Hello {
                version: n[0],
                width: n[1],
                height: n[2],
                encoders,
            }
        }),
        (
            rendition(),
            any::<bool>(),
            any::<[u64; 5]>(),
            prop::collection::vec(any::<u8>(), 0..300)
        )
            .prop_map(
                |(rendition, key, [pts_us, times_us @ ..], data)| CaptureMessage::Frame {
                    rendition,
                    key,
                    pts_us,
                    times_us,
                    data: data.into()
                }
            ),
        any::<[u64; 2]>().prop_map(|n| CaptureMessage::Alive {
            grabbed: n[0],
            damage: n[1]
        }),
        ("[a-z_]{0,30}", ".{0,80}").prop_map(|(code, text)| CaptureMessage::Error { code, text }),
        (codec(), ".{0,30}").prop_map(|(codec, name)| CaptureMessage::Encoder { codec, name }),
        (codec(), ".{0,30}", ".{0,80}").prop_map(|(codec, name, why)| CaptureMessage::EncoderFailed {
            codec,
            name,
            why
        }),
    ]
}

proptest! {
    #[test]
    fn a_host_message_survives_the_wire(message in host_message()) {
        let mut buffer = BytesMut::from(&message.encode()[..]);
        let (kind, body) = split_frame(&mut buffer).unwrap().unwrap();
        prop_assert_eq!(HostMessage::decode(kind, body).unwrap(), message);
        prop_assert!(buffer.is_empty());
    }

    #[test]
    fn a_capture_message_survives_the_wire_in_pieces(message in capture_message(), cut in any::<prop::sample::Index>()) {
        let bytes = message.encode();
        let cut = cut.index(bytes.len());
        let mut buffer = BytesMut::from(&bytes[..cut]);
        prop_assert_eq!(split_frame(&mut buffer).unwrap(), None);
        buffer.extend_from_slice(&bytes[cut..]);
        let (kind, body) = split_frame(&mut buffer).unwrap().unwrap();
        prop_assert_eq!(CaptureMessage::decode(kind, body).unwrap(), message);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), kind in any::<u8>()) {
        let body = Bytes::from(bytes.clone());
        let _ = HostMessage::decode(kind, body.clone());
        let _ = CaptureMessage::decode(kind, body);
        let mut buffer = BytesMut::from(&bytes[..]);
        while let Ok(Some((kind, body))) = split_frame(&mut buffer) {
            let _ = CaptureMessage::decode(kind, body);
        }
    }
}

#[test]
fn a_frame_beyond_the_cap_is_refused_before_it_is_read() {
    let mut buffer = BytesMut::from(&(u32::try_from(MAX_FRAME).unwrap() + 1).to_le_bytes()[..]);
    assert_eq!(
        split_frame(&mut buffer),
        Err(CaptureProtocolError::BadLength(MAX_FRAME + 1))
    );
}

#[test]
fn bytes_left_over_are_refused() {
    assert_eq!(
        HostMessage::decode(0x06, Bytes::from_static(b"x")),
        Err(CaptureProtocolError::Trailing(0x06))
    );
}

#[test]
fn a_rendition_that_no_encoder_could_make_is_refused() {
    for (percent, fps) in [(0, 30), (101, 30), (255, 30), (50, 0)] {
        let mut body = vec![1, 0, percent];
        body.extend_from_slice(&u16::to_le_bytes(fps));
        body.extend_from_slice(&[0; 4]);
        assert_eq!(
            HostMessage::decode(0x02, body.into()),
            Err(CaptureProtocolError::BadForm(percent, fps))
        );
    }
    assert_eq!(
        HostMessage::decode(0x02, Bytes::from_static(&[1, 0, 50])),
        Err(CaptureProtocolError::Truncated(0x02))
    );
}
