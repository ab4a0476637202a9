//! Running children: their tasks, their monitors, and the crew that owns them.
//!
//! A [`Crew`] owns its children: when it is dropped, in whatever way its supervisor ends, they are aborted.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::future::LocalBoxFuture;
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use super::busy::Named;
use super::child_spec::{ChildSpec, StartFn};
use super::context::ChildContext;
use super::event::EventBus;
use super::exit::{ExitReason, resolve};
use super::inject::suffer;
use super::lineage::{Extinction, Lineage};
use super::node::Node;
use super::snapshot::ChildKind;
use super::stop::{Shutdown, earliest, sleep_until};

/// How long an ended child may leave something behind (a linked task between two yields) before its successor starts
/// all the same.
const REMNANTS: Duration = Duration::from_secs(1);

/// A timer that is later than this shows that the whole host was stopped (SIGSTOP, a paused machine) or blocked.
const HELD_UP: Duration = Duration::from_secs(1);

/// A child of this key and generation has ended, and nothing is left of it.
#[derive(Debug)]
pub(super) struct Exited {
    pub(super) key: u64,
    pub(super) generation: u64,
    pub(super) reason: ExitReason,
}

/// A child that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) context: ChildContext,
    pub(super) since: Instant,
    abort: tokio::task::AbortHandle,
}

impl Running {
    /// Begins to stop the child; its exit comes by the crew, at the latest when its time is over.
    pub(super) fn stop(&self, how: Shutdown, parent_deadline: Option<Instant>) {
        self.context.node().set_state(super::snapshot::ChildState::Stopping);
        match how {
            Shutdown::BrutalKill => self.abort.abort(),
            Shutdown::Timeout(limit) => self
                .context
                .order_stop(earliest(Instant::now().checked_add(limit), parent_deadline)),
            Shutdown::Infinity => self.context.order_stop(parent_deadline),
        }
    }
}

/// Who starts a child.
pub(super) struct Parent<'a> {
    pub(super) path: &'a str,
    pub(super) lineage: Option<Lineage>,
    pub(super) events: &'a EventBus,
}

/// The running children of one supervisor, and their exits not yet dealt with.
#[derive(Default)]
pub(super) struct Crew {
    monitors: FuturesUnordered<LocalBoxFuture<'static, Exited>>,
    pending: VecDeque<Exited>,
}

impl Crew {
    /// Starts a child.
    pub(super) fn start(
        &mut self,
        key: u64,
        generation: u64,
        spec: &ChildSpec,
        parent: Parent<'_>,
        node: &Arc<Node>,
    ) -> Running {
        let (lineage, gone) = Lineage::new(parent.lineage);
        let path = if parent.path.is_empty() {
            Arc::clone(&spec.id)
        } else {
            format!("{}/{}", parent.path, spec.id).into()
        };
        let (events, node) = (parent.events.clone(), Arc::clone(node));
        let context = ChildContext::new(path, generation, spec.stalled_after, &lineage, node, events);
        let task = actix_rt::spawn(live(Arc::clone(&spec.start), spec.kind, context.clone(), lineage));
        let running = Running {
            context: context.clone(),
            since: Instant::now(),
            abort: task.abort_handle(),
        };
        let monitor = monitor(AbortOnDrop(task), context, gone).map(move |reason| Exited {
            key,
            generation,
            reason,
        });
        self.monitors.push(monitor.boxed_local());
        running
    }

    /// The next exit; never, while no child runs. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Exited {
        match self.monitors.next().await {
            Some(exited) => exited,
            None => std::future::pending().await,
        }
    }

    /// The exit of this very child, which has to be running; other exits are kept for later.
    pub(super) async fn exit_of(&mut self, key: u64, generation: u64) -> Exited {
        let is_it = |e: &Exited| e.key == key && e.generation == generation;
        if let Some(exited) = self.pending.iter().position(is_it).and_then(|i| self.pending.remove(i)) {
            return exited;
        }
        loop {
            let exited = self.next().await;
            if is_it(&exited) {
                return exited;
            }
            self.defer(exited);
        }
    }

    /// Keeps an exit for later.
    pub(super) fn defer(&mut self, exited: Exited) {
        // overflow: at most one exit for each start; never more than there are children.
        self.pending.push_back(exited);
    }

    /// An exit that was kept.
    pub(super) fn take_deferred(&mut self) -> Option<Exited> {
        self.pending.pop_front()
    }

    /// Whether no child runs and no exit is left.
    pub(super) fn is_empty(&self) -> bool {
        self.monitors.is_empty() && self.pending.is_empty()
    }
}

struct AbortOnDrop(JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The task of one generation: its life, from its making to its end, with whatever goes wrong in between caught.
async fn live(start: StartFn, kind: ChildKind, child: ChildContext, lineage: Lineage) {
    let _lineage = lineage;
    let _ended = child.ended().clone().drop_guard();
    // Made here, so that a panic while a child is made is its exit like any other.
    let made = catch_unwind(AssertUnwindSafe(|| start(child.clone())));
    match made {
        Err(payload) => child.exit_cell().set(ExitReason::from_panic(payload.as_ref())),
        Ok(life) => {
            // A panic is caught right at the life, which is so not dropped while unwinding: what runs in that drop may
            // panic itself, and a second panic while unwinding would abort the whole process.
            let life = Named::new(Arc::clone(child.shared_path()), life);
            let mut life = AssertUnwindSafe(life).catch_unwind();
            let reason = run(&mut life, kind, &child).await;
            child.exit_cell().set(reason);
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(life))) {
                let reason = ExitReason::from_panic(payload.as_ref());
                log::error!("child={} after its end: {reason}", child.path());
                child.exit_cell().set(reason);
            }
        }
    }
}

async fn run(
    life: &mut (impl Future<Output = std::thread::Result<ExitReason>> + Unpin),
    kind: ChildKind,
    child: &ChildContext,
) -> ExitReason {
    let first = futures::poll!(&mut *life);
    if kind == ChildKind::Worker {
        child.mark_started();
    }
    let outcome = match first {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => tokio::select! {
            biased;
            () = child.failed() => return child.exit_cell().get().unwrap_or(ExitReason::Killed),
            fault = child.injection().asked() => {
                return Named::new(Arc::clone(child.shared_path()), Box::pin(suffer(fault))).await;
            }
            outcome = life => outcome,
        },
    };
    outcome.unwrap_or_else(|payload| ExitReason::from_panic(payload.as_ref()))
}

/// Waits for the child's end, and brings it about when the child overruns a limit: progress, shutdown.
async fn monitor(mut task: AbortOnDrop, child: ChildContext, gone: Extinction) -> ExitReason {
    let mut orders = child.stop_orders();
    let mut killed_as = None;
    // Time during which nobody on this thread could make progress is nobody's stall.
    let mut excused = child.last_progress();
    let joined = loop {
        let wake = match killed_as {
            Some(_) => None,
            None => overrun(&child, excused).map(|(at, _)| at),
        };
        tokio::select! {
            biased;
            joined = &mut task.0 => break joined,
            Ok(()) = orders.changed() => {}
            () = sleep_until(wake) => {
                let now = Instant::now();
                match overrun(&child, excused) {
                    Some((at, ExitReason::Stalled)) if now.saturating_duration_since(at) > HELD_UP => {
                        log::warn!("child={} excused: the host was held up", child.path());
                        excused = now;
                    }
                    Some((at, reason)) if at <= now => {
                        killed_as = Some(reason);
                        task.0.abort();
                    }
                    _ => {}
                }
            }
        }
    };
    if timeout(REMNANTS, gone.wait()).await.is_err() {
        log::warn!(
            "child={} generation={} left tasks behind",
            child.path(),
            child.generation()
        );
    }
    resolve(joined, child.exit_cell().get(), killed_as)
}

/// When the child overruns its next limit, as things stand, and as what it is killed then.
fn overrun(child: &ChildContext, excused: Instant) -> Option<(Instant, ExitReason)> {
    if child.is_stopping() {
        return child.stop_deadline().map(|at| (at, ExitReason::Killed));
    }
    let stalled_at = child.last_progress().max(excused).checked_add(child.stalled_after()?)?;
    Some((stalled_at, ExitReason::Stalled))
}
