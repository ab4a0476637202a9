//! Why a connection to a keeper is over.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

/// Why a connection to a keeper is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// The keeper has closed it, or is dead.
    Closed,
    /// What came is not the protocol, or answers what nobody has asked.
    Protocol(String),
    /// The keeper spoke of processes that are not its own.
    NotOurs(String),
}

impl Lost {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Closed => "keeper_gone",
            Self::Protocol(_) => "keeper_protocol",
            Self::NotOurs(_) => "keeper_not_ours",
        }
    }
}

/// The end of one connection: the first reason stands. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Parting {
    why: Arc<OnceLock<Lost>>,
    now: CancellationToken,
}

impl Parting {
    /// Ends the connection.
    pub(super) fn part(&self, why: Lost) {
        // The first reason stands.
        let _ = self.why.set(why);
        self.now.cancel();
    }

    /// Returns when it is to end.
    pub(super) async fn parted(&self) {
        self.now.cancelled().await;
    }

    /// The reason; [`Lost::Closed`] while there is none.
    pub(super) fn why(&self) -> &Lost {
        self.why.get().unwrap_or(&Lost::Closed)
    }
}
