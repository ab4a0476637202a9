//! Framing: a big-endian u32 length, then JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::MAX_MESSAGE;

/// Bytes that are no message of this protocol.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The body is larger than [`MAX_MESSAGE`].
    #[error("a message of {0} bytes is too large")]
    TooLarge(usize),
    /// The body is not the JSON expected.
    #[error("a message cannot be read")]
    Json(#[from] serde_json::Error),
}

/// The frame of a message.
///
/// # Errors
/// [`FrameError::TooLarge`] when its JSON exceeds [`MAX_MESSAGE`] bytes.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let body = frame.len() - 4;
    let length = u32::try_from(body)
        .ok()
        .filter(|_| body <= MAX_MESSAGE)
        .ok_or(FrameError::TooLarge(body))?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Takes bytes as they come and gives messages.
#[derive(Debug, Default)]
pub struct Decoder {
    buffer: Vec<u8>,
}

impl Decoder {
    /// Adds what was read. The caller drains [`Decoder::take`] before it reads on, so that no more than one message
    /// and one read are held.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Takes out the next whole message, if there is one.
    ///
    /// # Errors
    /// The stream is useless after an error: close it.
    pub fn take<T: DeserializeOwned>(&mut self) -> Result<Option<T>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*head) as usize;
        if length > MAX_MESSAGE {
            return Err(FrameError::TooLarge(length));
        }
        let Some(body) = self.buffer.get(4..4 + length) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(body)?;
        self.buffer.drain(..4 + length);
        if self.buffer.is_empty() && self.buffer.capacity() > 64 * 1024 {
            self.buffer = Vec::new();
        }
        Ok(Some(message))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_arrive_whole_however_the_bytes_are_cut(
            messages in prop::collection::vec(".{0,40}", 0..6),
            cut in 1usize..9,
        ) {
            let bytes: Vec<u8> = messages.iter().flat_map(|m| encode(m).unwrap()).collect();
            let mut decoder = Decoder::default();
            let mut seen = Vec::new();
            for piece in bytes.chunks(cut) {
                decoder.push(piece);
                while let Some(message) = decoder.take::<String>().unwrap() {
                    seen.push(message);
                }
            }
            prop_assert_eq!(seen, messages);
        }

        #[test]
        fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut decoder = Decoder::default();
            decoder.push(&bytes);
            while let Ok(Some(_)) = decoder.take::<super::super::Call>() {}
        }
    }

    #[test]
    fn a_message_over_the_cap_is_refused_on_both_ways() {
        assert!(matches!(encode(&"x".repeat(MAX_MESSAGE)), Err(FrameError::TooLarge(_))));
        let mut decoder = Decoder::default();
        decoder.push(&u32::MAX.to_be_bytes());
        assert!(matches!(decoder.take::<String>(), Err(FrameError::TooLarge(_))));
    }
}
