//! Both directions of the keeper's socket, in pieces as they arrive; the first byte says how large the pieces are.

use heliostat::protocol::keeper::{Call, Decoder, Message};

pub fn check(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else {
        return;
    };
    let (mut calls, mut messages) = (Decoder::default(), Decoder::default());
    for piece in bytes.chunks(usize::from(size).max(1)) {
        calls.push(piece);
        while let Ok(Some(call)) = calls.take() {
            let _: Call = call;
        }
        messages.push(piece);
        while let Ok(Some(message)) = messages.take() {
            let _: Message = message;
        }
    }
}
