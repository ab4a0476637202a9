//! A child's place in the tree, which outlives its generations: where its supervisor and the child itself write down
//! how it is, and whence snapshots are taken, from any thread and without asking anybody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::child_spec::{ChildSpec, Restart};
use super::control::SupervisorRef;
use super::exit::ExitReason;
#[cfg(debug_assertions)]
use super::inject::{Fault, Injection};
use super::intensity::{Intensity, Window};
use super::snapshot::{BudgetView, ChildKind, ChildSnapshot, ChildState, LastExit, ProgressView, Restarts};
use super::strategy::Strategy;
use crate::clock::unix_ms;

/// More facts than this a child cannot tell.
const MAX_FACTS: usize = 16;

/// How long a queue is just now.
pub(super) type Gauge = Arc<dyn Fn() -> Option<usize> + Send + Sync>;

/// The progress of one generation.
#[derive(Debug)]
pub(super) struct Progress {
    begun: Instant,
    /// µs after `begun`; 0 where none has been told yet.
    last_us: AtomicU64,
    pub(super) limit: Option<Duration>,
}

impl Progress {
    pub(super) fn new(limit: Option<Duration>) -> Self {
        Self {
            begun: Instant::now(),
            last_us: AtomicU64::new(0),
            limit,
        }
    }

    pub(super) fn mark(&self) {
        let us = u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.last_us.fetch_max(us.max(1), Ordering::Relaxed);
    }

    pub(super) fn last(&self) -> Instant {
        self.begun + Duration::from_micros(self.last_us.load(Ordering::Relaxed))
    }

    fn view(&self, now: Instant) -> Option<ProgressView> {
        let tells = self.limit.is_some() || self.last_us.load(Ordering::Relaxed) > 0;
        tells.then(|| ProgressView {
            since_ms: millis(now.saturating_duration_since(self.last())),
            limit_ms: self.limit.map(millis),
        })
    }
}

pub(super) struct Node {
    id: Arc<str>,
    facts: Mutex<Facts>,
    restart_asked: AtomicBool,
}

struct Facts {
    kind: ChildKind,
    restart: Restart,
    significant: bool,
    once: bool,
    own_budget: bool,
    state: ChildState,
    strategy: Option<Strategy>,
    generation: u64,
    restarts: u64,
    /// The child's own charged restarts.
    window: Window,
    /// If it is a supervisor: those charged to it.
    charged: Option<Window>,
    last_exit: Option<LastExit>,
    since: Option<Instant>,
    due: Option<Instant>,
    progress: Option<Arc<Progress>>,
    pid: Option<u32>,
    told: BTreeMap<&'static str, String>,
    mailbox: Option<Gauge>,
    control: Option<SupervisorRef>,
    /// By the slots' keys, so in start order.
    children: BTreeMap<u64, Arc<Node>>,
    #[cfg(debug_assertions)]
    injection: Option<Arc<Injection>>,
}

impl Node {
    pub(super) fn new(spec: &ChildSpec, intensity: Intensity) -> Arc<Self> {
        let node = Self::root(&spec.id);
        node.specify(spec, intensity);
        node
    }

    /// The place of a root, which nobody restarts.
    pub(super) fn root(id: &Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            id: Arc::clone(id),
            restart_asked: AtomicBool::new(false),
            facts: Mutex::new(Facts {
                kind: ChildKind::Supervisor,
                restart: Restart::Temporary,
                significant: false,
                once: false,
                own_budget: false,
                state: ChildState::Stopped,
                strategy: None,
                generation: 0,
                restarts: 0,
                window: Window::new(Intensity::new(0, Duration::ZERO)),
                charged: None,
                last_exit: None,
                since: None,
                due: None,
                progress: None,
                pid: None,
                told: BTreeMap::new(),
                mailbox: None,
                control: None,
                children: BTreeMap::new(),
                #[cfg(debug_assertions)]
                injection: None,
            }),
        })
    }

    /// Its supervisor has begun anew, with perhaps another spec for it.
    pub(super) fn specify(&self, spec: &ChildSpec, intensity: Intensity) {
        self.with(|f| {
            f.kind = spec.kind;
            f.restart = spec.restart;
            f.significant = spec.significant;
            f.once = spec.once;
            f.own_budget = spec.budget.is_some();
            f.window = Window::new(spec.budget.as_ref().map_or(intensity, |(own, _)| *own));
        });
    }

    pub(super) fn id(&self) -> &Arc<str> {
        &self.id
    }

    pub(super) fn state(&self) -> ChildState {
        self.with(|f| f.state)
    }

    pub(super) fn lives_once(&self) -> bool {
        self.with(|f| f.once)
    }

    pub(super) fn generation(&self) -> u64 {
        self.with(|f| f.generation)
    }

    pub(super) fn set_state(&self, state: ChildState) {
        self.with(|f| {
            f.state = state;
            f.due = None;
        });
    }

    pub(super) fn restarting(&self, due: Instant) {
        self.with(|f| {
            f.state = ChildState::Restarting;
            f.due = Some(due);
        });
    }

    pub(super) fn begins(&self, generation: u64, again: bool) {
        self.with(|f| {
            f.state = ChildState::Starting;
            f.generation = generation;
            f.restarts += u64::from(again);
            f.since = Some(Instant::now());
            f.due = None;
        });
    }

    /// What this generation is watched by.
    pub(super) fn watched(&self, progress: &Arc<Progress>) {
        self.with(|f| f.progress = Some(Arc::clone(progress)));
    }

    #[cfg(debug_assertions)]
    pub(super) fn vulnerable(&self, injection: &Arc<Injection>) {
        self.with(|f| f.injection = Some(Arc::clone(injection)));
    }

    /// Whether there is a living generation that the fault can befall.
    #[cfg(debug_assertions)]
    pub(super) fn inject(&self, fault: Fault) -> bool {
        let injection = self.with(|f| f.injection.clone());
        injection.as_ref().map(|i| i.ask(fault)).is_some()
    }

    /// It runs, unless it has been asked to stop meanwhile.
    pub(super) fn runs(&self) {
        self.with(|f| {
            if f.state == ChildState::Starting {
                f.state = ChildState::Running;
            }
        });
    }

    pub(super) fn ended(&self, reason: &ExitReason) {
        let children = self.with(|f| {
            f.state = ChildState::Ended;
            f.last_exit = Some(LastExit {
                reason: reason.clone(),
                at_ms: unix_ms(),
            });
            f.since = None;
            f.strategy = None;
            f.progress = None;
            f.pid = None;
            f.told.clear();
            f.mailbox = None;
            f.control = None;
            f.charged = None;
            #[cfg(debug_assertions)]
            {
                f.injection = None;
            }
            f.children.values().cloned().collect::<Vec<_>>()
        });
        // Those of a supervisor that did not stop in order went with it.
        for child in children {
            if child.with(|f| f.since.is_some()) {
                child.ended(&ExitReason::Killed);
            } else if child.state() == ChildState::Restarting {
                child.set_state(ChildState::Stopped);
            }
        }
    }

    pub(super) fn set_window(&self, window: &Window) {
        self.with(|f| f.window = window.clone());
    }

    pub(super) fn set_charged(&self, window: &Window) {
        self.with(|f| f.charged = Some(window.clone()));
    }

    pub(super) fn set_pid(&self, pid: Option<u32>) {
        self.with(|f| f.pid = pid);
    }

    pub(super) fn tell(&self, key: &'static str, value: String) {
        self.with(|f| {
            // overflow: a fact too many is not kept.
            if f.told.len() < MAX_FACTS || f.told.contains_key(key) {
                f.told.insert(key, value);
            }
        });
    }

    pub(super) fn set_mailbox(&self, gauge: Gauge) {
        self.with(|f| f.mailbox = Some(gauge));
    }

    /// A supervisor begins to run.
    pub(super) fn supervises(&self, kind: ChildKind, strategy: Strategy, intensity: Intensity, control: SupervisorRef) {
        self.with(|f| {
            f.kind = kind;
            f.strategy = Some(strategy);
            f.charged = Some(Window::new(intensity));
            f.control = Some(control);
        });
    }

    /// The children of the generation before, by their ids: they keep their places.
    pub(super) fn take_children(&self) -> BTreeMap<Arc<str>, Arc<Self>> {
        let children = self.with(|f| std::mem::take(&mut f.children));
        children.into_values().map(|c| (Arc::clone(&c.id), c)).collect()
    }

    pub(super) fn add_child(&self, key: u64, child: Arc<Self>) {
        self.with(|f| f.children.insert(key, child));
    }

    pub(super) fn remove_child(&self, key: u64) {
        self.with(|f| f.children.remove(&key));
    }

    pub(super) fn control(&self) -> Option<SupervisorRef> {
        self.with(|f| f.control.clone())
    }

    pub(super) fn child(&self, id: &str) -> Option<Arc<Self>> {
        self.with(|f| f.children.values().find(|c| &*c.id == id).cloned())
    }

    /// The node at `path` below this one; the empty path is this one.
    pub(super) fn find(self: &Arc<Self>, path: &str) -> Option<Arc<Self>> {
        let ids = path.split('/').filter(|id| !id.is_empty());
        ids.into_iter().try_fold(Arc::clone(self), |node, id| node.child(id))
    }

    /// The right to ask for its restart by hand, if nobody has it.
    pub(super) fn claim_restart(self: &Arc<Self>) -> Option<RestartClaim> {
        let taken = self.restart_asked.swap(true, Ordering::AcqRel);
        (!taken).then(|| RestartClaim(Arc::clone(self)))
    }

    pub(super) fn snapshot(&self, parent: &str, shared: Option<&Window>, now: Instant) -> ChildSnapshot {
        // The children's locks are taken after this one is given back, and so are the gauges read.
        let (mut snapshot, mailbox, charged, children) = self.with(|f| {
            let path = if parent.is_empty() {
                self.id.to_string()
            } else {
                format!("{parent}/{}", self.id)
            };
            let budget = if f.own_budget { Some(&f.window) } else { shared };
            let snapshot = ChildSnapshot {
                id: self.id.to_string(),
                path,
                kind: f.kind,
                restart: f.restart,
                significant: f.significant,
                once: f.once,
                state: f.state,
                strategy: f.strategy,
                generation: f.generation,
                restarts: Restarts {
                    in_period: f.window.count(now),
                    total: f.restarts,
                },
                budget: budget.map(|window| BudgetView {
                    own: f.own_budget,
                    max: window.limit().max,
                    period_ms: millis(window.limit().period),
                    left: window.left(now),
                }),
                last_exit: f.last_exit.clone(),
                uptime_ms: f.since.map(|since| millis(now.saturating_duration_since(since))),
                restart_in_ms: f.due.map(|due| millis(due.saturating_duration_since(now))),
                progress: f.progress.as_ref().and_then(|p| p.view(now)),
                mailbox: None,
                pid: f.pid,
                facts: f.told.clone(),
                children: Vec::new(),
            };
            let children: Vec<_> = f.children.values().cloned().collect();
            (snapshot, f.mailbox.clone(), f.charged.clone(), children)
        });
        snapshot.mailbox = mailbox.and_then(|gauge| gauge());
        let path = &snapshot.path;
        snapshot.children = children
            .iter()
            .map(|c| c.snapshot(path, charged.as_ref(), now))
            .collect();
        snapshot
    }

    fn with<R>(&self, f: impl FnOnce(&mut Facts) -> R) -> R {
        f(&mut self.facts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A restart by hand that is asked for and not yet done.
#[derive(Debug)]
pub(super) struct RestartClaim(Arc<Node>);

impl Drop for RestartClaim {
    fn drop(&mut self) {
        self.0.restart_asked.store(false, Ordering::Release);
    }
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
