//! The tree as it stands: what the admin page shows and tests look at.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::time::Instant;

use super::child::ChildState;
use super::child_spec::{ChildKind, Restart};
use super::exit::ExitReason;
use super::strategy::Strategy;

/// One child with everything below it.
#[derive(Clone, Debug, Serialize)]
pub struct ChildSnapshot {
    /// Its name among its siblings.
    pub id: String,
    /// Worker or supervisor.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
    /// Where it is in its life.
    #[serde(flatten)]
    pub state: ChildState,
    /// Its starts so far.
    pub generation: u64,
    /// Its restarts so far.
    pub restarts: u64,
    /// Why it last ended.
    pub last_exit: Option<ExitReason>,
    /// How long this generation has run, in ms.
    pub uptime_ms: Option<u64>,
    /// Its strategy, if it is a supervisor that has started.
    pub strategy: Option<Strategy>,
    /// Its children, if it is a supervisor.
    pub children: Vec<ChildSnapshot>,
}

impl ChildSnapshot {
    /// The child at a path of ids below this one: `["desktop", "display"]`.
    #[must_use]
    pub fn find(&self, path: &[&str]) -> Option<&Self> {
        match path {
            [] => Some(self),
            [first, rest @ ..] => self.children.iter().find(|c| c.id == *first)?.find(rest),
        }
    }
}

/// What a supervisor shows of itself; a place in the tree that outlives its generations.
#[derive(Clone, Debug, Default)]
pub(super) struct Node(Arc<Mutex<NodeState>>);

#[derive(Debug, Default)]
struct NodeState {
    strategy: Option<Strategy>,
    children: Vec<ChildView>,
}

/// One child as its supervisor sees it.
#[derive(Clone, Debug)]
pub(super) struct ChildView {
    pub(super) id: String,
    pub(super) kind: ChildKind,
    pub(super) restart: Restart,
    pub(super) state: ChildState,
    pub(super) generation: u64,
    pub(super) restarts: u64,
    pub(super) last_exit: Option<ExitReason>,
    pub(super) since: Option<Instant>,
    pub(super) node: Node,
}

impl Node {
    pub(super) fn show(&self, strategy: Strategy, children: Vec<ChildView>) {
        let mut state = self.lock();
        state.strategy = Some(strategy);
        state.children = children;
    }

    pub(super) fn strategy(&self) -> Option<Strategy> {
        self.lock().strategy
    }

    pub(super) fn children(&self) -> Vec<ChildSnapshot> {
        let views = self.lock().children.clone();
        views.into_iter().map(|view| view.snapshot()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, NodeState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ChildView {
    fn snapshot(self) -> ChildSnapshot {
        ChildSnapshot {
            strategy: self.node.strategy(),
            children: self.node.children(),
            id: self.id,
            kind: self.kind,
            restart: self.restart,
            state: self.state,
            generation: self.generation,
            restarts: self.restarts,
            last_exit: self.last_exit,
            uptime_ms: self
                .since
                .map(|at| u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)),
        }
    }
}
