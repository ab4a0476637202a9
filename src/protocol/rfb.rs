//! What a viewer may say to a VNC server: the messages of a client by RFB 3.8 (RFC 6143), let through, mended, or left out. Pure.
//!
//! ```text
//!   version ─▶ security: none ─▶ ClientInit ─▶ messages
//!                                  shared        pictures' format, encodings   let through, as far as they are harmless
//!                                                FramebufferUpdateRequest      for the line, which asks when there is room
//!                                                keys, pointer, clipboard …    left out: input has a way of its own
//! ```
//!
//! Only whole messages come out: a server with one thread would wait for the rest of one, and everybody else for it.

use bytes::{BufMut, Bytes, BytesMut};

/// The only version (section 7.1.1).
const VERSION: &[u8; 12] = b"RFB 003.008\n";
/// Security type None (section 7.2.1): who may see the picture is decided before.
const NO_SECURITY: u8 = 1;
/// More than any client knows.
const MAX_ENCODINGS: usize = 64;
/// Of a text for the clipboard, or of what extensions say. It is left out, and not kept.
const MAX_SKIPPED: usize = 64 * 1024;
/// A client says once which format and encodings it wants, and once more when the user wants another quality.
const MAX_SETTINGS: u32 = 100;
/// Screens of a SetDesktopSize, characters of a Fence.
const MAX_PARTS: usize = 64;

/// Encodings and pseudo-encodings (sections 7.7 and 7.8, and IANA's registry) that pictures come by. None of what lets a client
/// do more: clipboards, power, file transfers, keys by their codes.
const PICTURES: [i32; 12] = [0, 1, 2, 5, 6, 7, 16, 21, -260, -223, -224, -308];
/// JPEG quality and compression levels, of Tight.
const LEVELS: [std::ops::RangeInclusive<i32>; 2] = [-32..=-23, -256..=-247];

/// Asks for a picture (section 7.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Update {
    /// Only what has changed.
    pub incremental: bool,
    /// Left and right edge, the latter not included.
    pub x: (u16, u16),
    /// Upper and lower edge, the latter not included.
    pub y: (u16, u16),
}

impl Update {
    /// One that asks for what both do.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let around = |a: (u16, u16), b: (u16, u16)| (a.0.min(b.0), a.1.max(b.1));
        Self {
            incremental: self.incremental && other.incremental,
            x: around(self.x, other.x),
            y: around(self.y, other.y),
        }
    }

    /// The message.
    #[must_use]
    pub fn message(self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(10);
        bytes.put_slice(&[3, u8::from(self.incremental)]);
        for number in [self.x.0, self.y.0, self.x.1 - self.x.0, self.y.1 - self.y.0] {
            bytes.put_u16(number);
        }
        bytes.freeze()
    }
}

/// What goes on to the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToServer {
    /// As it is.
    Message(Bytes),
    /// When there is room for its answer.
    Update(Update),
}

/// What no client of ours says. The connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RfbError {
    /// Another version.
    #[error("only RFB 3.8 is spoken here")]
    Version,
    /// Another security type.
    #[error("only the security type None is there")]
    Security,
    /// A message of an unknown type, whose length nobody knows.
    #[error("there is no message of type {0}")]
    UnknownType(u8),
    /// A message that is longer than any can be.
    #[error("a message of type {0} is too long")]
    TooLong(u8),
    /// Pixels that there are not.
    #[error("there are no such pixels")]
    PixelFormat,
    /// The format or the encodings are changed again and again.
    #[error("the format was changed too often")]
    TooManySettings,
}

impl RfbError {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Version => "rfb_version",
            Self::Security => "rfb_security",
            Self::UnknownType(_) => "rfb_unknown_type",
            Self::TooLong(_) => "rfb_too_long",
            Self::PixelFormat => "rfb_pixel_format",
            Self::TooManySettings => "rfb_too_many_settings",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Version,
    Security,
    Init,
    Messages,
}

/// One client's side of a connection.
#[derive(Debug)]
pub struct Filter {
    state: State,
    /// A message that is not whole yet: never longer than the longest of those that are kept, and what came last.
    held: BytesMut,
    /// So much of what is left out has not come yet.
    skip: usize,
    settings: u32,
    left_out: u64,
}

impl Default for Filter {
    fn default() -> Self {
        Self {
            state: State::Version,
            held: BytesMut::new(),
            skip: 0,
            settings: 0,
            left_out: 0,
        }
    }
}

impl Filter {
    /// Messages that were left out.
    #[must_use]
    pub const fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Takes what a client says, in pieces of any size; adds what goes on to `out`.
    ///
    /// # Errors
    /// [`RfbError`]; what came before it is in `out`.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<ToServer>) -> Result<(), RfbError> {
        self.held.extend_from_slice(bytes);
        loop {
            let skipped = self.skip.min(self.held.len());
            drop(self.held.split_to(skipped));
            self.skip -= skipped;
            let Some(length) = self.length()? else { return Ok(()) };
            match length {
                Length::Kept(length) if self.held.len() < length => return Ok(()),
                Length::Kept(length) => {
                    let message = self.held.split_to(length).freeze();
                    out.extend(self.message(message)?);
                }
                Length::LeftOut(length) => {
                    self.left_out += 1;
                    self.skip = length;
                }
            }
        }
    }

    /// How long what comes next is, as soon as that is known.
    fn length(&self) -> Result<Option<Length>, RfbError> {
        let held: &[u8] = &self.held;
        let Some(&kind) = held.first() else { return Ok(None) };
        match self.state {
            State::Version => return Ok(Some(Length::Kept(VERSION.len()))),
            State::Security | State::Init => return Ok(Some(Length::Kept(1))),
            State::Messages => {}
        }
        let short = |at: usize| held.get(at..at + 2).map(|b| usize::from(b[0]) << 8 | usize::from(b[1]));
        let byte = |at: usize| held.get(at).map(|b| usize::from(*b));
        // Of those with a list: its place, the bytes before it, those of each of its parts, and how many there may be.
        let listed = |count: Option<usize>, head: usize, each: usize, most: usize| match count {
            Some(count) if count > most => Err(RfbError::TooLong(kind)),
            count => Ok(count.map(|count| head + each * count)),
        };
        let left_out = |length: Option<usize>| Ok(length.map(Length::LeftOut));
        match kind {
            0 => Ok(Some(Length::Kept(20))),
            2 => Ok(listed(short(2), 4, 4, MAX_ENCODINGS)?.map(Length::Kept)),
            3 => Ok(Some(Length::Kept(10))),
            4 => left_out(Some(8)),
            5 => left_out(Some(6)),
            // Of the extended clipboard, the length is negative.
            6 => {
                let length = held.get(4..8).map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]));
                let length = length.map(|length| usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX));
                left_out(listed(length, 8, 1, MAX_SKIPPED)?)
            }
            // EnableContinuousUpdates, Fence, xvp, SetDesktopSize; what QEMU's keys are.
            150 => left_out(Some(10)),
            248 => left_out(listed(byte(8), 9, 1, MAX_PARTS)?),
            250 => left_out(Some(4)),
            251 => left_out(listed(byte(6), 8, 16, MAX_PARTS)?),
            255 => match byte(1) {
                None => Ok(None),
                Some(0) => left_out(Some(12)),
                Some(_) => Err(RfbError::UnknownType(kind)),
            },
            _ => Err(RfbError::UnknownType(kind)),
        }
    }

    fn message(&mut self, message: Bytes) -> Result<Option<ToServer>, RfbError> {
        let passed = match self.state {
            State::Version if message[..] == VERSION[..] => {
                self.state = State::Security;
                message
            }
            State::Version => return Err(RfbError::Version),
            State::Security if message[..] == [NO_SECURITY] => {
                self.state = State::Init;
                message
            }
            State::Security => return Err(RfbError::Security),
            State::Init => {
                self.state = State::Messages;
                // Shared, whatever it says: nobody puts others out.
                Bytes::from_static(&[1])
            }
            State::Messages => match message[0] {
                0 => {
                    self.set()?;
                    pixel_format(&message[4..])?;
                    message
                }
                2 => {
                    self.set()?;
                    pictures_only(&message[4..])
                }
                _ => return Ok(Some(ToServer::Update(asked(&message)))),
            },
        };
        Ok(Some(ToServer::Message(passed)))
    }

    fn set(&mut self) -> Result<(), RfbError> {
        self.settings += 1;
        if self.settings > MAX_SETTINGS {
            return Err(RfbError::TooManySettings);
        }
        Ok(())
    }
}

enum Length {
    Kept(usize),
    LeftOut(usize),
}

/// Section 7.4: what a server computes with.
fn pixel_format(format: &[u8]) -> Result<(), RfbError> {
    let [bits, depth, _, true_colour, rest @ ..] = format else {
        return Err(RfbError::PixelFormat);
    };
    let fits = |shift: &u8| shift < bits;
    let fine = [8, 16, 32].contains(bits) && (1..=*bits).contains(depth) && *true_colour != 0;
    let shifts = rest.get(6..9).is_some_and(|shifts| shifts.iter().all(fits));
    // A most of 0 would be divided by.
    let most = rest
        .get(..6)
        .is_some_and(|most| most.chunks(2).all(|most| most != [0, 0]));
    if fine && shifts && most {
        Ok(())
    } else {
        Err(RfbError::PixelFormat)
    }
}

fn pictures_only(encodings: &[u8]) -> Bytes {
    let wanted: Vec<i32> = encodings
        .chunks_exact(4)
        .map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
        .filter(|encoding| PICTURES.contains(encoding) || LEVELS.iter().any(|levels| levels.contains(encoding)))
        .collect();
    let mut message = BytesMut::with_capacity(4 + 4 * wanted.len());
    message.put_slice(&[2, 0]);
    // No more than came, which are few.
    message.put_u16(u16::try_from(wanted.len()).unwrap_or_default());
    for encoding in wanted {
        message.put_i32(encoding);
    }
    message.freeze()
}

fn asked(message: &[u8]) -> Update {
    let number = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let edges = |from: u16, length: u16| (from, from.saturating_add(length));
    Update {
        incremental: message[1] != 0,
        x: edges(number(2), number(6)),
        y: edges(number(4), number(8)),
    }
}

#[cfg(test)]
#[path = "rfb_tests.rs"]
mod tests;
