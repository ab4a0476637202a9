//! Copies: what `input` carries, once more by `moves`, where nothing waits for what was lost before it.
//!
//! SCTP sends a lost message again after half a second when nothing follows it (RFC 9260, section 6.3), and holds back what comes
//! after it on an ordered channel. A copy is there some milliseconds later.

use super::{HEADER_LEN, InputError, InputFrame, decode};

/// The type of a copy.
pub(super) const COPY: u8 = 14;
/// What comes before the body of what is copied: the event before it, and its type.
const MORE: usize = 5;

/// An event of `input` that came by `moves`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// The number of the event that went before it by `input`, pings and the like apart; its own if it is the first one.
    pub before: u32,
    /// What is copied.
    pub frame: InputFrame,
}

/// Reads a frame that may be a copy; `None` if it is none.
///
/// # Errors
/// As [`decode`]'s. There are copies only of what [`super::InputEvent::is_ordered`].
pub fn decode_copy(bytes: &[u8]) -> Option<Result<Copied, InputError>> {
    let (header, body) = bytes.split_first_chunk::<HEADER_LEN>()?;
    if header[1] != COPY {
        return None;
    }
    let Some((&[b0, b1, b2, b3, kind], body)) = body.split_first_chunk::<MORE>() else {
        return Some(Err(InputError::Length {
            kind: COPY,
            got: body.len(),
        }));
    };
    let mut copied = header.to_vec();
    copied[1] = kind;
    copied.extend(body);
    let read = decode(&copied).and_then(|frame| {
        if !frame.event.is_ordered() {
            return Err(InputError::Type(kind));
        }
        let before = u32::from_le_bytes([b0, b1, b2, b3]);
        Ok(Copied { before, frame })
    });
    Some(read)
}

/// Writes a copy as the browser does, of a frame that [`super::encode`] wrote.
#[must_use]
pub fn encode_copy(frame: &[u8], before: u32) -> Vec<u8> {
    let (header, body) = frame.split_at(HEADER_LEN.min(frame.len()));
    let mut out = header.to_vec();
    let kind = std::mem::replace(&mut out[1], COPY);
    out.extend(before.to_le_bytes());
    out.push(kind);
    out.extend(body);
    out
}

#[cfg(test)]
mod tests {
    use super::super::{InputEvent, encode};
    use super::*;

    const KEY: InputEvent = InputEvent::Key {
        pressed: true,
        usage: 4,
        keysym: 0x61,
    };

    fn copy(event: InputEvent) -> Vec<u8> {
        let frame = InputFrame {
            seq: 7,
            time_ms: 9,
            event,
        };
        encode_copy(&encode(&frame), 5)
    }

    #[test]
    fn a_copy_is_read_as_what_it_copies() {
        let bytes = copy(KEY);
        assert_eq!(bytes[..2], [1, 14]);
        assert_eq!(bytes[10..], [5, 0, 0, 0, 5, 1, 4, 0, 0x61, 0, 0, 0]);
        let copied = decode_copy(&bytes).unwrap().unwrap();
        assert_eq!((copied.before, copied.frame.seq, copied.frame.time_ms), (5, 7, 9));
        assert_eq!(copied.frame.event, KEY);
    }

    #[test]
    fn what_is_no_copy_is_left_to_others_and_what_may_not_be_copied_is_refused() {
        let plain = encode(&InputFrame {
            seq: 1,
            time_ms: 1,
            event: KEY,
        });
        assert_eq!(decode_copy(&plain), None);
        assert_eq!(decode_copy(&[1, 14]), None);
        let code = |bytes: &[u8]| decode_copy(bytes).unwrap().unwrap_err().code();
        assert_eq!(code(&copy(InputEvent::Ping { t: 1 })), "unknown_type");
        assert_eq!(code(&copy(InputEvent::Move { x: 1, y: 1 })), "unknown_type");
        let bytes = copy(KEY);
        assert_eq!(code(&bytes[..14]), "bad_length");
        assert_eq!(code(&bytes[..17]), "bad_length");
        // A copy of a copy.
        assert_eq!(code(&encode_copy(&bytes, 1)), "unknown_type");
        assert_eq!(code(&[&bytes[..], &[0; 2000]].concat()), "too_large");
    }
}
