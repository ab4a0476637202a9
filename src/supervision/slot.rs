//! A child's place at its supervisor: the spec, and what became of it so far.

use std::sync::Arc;

use tokio::time::Instant;

use super::child::{AbortOnDrop, ChildContext, ChildState};
use super::child_spec::{ChildSpec, GiveUp};
use super::exit::ExitReason;
use super::intensity::Window;
use super::snapshot::{ChildView, Node};

/// The end of one generation of a child.
pub(super) struct Exit {
    pub(super) key: u64,
    pub(super) generation: u64,
    pub(super) reason: ExitReason,
}

pub(super) struct Slot {
    /// Never used twice, unlike the id.
    pub(super) key: u64,
    pub(super) spec: ChildSpec,
    pub(super) state: ChildState,
    pub(super) context: Option<ChildContext>,
    /// Held while the child's task may be alive.
    pub(super) guard: Option<AbortOnDrop>,
    pub(super) generation: u64,
    pub(super) restarts: u64,
    /// Failures in a row, each soon after its start.
    pub(super) failures: u32,
    /// When to start it.
    pub(super) due: Option<Instant>,
    window: Option<Window>,
    since: Option<Instant>,
    last_exit: Option<ExitReason>,
    node: Node,
}

impl Slot {
    pub(super) fn new(key: u64, spec: ChildSpec, now: Instant) -> Self {
        let window = spec.budget.as_ref().map(|(limit, _)| Window::new(*limit));
        Self {
            key,
            spec,
            state: ChildState::Restarting,
            context: None,
            guard: None,
            generation: 0,
            restarts: 0,
            failures: 0,
            due: Some(now),
            window,
            since: None,
            last_exit: None,
            node: Node::default(),
        }
    }

    /// A new generation begins.
    pub(super) fn begin(&mut self, path: Arc<str>) -> ChildContext {
        self.due = None;
        self.generation += 1;
        self.since = Some(Instant::now());
        self.state = ChildState::Running;
        ChildContext::new(path, self.generation, self.node.clone())
    }

    /// The living generation has ended by itself.
    pub(super) fn ended(&mut self, reason: &ExitReason, now: Instant) {
        let lived = self.since.map(|at| now.duration_since(at)).unwrap_or_default();
        self.failures = if lived >= self.spec.backoff.healthy_after {
            1
        } else {
            self.failures + 1
        };
        self.last_exit = Some(reason.clone());
        self.guard = None;
        self.context = None;
        self.since = None;
    }

    /// The living generation was stopped on purpose.
    pub(super) fn stopped(&mut self) {
        self.guard = None;
        self.context = None;
        self.since = None;
        if matches!(self.state, ChildState::Running | ChildState::Restarting) {
            self.state = ChildState::Stopped;
        }
    }

    pub(super) fn ask_to_stop(&self) {
        if let Some(context) = &self.context {
            context.stop();
        }
    }

    pub(super) fn was_asked(&self) -> bool {
        self.context.as_ref().is_some_and(ChildContext::is_stopping)
    }

    pub(super) fn abort(&self) {
        if let Some(guard) = &self.guard {
            guard.0.abort();
        }
    }

    /// The child's own budget with what to call when it is used up.
    pub(super) fn budget(&mut self) -> Option<(&mut Window, GiveUp)> {
        let give_up = self.spec.budget.as_ref().map(|(_, give_up)| Arc::clone(give_up))?;
        Some((self.window.as_mut()?, give_up))
    }

    /// Somebody starts it again by hand: earlier failures no longer count.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
        if let Some(window) = &mut self.window {
            window.reset();
        }
    }

    /// Whether it runs or is about to.
    pub(super) fn is_live(&self) -> bool {
        self.guard.is_some() || self.due.is_some()
    }

    /// Whether it has ended and is not started again.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.state, ChildState::Ended { .. } | ChildState::GivenUp { .. })
    }

    pub(super) fn view(&self) -> ChildView {
        ChildView {
            id: self.spec.id.to_string(),
            kind: self.spec.kind,
            restart: self.spec.restart,
            state: self.state.clone(),
            generation: self.generation,
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
            since: self.since,
            node: self.node.clone(),
        }
    }
}
