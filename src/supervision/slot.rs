//! What a supervisor keeps of one child over its generations: the spec, and what became of it so far.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::backoff::dice;
use super::child::{Crew, Exited, Parent, Running};
use super::child_spec::{ChildSpec, Restart, guarded};
use super::context::ChildContext;
use super::event::What;
use super::exit::ExitReason;
use super::intensity::{Intensity, Window};
use super::node::{Node, millis};
use super::snapshot::ChildState;
use super::strategy::{Activity, ChildView};

pub(super) enum State {
    Running(Running),
    /// To be started then.
    Waiting(Instant),
    /// Ended by itself or with its group.
    Ended,
    /// Stopped by request, or given up.
    Withdrawn,
}

/// What follows from an exit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It stays ended.
    Ended,
    /// It comes back after so long.
    Restart(Duration),
    /// Its own budget is used up.
    GiveUp,
    /// The supervisor's intensity is exceeded.
    Escalate,
}

pub(super) struct Slot {
    pub(super) key: u64,
    pub(super) spec: ChildSpec,
    pub(super) node: Arc<Node>,
    pub(super) state: State,
    path: Arc<str>,
    generation: u64,
    begun: bool,
    /// Restarts that count: against its own budget if it has one, and to be shown.
    window: Window,
    /// Failures in a row, each soon after its start.
    failures: u32,
}

impl Slot {
    /// A child that is to be started at `due`. `node`: its place, where its supervisor had it before.
    pub(super) fn new(
        key: u64,
        spec: ChildSpec,
        own: &ChildContext,
        node: Option<Arc<Node>>,
        intensity: Intensity,
        due: Instant,
    ) -> Self {
        let node = match node {
            Some(node) => {
                node.specify(&spec, intensity);
                node
            }
            None => Node::new(&spec, intensity),
        };
        own.node().add_child(key, Arc::clone(&node));
        let limit = spec.budget.as_ref().map_or(intensity, |(own, _)| *own);
        let mut slot = Self {
            key,
            path: format!("{}/{}", own.path(), spec.id).into(),
            generation: node.generation(),
            node,
            state: State::Ended,
            begun: false,
            window: Window::new(limit),
            failures: 0,
            spec,
        };
        slot.wait_until(due);
        slot
    }

    pub(super) const fn generation(&self) -> u64 {
        self.generation
    }

    pub(super) fn view(&self) -> ChildView {
        ChildView {
            restart: self.spec.restart,
            activity: match self.state {
                State::Running(_) => Activity::Running,
                State::Waiting(_) => Activity::Waiting,
                State::Ended => Activity::Ended,
                State::Withdrawn => Activity::Withdrawn,
            },
        }
    }

    pub(super) const fn due(&self) -> Option<Instant> {
        match self.state {
            State::Waiting(due) => Some(due),
            _ => None,
        }
    }

    /// Has until then at the latest, if it is being stopped.
    pub(super) fn hurry(&self, deadline: Option<Instant>) {
        if let Some(running) = self.running() {
            running.context.order_stop(deadline);
        }
    }

    pub(super) const fn running(&self) -> Option<&Running> {
        match &self.state {
            State::Running(running) => Some(running),
            _ => None,
        }
    }

    /// Whether it has ended and is not started again.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.state, State::Ended | State::Withdrawn)
    }

    /// Starts the child; gives what fires when it has been.
    pub(super) fn start(&mut self, crew: &mut Crew, own: &ChildContext) -> CancellationToken {
        let seen = self.spec.last_generation.load(Ordering::Acquire);
        self.generation = self.node.generation().max(seen) + 1;
        self.spec.last_generation.store(self.generation, Ordering::Release);
        self.node.begins(self.generation, self.begun);
        self.begun = true;
        let parent = Parent {
            path: own.path(),
            lineage: own.lineage().upgrade(),
            events: own.events(),
        };
        let running = crew.start(self.key, self.generation, &self.spec, parent, &self.node);
        let started = running.context.started();
        self.state = State::Running(running);
        log::debug!("child={} generation={} started", self.path, self.generation);
        self.tell(own, What::Started);
        started
    }

    /// Whether this exit is news: of the present generation, and not dealt with.
    pub(super) const fn expects(&self, exited: &Exited) -> bool {
        self.generation == exited.generation && self.running().is_some()
    }

    /// Notes the exit; the child is `Ended` until something else is decided. `asked`: it was to end.
    pub(super) fn exited(&mut self, own: &ChildContext, reason: &ExitReason, asked: bool) {
        if let State::Running(running) = &self.state {
            self.failures = if running.since.elapsed() >= self.spec.backoff.healthy_after {
                0
            } else {
                self.failures
            };
        }
        let level = match (asked, reason.is_abnormal()) {
            (true, false) => log::Level::Debug,
            // There may be many of these, of others' making, and each has said itself how it ended.
            (false, false) if self.spec.restart == Restart::Temporary => log::Level::Debug,
            (false, false) => log::Level::Info,
            (_, true) => log::Level::Warn,
        };
        log::log!(
            level,
            "child={} generation={} exit={reason}",
            self.path,
            self.generation
        );
        self.state = State::Ended;
        self.node.ended(reason);
        if asked {
            self.node.set_state(ChildState::Stopped);
        }
        self.tell(own, What::Exited { exit: reason.clone() });
    }

    /// Decides on an exit that nobody ordered. Counts it where it counts.
    pub(super) fn judge(&mut self, own: &ChildContext, reason: &ExitReason, charged: &mut Window) -> Verdict {
        if !self.spec.restart.applies(reason) {
            return Verdict::Ended;
        }
        let now = Instant::now();
        if reason.is_counted() {
            let within_own = self.window.charge(now);
            self.node.set_window(&self.window);
            if self.spec.budget.is_some() {
                if !within_own {
                    return Verdict::GiveUp;
                }
            } else {
                let within = charged.charge(now);
                own.node().set_charged(charged);
                if !within {
                    return Verdict::Escalate;
                }
            }
        }
        self.failures = self.failures.saturating_add(1);
        // What was lost needs time to come back, so the loss of a dependency is never followed by a restart at once.
        let failures = self.failures.saturating_add(u32::from(!reason.is_counted()));
        Verdict::Restart(self.spec.backoff.delay(failures, dice()))
    }

    /// Tells that it will be started again.
    pub(super) fn announce_restart(&self, own: &ChildContext, delay: Duration) {
        self.tell(
            own,
            What::Restarting {
                after_ms: millis(delay),
            },
        );
        if let Some(hook) = &self.spec.on_restart {
            guarded(&self.path, || hook(delay));
        }
    }

    /// A request for its restart is being carried out.
    pub(super) fn restart_asked(&self, own: &ChildContext) {
        self.tell(own, What::RestartAsked);
        if let Some(hook) = &self.spec.on_restart_asked {
            guarded(&self.path, || hook());
        }
    }

    pub(super) fn wait_until(&mut self, due: Instant) {
        self.state = State::Waiting(due);
        self.node.restarting(due);
    }

    pub(super) fn withdraw(&mut self, shown: ChildState) {
        self.state = State::Withdrawn;
        self.node.set_state(shown);
    }

    /// Its own budget is used up.
    pub(super) fn give_up(&mut self, own: &ChildContext, reason: &ExitReason) {
        log::warn!("child={} has used up its budget", self.path);
        self.withdraw(ChildState::GivenUp);
        self.tell(own, What::GivenUp { exit: reason.clone() });
        if let Some((_, hook)) = &self.spec.budget {
            guarded(&self.path, || hook(reason));
        }
    }

    /// A fresh budget: somebody asked for this start.
    pub(super) fn forgive(&mut self) {
        self.window.reset();
        self.node.set_window(&self.window);
        self.failures = 0;
    }

    pub(super) fn tell(&self, own: &ChildContext, what: What) {
        own.events().tell(&self.path, self.generation, what);
    }
}
