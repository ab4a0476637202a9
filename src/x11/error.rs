//! What can go wrong with an X server.

use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};

/// Why something asked of the X server could not be had.
#[derive(Debug, thiserror::Error)]
pub enum X11Error {
    /// The connection is gone: the X server ended, or the connection was aborted.
    #[error("the connection to the display is lost")]
    DisplayLost,
    /// The X server answered the connection set-up with a refusal (wrong cookie, no such screen).
    #[error("the display refuses the connection: {0}")]
    Refused(String),
    /// It took too long.
    #[error("the display did not answer in time")]
    Deadline,
    /// The X server lacks an extension that is needed.
    #[error("the display lacks the extension {0}")]
    MissingExtension(&'static str),
    /// The display's picture format is not one that can be encoded.
    #[error("unsupported display: {0}")]
    Unsupported(String),
    /// The X server answered one request with an error; the connection goes on.
    #[error("the display answered {request} with {error}")]
    Request {
        /// What was asked.
        request: &'static str,
        /// Its answer.
        error: String,
    },
    /// The authority file does not hold a cookie for the display.
    #[error("bad authority file: {0}")]
    Authority(String),
    /// The operating system refused something.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

impl X11Error {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::DisplayLost => "display_lost",
            Self::Refused(_) => "display_refused",
            Self::Deadline => "display_deadline",
            Self::MissingExtension(_) => "display_extension",
            Self::Unsupported(_) => "display_unsupported",
            Self::Request { .. } => "display_request",
            Self::Authority(_) => "display_authority",
            Self::Io { .. } => "display_io",
        }
    }

    /// Wraps a failure of the operating system, naming what was tried.
    pub(crate) fn io(what: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// Sorts the failure of a request: lost connection or refused request.
    pub(crate) fn reply(request: &'static str) -> impl FnOnce(ReplyError) -> Self {
        move |error| match error {
            ReplyError::ConnectionError(error) => error.into(),
            ReplyError::X11Error(error) => Self::Request {
                request,
                error: format!("{:?}", error.error_kind),
            },
        }
    }
}

impl From<ConnectionError> for X11Error {
    fn from(error: ConnectionError) -> Self {
        match error {
            ConnectionError::UnsupportedExtension => Self::MissingExtension("of the request"),
            ConnectionError::IoError(_) | ConnectionError::UnknownError => Self::DisplayLost,
            other => Self::Refused(other.to_string()),
        }
    }
}

impl From<ReplyOrIdError> for X11Error {
    fn from(error: ReplyOrIdError) -> Self {
        match error {
            ReplyOrIdError::IdsExhausted => Self::Refused("identifiers are exhausted".into()),
            ReplyOrIdError::ConnectionError(error) => error.into(),
            ReplyOrIdError::X11Error(error) => Self::Request {
                request: "a request",
                error: format!("{:?}", error.error_kind),
            },
        }
    }
}

impl From<ConnectError> for X11Error {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::IoError(_) => Self::DisplayLost,
            other => Self::Refused(other.to_string()),
        }
    }
}
