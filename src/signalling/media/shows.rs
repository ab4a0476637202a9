//! What a socket shows to its page: frames of the hub, or what a VNC server sends.

use std::rc::Rc;

use actix_web_actors::ws;
use tokio::time::Instant;

use super::capacity::Capacity;
use super::feed::Gate;
use crate::protocol::media::FromPage;
use crate::protocol::rfb::{Filter, RfbError};
use crate::source::{LineEnd, VncLine};

/// What a socket shows.
#[derive(Debug)]
pub(super) enum Shows {
    Frames { gate: Rc<Gate>, capacity: Capacity },
    Vnc { line: VncLine, filter: Filter },
}

/// What cannot be done of what a page says.
#[derive(Debug)]
pub(super) enum Wrong {
    /// It is left out.
    Message(&'static str, String),
    /// The socket ends.
    Fatal(ws::CloseCode, &'static str),
}

impl From<RfbError> for Wrong {
    fn from(error: RfbError) -> Self {
        Self::Fatal(ws::CloseCode::Policy, error.code())
    }
}

impl From<LineEnd> for Wrong {
    fn from(end: LineEnd) -> Self {
        Self::Fatal(close_code(end), why(end))
    }
}

impl Shows {
    /// Nobody looks at the page, or somebody does again.
    pub(super) fn hide(&self, hidden: bool) {
        match self {
            Self::Frames { gate, .. } => gate.hide(hidden),
            // One that has ended shows that by itself.
            Self::Vnc { line, .. } => drop(line.hide(hidden)),
        }
    }

    /// The user wants this rendition, or what fits. VNC has one.
    pub(super) fn pin(&self, rung: Option<u8>) {
        if let Self::Frames { gate, .. } = self {
            gate.pin(rung);
        }
    }

    /// What a page says that is no input; `allowed`: it says no more than it may.
    pub(super) fn said(&mut self, said: FromPage, allowed: bool) -> Result<(), Wrong> {
        match (self, said) {
            (Self::Frames { gate, capacity, .. }, FromPage::Taken(frames)) if allowed => {
                let now = Instant::now();
                let taken = gate.under_way.borrow_mut().take(frames, now);
                let sample = taken.map_err(|error| Wrong::Message("never_sent", error.to_string()))?;
                gate.taken(sample.and_then(|sample| capacity.note(sample, now)));
                Ok(())
            }
            (Self::Frames { gate, .. }, FromPage::KeyFrame) if allowed => {
                gate.ask_for_key();
                Ok(())
            }
            // Every byte counts for what follows: of too many the socket's own count makes an end.
            (Self::Vnc { line, filter }, FromPage::Rfb(bytes)) => {
                let mut out = Vec::new();
                let read = filter.push(&bytes, &mut out);
                for message in out {
                    line.say(message)?;
                }
                Ok(read?)
            }
            (Self::Frames { .. }, FromPage::Rfb(_)) | (Self::Vnc { .. }, FromPage::Taken(_) | FromPage::KeyFrame) => {
                Err(Wrong::Message("wrong_way", "the picture comes another way".to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Whether the page takes nothing of what was sent.
    pub(super) fn is_gone(&self) -> bool {
        match self {
            Self::Frames { gate, .. } => gate.under_way.borrow().is_gone(Instant::now()),
            // The line itself sees it.
            Self::Vnc { .. } => false,
        }
    }

    /// What there is to say of it at its end.
    pub(super) fn summary(&self) -> String {
        match self {
            Self::Frames { gate, capacity, .. } => {
                format!("line_kbps={} frames_left_out={}", capacity.told(), gate.skipped())
            }
            Self::Vnc { filter, .. } => format!("messages_left_out={}", filter.left_out()),
        }
    }
}

/// What is said of a line's end when the page is put out for it.
pub(super) const fn why(end: LineEnd) -> &'static str {
    match end {
        LineEnd::Lost | LineEnd::Flooded => "the VNC server is gone",
        LineEnd::NotTaken => "no pictures are taken",
        LineEnd::TooMuch => "too many messages",
    }
}

pub(super) const fn close_code(end: LineEnd) -> ws::CloseCode {
    match end {
        LineEnd::Lost | LineEnd::Flooded => ws::CloseCode::Restart,
        LineEnd::NotTaken => ws::CloseCode::Again,
        LineEnd::TooMuch => ws::CloseCode::Policy,
    }
}
