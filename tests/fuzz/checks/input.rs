//! Input events from a data channel.

use heliostat::protocol::input::copies::{decode_copy, encode_copy};
use heliostat::protocol::input::{decode, encode};

pub fn check(bytes: &[u8]) {
    if let Ok(frame) = decode(bytes) {
        // What was read is what would be written.
        assert_eq!(decode(&encode(&frame)).unwrap(), frame);
    }
    if let Some(Ok(copied)) = decode_copy(bytes) {
        let written = encode_copy(&encode(&copied.frame), copied.before);
        assert_eq!(decode_copy(&written).unwrap().unwrap(), copied);
    }
}
