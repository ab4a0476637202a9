//! Input events from a data channel.

use heliostat::protocol::input::{decode, encode};

pub fn check(bytes: &[u8]) {
    if let Ok(frame) = decode(bytes) {
        // What was read is what would be written.
        assert_eq!(decode(&encode(&frame)).unwrap(), frame);
    }
}
