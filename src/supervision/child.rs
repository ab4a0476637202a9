//! A running child: what it is handed, and what its supervisor holds of it.

use std::sync::Arc;

use serde::Serialize;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::exit::{ExitCell, ExitReason};

/// What a child is handed at each start.
#[derive(Clone, Debug)]
pub struct ChildContext {
    path: Arc<str>,
    generation: u64,
    stop: CancellationToken,
    exit: ExitCell,
    pub(super) node: super::snapshot::Node,
}

impl ChildContext {
    pub(super) fn new(path: Arc<str>, generation: u64, node: super::snapshot::Node) -> Self {
        Self {
            path,
            generation,
            stop: CancellationToken::new(),
            exit: ExitCell::default(),
            node,
        }
    }

    /// Where it stands in the tree: `root/instances/<id>/desktop/display`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Counts the starts of this child, from 1.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Returns when the supervisor wants the child to end; its shutdown time runs from then on.
    pub async fn stopping(&self) {
        self.stop.cancelled().await;
    }

    /// Whether the supervisor wants the child to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Runs `work`, unless the supervisor wants the child to end before it is done: then `None`.
    pub async fn unless_stopping<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.stopping() => None,
            done = work => Some(done),
        }
    }

    /// Where an actor leaves its exit reason before it stops its context.
    #[must_use]
    pub const fn exit_cell(&self) -> &ExitCell {
        &self.exit
    }

    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

/// Aborts the child when dropped, so that none outlives its supervisor.
#[derive(Debug)]
pub(super) struct AbortOnDrop(pub(super) AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Where a child is in its life, as snapshots show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChildState {
    /// It runs.
    Running,
    /// It is started again after its back-off.
    Restarting,
    /// It has ended for good.
    Ended {
        /// Why.
        reason: ExitReason,
    },
    /// Its budget is used up; somebody has to start it again.
    GivenUp {
        /// The last straw.
        reason: ExitReason,
    },
    /// It was stopped, or not yet started.
    Stopped,
}
