//! What can go wrong between the host and a keeper.

use std::io;

use crate::protocol::keeper::{Failure, FrameError};

/// A call to a keeper that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// The keeper refused it, or it failed there.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A file or socket of the keeper cannot be used.
    #[error("{what}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// No answer in its time.
    #[error("the keeper did not answer in time")]
    Timeout,
    /// The connection to the keeper is lost.
    #[error("the keeper is gone")]
    Gone,
    /// What came is not this protocol.
    #[error("the keeper sent something unreadable")]
    Protocol(#[from] FrameError),
    /// It answered with something else than was asked.
    #[error("the keeper sent an unexpected answer")]
    Unexpected,
    /// The folder has a keeper that is not this instance's, or not this user's.
    #[error("not a keeper of ours: {0}")]
    NotOurs(String),
    /// The keeper ended while it was being started.
    #[error("the keeper did not start: {0}")]
    NotStarted(String),
}

impl ProcessError {
    pub(super) fn io(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { what, source }
    }

    /// The stable name of the error; that of the failure where the keeper answered with one.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(failure) => failure.code.as_str(),
            Self::Io { .. } => "keeper_io",
            Self::Timeout => "keeper_timeout",
            Self::Gone => "keeper_gone",
            Self::Protocol(_) | Self::Unexpected => "keeper_protocol",
            Self::NotOurs(_) => "keeper_not_ours",
            Self::NotStarted(_) => "keeper_not_started",
        }
    }
}
