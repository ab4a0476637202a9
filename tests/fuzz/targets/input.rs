//! Input events from a data channel.
#![no_main]

use heliostat::protocol::input::{decode, encode};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(frame) = decode(bytes) {
        // What was read is what would be written.
        assert_eq!(decode(&encode(&frame)).unwrap(), frame);
    }
});
