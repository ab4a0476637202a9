//! What the host and the capture process say to each other over a Unix stream socket.
//!
//! Every message is a frame: length of what follows (`u32`, little endian), type (`u8`), body. All numbers are little
//! endian. Types below `0x80` go from the host to the capture process, the others come back. A rendition is a codec `u8`
//! and a rung `u8`.
//!
//! | type | message | body |
//! |---|---|---|
//! | `0x01` | hello | version `u16` |
//! | `0x02` | want | per rendition: which, percent of the screen's sides `u8`, frames a second `u16`, kbit/s `u32` |
//! | `0x03` | key frame | rendition |
//! | `0x04` | bit rate | rendition, kbit/s `u32` |
//! | `0x05` | ping | |
//! | `0x06` | expect change | |
//! | `0x81` | hello | version `u16`, width `u16`, height `u16`, then per codec: codec `u8`, element name (`u8` length, UTF-8) |
//! | `0x82` | frame | rendition, flags `u8` (1 = key), pts `u64` µs, four times `u64` µs ([`CaptureMessage::Frame::times_us`]), data |
//! | `0x83` | alive | frames grabbed `u64`, damage events `u64` |
//! | `0x84` | error | code (`u8` length, UTF-8), text UTF-8 |
//! | `0x85` | encoder | codec `u8`, element name UTF-8 |
//! | `0x86` | encoder failed | codec `u8`, element name (`u8` length, UTF-8), what it said UTF-8 |

mod body;

use std::collections::BTreeMap;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use body::{Reader, framed, put_rendition, put_short};

/// The version of these messages; both sides must have the same.
pub const VERSION: u16 = 6;
/// The longest legal frame, type and body together: a key frame of an 8K picture is far below it.
pub const MAX_FRAME: usize = 16 * 1024 * 1024;
/// Bytes of a frame's message before its data.
pub const FRAME_HEADER: usize = 48;

/// A codec, as these messages number it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CodecNumber {
    /// H.264, Annex B.
    H264 = 1,
    /// VP8.
    Vp8 = 2,
    /// VP9.
    Vp9 = 3,
    /// AV1.
    Av1 = 4,
    /// H.264, Annex B, with its colours in full size.
    H264Full = 5,
}

impl CodecNumber {
    /// Reads a codec's number.
    ///
    /// # Errors
    /// [`CaptureProtocolError::UnknownCodec`] for any other number.
    pub const fn from_wire(number: u8) -> Result<Self, CaptureProtocolError> {
        match number {
            1 => Ok(Self::H264),
            2 => Ok(Self::Vp8),
            3 => Ok(Self::Vp9),
            4 => Ok(Self::Av1),
            5 => Ok(Self::H264Full),
            other => Err(CaptureProtocolError::UnknownCodec(other)),
        }
    }
}

/// A rendition, as these messages number it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RenditionNumber {
    /// How it is encoded.
    pub codec: CodecNumber,
    /// Its place among those of its codec, 0 being the best.
    pub rung: u8,
}

/// What a rendition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenditionForm {
    /// Its width and height, in percent of the screen's: 1 to 100.
    pub percent: u8,
    /// Frames a second at most, no less than 1.
    pub fps: u16,
    /// The rate to begin with, in kbit/s.
    pub kbps: u32,
}

/// Why bytes are no message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureProtocolError {
    /// The length field is zero or beyond [`MAX_FRAME`].
    #[error("frame of {0} bytes is not between 1 and {MAX_FRAME}")]
    BadLength(usize),
    /// The type is not one that this side reads.
    #[error("unknown message type {0:#04x}")]
    UnknownType(u8),
    /// The body is shorter than its type needs.
    #[error("message type {0:#04x} is cut short")]
    Truncated(u8),
    /// The body is longer than its type allows.
    #[error("message type {0:#04x} has bytes left over")]
    Trailing(u8),
    /// No codec has this number.
    #[error("unknown codec {0}")]
    UnknownCodec(u8),
    /// A rendition is of no size, or larger than the screen, or of no frames.
    #[error("a rendition of {0} percent at {1} frames a second")]
    BadForm(u8, u16),
    /// A name or text is not UTF-8.
    #[error("message type {0:#04x} has text that is not UTF-8")]
    BadText(u8),
    /// The other side speaks another version.
    #[error("protocol version {0}, expected {VERSION}")]
    Version(u16),
}

impl CaptureProtocolError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadLength(_) => "bad_length",
            Self::UnknownType(_) => "unknown_type",
            Self::Truncated(_) => "truncated",
            Self::Trailing(_) => "trailing",
            Self::UnknownCodec(_) => "unknown_codec",
            Self::BadForm(..) => "bad_form",
            Self::BadText(_) => "bad_text",
            Self::Version(_) => "version",
        }
    }
}

/// Host to capture process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostMessage {
    /// First message.
    Hello {
        /// The host's [`VERSION`].
        version: u16,
    },
    /// The renditions that have viewers; encoders run for exactly these. One that runs already takes
    /// the rate alone.
    Want(BTreeMap<RenditionNumber, RenditionForm>),
    /// Make the next frame of this rendition a key frame, now, even if nothing changed.
    KeyFrame(RenditionNumber),
    /// The rate to encode with from now on.
    Bitrate {
        /// Which encoder.
        rendition: RenditionNumber,
        /// Kilobits per second.
        kbps: u32,
    },
    /// Input was injected: the next change is probably its effect and should not wait for the frame-rate limiter.
    ExpectChange,
}

/// Capture process to host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaptureMessage {
    /// First message, unasked.
    Hello {
        /// The capture process's [`VERSION`].
        version: u16,
        /// Width of the picture in pixels.
        width: u16,
        /// Height of the picture in pixels.
        height: u16,
        /// The element that would encode each codec; a codec that is missing cannot be had.
        encoders: Vec<(CodecNumber, String)>,
    },
    /// An encoded picture.
    Frame {
        /// What it belongs to.
        rendition: RenditionNumber,
        /// Whether decoding can start here.
        key: bool,
        /// When it was grabbed: `CLOCK_MONOTONIC`, µs.
        pts_us: u64,
        /// Of the grab that it shows: when its last change was heard of, when it was in memory and when it was
        /// converted; and when this came out of the encoder.
        times_us: [u64; 4],
        /// The access unit or frame.
        data: Bytes,
    },
    /// About once a second, also when nothing changes.
    Alive {
        /// Pictures grabbed since start.
        grabbed: u64,
        /// Damage events seen since start.
        damage: u64,
    },
    /// The process is about to end because of this.
    Error {
        /// Stable code.
        code: String,
        /// For people.
        text: String,
    },
    /// An encoder was started.
    Encoder {
        /// Which codec.
        codec: CodecNumber,
        /// Its element name.
        name: String,
    },
    /// An encoder does not start, or failed or stalled while it ran; [`Self::Error`] follows.
    EncoderFailed {
        /// Which codec.
        codec: CodecNumber,
        /// Its element name.
        name: String,
        /// What it said.
        why: String,
    },
}

/// Takes one whole frame off the front of `buffer`: its type and body. `None` while it is not complete.
///
/// # Errors
/// [`CaptureProtocolError::BadLength`]; the stream is then of no more use.
pub fn split_frame(buffer: &mut BytesMut) -> Result<Option<(u8, Bytes)>, CaptureProtocolError> {
    let Some(prefix) = buffer.first_chunk::<4>() else {
        return Ok(None);
    };
    let length = u32::from_le_bytes(*prefix) as usize;
    if length == 0 || length > MAX_FRAME {
        return Err(CaptureProtocolError::BadLength(length));
    }
    if buffer.len() < 4 + length {
        return Ok(None);
    }
    let mut frame = buffer.split_to(4 + length).freeze();
    frame.advance(4);
    let kind = frame.get_u8();
    Ok(Some((kind, frame)))
}

/// The first bytes of a [`CaptureMessage::Frame`] whose data of `length` bytes follows by itself, so that the data
/// need not be copied.
#[must_use]
pub fn frame_header(
    rendition: RenditionNumber,
    key: bool,
    pts_us: u64,
    times_us: [u64; 4],
    length: usize,
) -> [u8; FRAME_HEADER] {
    let mut header = [0; FRAME_HEADER];
    let mut out = &mut header[..];
    // Data beyond the cap is refused by the sender before it comes here.
    out.put_u32_le(u32::try_from(length + FRAME_HEADER - 4).unwrap_or(u32::MAX));
    out.put_u8(0x82);
    out.put_u8(rendition.codec as u8);
    out.put_u8(rendition.rung);
    out.put_u8(u8::from(key));
    out.put_u64_le(pts_us);
    for time in times_us {
        out.put_u64_le(time);
    }
    header
}

impl HostMessage {
    /// The message as one frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello { version } => framed(0x01, |b| b.put_u16_le(*version)),
            Self::Want(renditions) => framed(0x02, |b| {
                for (rendition, form) in renditions {
                    put_rendition(b, *rendition);
                    b.put_u8(form.percent);
                    b.put_u16_le(form.fps);
                    b.put_u32_le(form.kbps);
                }
            }),
            Self::KeyFrame(rendition) => framed(0x03, |b| put_rendition(b, *rendition)),
            Self::Bitrate { rendition, kbps } => framed(0x04, |b| {
                put_rendition(b, *rendition);
                b.put_u32_le(*kbps);
            }),
            Self::ExpectChange => framed(0x06, |_| ()),
        }
    }

    /// Reads the body of a frame that [`split_frame`] gave.
    ///
    /// # Errors
    /// Anything that is not exactly one message.
    pub fn decode(kind: u8, body: Bytes) -> Result<Self, CaptureProtocolError> {
        let mut body = Reader { kind, body };
        let message = match kind {
            0x01 => Self::Hello { version: body.u16()? },
            0x02 => {
                let mut renditions = BTreeMap::new();
                while !body.body.is_empty() {
                    renditions.insert(body.rendition()?, body.form()?);
                }
                Self::Want(renditions)
            }
            0x03 => Self::KeyFrame(body.rendition()?),
            0x04 => Self::Bitrate {
                rendition: body.rendition()?,
                kbps: body.u32()?,
            },
            0x06 => Self::ExpectChange,
            other => return Err(CaptureProtocolError::UnknownType(other)),
        };
        body.end()?;
        Ok(message)
    }
}

impl CaptureMessage {
    /// The message as one frame.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Hello {
                version,
                width,
                height,
                encoders,
            } => framed(0x81, |b| {
                b.put_u16_le(*version);
                b.put_u16_le(*width);
                b.put_u16_le(*height);
                for (codec, name) in encoders {
                    b.put_u8(*codec as u8);
                    put_short(b, name);
                }
            }),
            Self::Frame {
                rendition,
                key,
                pts_us,
                times_us,
                data,
            } => {
                let mut out = frame_header(*rendition, *key, *pts_us, *times_us, data.len()).to_vec();
                out.extend_from_slice(data);
                out
            }
            Self::Alive { grabbed, damage } => framed(0x83, |b| {
                b.put_u64_le(*grabbed);
                b.put_u64_le(*damage);
            }),
            Self::Error { code, text } => framed(0x84, |b| {
                put_short(b, code);
                b.put_slice(text.as_bytes());
            }),
            Self::Encoder { codec, name } => framed(0x85, |b| {
                b.put_u8(*codec as u8);
                b.put_slice(name.as_bytes());
            }),
            Self::EncoderFailed { codec, name, why } => framed(0x86, |b| {
                b.put_u8(*codec as u8);
                put_short(b, name);
                b.put_slice(why.as_bytes());
            }),
        }
    }

    /// Reads the body of a frame that [`split_frame`] gave. The data of a frame is shared, not copied.
    ///
    /// # Errors
    /// Anything that is not exactly one message.
    pub fn decode(kind: u8, body: Bytes) -> Result<Self, CaptureProtocolError> {
        let mut body = Reader { kind, body };
        let message = match kind {
            0x81 => {
                let (version, width, height) = (body.u16()?, body.u16()?, body.u16()?);
                let mut encoders = Vec::new();
                while !body.body.is_empty() {
                    encoders.push((body.codec()?, body.short()?));
                }
                Self::Hello {
                    version,
                    width,
                    height,
                    encoders,
                }
            }
            0x82 => {
                let (rendition, flags, pts_us) = (body.rendition()?, body.u8()?, body.u64()?);
                Self::Frame {
                    rendition,
                    key: flags & 1 != 0,
                    pts_us,
                    times_us: [body.u64()?, body.u64()?, body.u64()?, body.u64()?],
                    data: body.rest(),
                }
            }
            0x83 => Self::Alive {
                grabbed: body.u64()?,
                damage: body.u64()?,
            },
            0x84 => Self::Error {
                code: body.short()?,
                text: body.text()?,
            },
            0x85 => Self::Encoder {
                codec: body.codec()?,
                name: body.text()?,
            },
            0x86 => Self::EncoderFailed {
                codec: body.codec()?,
                name: body.short()?,
                why: body.text()?,
            },
            other => return Err(CaptureProtocolError::UnknownType(other)),
        };
        body.end()?;
        Ok(message)
    }
}

#[cfg(test)]
mod tests;
