//! Both directions of the capture's socket.

use bytes::BytesMut;
use heliostat::protocol::capture::{CaptureMessage, HostMessage, split_frame};

pub fn check(bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    while let Ok(Some((kind, body))) = split_frame(&mut buffer) {
        if let Ok(message) = HostMessage::decode(kind, body.clone()) {
            assert!(!message.encode().is_empty());
        }
        if let Ok(message) = CaptureMessage::decode(kind, body) {
            assert!(!message.encode().is_empty());
        }
    }
}
