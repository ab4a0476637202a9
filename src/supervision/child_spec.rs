//! What a supervisor has to know to run a child (OTP: child specification).

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix::{Actor, Context};
use serde::Serialize;

use super::actor;
use super::backoff::Backoff;
use super::context::ChildContext;
use super::exit::ExitReason;
use super::intensity::Intensity;
use super::reference::ChildRef;
use super::snapshot::ChildKind;
use super::stop::Shutdown;
use super::supervisor::supervise;
use super::supervisor_spec::SupervisorSpec;

/// The whole life of a child, from its start to its exit reason. It runs as a task of its own on the arbiter.
pub type Life = Pin<Box<dyn Future<Output = ExitReason>>>;

/// When a child that has ended is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Always.
    Permanent,
    /// When it ended abnormally: by anything but `Normal` and `Shutdown`.
    Transient,
    /// Never.
    Temporary,
}

impl Restart {
    /// Whether a child that ended for this reason is started again.
    #[must_use]
    pub const fn applies(self, reason: &ExitReason) -> bool {
        match self {
            Self::Permanent => true,
            Self::Transient => reason.is_abnormal(),
            Self::Temporary => false,
        }
    }
}

pub(super) type StartFn = Arc<dyn Fn(ChildContext) -> Life + Send + Sync>;

/// Called when a child has used up its own budget; its siblings go on without it.
pub type GiveUp = Arc<dyn Fn(&ExitReason) + Send + Sync>;

/// Called when a child that has ended is to be started again, with the delay until then.
pub type RestartHook = Arc<dyn Fn(Duration) + Send + Sync>;

/// Called when a request for its restart is being carried out, before the child is stopped.
pub type AskedHook = Arc<dyn Fn() + Send + Sync>;

/// What a supervisor has to know to run a child.
#[derive(Clone)]
pub struct ChildSpec {
    pub(super) id: Arc<str>,
    pub(super) kind: ChildKind,
    pub(super) restart: Restart,
    pub(super) shutdown: Shutdown,
    pub(super) significant: bool,
    pub(super) once: bool,
    pub(super) budget: Option<(Intensity, GiveUp)>,
    pub(super) backoff: Backoff,
    pub(super) on_restart: Option<RestartHook>,
    pub(super) on_restart_asked: Option<AskedHook>,
    pub(super) stalled_after: Option<Duration>,
    /// The last generation that a reference to it has seen, so that numbers never come twice.
    pub(super) last_generation: Arc<AtomicU64>,
    pub(super) start: StartFn,
}

impl fmt::Debug for ChildSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("kind", &self.kind)
            .field("restart", &self.restart)
            .field("shutdown", &self.shutdown)
            .finish_non_exhaustive()
    }
}

/// What a worker gets to end its work when nothing else is said.
const WORKER_SHUTDOWN: Duration = Duration::from_secs(5);

impl ChildSpec {
    /// A child whose life is one future, made anew at each start. It ends itself soon after
    /// [`ChildContext::stopping`].
    pub fn task<F, L>(id: impl Into<Arc<str>>, restart: Restart, life: F) -> Self
    where
        F: Fn(ChildContext) -> L + Send + Sync + 'static,
        L: Future<Output = ExitReason> + 'static,
    {
        Self {
            id: id.into(),
            kind: ChildKind::Worker,
            restart,
            shutdown: Shutdown::Timeout(WORKER_SHUTDOWN),
            significant: false,
            once: false,
            budget: None,
            backoff: Backoff::default(),
            on_restart: None,
            on_restart_asked: None,
            stalled_after: None,
            last_generation: Arc::default(),
            start: Arc::new(move |context| Box::pin(life(context))),
        }
    }

    /// A child that is an actix actor, made anew at each start; `reference` follows it. It is stopped between two
    /// messages: its context ends at once, `stopped` runs, and nothing that it spawned goes on. Whatever has to be
    /// tidied up at length belongs into a task.
    pub fn actor<A, F>(id: impl Into<Arc<str>>, restart: Restart, reference: ChildRef<A>, make: F) -> Self
    where
        A: Actor<Context = Context<A>>,
        F: Fn(&ChildContext) -> A + Send + Sync + 'static,
    {
        let last_generation = reference.generations();
        let mut spec = Self::task(id, restart, actor::life(reference, make));
        spec.last_generation = last_generation;
        spec
    }

    /// A child that is a supervisor; its own children are specified anew at each start.
    pub fn supervisor<F>(id: impl Into<Arc<str>>, restart: Restart, children: F) -> Self
    where
        F: Fn() -> SupervisorSpec + Send + Sync + 'static,
    {
        let mut spec = Self::task(id, restart, move |context| supervise(children(), context));
        spec.kind = ChildKind::Supervisor;
        spec.shutdown = Shutdown::Infinity;
        spec
    }

    /// Calls `hook` whenever a life of it has ended, however it ended. Must not wait.
    #[must_use]
    pub fn on_end(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        let (start, hook) = (self.start, Arc::new(hook));
        self.start = Arc::new(move |context| {
            let ended = CallOnDrop {
                hook: Arc::clone(&hook),
                path: context.path().into(),
            };
            let life = start(context);
            Box::pin(async move {
                let _ended = ended;
                life.await
            })
        });
        self
    }

    /// How it is stopped; workers have 5 s, supervisors as long as their children. A supervisor refuses a worker with
    /// [`Shutdown::Infinity`].
    #[must_use]
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.shutdown = shutdown;
        self
    }

    /// Its end for good may end its supervisor (OTP: `significant`).
    #[must_use]
    pub const fn significant(mut self) -> Self {
        self.significant = true;
        self
    }

    /// It lives once: what it is made of is used up by its first life, or known to others who have to hear of its end.
    /// Somebody who restarts it by hand ends it, and whoever needs it makes another. For temporary children.
    #[must_use]
    pub const fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// The delays between its restarts.
    #[must_use]
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.backoff = backoff;
        self
    }

    /// Calls `hook` when it is to be started again, with the delay until then. Must not wait.
    #[must_use]
    pub fn on_restart(mut self, hook: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.on_restart = Some(Arc::new(hook));
        self
    }

    /// Calls `hook` when it is restarted because somebody has asked for that: before it is stopped, and not for a request
    /// that is refused. Must not wait.
    #[must_use]
    pub fn on_restart_asked(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_restart_asked = Some(Arc::new(hook));
        self
    }

    /// It is aborted, as [`ExitReason::Stalled`], when it calls [`ChildContext::progress`] less often than this. Not for
    /// supervisors.
    #[must_use]
    pub const fn stalled_after(mut self, limit: Duration) -> Self {
        self.stalled_after = Some(limit);
        self
    }

    /// A restart budget of its own: past it, `give_up` is called and the child stays down while its siblings go on.
    /// Its restarts are then not charged to the supervisor.
    #[must_use]
    pub fn budget(mut self, limit: Intensity, give_up: impl Fn(&ExitReason) + Send + Sync + 'static) -> Self {
        self.budget = Some((limit, Arc::new(give_up)));
        self
    }

    /// Its name among its siblings.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// Calls what others gave us: its panic is theirs.
pub(super) fn guarded(path: &str, hook: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
        log::error!("child={path} hook: {}", ExitReason::from_panic(payload.as_ref()));
    }
}

struct CallOnDrop<F: Fn()> {
    hook: Arc<F>,
    path: String,
}

impl<F: Fn()> Drop for CallOnDrop<F> {
    fn drop(&mut self) {
        guarded(&self.path, || (self.hook)());
    }
}
