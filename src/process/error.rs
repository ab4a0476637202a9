//! What can go wrong between the host and a keeper.

use std::io;

use crate::protocol::keeper::{Failure, FailureCode, FrameError};

/// What the system answers when it is short of something for a while.
const SHORTAGES: [i32; 4] = [libc::EAGAIN, libc::ENOMEM, libc::EMFILE, libc::ENFILE];

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

    /// Whether trying again may help: the system was short of processes, descriptors or memory, or the keeper was slow.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Failed(failure) => matches!(
                failure.code,
                FailureCode::SpawnFailed | FailureCode::Busy | FailureCode::Superseded | FailureCode::TimedOut
            ),
            Self::Io { source, .. } => source.raw_os_error().is_some_and(|number| SHORTAGES.contains(&number)),
            Self::Timeout => true,
            Self::Gone | Self::Protocol(_) | Self::Unexpected | Self::NotOurs(_) | Self::NotStarted(_) => false,
        }
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
