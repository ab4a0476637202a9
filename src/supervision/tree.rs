//! The whole tree, as the program holds it.

use std::time::Duration;

use tokio::task::JoinHandle;

use super::child::{AbortOnDrop, ChildContext};
use super::exit::ExitReason;
use super::snapshot::{ChildSnapshot, Node};
use super::supervisor::{SupervisorSpec, supervise};

/// A running tree. Dropping it aborts everything in it.
#[derive(Debug)]
pub struct Tree {
    context: ChildContext,
    task: JoinHandle<ExitReason>,
    _guard: AbortOnDrop,
    node: Node,
}

/// A handle that shows the tree from any thread.
#[derive(Clone, Debug)]
pub struct TreeView(Node);

impl TreeView {
    /// The children of the root with everything below them.
    #[must_use]
    pub fn snapshot(&self) -> Vec<ChildSnapshot> {
        self.0.children()
    }
}

impl Tree {
    /// Starts a tree on the arbiter of the caller.
    #[must_use]
    pub fn start(spec: SupervisorSpec) -> Self {
        let node = Node::default();
        let context = ChildContext::new("root".into(), 1, node.clone());
        let task = actix_rt::spawn(supervise(spec, context.clone()));
        Self {
            context,
            _guard: AbortOnDrop(task.abort_handle()),
            task,
            node,
        }
    }

    /// Shows it.
    #[must_use]
    pub fn view(&self) -> TreeView {
        TreeView(self.node.clone())
    }

    /// Returns when the root has ended by itself: its restart intensity was exceeded.
    pub async fn exited(&mut self) -> ExitReason {
        match (&mut self.task).await {
            Ok(reason) => reason,
            Err(error) if error.is_cancelled() => ExitReason::Killed,
            Err(error) => ExitReason::from_panic(error.into_panic().as_ref()),
        }
    }

    /// Stops everything in reverse order; what is left after `deadline` is aborted. Says whether it ended in time.
    pub async fn shutdown(mut self, deadline: Duration) -> bool {
        self.context.stop();
        tokio::time::timeout(deadline, self.exited()).await.is_ok()
    }
}
