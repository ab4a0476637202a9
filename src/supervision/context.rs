//! What a child is handed at each start: who it is, whether it is to end, and the ways to tell of itself.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::event::EventBus;
use super::exit::{ExitCell, ExitReason};
use super::inject::Injection;
use super::lineage::{Lineage, WeakLineage};
use super::node::{Node, Progress};
use super::stop::{Order, StopSignal};

/// What a child is handed at each start. Cheap to clone; may go to any thread.
#[derive(Clone)]
pub struct ChildContext(Arc<Inner>);

struct Inner {
    path: Arc<str>,
    generation: u64,
    exit: ExitCell,
    stop: StopSignal,
    /// Fires when the first poll is over; a supervisor: when all its children have been started.
    started: CancellationToken,
    /// Fires when the child has to end at once, with the reason already in the cell.
    failed: CancellationToken,
    /// Fires when the child's life is over: the end of everything linked to it.
    ended: CancellationToken,
    progress: Arc<Progress>,
    lineage: WeakLineage,
    node: Arc<Node>,
    events: EventBus,
    injection: Arc<Injection>,
}

impl ChildContext {
    pub(super) fn new(
        path: Arc<str>,
        generation: u64,
        stalled_after: Option<Duration>,
        lineage: &Lineage,
        node: Arc<Node>,
        events: EventBus,
    ) -> Self {
        let progress = Arc::new(Progress::new(stalled_after));
        node.watched(&progress);
        let injection = Arc::new(Injection::default());
        #[cfg(debug_assertions)]
        node.vulnerable(&injection);
        Self(Arc::new(Inner {
            path,
            generation,
            exit: ExitCell::default(),
            stop: StopSignal::new(),
            started: CancellationToken::new(),
            failed: CancellationToken::new(),
            ended: CancellationToken::new(),
            progress,
            lineage: lineage.downgrade(),
            node,
            events,
            injection,
        }))
    }

    /// Where it stands in the tree: `root/instances/<id>/desktop/display`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.0.path
    }

    /// Counts the starts of this child, from 1, over the restarts of its supervisor too.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation
    }

    /// Returns when the supervisor wants the child to end; its shutdown time runs from then on.
    pub async fn stopping(&self) {
        self.0.stop.token().cancelled().await;
    }

    /// Whether the supervisor wants the child to end.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stop.fired()
    }

    /// When the child, having been asked to stop, will be aborted. `None`: not asked, or no limit.
    #[must_use]
    pub fn stop_deadline(&self) -> Option<Instant> {
        self.0.stop.deadline()
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
    pub fn exit_cell(&self) -> &ExitCell {
        &self.0.exit
    }

    /// Ends the child with `reason` from anywhere: another task, another thread, even while it waits for something
    /// else. Takes effect at the next yield of its arbiter.
    pub fn fail(&self, reason: ExitReason) {
        self.0.exit.set(reason);
        self.0.failed.cancel();
    }

    /// Marks progress. A child with [`super::ChildSpec::stalled_after`] that does so less often is stalled.
    pub fn progress(&self) {
        self.0.progress.mark();
    }

    /// Tells which process the child stands for; forgotten when this generation ends.
    pub fn set_pid(&self, pid: Option<u32>) {
        self.0.node.set_pid(pid);
    }

    /// Tells something about the child, for people who look at the tree; forgotten when this generation ends.
    pub fn tell(&self, key: &'static str, value: impl Into<String>) {
        self.0.node.tell(key, value.into());
    }

    /// Tells how to find out how much waits to be dealt with. `depth` must neither wait nor keep the queue open.
    pub fn set_mailbox(&self, depth: impl Fn() -> Option<usize> + Send + Sync + 'static) {
        self.0.node.set_mailbox(Arc::new(depth));
    }

    pub(super) fn shared_path(&self) -> &Arc<str> {
        &self.0.path
    }

    pub(super) fn mark_started(&self) {
        self.0.node.runs();
        self.0.started.cancel();
    }

    pub(super) fn started(&self) -> CancellationToken {
        self.0.started.clone()
    }

    pub(super) fn last_progress(&self) -> Instant {
        self.0.progress.last()
    }

    pub(super) fn stalled_after(&self) -> Option<Duration> {
        self.0.progress.limit
    }

    pub(super) fn order_stop(&self, deadline: Option<Instant>) {
        self.0.stop.fire(deadline);
    }

    pub(super) fn stop_orders(&self) -> watch::Receiver<Option<Order>> {
        self.0.stop.changes()
    }

    pub(super) async fn failed(&self) {
        self.0.failed.cancelled().await;
    }

    pub(super) fn ended(&self) -> &CancellationToken {
        &self.0.ended
    }

    pub(super) fn lineage(&self) -> &WeakLineage {
        &self.0.lineage
    }

    pub(super) fn node(&self) -> &Arc<Node> {
        &self.0.node
    }

    pub(super) fn events(&self) -> &EventBus {
        &self.0.events
    }

    pub(super) fn injection(&self) -> &Injection {
        &self.0.injection
    }
}

impl fmt::Debug for ChildContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildContext")
            .field("path", &self.0.path)
            .field("generation", &self.0.generation)
            .finish_non_exhaustive()
    }
}
