//! How a capture client ends.

use crate::protocol::capture::CaptureProtocolError;

/// Why there are no more frames. What to do about it is the supervisor's to decide.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// Its socket cannot be reached.
    #[error("the capture process cannot be reached")]
    Connect(#[source] std::io::Error),
    /// It was reached but did not greet in time.
    #[error("the capture process did not greet in time")]
    ConnectDeadline,
    /// Its first message was not a greeting, or a later one was.
    #[error("the capture process did not greet as it should")]
    NoGreeting,
    /// It closed the connection: it ended, or another host took its place.
    #[error("the capture process closed the connection")]
    Closed,
    /// It sent something that is not of the protocol.
    #[error("the capture process sent rubbish: {0}")]
    Protocol(#[from] CaptureProtocolError),
    /// It was silent for too long, or did not read.
    #[error("the capture process does not answer")]
    Stalled,
    /// It told why it ends.
    #[error("the capture process failed: {text}")]
    Reported {
        /// The code of its error, such as `display_lost` or `encoder_failed`.
        code: String,
        /// For people.
        text: String,
    },
    /// The client itself failed.
    #[error("the capture client failed: {0}")]
    Fault(String),
}

impl CaptureError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "capture_unreachable",
            Self::ConnectDeadline => "capture_connect_deadline",
            Self::NoGreeting | Self::Protocol(_) => "capture_protocol",
            Self::Closed => "capture_closed",
            Self::Stalled => "capture_stalled",
            Self::Reported { .. } => "capture_failed",
            Self::Fault(_) => "capture_fault",
        }
    }
}
