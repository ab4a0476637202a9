//! Why the demo cannot go on.

use x11rb::errors::{ConnectError, ConnectionError, ReplyError, ReplyOrIdError};

/// A failure that ends the program with status 1.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No X server answers at `$DISPLAY`.
    #[error("cannot open the display")]
    Connect(#[source] ConnectError),
    /// The X server went away.
    #[error("lost the display")]
    Connection(#[from] ConnectionError),
    /// The X server refused a request the demo cannot do without.
    #[error("the X server refused a request")]
    Reply(#[from] ReplyError),
    /// As `Reply`, or no identifiers are left.
    #[error("the X server refused to make a resource")]
    Resource(#[from] ReplyOrIdError),
    /// The screen does not store pixels as 32-bit BGRX.
    #[error("the screen has depth {depth}, need TrueColor of depth 24 with 8 bits each")]
    Visual {
        /// Depth of the root window.
        depth: u8,
    },
    /// Waiting for the display's socket failed.
    #[error("waiting for the display failed")]
    Wait(#[source] nix::Error),
}

impl DemoError {
    /// A stable name for logs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Connect(_) => "no_display",
            Self::Connection(_) => "display_lost",
            Self::Reply(_) | Self::Resource(_) => "x_error",
            Self::Visual { .. } => "bad_visual",
            Self::Wait(_) => "wait_failed",
        }
    }
}
