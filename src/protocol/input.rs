//! Input frames: one event a data-channel message, binary, little endian.
//!
//! Every frame begins with ten bytes: version, type, sequence number (u32, one counter over both channels) and the
//! browser's time (u32, ms). The body depends on the type and has exactly one legal length, text apart. The channel
//! `input` (reliable, ordered) carries everything but moves; `moves` (unordered, no retransmits) carries those, and [`copies`] of
//! the rest.
//!
//! From the host come [`encode_pong`], [`encode_status`] and [`encode_closed`], and what [`super::latency`] has, on `input` only.

pub mod copies;

use thiserror::Error;

use super::latency::LatencyReport;
use super::words::CloseReason;

/// The only version there is.
pub const VERSION: u8 = 1;
/// Bytes before the body of every frame from the browser.
pub const HEADER_LEN: usize = 10;
/// The longest text of one event, in bytes of UTF-8.
pub const MAX_TEXT: usize = 1024;
/// The longest legal frame from the browser.
pub const MAX_FRAME: usize = HEADER_LEN + MAX_TEXT;

const MOVE: u8 = 1;
const RELATIVE_MOVE: u8 = 2;
const BUTTON: u8 = 3;
const WHEEL: u8 = 4;
const KEY: u8 = 5;
const TEXT: u8 = 6;
const RELEASE_ALL: u8 = 7;
const HIDDEN: u8 = 8;
const VISIBLE: u8 = 9;
const PING: u8 = 10;
const REPEAT: u8 = 11;
const LATENCY: u8 = 12;
const RENDITION: u8 = 13;
/// No ladder has a rung below this one.
const LAST_RUNG: u8 = 3;
/// Whichever fits.
const ANY_RUNG: u8 = 255;
const PONG: u8 = 0x81;
const STATUS: u8 = 0x82;
const CLOSED: u8 = 0x85;

/// What a viewer did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputEvent {
    /// The pointer is at this place of the picture (0 to 65535 from its left and top edge).
    Move {
        /// From the left edge.
        x: u16,
        /// From the top edge.
        y: u16,
    },
    /// The pointer moved by this many pixels (pointer lock).
    RelativeMove {
        /// To the right.
        dx: i16,
        /// Downwards.
        dy: i16,
    },
    /// A mouse button went down or up at a place.
    Button {
        /// `MouseEvent.button` of the DOM: 0 left, 1 middle, 2 right, 3 back, 4 forward.
        number: u8,
        /// Whether it went down.
        pressed: bool,
        /// As in [`InputEvent::Move`].
        x: u16,
        /// As in [`InputEvent::Move`].
        y: u16,
    },
    /// The wheel turned, in 1/120 notches; positive is right and down, as in the DOM.
    Wheel {
        /// To the right.
        dx: i16,
        /// Downwards.
        dy: i16,
        /// As in [`InputEvent::Move`].
        x: u16,
        /// As in [`InputEvent::Move`].
        y: u16,
    },
    /// A key went down or up.
    Key {
        /// Whether it went down.
        pressed: bool,
        /// The physical key: USB HID usage of the keyboard page (7).
        usage: u16,
        /// The X11 keysym the browser's layout gives it, 0 for none.
        keysym: u32,
    },
    /// A key that is held down makes its character once more. The viewer's own keyboard says when: the display repeats
    /// nothing by itself.
    Repeat {
        /// As in [`InputEvent::Key`].
        usage: u16,
        /// As in [`InputEvent::Key`].
        keysym: u32,
    },
    /// Text without keys (paste, input methods): 1 to [`MAX_TEXT`] bytes of UTF-8.
    Text(String),
    /// Everything held by this viewer is let go.
    ReleaseAll,
    /// The page went into the background.
    Hidden,
    /// The page came to the foreground.
    Visible,
    /// The browser measures its round trip; answered by a pong.
    Ping {
        /// Opaque, echoed.
        t: u64,
    },
    /// How long the picture takes, as the page has measured it.
    Latency(LatencyReport),
    /// The user wants the picture in this form, whatever the line carries.
    Rendition {
        /// Its rung of the ladder, from the best down; `None`: what fits.
        rung: Option<u8>,
    },
}

impl InputEvent {
    /// Whether this event only moves the pointer, and so may travel on `moves` and be dropped.
    #[must_use]
    pub const fn is_move(&self) -> bool {
        matches!(self, Self::Move { .. } | Self::RelativeMove { .. })
    }

    /// Whether this event goes by `input` and its place among the others there matters.
    #[must_use]
    pub const fn is_ordered(&self) -> bool {
        !self.is_move() && !matches!(self, Self::Ping { .. } | Self::Latency(_) | Self::Rendition { .. })
    }

    /// Whether this event is meant for the program, rather than said of the page itself.
    #[must_use]
    pub const fn steers(&self) -> bool {
        !matches!(
            self,
            Self::Hidden | Self::Visible | Self::Ping { .. } | Self::Latency(_) | Self::Rendition { .. }
        )
    }

    /// Whether this is something that a viewer expects to see the effect of: a button or a key that goes down, modifiers
    /// apart, or text.
    #[must_use]
    pub const fn is_press(&self) -> bool {
        match self {
            Self::Button { pressed, .. } => *pressed,
            Self::Key { pressed, usage, .. } => *pressed && !matches!(*usage, 0xe0..=0xe7),
            Self::Text(_) => true,
            _ => false,
        }
    }

    /// Whether this event lets something go: such events are never dropped, or a key would stay down.
    #[must_use]
    pub const fn is_release(&self) -> bool {
        matches!(
            self,
            Self::Button { pressed: false, .. } | Self::Key { pressed: false, .. } | Self::ReleaseAll | Self::Hidden
        )
    }
}

/// One event with its place in the browser's order and time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFrame {
    /// One counter over both channels; wraps.
    pub seq: u32,
    /// The browser's clock in ms; wraps.
    pub time_ms: u32,
    /// What happened.
    pub event: InputEvent,
}

/// Why a frame was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// Longer than [`MAX_FRAME`].
    #[error("frame of {0} bytes is too large")]
    TooLarge(usize),
    /// Shorter than the header.
    #[error("frame of {0} bytes has no whole header")]
    TooShort(usize),
    /// A version other than [`VERSION`].
    #[error("unknown version {0}")]
    Version(u8),
    /// A type nobody knows.
    #[error("unknown event type {0}")]
    Type(u8),
    /// A body whose length is not that of its type.
    #[error("event type {kind} has a body of {got} bytes")]
    Length {
        /// The type byte.
        kind: u8,
        /// The body's length in bytes.
        got: usize,
    },
    /// A value outside its range.
    #[error("{field} is {value}, out of range")]
    Range {
        /// Which field.
        field: &'static str,
        /// What it held.
        value: u32,
    },
    /// Text that is not UTF-8.
    #[error("text is not utf-8")]
    Utf8,
}

impl InputError {
    /// A stable word for logs and counters.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::TooShort(_) | Self::Length { .. } => "bad_length",
            Self::Version(_) => "bad_version",
            Self::Type(_) => "unknown_type",
            Self::Range { .. } => "out_of_range",
            Self::Utf8 => "bad_utf8",
        }
    }
}

/// Reads one frame from the browser.
///
/// # Errors
/// Anything but exactly one legal frame; see [`InputError`].
pub fn decode(bytes: &[u8]) -> Result<InputFrame, InputError> {
    if bytes.len() > MAX_FRAME {
        return Err(InputError::TooLarge(bytes.len()));
    }
    let Some((&[version, kind, s0, s1, s2, s3, t0, t1, t2, t3], body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(InputError::TooShort(bytes.len()));
    };
    if version != VERSION {
        return Err(InputError::Version(version));
    }
    let event = decode_body(kind, body)?;
    Ok(InputFrame {
        seq: u32::from_le_bytes([s0, s1, s2, s3]),
        time_ms: u32::from_le_bytes([t0, t1, t2, t3]),
        event,
    })
}

fn decode_body(kind: u8, body: &[u8]) -> Result<InputEvent, InputError> {
    let wrong_length = || InputError::Length { kind, got: body.len() };
    let empty = |event| {
        if body.is_empty() {
            Ok(event)
        } else {
            Err(wrong_length())
        }
    };
    match kind {
        MOVE => {
            let &[x0, x1, y0, y1] = body else {
                return Err(wrong_length());
            };
            Ok(InputEvent::Move {
                x: u16::from_le_bytes([x0, x1]),
                y: u16::from_le_bytes([y0, y1]),
            })
        }
        RELATIVE_MOVE => {
            let &[x0, x1, y0, y1] = body else {
                return Err(wrong_length());
            };
            Ok(InputEvent::RelativeMove {
                dx: i16::from_le_bytes([x0, x1]),
                dy: i16::from_le_bytes([y0, y1]),
            })
        }
        BUTTON => {
            let &[number, pressed, x0, x1, y0, y1] = body else {
                return Err(wrong_length());
            };
            if number > 4 {
                return Err(InputError::Range {
                    field: "button",
                    value: number.into(),
                });
            }
            let (x, y) = (u16::from_le_bytes([x0, x1]), u16::from_le_bytes([y0, y1]));
            Ok(InputEvent::Button {
                number,
                pressed: flag(pressed)?,
                x,
                y,
            })
        }
        WHEEL => {
            let &[a0, a1, b0, b1, x0, x1, y0, y1] = body else {
                return Err(wrong_length());
            };
            Ok(InputEvent::Wheel {
                dx: i16::from_le_bytes([a0, a1]),
                dy: i16::from_le_bytes([b0, b1]),
                x: u16::from_le_bytes([x0, x1]),
                y: u16::from_le_bytes([y0, y1]),
            })
        }
        KEY => {
            let &[pressed, u0, u1, k0, k1, k2, k3] = body else {
                return Err(wrong_length());
            };
            Ok(InputEvent::Key {
                pressed: flag(pressed)?,
                usage: u16::from_le_bytes([u0, u1]),
                keysym: u32::from_le_bytes([k0, k1, k2, k3]),
            })
        }
        REPEAT => {
            let &[u0, u1, k0, k1, k2, k3] = body else {
                return Err(wrong_length());
            };
            Ok(InputEvent::Repeat {
                usage: u16::from_le_bytes([u0, u1]),
                keysym: u32::from_le_bytes([k0, k1, k2, k3]),
            })
        }
        TEXT => {
            if body.is_empty() {
                return Err(wrong_length());
            }
            let text = std::str::from_utf8(body).map_err(|_| InputError::Utf8)?;
            Ok(InputEvent::Text(text.to_owned()))
        }
        RELEASE_ALL => empty(InputEvent::ReleaseAll),
        HIDDEN => empty(InputEvent::Hidden),
        VISIBLE => empty(InputEvent::Visible),
        PING => {
            let t = body.try_into().map_err(|_| wrong_length())?;
            Ok(InputEvent::Ping {
                t: u64::from_le_bytes(t),
            })
        }
        LATENCY => LatencyReport::decode(body, wrong_length).map(InputEvent::Latency),
        RENDITION => match *body {
            [ANY_RUNG] => Ok(InputEvent::Rendition { rung: None }),
            [rung @ ..=LAST_RUNG] => Ok(InputEvent::Rendition { rung: Some(rung) }),
            [value] => Err(InputError::Range {
                field: "rung",
                value: value.into(),
            }),
            _ => Err(wrong_length()),
        },
        _ => Err(InputError::Type(kind)),
    }
}

const fn flag(value: u8) -> Result<bool, InputError> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(InputError::Range {
            field: "pressed",
            value: value as u32,
        }),
    }
}

/// Writes one frame as the browser does. The host only reads such frames; tests and load generators write them.
#[must_use]
pub fn encode(frame: &InputFrame) -> Vec<u8> {
    let mut out = vec![VERSION, 0];
    out.extend(frame.seq.to_le_bytes());
    out.extend(frame.time_ms.to_le_bytes());
    let kind = match &frame.event {
        InputEvent::Move { x, y } => {
            out.extend(x.to_le_bytes());
            out.extend(y.to_le_bytes());
            MOVE
        }
        InputEvent::RelativeMove { dx, dy } => {
            out.extend(dx.to_le_bytes());
            out.extend(dy.to_le_bytes());
            RELATIVE_MOVE
        }
        InputEvent::Button { number, pressed, x, y } => {
            out.extend([*number, u8::from(*pressed)]);
            out.extend(x.to_le_bytes());
            out.extend(y.to_le_bytes());
            BUTTON
        }
        InputEvent::Wheel { dx, dy, x, y } => {
            out.extend(dx.to_le_bytes());
            out.extend(dy.to_le_bytes());
            out.extend(x.to_le_bytes());
            out.extend(y.to_le_bytes());
            WHEEL
        }
        InputEvent::Key { pressed, usage, keysym } => {
            out.push(u8::from(*pressed));
            out.extend(usage.to_le_bytes());
            out.extend(keysym.to_le_bytes());
            KEY
        }
        InputEvent::Repeat { usage, keysym } => {
            out.extend(usage.to_le_bytes());
            out.extend(keysym.to_le_bytes());
            REPEAT
        }
        InputEvent::Text(text) => {
            out.extend(text.as_bytes());
            TEXT
        }
        InputEvent::ReleaseAll => RELEASE_ALL,
        InputEvent::Hidden => HIDDEN,
        InputEvent::Visible => VISIBLE,
        InputEvent::Ping { t } => {
            out.extend(t.to_le_bytes());
            PING
        }
        InputEvent::Latency(report) => {
            report.encode(&mut out);
            LATENCY
        }
        InputEvent::Rendition { rung } => {
            out.push(rung.unwrap_or(ANY_RUNG));
            RENDITION
        }
    };
    out[1] = kind;
    out
}

/// Host to browser: the answer to a ping. `t` is echoed, `host_us` is the host's `CLOCK_MONOTONIC` in µs.
#[must_use]
pub fn encode_pong(t: u64, host_us: u64) -> Vec<u8> {
    let mut out = vec![VERSION, PONG];
    out.extend(t.to_le_bytes());
    out.extend(host_us.to_le_bytes());
    out
}

/// Host to browser: the instance's state, the same JSON as the `instance` message of the signalling socket.
#[must_use]
pub fn encode_status(json: &str) -> Vec<u8> {
    let mut out = vec![VERSION, STATUS];
    out.extend(json.as_bytes());
    out
}

/// Host to browser: this connection is about to be closed, and why. For a browser whose signalling socket is gone.
#[must_use]
pub fn encode_closed(reason: CloseReason) -> Vec<u8> {
    let mut out = vec![VERSION, CLOSED];
    out.extend(reason.as_str().as_bytes());
    out
}

#[cfg(test)]
mod tests;
