//! What goes over `/ws/media` and `/ws/vnc`: binary messages, little endian, each begun by version and type like those of [`super::input`].
//!
//! From the browser come the frames of [`super::input`], and with the same ten bytes before them [`FromPage::Taken`] and
//! [`FromPage::KeyFrame`], or [`FromPage::Rfb`]. From the host come `pong`, `status` and `closed` as over a data channel, [`encode_opened`],
//! [`encode_refused`], and [`frame`] or [`of_vnc`].

use bytes::{BufMut, Bytes, BytesMut};
use serde::Serialize;

use super::input::{self, HEADER_LEN, InputError, InputFrame, VERSION};
use crate::ids::PeerId;

/// The sub-protocol (RFC 6455 section 1.9).
pub const SUBPROTOCOL: &str = "heliostat.media.v1";
/// The same of `/ws/vnc`.
pub const VNC_SUBPROTOCOL: &str = "heliostat.vnc.v1";
/// Bytes of a frame's message before the picture.
pub const FRAME_HEADER: usize = 16;

const TAKEN: u8 = 0x10;
const KEY_FRAME: u8 = 0x11;
const TO_VNC: u8 = 0x12;
const OPENED: u8 = 0x90;
const FRAME: u8 = 0x91;
const REFUSED: u8 = 0x92;
const OF_VNC: u8 = 0x93;
/// A flag of a frame: decoding can start here.
const KEY: u8 = 1;

/// One message of a browser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromPage {
    /// Something that the viewer did.
    Input(InputFrame),
    /// So many frames have been taken since the beginning; wraps.
    Taken(u32),
    /// Its decoder cannot go on without a key frame.
    KeyFrame,
    /// Bytes for the VNC server (RFC 6143), cut anywhere.
    Rfb(Vec<u8>),
}

/// What the page has to know before the first frame.
#[derive(Clone, Debug, Serialize)]
pub struct Opened<'a> {
    /// Its peer.
    pub peer_id: PeerId,
    /// The codec of all frames, `h264` (Annex B) or `vp8`; or `rfb`, where a VNC server sends the picture.
    pub codec: &'a str,
}

/// Why there is no peer.
#[derive(Clone, Debug, Serialize)]
pub struct Refused<'a> {
    /// The stable word, as over the signalling socket.
    pub code: &'a str,
    /// A sentence for people.
    pub message: String,
    /// Seconds after which to try again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<u64>,
}

/// Reads one message of a browser.
///
/// # Errors
/// Anything but exactly one legal message; see [`InputError`].
pub fn decode(bytes: &[u8]) -> Result<FromPage, InputError> {
    let kind = match bytes {
        [VERSION, kind @ (TAKEN | KEY_FRAME | TO_VNC), ..] => *kind,
        _ => return input::decode(bytes).map(FromPage::Input),
    };
    let body = bytes.get(HEADER_LEN..).ok_or(InputError::TooShort(bytes.len()))?;
    match (kind, body) {
        (TAKEN, &[a, b, c, d]) => Ok(FromPage::Taken(u32::from_le_bytes([a, b, c, d]))),
        (KEY_FRAME, []) => Ok(FromPage::KeyFrame),
        (TO_VNC, bytes) => Ok(FromPage::Rfb(bytes.to_vec())),
        _ => Err(InputError::Length { kind, got: body.len() }),
    }
}

/// A picture: of which rendition, whether decoding can start here, when it was grabbed (the host's monotonic clock, µs).
#[must_use]
pub fn frame(rendition: u8, key: bool, number: u32, pts_us: u64, data: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(FRAME_HEADER + data.len());
    message.put_slice(&[VERSION, FRAME, if key { KEY } else { 0 }, rendition]);
    message.put_u32_le(number);
    message.put_u64_le(pts_us);
    message.put_slice(data);
    message.freeze()
}

/// Bytes of the VNC server, cut anywhere.
#[must_use]
pub fn of_vnc(bytes: &[u8]) -> Bytes {
    let mut message = BytesMut::with_capacity(2 + bytes.len());
    message.put_slice(&[VERSION, OF_VNC]);
    message.put_slice(bytes);
    message.freeze()
}

/// The peer is there.
#[must_use]
pub fn encode_opened(opened: &Opened<'_>) -> Vec<u8> {
    with_json(OPENED, opened)
}

/// There will be no peer.
#[must_use]
pub fn encode_refused(refused: &Refused<'_>) -> Vec<u8> {
    with_json(REFUSED, refused)
}

fn with_json(kind: u8, body: &impl Serialize) -> Vec<u8> {
    let mut message = vec![VERSION, kind];
    // Ids and words can always be written.
    message.extend(serde_json::to_vec(body).unwrap_or_default());
    message
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::input::InputEvent;
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut bytes = vec![VERSION, kind, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend_from_slice(body);
        bytes
    }

    #[test]
    fn what_a_page_says_is_told_apart() {
        assert_eq!(decode(&message(TAKEN, &[2, 1, 0, 0])), Ok(FromPage::Taken(258)));
        assert_eq!(decode(&message(KEY_FRAME, &[])), Ok(FromPage::KeyFrame));
        assert_eq!(decode(&message(TO_VNC, b"RFB")), Ok(FromPage::Rfb(b"RFB".to_vec())));
        let event = InputEvent::ReleaseAll;
        let frame = InputFrame {
            seq: 0,
            time_ms: 0,
            event,
        };
        assert_eq!(decode(&message(7, &[])), Ok(FromPage::Input(frame)));
    }

    #[test]
    fn what_is_no_message_is_refused_and_says_why() {
        let code = |bytes: &[u8]| decode(bytes).unwrap_err().code();
        assert_eq!(code(&[]), "bad_length");
        assert_eq!(code(&message(TAKEN, &[1, 2, 3])), "bad_length");
        assert_eq!(code(&message(KEY_FRAME, &[0])), "bad_length");
        assert_eq!(code(&message(TAKEN, &[])[..6]), "bad_length");
        assert_eq!(code(&message(0x13, &[])), "unknown_type");
        assert_eq!(code(&[9; 12]), "bad_version");
    }

    #[test]
    fn a_frame_has_its_header_before_it() {
        let bytes = frame(3, true, 7, 0x0102_0304, b"picture");
        assert_eq!(bytes[..8], [VERSION, FRAME, KEY, 3, 7, 0, 0, 0]);
        assert_eq!(bytes[8..16], [4, 3, 2, 1, 0, 0, 0, 0]);
        assert_eq!(&bytes[FRAME_HEADER..], b"picture");
        assert_eq!(frame(0, false, 0, 0, b"")[2], 0);
        assert_eq!(of_vnc(b"RFB")[..], [VERSION, OF_VNC, b'R', b'F', b'B']);
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40), kind in 0u8..0x20) {
            let _ = decode(&bytes);
            let _ = decode(&message(kind, &bytes));
        }
    }
}
