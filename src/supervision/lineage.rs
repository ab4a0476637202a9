//! Knowing that nothing of a child is left: its task, its descendants and the tasks linked to any of them.
//!
//! A task that is aborted is gone only when its runtime has dropped it, and its own children only after that. Each of
//! them holds a [`Lineage`]; the child's monitor waits for the last one, so that no new generation starts beside what
//! is left of the old one.

use std::convert::Infallible;
use std::sync::{Arc, Weak};

use tokio::sync::mpsc;

/// Held by everything that lives for one child, directly or below it.
#[derive(Debug, Clone)]
pub(super) struct Lineage(Arc<Links>);

#[derive(Debug)]
struct Links {
    _own: mpsc::Sender<Infallible>,
    _parent: Option<Lineage>,
}

/// A lineage that keeps nothing alive.
#[derive(Debug, Clone)]
pub(super) struct WeakLineage(Weak<Links>);

/// Resolves when the last holder is gone.
#[derive(Debug)]
pub(super) struct Extinction(mpsc::Receiver<Infallible>);

impl Lineage {
    pub(super) fn new(parent: Option<Self>) -> (Self, Extinction) {
        // overflow: nothing can ever be sent; only the closing of the channel matters.
        let (own, gone) = mpsc::channel(1);
        let links = Links {
            _own: own,
            _parent: parent,
        };
        (Self(Arc::new(links)), Extinction(gone))
    }

    pub(super) fn downgrade(&self) -> WeakLineage {
        WeakLineage(Arc::downgrade(&self.0))
    }
}

impl WeakLineage {
    pub(super) fn upgrade(&self) -> Option<Lineage> {
        self.0.upgrade().map(Lineage)
    }
}

impl Extinction {
    pub(super) async fn wait(mut self) {
        let _: Option<Infallible> = self.0.recv().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[test]
    fn a_lineage_ends_with_its_last_descendant() {
        let (parent, gone) = Lineage::new(None);
        let (child, _) = Lineage::new(Some(parent.clone()));
        let weak = parent.downgrade();
        drop(parent);
        assert!(weak.upgrade().is_some());
        let mut gone = Box::pin(gone.wait());
        assert!(gone.as_mut().now_or_never().is_none());
        drop(child);
        assert!(gone.now_or_never().is_some());
        assert!(weak.upgrade().is_none());
    }
}
