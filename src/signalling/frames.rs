//! The heads of frames (RFC 6455 section 5.2), looked at before their payload is waited for. Pure: the time is an argument.
//!
//! The codec behind this waits for all that a head announces, and looks at its limit afterwards. Here a head that announces
//! too much, one frame too many of a message, or what comes too slowly ends the socket at once. Whatever the codec could
//! read differently from this is refused as well, so that the two always agree where a frame ends.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::signalling::MAX_MESSAGE;

/// Frames up to this size are read, so that one that is too large for a message is answered by an `error`; beyond it the
/// socket is closed with 1009.
pub(super) const MAX_FRAME: usize = 4 * MAX_MESSAGE;
/// Of so many frames one message may be made.
const MAX_FRAGMENTS: u32 = 256;
/// From the first byte of a message to its last.
pub(super) const MESSAGE_DEADLINE: Duration = Duration::from_secs(20);
/// The payload of a control frame (RFC 6455 section 5.5).
const MAX_CONTROL: u64 = 125;
/// The longest head: two bytes, a length of eight, a mask of four.
const LONGEST_HEAD: usize = 14;

/// Why nothing more is read of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    /// A frame, or the frames of a message, are larger or more than they may be.
    #[error("the message is too large")]
    TooLarge,
    /// A message does not come to its end.
    #[error("the message takes too long")]
    TooSlow,
    /// No frame looks like this.
    #[error("protocol error")]
    Protocol,
}

/// A message in several frames, as far as it has been announced.
#[derive(Clone, Copy, Debug, Default)]
struct Message {
    bytes: u64,
    frames: u32,
}

/// What has come of a piece of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// So many bytes belong to the frame that is under way.
    pub taken: usize,
    /// It ends with them.
    pub ended: bool,
}

/// How far the frames of a socket have come.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; LONGEST_HEAD],
    have: usize,
    /// Bytes of the payload that are still to come; `None`: the head is not complete.
    left: Option<u64>,
    message: Option<Message>,
    /// When what is half there began.
    since: Option<Instant>,
}

impl Frames {
    /// Takes what comes next, up to the end of the frame.
    ///
    /// # Errors
    /// [`Refused`], as soon as the head says enough.
    pub fn take(&mut self, bytes: &[u8], now: Instant) -> Result<Step, Refused> {
        let mut taken = 0;
        if self.left.is_none() && !bytes.is_empty() {
            self.since.get_or_insert(now);
        }
        while self.left.is_none() {
            let Some(byte) = bytes.get(taken) else {
                return Ok(Step { taken, ended: false });
            };
            self.head[self.have] = *byte;
            self.have += 1;
            taken += 1;
            self.left = self.announced()?;
        }
        let left = self.left.unwrap_or_default();
        let here = left.min((bytes.len() - taken) as u64);
        // It is no more than there are bytes.
        taken += usize::try_from(here).unwrap_or_default();
        self.left = Some(left - here);
        let ended = left == here;
        if ended {
            self.end();
        }
        Ok(Step { taken, ended })
    }

    /// By when what is half there has to be whole.
    pub fn deadline(&self) -> Option<Instant> {
        Some(self.since? + MESSAGE_DEADLINE)
    }

    /// The length of the payload, once the head is complete; each byte of it is judged as it comes.
    fn announced(&mut self) -> Result<Option<u64>, Refused> {
        let head = &self.head[..self.have];
        let [first, rest @ ..] = head else { return Ok(None) };
        let (last, control, opcode) = (first & 0x80 != 0, first & 0x08 != 0, first & 0x0f);
        let begins = matches!(opcode, 1 | 2);
        let known = begins || matches!(opcode, 0 | 8 | 9 | 10);
        // No extension was agreed upon; control frames are whole; and a message ends before the next begins.
        let expected = control || begins == self.message.is_none();
        if !known || first & 0x70 != 0 || (control && !last) || !expected {
            return Err(Refused::Protocol);
        }
        let [second, rest @ ..] = rest else { return Ok(None) };
        if second & 0x80 == 0 {
            // Browsers mask everything (section 5.1).
            return Err(Refused::Protocol);
        }
        let digits = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some(extended) = rest.get(..digits) else {
            return Ok(None);
        };
        let length = match digits {
            0 => u64::from(second & 0x7f),
            _ => extended.iter().fold(0, |length, byte| (length << 8) | u64::from(*byte)),
        };
        if control && length > MAX_CONTROL {
            return Err(Refused::Protocol);
        }
        if length > MAX_FRAME as u64 {
            return Err(Refused::TooLarge);
        }
        if rest.len() < digits + 4 {
            return Ok(None);
        }
        if !control {
            self.count(last, length)?;
        }
        Ok(Some(length))
    }

    /// One more frame of a message.
    fn count(&mut self, last: bool, length: u64) -> Result<(), Refused> {
        if last && self.message.is_none() {
            // Whole by itself.
            return Ok(());
        }
        let mut message = self.message.unwrap_or_default();
        message.bytes += length;
        message.frames += 1;
        if message.bytes > MAX_MESSAGE as u64 || message.frames > MAX_FRAGMENTS {
            return Err(Refused::TooLarge);
        }
        self.message = Some(message);
        Ok(())
    }

    fn end(&mut self) {
        let first = self.head[0];
        if first & 0x88 == 0x80 {
            self.message = None;
        }
        // A control frame in the middle of a message gives it no more time.
        if self.message.is_none() {
            self.since = None;
        }
        self.have = 0;
        self.left = None;
    }
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
