//! Writing and reading the bodies of messages.

use bytes::{Buf, BufMut, Bytes};

use super::{CaptureProtocolError, CodecNumber, RenditionForm, RenditionNumber};

/// A whole message: its head, then what `body` writes.
pub(super) fn framed(kind: u8, body: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 0, kind];
    body(&mut out);
    // Only frames are long, and those have a header of their own.
    let length = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
    out[..4].copy_from_slice(&length.to_le_bytes());
    out
}

/// A text of at most 255 bytes with its length before it; cut at a character's edge if longer.
pub(super) fn put_short(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(255);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    out.put_u8(u8::try_from(end).unwrap_or(u8::MAX));
    out.put_slice(&text.as_bytes()[..end]);
}

/// A rendition's two numbers.
pub(super) fn put_rendition(out: &mut Vec<u8>, rendition: RenditionNumber) {
    out.put_u8(rendition.codec as u8);
    out.put_u8(rendition.rung);
}

/// Reads a body without ever reading past its end.
pub(super) struct Reader {
    pub(super) kind: u8,
    pub(super) body: Bytes,
}

impl Reader {
    pub(super) const fn cut(&self) -> CaptureProtocolError {
        CaptureProtocolError::Truncated(self.kind)
    }

    pub(super) fn u8(&mut self) -> Result<u8, CaptureProtocolError> {
        self.body.try_get_u8().map_err(|_| self.cut())
    }

    pub(super) fn u16(&mut self) -> Result<u16, CaptureProtocolError> {
        self.body.try_get_u16_le().map_err(|_| self.cut())
    }

    pub(super) fn u32(&mut self) -> Result<u32, CaptureProtocolError> {
        self.body.try_get_u32_le().map_err(|_| self.cut())
    }

    pub(super) fn u64(&mut self) -> Result<u64, CaptureProtocolError> {
        self.body.try_get_u64_le().map_err(|_| self.cut())
    }

    pub(super) fn codec(&mut self) -> Result<CodecNumber, CaptureProtocolError> {
        CodecNumber::from_wire(self.u8()?)
    }

    pub(super) fn rendition(&mut self) -> Result<RenditionNumber, CaptureProtocolError> {
        Ok(RenditionNumber {
            codec: self.codec()?,
            rung: self.u8()?,
        })
    }

    pub(super) fn form(&mut self) -> Result<RenditionForm, CaptureProtocolError> {
        let (percent, fps, kbps) = (self.u8()?, self.u16()?, self.u32()?);
        if !(1..=100).contains(&percent) || fps == 0 {
            return Err(CaptureProtocolError::BadForm(percent, fps));
        }
        Ok(RenditionForm { percent, fps, kbps })
    }

    pub(super) fn short(&mut self) -> Result<String, CaptureProtocolError> {
        let length = usize::from(self.u8()?);
        if self.body.len() < length {
            return Err(self.cut());
        }
        let text = self.body.split_to(length);
        self.utf8(&text)
    }

    pub(super) fn text(&mut self) -> Result<String, CaptureProtocolError> {
        let rest = self.rest();
        self.utf8(&rest)
    }

    pub(super) fn utf8(&self, bytes: &[u8]) -> Result<String, CaptureProtocolError> {
        std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| CaptureProtocolError::BadText(self.kind))
    }

    pub(super) fn rest(&mut self) -> Bytes {
        self.body.split_to(self.body.len())
    }

    pub(super) fn end(&self) -> Result<(), CaptureProtocolError> {
        if self.body.is_empty() {
            Ok(())
        } else {
            Err(CaptureProtocolError::Trailing(self.kind))
        }
    }
}
