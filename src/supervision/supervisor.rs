//! The supervisor itself: one local task that owns its children and decides alone.

use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;

use super::child::{AbortOnDrop, ChildContext, ChildState};
use super::child_spec::{ChildSpec, Life, Restart, Shutdown};
use super::control::{Command, ControlError, SupervisorRef};
use super::exit::ExitReason;
use super::intensity::{Intensity, Window};
use super::slot::{Exit, Slot};
use super::strategy::Strategy;

/// Whether the end of significant children ends their supervisor (OTP: `auto_shutdown`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoShutdown {
    /// No.
    Never,
    /// As soon as one has ended for good.
    AnySignificant,
    /// Once all of them have.
    AllSignificant,
}

/// What a supervisor runs, and how.
#[derive(Clone)]
pub struct SupervisorSpec {
    strategy: Strategy,
    intensity: Intensity,
    auto_shutdown: AutoShutdown,
    children: Vec<ChildSpec>,
    dynamic: bool,
    max_children: usize,
    reference: SupervisorRef,
    on_escalation: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl std::fmt::Debug for SupervisorSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SupervisorSpec")
            .field("strategy", &self.strategy)
            .field("intensity", &self.intensity)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

impl SupervisorSpec {
    /// A supervisor of children that are known beforehand, started in the order in which they are added.
    #[must_use]
    pub fn new(strategy: Strategy, intensity: Intensity) -> Self {
        Self {
            strategy,
            intensity,
            auto_shutdown: AutoShutdown::Never,
            children: Vec::new(),
            dynamic: false,
            max_children: usize::MAX,
            reference: SupervisorRef::new(),
            on_escalation: None,
        }
    }

    /// A supervisor of children that come and go (OTP: `simple_one_for_one`; Elixir: `DynamicSupervisor`), at most
    /// `max_children` at once. They are stopped all together.
    #[must_use]
    pub fn dynamic(intensity: Intensity, max_children: usize) -> Self {
        Self {
            dynamic: true,
            max_children,
            ..Self::new(Strategy::OneForOne, intensity)
        }
    }

    /// Adds a child after those before it.
    #[must_use]
    pub fn child(mut self, child: ChildSpec) -> Self {
        self.children.push(child);
        self
    }

    /// Whether significant children end it.
    #[must_use]
    pub const fn auto_shutdown(mut self, when: AutoShutdown) -> Self {
        self.auto_shutdown = when;
        self
    }

    /// Called when its restart intensity is exceeded, before its children are stopped.
    #[must_use]
    pub fn on_escalation(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.on_escalation = Some(Arc::new(hook));
        self
    }

    /// The reference by which it is asked to start, stop and restart children; made before it.
    #[must_use]
    pub fn reference(mut self, reference: &SupervisorRef) -> Self {
        self.reference = reference.clone();
        self
    }
}

/// The life of a supervisor.
pub(super) async fn supervise(spec: SupervisorSpec, context: ChildContext) -> ExitReason {
    let queue = spec.reference.clone();
    let mut commands = queue.receive().await;
    let mut supervisor = Supervisor::new(spec, context.clone());
    supervisor.start_due();
    loop {
        supervisor.show();
        let due = supervisor.next_due();
        let outcome = tokio::select! {
            biased;
            () = context.stopping() => {
                supervisor.stop_all().await;
                Some(ExitReason::Shutdown)
            }
            Some(exit) = supervisor.exits.next(), if !supervisor.exits.is_empty() => supervisor.exited(exit).await,
            () = sleep_until(due), if due.is_some() => {
                supervisor.start_due();
                None
            }
            Some(command) = commands.recv() => {
                supervisor.command(command).await;
                None
            }
        };
        if let Some(reason) = outcome {
            supervisor.show();
            return reason;
        }
    }
}

async fn sleep_until(due: Option<Instant>) {
    if let Some(at) = due {
        tokio::time::sleep_until(at).await;
    }
}

struct Supervisor {
    context: ChildContext,
    spec: SupervisorSpec,
    slots: Vec<Slot>,
    window: Window,
    exits: FuturesUnordered<futures::future::LocalBoxFuture<'static, Exit>>,
    next_key: u64,
}

impl Supervisor {
    fn new(mut spec: SupervisorSpec, context: ChildContext) -> Self {
        let children = std::mem::take(&mut spec.children);
        let window = Window::new(spec.intensity);
        let mut this = Self {
            context,
            spec,
            slots: Vec::new(),
            window,
            exits: FuturesUnordered::new(),
            next_key: 0,
        };
        for child in children {
            this.add(child);
        }
        this
    }

    fn add(&mut self, spec: ChildSpec) -> usize {
        self.next_key += 1;
        self.slots.push(Slot::new(self.next_key, spec, Instant::now()));
        self.slots.len() - 1
    }

    fn next_due(&self) -> Option<Instant> {
        self.slots.iter().filter_map(|slot| slot.due).min()
    }

    /// Starts, in order, every child that is due.
    fn start_due(&mut self) {
        let now = Instant::now();
        for index in 0..self.slots.len() {
            if self.slots[index].due.is_some_and(|at| at <= now) {
                self.start(index);
            }
        }
    }

    fn start(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        let path: Arc<str> = format!("{}/{}", self.context.path(), slot.spec.id).into();
        let context = slot.begin(Arc::clone(&path));
        let (key, generation) = (slot.key, context.generation());
        let life: Life = {
            // Made inside the task, so that a panic while a child is made is its exit like any other.
            let (make, context) = (Arc::clone(&slot.spec.start), context.clone());
            Box::pin(async move { make(context).await })
        };
        let task = actix_rt::spawn(life);
        slot.guard = Some(AbortOnDrop(task.abort_handle()));
        slot.context = Some(context);
        log::debug!("child={path} generation={generation} started");
        self.exits.push(Box::pin(async move {
            let reason = match task.await {
                Ok(reason) => reason,
                Err(error) if error.is_cancelled() => ExitReason::Killed,
                Err(error) => ExitReason::from_panic(error.into_panic().as_ref()),
            };
            Exit {
                key,
                generation,
                reason,
            }
        }));
    }

    /// A child has ended by itself. Gives the supervisor's own exit reason if it has to end, too.
    async fn exited(&mut self, exit: Exit) -> Option<ExitReason> {
        let index = self.index_of(&exit)?;
        let now = Instant::now();
        let slot = &mut self.slots[index];
        let Exit { reason, .. } = exit;
        slot.ended(&reason, now);
        let level = if reason.is_abnormal() {
            log::Level::Warn
        } else {
            log::Level::Info
        };
        log::log!(
            level,
            "child={}/{} generation={} exit={reason}",
            self.context.path(),
            slot.spec.id,
            slot.generation
        );
        if !slot.spec.restart.applies(&reason) {
            return self.ended_for_good(index, reason).await;
        }
        if reason.is_counted() {
            if let Some((window, give_up)) = slot.budget() {
                if !window.charge(now) {
                    log::warn!("child={}/{} has used up its budget", self.context.path(), slot.spec.id);
                    slot.state = ChildState::GivenUp { reason: reason.clone() };
                    give_up(&reason);
                    return None;
                }
            } else if !self.window.charge(now) {
                log::error!(
                    "supervisor={} restart intensity exceeded by {}",
                    self.context.path(),
                    slot.spec.id
                );
                self.slots[index].state = ChildState::Ended { reason: reason.clone() };
                if let Some(hook) = &self.spec.on_escalation {
                    hook();
                }
                self.stop_all().await;
                return Some(ExitReason::error(
                    "restart_intensity",
                    format!("too many restarts, the last after: {reason}"),
                ));
            }
        }
        self.restart_from(index, now).await;
        None
    }

    async fn ended_for_good(&mut self, index: usize, reason: ExitReason) -> Option<ExitReason> {
        let significant = self.slots[index].spec.significant;
        self.slots[index].state = ChildState::Ended { reason };
        if self.spec.dynamic {
            self.slots.remove(index);
        }
        let ends = significant
            && match self.spec.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => self.slots.iter().filter(|s| s.spec.significant).all(Slot::is_over),
            };
        if ends {
            self.stop_all().await;
            return Some(ExitReason::Shutdown);
        }
        None
    }

    /// Restarts the child and those that its end concerns.
    async fn restart_from(&mut self, failed: usize, now: Instant) {
        let range = self.spec.strategy.concerned(failed, self.slots.len());
        let concerned: Vec<u64> = self.slots[range]
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.key == self.slots[failed].key || slot.is_live())
            .map(|(_, slot)| slot.key)
            .collect();
        let delay = {
            let slot = &self.slots[failed];
            slot.spec.backoff.delay(slot.failures, dice())
        };
        if let Some(hook) = &self.slots[failed].spec.on_restart {
            hook(delay);
        }
        let culprit = self.slots[failed].key;
        self.stop_keys(&concerned).await;
        for slot in self.slots.iter_mut().filter(|s| concerned.contains(&s.key)) {
            if slot.key == culprit || slot.spec.restart != Restart::Temporary {
                slot.due = Some(now + delay);
                slot.state = ChildState::Restarting;
                slot.restarts += 1;
            }
        }
        self.start_due();
    }

    async fn stop_all(&mut self) {
        let keys: Vec<u64> = self.slots.iter().map(|s| s.key).collect();
        self.stop_keys(&keys).await;
    }

    /// Stops these children in reverse start order, each within its shutdown time.
    async fn stop_keys(&mut self, keys: &[u64]) {
        for slot in self.slots.iter_mut().filter(|s| keys.contains(&s.key)) {
            slot.due = None;
            if self.spec.dynamic {
                slot.ask_to_stop();
            }
        }
        let asked = Instant::now();
        for key in keys.iter().rev() {
            let Some(index) = self.slots.iter().position(|s| s.key == *key) else {
                continue;
            };
            if self.slots[index].guard.is_none() {
                self.slots[index].stopped();
                continue;
            }
            self.slots[index].ask_to_stop();
            let since = if self.spec.dynamic { asked } else { Instant::now() };
            let deadline = match self.slots[index].spec.shutdown {
                Shutdown::BrutalKill => Some(since),
                Shutdown::Timeout(time) => Some(since + time),
                Shutdown::Infinity => None,
            };
            self.wait_for_end(*key, deadline).await;
        }
    }

    /// Waits until the child has ended; past the deadline it is aborted. Others that end meanwhile are noted: those
    /// that are being stopped anyway are over, the rest is decided about afterwards.
    async fn wait_for_end(&mut self, key: u64, deadline: Option<Instant>) {
        let mut killed = false;
        let mut later = Vec::new();
        while let Some(index) = self.slots.iter().position(|s| s.key == key && s.guard.is_some()) {
            let wait = deadline.filter(|_| !killed);
            tokio::select! {
                biased;
                exit = self.exits.next() => match exit {
                    Some(exit) if exit.key == key => self.slots[index].stopped(),
                    Some(exit) => match self.index_of(&exit) {
                        Some(other) if self.slots[other].was_asked() => self.slots[other].stopped(),
                        Some(_) => later.push(exit),
                        None => {}
                    },
                    None => return,
                },
                () = sleep_until(wait), if wait.is_some() => {
                    log::warn!("child={}/{} did not stop in time", self.context.path(), self.slots[index].spec.id);
                    self.slots[index].abort();
                    killed = true;
                }
            }
        }
        for exit in later {
            self.exits.push(Box::pin(std::future::ready(exit)));
        }
    }

    async fn command(&mut self, command: Command) {
        match command {
            Command::Start(spec, reply) => {
                let _ = reply.send(self.start_child(*spec));
            }
            Command::Stop(id, reply) => {
                let found = self.position(&id);
                if let Ok(index) = found {
                    let key = self.slots[index].key;
                    self.stop_keys(&[key]).await;
                    if self.spec.dynamic {
                        self.slots.retain(|s| s.key != key);
                    }
                }
                let _ = reply.send(found.map(|_| ()));
            }
            Command::Restart(id, reply) => {
                let found = self.position(&id);
                if let Ok(index) = found {
                    let key = self.slots[index].key;
                    self.stop_keys(&[key]).await;
                    let slot = &mut self.slots[index];
                    slot.forgive();
                    slot.due = Some(Instant::now());
                    slot.state = ChildState::Restarting;
                    self.start_due();
                }
                let _ = reply.send(found.map(|_| ()));
            }
        }
    }

    fn start_child(&mut self, spec: ChildSpec) -> Result<(), ControlError> {
        if self.slots.iter().any(|s| s.spec.id == spec.id) {
            return Err(ControlError::AlreadyStarted);
        }
        if self.slots.len() >= self.spec.max_children {
            return Err(ControlError::MaxChildren);
        }
        self.add(spec);
        self.start_due();
        Ok(())
    }

    fn position(&self, id: &str) -> Result<usize, ControlError> {
        self.slots
            .iter()
            .position(|s| &*s.spec.id == id)
            .ok_or(ControlError::NotFound)
    }

    /// The slot that an exit belongs to; none if that generation is not the living one.
    fn index_of(&self, exit: &Exit) -> Option<usize> {
        self.slots
            .iter()
            .position(|s| s.key == exit.key && s.generation == exit.generation && s.guard.is_some())
    }

    fn show(&self) {
        self.context
            .node
            .show(self.spec.strategy, self.slots.iter().map(Slot::view).collect());
    }
}

/// A number in 0.0..1.0 for jitter; without randomness there is no jitter.
fn dice() -> f64 {
    getrandom::u32().map_or(0.0, |n| f64::from(n) / f64::from(u32::MAX))
}
