//! What is asked of one connection from outside. Each runs as a task of its own, with a deadline, when the table says so.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::connection::Connection;
use super::error::PeerError;
use crate::protocol::signalling::IceCandidate;

/// The longest one operation may take.
pub(super) const OPERATION_WITHIN: Duration = Duration::from_secs(5);

/// An operation and the place for its result. Whoever asked may have gone: then nobody learns it.
pub(super) enum Operation {
    /// Apply the browser's offer and give the answer.
    Answer {
        offer: String,
        done: oneshot::Sender<Result<String, PeerError>>,
    },
    /// Apply the browser's offer of new paths and give the answer.
    Restart {
        offer: String,
        done: oneshot::Sender<Result<String, PeerError>>,
    },
    /// Add a candidate of the browser.
    AddCandidate {
        candidate: IceCandidate,
        done: oneshot::Sender<Result<(), PeerError>>,
    },
}

impl Operation {
    /// Runs it to its end or its deadline.
    pub(super) async fn run(self, connection: Arc<dyn Connection>) {
        match self {
            Self::Answer { offer, done } => {
                let result = timeout(OPERATION_WITHIN, connection.answer(&offer)).await;
                let _ = done.send(result.unwrap_or(Err(PeerError::Timeout("answering"))));
            }
            Self::Restart { offer, done } => {
                let result = timeout(OPERATION_WITHIN, connection.restart(&offer)).await;
                let _ = done.send(result.unwrap_or(Err(PeerError::Timeout("restarting"))));
            }
            Self::AddCandidate { candidate, done } => {
                let result = timeout(OPERATION_WITHIN, connection.add_candidate(candidate)).await;
                let _ = done.send(result.unwrap_or(Err(PeerError::Timeout("adding a candidate"))));
            }
        }
    }

    /// Refuses it: the peer is closing.
    pub(super) fn deny(self) {
        match self {
            Self::Answer { done, .. } | Self::Restart { done, .. } => drop(done.send(Err(PeerError::Closing))),
            Self::AddCandidate { done, .. } => drop(done.send(Err(PeerError::Closing))),
        }
    }
}
