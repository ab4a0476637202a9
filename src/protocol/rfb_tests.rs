use proptest::prelude::*;

use super::*;

const HELLO: &[u8] = b"RFB 003.008\n\x01\x01";

/// A client that has been let in.
fn greeted() -> Filter {
    let mut filter = Filter::default();
    filter.push(HELLO, &mut Vec::new()).unwrap();
    filter
}

/// What goes on of what a client says after its greeting.
fn said(bytes: &[u8]) -> Result<Vec<ToServer>, RfbError> {
    let mut out = Vec::new();
    greeted().push(bytes, &mut out).map(|()| out)
}

fn message(bytes: &[u8]) -> ToServer {
    ToServer::Message(Bytes::copy_from_slice(bytes))
}

fn encodings(list: &[i32]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, u8::try_from(list.len()).unwrap()];
    bytes.extend(list.iter().flat_map(|encoding| encoding.to_be_bytes()));
    bytes
}

/// What noVNC asks for.
const PIXELS: [u8; 20] = [0, 0, 0, 0, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 0, 8, 16, 0, 0, 0];
const UPDATE: [u8; 10] = [3, 1, 0, 0, 0, 0, 5, 0, 2, 208];

#[test]
fn a_client_is_greeted_and_shares_whatever_it_says() {
    let mut out = Vec::new();
    let mut filter = Filter::default();
    filter.push(b"RFB 003.008\n\x01\x00", &mut out).unwrap();
    assert_eq!(out, [message(b"RFB 003.008\n"), message(&[1]), message(&[1])]);
}

#[test]
fn another_version_or_another_security_ends_it() {
    let refused = |bytes: &[u8]| Filter::default().push(bytes, &mut Vec::new()).unwrap_err().code();
    assert_eq!(refused(b"RFB 003.003\n"), "rfb_version");
    assert_eq!(refused(b"GET / HTTP/1.1\r\n"), "rfb_version");
    assert_eq!(refused(b"RFB 003.008\n\x02"), "rfb_security");
}

#[test]
fn what_is_about_the_picture_goes_on() {
    assert_eq!(said(&PIXELS).unwrap(), [message(&PIXELS)]);
    let list = encodings(&[1, 7, -260, 16, 0, -223, -224, -308, -26, -254]);
    assert_eq!(said(&list).unwrap(), [message(&list)]);
    let update = Update {
        incremental: true,
        x: (0, 1280),
        y: (0, 720),
    };
    assert_eq!(said(&UPDATE).unwrap(), [ToServer::Update(update)]);
    assert_eq!(update.message()[..], UPDATE);
}

#[test]
fn what_lets_a_client_do_more_is_taken_out_of_its_encodings() {
    // QEMU's keys, xvp, fences, continuous updates, the extended clipboard, a cursor of its own.
    let clipboard = i32::from_be_bytes([0xc0, 0xa1, 0xe5, 0xce]);
    let more = encodings(&[7, -258, -309, -312, -313, clipboard, -239, 0]);
    assert_eq!(said(&more).unwrap(), [message(&encodings(&[7, 0]))]);
    assert_eq!(said(&encodings(&[])).unwrap(), [message(&encodings(&[]))]);
}

#[test]
fn input_and_all_that_steers_is_left_out_whatever_its_length() {
    let mut text = vec![6, 0, 0, 0, 0, 0, 1, 0];
    text.extend([b'x'; 256]);
    let mut extended = vec![6, 0, 0, 0, 0xff, 0xff, 0xff, 0xfc];
    extended.extend([0; 4]);
    let mut screens = vec![251, 0, 5, 0, 2, 208, 1, 0];
    screens.extend([0; 16]);
    let steering: [&[u8]; 9] = [
        &[4, 1, 0, 0, 0, 0, 0, 0x61],
        &[5, 1, 0, 10, 0, 10],
        &text,
        &extended,
        &[150, 1, 0, 0, 0, 0, 5, 0, 2, 208],
        &[248, 0, 0, 0, 0x80, 0, 0, 0, 3, 1, 2, 3],
        &[250, 0, 1, 2],
        &screens,
        &[255, 0, 0, 1, 0, 0, 0, 0x61, 0, 0, 0, 30],
    ];
    for bytes in steering {
        let mut filter = greeted();
        let mut out = Vec::new();
        filter.push(&[bytes, &UPDATE].concat(), &mut out).unwrap();
        assert!(matches!(out[..], [ToServer::Update(_)]), "{bytes:?}: {out:?}");
        assert_eq!(filter.left_out(), 1);
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_code() {
    let refused = |bytes: &[u8]| said(bytes).unwrap_err().code();
    for kind in [1, 7, 100, 249, 252, 254] {
        assert_eq!(refused(&[kind]), "rfb_unknown_type", "{kind}");
    }
    assert_eq!(refused(&[255, 1]), "rfb_unknown_type");
    assert_eq!(refused(&[2, 0, 0, 65]), "rfb_too_long");
    assert_eq!(refused(&[2, 0, 0xff, 0xff]), "rfb_too_long");
    assert_eq!(refused(&[6, 0, 0, 0, 0, 1, 0, 1]), "rfb_too_long");
    assert_eq!(refused(&[6, 0, 0, 0, 0x80, 0, 0, 0]), "rfb_too_long");
    assert_eq!(refused(&[248, 0, 0, 0, 0, 0, 0, 0, 65]), "rfb_too_long");
    assert_eq!(refused(&[251, 0, 0, 0, 0, 0, 65]), "rfb_too_long");
    let wrong: [(usize, u8); 7] = [(4, 24), (4, 0), (5, 0), (5, 33), (7, 0), (14, 32), (9, 0)];
    for (at, value) in wrong {
        let mut pixels = PIXELS;
        pixels[at] = value;
        assert_eq!(refused(&pixels), "rfb_pixel_format", "{value} at {at}");
    }
}

#[test]
fn who_changes_the_format_without_end_is_refused() {
    let mut filter = greeted();
    let mut out = Vec::new();
    let refused = (0..1000).find_map(|_| filter.push(&PIXELS, &mut out).err());
    assert_eq!(refused, Some(RfbError::TooManySettings));
    assert_eq!(out.len(), 100);
}

#[test]
fn requests_that_wait_become_one_that_asks_for_all_of_them() {
    let one = |incremental, x, y| Update { incremental, x, y };
    let both = one(true, (0, 10), (5, 20)).and(one(false, (100, 200), (0, 8)));
    assert_eq!(both, one(false, (0, 200), (0, 20)));
    assert_eq!(
        one(true, (0, 1), (0, 1)).and(one(true, (0, 1), (0, 1))),
        one(true, (0, 1), (0, 1))
    );
}

/// Messages of a client, some of which steer.
fn message_of_a_client() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(PIXELS.to_vec()),
        Just(UPDATE.to_vec()),
        any::<[u8; 7]>().prop_map(|rest| [&[4][..], &rest].concat()),
        any::<[u8; 5]>().prop_map(|rest| [&[5][..], &rest].concat()),
        prop::collection::vec(any::<i32>(), 0..64).prop_map(|list| encodings(&list)),
        prop::collection::vec(any::<u8>(), 0..200).prop_map(|text| {
            let length = u32::try_from(text.len()).unwrap().to_be_bytes();
            [&[6, 0, 0, 0][..], &length, &text].concat()
        }),
    ]
}

/// What a server understands of what goes on: only these, and whole.
fn is_harmless(out: &ToServer) -> bool {
    match out {
        ToServer::Update(update) => update.x.0 <= update.x.1 && update.y.0 <= update.y.1,
        ToServer::Message(bytes) => match bytes[0] {
            0 => bytes.len() == 20,
            2 => bytes.len() == 4 + 4 * usize::from(u16::from_be_bytes([bytes[2], bytes[3]])),
            _ => false,
        },
    }
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_goes_on(
        messages in prop::collection::vec(message_of_a_client(), 0..12),
        cuts in prop::collection::vec(1usize..40, 1..40),
    ) {
        let bytes = messages.concat();
        let whole = said(&bytes).unwrap();
        let (mut filter, mut out) = (greeted(), Vec::new());
        let mut rest = &bytes[..];
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, more) = rest.split_at((*cut).min(rest.len()));
            filter.push(piece, &mut out).unwrap();
            rest = more;
        }
        prop_assert_eq!(out, whole);
    }

    #[test]
    fn whatever_comes_only_harmless_messages_go_on_and_little_is_kept(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        greeted_first in any::<bool>(),
    ) {
        let mut filter = if greeted_first { greeted() } else { Filter::default() };
        for piece in pieces {
            let mut out = Vec::new();
            let ended = filter.push(&piece, &mut out).is_err();
            if greeted_first {
                prop_assert!(out.iter().all(is_harmless), "{:?}", out);
            }
            prop_assert!(filter.held.len() <= 4 + 4 * MAX_ENCODINGS || ended);
            if ended {
                break;
            }
        }
    }
}
