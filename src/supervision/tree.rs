//! The whole tree, as the program holds it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::child::{Crew, Parent};
use super::child_spec::{ChildSpec, Restart};
use super::control::{ByHand, ControlError, Request};
use super::event::{EventBus, Events};
use super::exit::ExitReason;
#[cfg(debug_assertions)]
use super::inject::Fault;
use super::node::Node;
use super::snapshot::{ChildSnapshot, ChildState};
use super::stop::{Shutdown, StopSignal};
use super::supervisor_spec::SupervisorSpec;

/// The root's id, with which every path begins.
const ROOT: &str = "root";

/// A handle that shows a tree, and asks for restarts in it, from any thread. It may be made before the tree.
#[derive(Clone, Debug)]
pub struct TreeView {
    root: Arc<Node>,
    events: EventBus,
}

impl Default for TreeView {
    fn default() -> Self {
        Self {
            root: Node::root(&ROOT.into()),
            events: EventBus::default(),
        }
    }
}

impl TreeView {
    /// The root with everything below it, as it is now. Asks no supervisor, and so never waits.
    #[must_use]
    pub fn snapshot(&self) -> ChildSnapshot {
        self.root.snapshot("", None, Instant::now())
    }

    /// What happens in the tree from now on.
    #[must_use]
    pub fn subscribe(&self) -> Events {
        self.events.subscribe()
    }

    /// Restarts the child at `path` (as [`ChildSnapshot::path`] says it; the root's id may be left out), with the
    /// siblings that the strategy names, at an admin's wish. Its budget is fresh afterwards. Answered when the child has
    /// been stopped and started again; one that lives once: when it has ended.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Finished`] for one that has ended for good or was stopped on purpose;
    /// [`ControlError::NotRestartable`] for the root; [`ControlError::AlreadyRestarting`];
    /// [`ControlError::ShuttingDown`]; [`ControlError::Busy`]; [`ControlError::Timeout`]: then it may still happen.
    pub async fn restart_child(&self, path: &str, deadline: Duration) -> Result<ByHand, ControlError> {
        let (parent, child) = self.find(path)?;
        let parent = parent.ok_or(ControlError::NotRestartable)?;
        if parent.state() == ChildState::Stopping {
            return Err(ControlError::ShuttingDown);
        }
        match child.state() {
            ChildState::Ended | ChildState::Stopped => return Err(ControlError::Finished),
            ChildState::Restarting | ChildState::Starting | ChildState::Stopping => {
                return Err(ControlError::AlreadyRestarting);
            }
            ChildState::Running | ChildState::GivenUp => {}
        }
        let claim = child.claim_restart().ok_or(ControlError::AlreadyRestarting)?;
        let control = parent.control().ok_or(ControlError::ShuttingDown)?;
        log::info!("child={path} restart asked for");
        let request = Request::Restart(Arc::clone(child.id()), Some(claim));
        let outcome = if child.lives_once() {
            ByHand::Ended
        } else {
            ByHand::Restarted
        };
        control.ask(request, deadline).await.map(|()| outcome)
    }

    /// Lets the child at `path` panic at its next yield. Debug builds only.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Finished`] when it does not run.
    #[cfg(debug_assertions)]
    pub fn inject_panic(&self, path: &str) -> Result<(), ControlError> {
        self.inject(path, Fault::Panic)
    }

    /// Lets the fault befall the child at `path`. Debug builds only.
    ///
    /// # Errors
    /// As [`TreeView::inject_panic`].
    #[cfg(debug_assertions)]
    pub fn inject(&self, path: &str, fault: Fault) -> Result<(), ControlError> {
        let (_, child) = self.find(path)?;
        log::warn!("child={path} fault={fault:?} injected");
        child.inject(fault).then_some(()).ok_or(ControlError::Finished)
    }

    /// The node at `path`, and the one above it.
    fn find(&self, path: &str) -> Result<(Option<Arc<Node>>, Arc<Node>), ControlError> {
        let path = match path.strip_prefix(ROOT) {
            Some("") => return Ok((None, Arc::clone(&self.root))),
            Some(below) if below.starts_with('/') => &below[1..],
            _ => path,
        };
        let (parent, id) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.root.find(parent).ok_or(ControlError::NotFound)?;
        let child = parent.child(id).ok_or(ControlError::NotFound)?;
        Ok((Some(parent), child))
    }
}

/// A running tree. Dropping it aborts everything in it.
#[derive(Debug)]
pub struct Tree {
    view: TreeView,
    stop: Arc<StopSignal>,
    exited: watch::Receiver<Option<ExitReason>>,
    keeper: AbortHandle,
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

impl Tree {
    /// Starts a tree on the arbiter of the caller. The root is not restarted: its end is the tree's.
    #[must_use]
    pub fn start(spec: SupervisorSpec) -> Self {
        Self::start_in(&TreeView::default(), spec)
    }

    /// Starts the tree that `view` shows. One view is for one tree.
    #[must_use]
    pub fn start_in(view: &TreeView, spec: SupervisorSpec) -> Self {
        let stop = Arc::new(StopSignal::new());
        let (report, exited) = watch::channel(None);
        let root = ChildSpec::supervisor(ROOT, Restart::Temporary, move || spec.clone());
        let keeper = actix_rt::spawn(keep(root, view.clone(), Arc::clone(&stop), report));
        Self {
            view: view.clone(),
            stop,
            exited,
            keeper: keeper.abort_handle(),
        }
    }

    /// Shows it.
    #[must_use]
    pub fn view(&self) -> TreeView {
        self.view.clone()
    }

    /// Returns when the root has ended: by [`ExitReason::Shutdown`] when it was asked to, by an error when its restart
    /// intensity was exceeded. Cancel safe.
    pub async fn exited(&mut self) -> ExitReason {
        match self.exited.wait_for(Option::is_some).await {
            Ok(reason) => reason.clone().unwrap_or(ExitReason::Killed),
            // The arbiter is gone, and everything with it.
            Err(_) => ExitReason::Killed,
        }
    }

    /// Stops everything in reverse order, each within its own time and all within `deadline`; what is left then is
    /// aborted. Says whether it ended in time.
    pub async fn shutdown(mut self, deadline: Duration) -> bool {
        self.stop.fire(Instant::now().checked_add(deadline));
        self.exited().await != ExitReason::Killed
    }
}

async fn keep(spec: ChildSpec, view: TreeView, stop: Arc<StopSignal>, report: watch::Sender<Option<ExitReason>>) {
    view.root.begins(1, false);
    let parent = Parent {
        path: "",
        lineage: None,
        events: &view.events,
    };
    let mut crew = Crew::default();
    let running = crew.start(0, 1, &spec, parent, &view.root);
    let mut orders = stop.changes();
    orders.mark_changed();
    let exited = loop {
        tokio::select! {
            biased;
            exited = crew.next() => break exited,
            Ok(()) = orders.changed() => if stop.fired() {
                running.stop(Shutdown::Infinity, stop.deadline());
            },
        }
    };
    view.root.ended(&exited.reason);
    log::info!("the tree has ended: {}", exited.reason);
    let _ = report.send(Some(exited.reason));
}
