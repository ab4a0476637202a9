//! Both directions of the keeper's socket, in pieces as they arrive.
#![no_main]

use heliostat::protocol::keeper::{Call, Decoder, MAX_MESSAGE, Message};
use libfuzzer_sys::fuzz_target;
use serde_json as _;

fuzz_target!(|pieces: Vec<Vec<u8>>| {
    let (mut calls, mut messages) = (Decoder::default(), Decoder::default());
    for piece in pieces {
        assert!(piece.len() <= MAX_MESSAGE);
        calls.push(&piece);
        while let Ok(Some(call)) = calls.take() {
            let _: Call = call;
        }
        messages.push(&piece);
        while let Ok(Some(message)) = messages.take() {
            let _: Message = message;
        }
    }
});
