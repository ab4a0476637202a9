//! What a browser sends over the signalling socket.

use heliostat::protocol::signalling::{MAX_MESSAGE, decode};

pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = decode(text);
    if text.len() > MAX_MESSAGE {
        assert_eq!(read.unwrap_err().code(), "too_large");
    } else if let Err(error) = read {
        assert!(!error.code().is_empty());
        // What is told to the browser does not hand a large message back.
        assert!(error.to_string().len() < 1024);
    }
}
