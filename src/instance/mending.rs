//! Mending: an instance whose tree has gone, though nobody has ended it, is taken up again.
//!
//! ```text
//!   tree ends ──┬─ the instance has ended, or is left to the next host ──▶ forgotten
//!               ├─ its keeper lives ──▶ a new tree on the same processes, at most 3 times in a row
//!               └─ otherwise ──▶ FAILED tree_failed: a row that can be started again; nothing is left running
//! ```
//!
//! A tree ends so when one of its supervisors panics, or gives up. What outlives it (processes, hub, viewers with their
//! sockets) is in the instance's shared part, on which the next tree goes on.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::handle::InstanceHandle;
use super::manager::Manager;
use crate::clock::unix_ms;
use crate::ids::InstanceId;
use crate::source::Failure;
use crate::store::StatusChange;

/// From the end of a tree to the start of the next: what is left of the old one goes meanwhile.
const PAUSE: Duration = Duration::from_millis(200);
/// Trees in a row that may end before the instance is given up.
const TRIES: u32 = 3;
/// A tree that held for so long was a good one.
const STEADY: Duration = Duration::from_secs(60);

/// The instances whose trees are gone.
#[derive(Debug, Default)]
pub(super) struct Mending {
    // overflow: never; it holds each instance at most once.
    lost: Mutex<BTreeMap<InstanceId, InstanceHandle>>,
    news: Notify,
}

impl Mending {
    fn add(&self, id: InstanceId, handle: InstanceHandle) {
        self.lost().insert(id, handle);
        self.news.notify_one();
    }

    fn first(&self) -> Option<(InstanceId, InstanceHandle)> {
        self.lost().first_key_value().map(|(id, handle)| (*id, handle.clone()))
    }

    fn remove(&self, id: InstanceId) {
        self.lost().remove(&id);
    }

    fn lost(&self) -> MutexGuard<'_, BTreeMap<InstanceId, InstanceHandle>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often an instance's tree has ended in a row.
#[derive(Clone, Copy, Debug)]
struct Tries {
    count: u32,
    last: Instant,
}

impl Tries {
    /// One more; whether it may be started again.
    fn again(tries: &mut BTreeMap<InstanceId, Self>, id: InstanceId, now: Instant) -> bool {
        tries.retain(|_, t| now.duration_since(t.last) < STEADY);
        let mine = tries.entry(id).or_insert(Self { count: 0, last: now });
        mine.count += 1;
        mine.last = now;
        mine.count <= TRIES
    }
}

impl Manager {
    /// The tree of an instance is gone. Never waits.
    pub(super) fn tree_ended(&self, id: InstanceId) {
        let Some(handle) = self.get(id) else { return };
        if handle.shared.facts.get().ended || handle.shared.source.is_left() {
            self.forget(id);
            return;
        }
        self.mending().add(id, handle);
    }

    /// Takes up instances whose trees are gone, for ever.
    pub async fn mend(&self) {
        let mut tries = BTreeMap::new();
        loop {
            let news = self.mending().news.notified();
            // Each stays on the list until it is seen to, so that a next mending goes on where this one ended.
            while let Some((id, handle)) = self.mending().first() {
                tokio::time::sleep(PAUSE).await;
                self.mend_one(id, &handle, &mut tries).await;
            }
            news.await;
        }
    }

    async fn mend_one(&self, id: InstanceId, handle: &InstanceHandle, tries: &mut BTreeMap<InstanceId, Tries>) {
        if !handle.shared.source.lives() || !Tries::again(tries, id, Instant::now()) {
            self.give_up(id, handle).await;
            self.mending().remove(id);
            return;
        }
        log::warn!("instance={id} its tree is gone, starting another");
        // The next tree may end at once, and be noted again.
        self.mending().remove(id);
        if let Err(error) = self.start(handle).await {
            log::warn!("instance={id} no other tree yet: {error}");
            self.mending().add(id, handle.clone());
        }
    }

    /// The instance becomes a row that can be started again.
    async fn give_up(&self, id: InstanceId, handle: &InstanceHandle) {
        log::error!("instance={id} its tree is gone for good");
        let shared = &handle.shared;
        let output = shared.source.last_output();
        shared.facts.update(|f| {
            f.failure.get_or_insert(Failure {
                code: "tree_failed".into(),
                message: "the host could not keep this instance going".into(),
                output,
            });
        });
        shared.source.end().await;
        shared.remove_folders().await;
        let report = shared.report();
        let now = unix_ms();
        shared.touch(now);
        let change = StatusChange {
            status: report.status,
            reason: report.reason,
            message: report.message,
            output: report.output,
            restarts: shared.facts.get().restarts,
            modified: now,
            ended: Some(now),
        };
        // At once, so that whoever is told can start it again; later where the database is away.
        if shared.services.store.update_instance(id, change.clone()).await.is_err() {
            shared.services.journal.status(id, change);
        }
        self.forget(id);
        shared.announce_status();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_tree_that_ends_again_and_again_is_given_up_but_not_if_it_is_rare() {
        let (mut tries, id, begin) = (BTreeMap::new(), InstanceId::new(), Instant::now());
        let mut again = |seconds| Tries::again(&mut tries, id, begin + Duration::from_secs(seconds));
        assert_eq!([0, 1, 2, 3].map(&mut again), [true, true, true, false]);
        assert_eq!([100, 200, 300, 400, 500].map(&mut again), [true; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_instance_has_tries_of_its_own() {
        let mut tries = BTreeMap::new();
        let now = Instant::now();
        assert!((0..10).all(|_| Tries::again(&mut tries, InstanceId::new(), now)));
    }
}
