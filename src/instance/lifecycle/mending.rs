//! Mending: an instance whose tree has gone, though nobody has ended it, is taken up again.
//!
//! ```text
//!   tree ends ──┬─ the instance has ended, or is left to the next host ──▶ forgotten
//!               ├─ its keeper lives ──▶ a new tree on the same processes, at most 3 times in a minute
//!               └─ otherwise ──▶ FAILED tree_failed: a row that can be started again; nothing is left running
//! ```
//!
//! A tree ends so when one of its supervisors panics, or gives up; or together with all others, when their supervisor does,
//! which follows empty: no restart type brings them back then (ADR 41). What outlives a tree (processes, hub, viewers with
//! their sockets) is in the instance's shared part, on which the next tree goes on.
//!
//! None waits for another: hundreds that have lost their supervisor are back as soon as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::{Notify, Semaphore};
use tokio::time::Instant;

use crate::clock::unix_ms;
use crate::ids::InstanceId;
use crate::instance::handle::InstanceHandle;
use crate::instance::manager::Manager;
use crate::source::Failure;
use crate::store::StatusChange;
use crate::supervision::{ControlError, Intensity, Window};

/// From the end of a tree to the start of the next: what is left of the old one goes meanwhile.
const PAUSE: Duration = Duration::from_millis(200);
/// Trees that end more often than this are not followed by another.
const TRIES: Intensity = Intensity::new(3, Duration::from_secs(60));
/// Between two tries to have a tree begun, where its supervisor is away.
const RETRY: Duration = Duration::from_secs(2);
/// So often that is tried. The instance's processes go on meanwhile.
const STARTS: u32 = 30;
/// Instances that are given up at once: each ends its processes, which takes seconds where they hang.
const GIVEN_UP_AT_ONCE: usize = 16;

/// The instances whose trees are gone.
#[derive(Debug, Default)]
pub(in crate::instance) struct Mending {
    // overflow: never; it holds each instance at most once.
    lost: Mutex<BTreeMap<InstanceId, InstanceHandle>>,
    news: Notify,
}

impl Mending {
    fn add(&self, id: InstanceId, handle: InstanceHandle) {
        self.lost().insert(id, handle);
        self.news.notify_one();
    }

    /// Those that nobody is at.
    fn new_ones(&self, at_work: &BTreeSet<InstanceId>) -> Vec<(InstanceId, InstanceHandle)> {
        let lost = self.lost();
        let new = lost.iter().filter(|(id, _)| !at_work.contains(id));
        new.map(|(id, handle)| (*id, handle.clone())).collect()
    }

    fn remove(&self, id: InstanceId) {
        self.lost().remove(&id);
    }

    fn lost(&self) -> MutexGuard<'_, BTreeMap<InstanceId, InstanceHandle>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How often each instance's tree has ended lately.
#[derive(Debug, Default)]
struct Tries(BTreeMap<InstanceId, Window>);

impl Tries {
    /// One more; whether it may be started again.
    fn again(&mut self, id: InstanceId, now: Instant) -> bool {
        self.0.retain(|_, ends| ends.count(now) > 0);
        self.0.entry(id).or_insert_with(|| Window::new(TRIES)).charge(now)
    }
}

impl Manager {
    /// The tree of an instance is gone. Never waits.
    pub(in crate::instance) fn tree_ended(&self, id: InstanceId) {
        let Some(handle) = self.get(id) else { return };
        if handle.shared.facts.get().ended || handle.shared.source.is_left() {
            self.forget(id);
            return;
        }
        self.mending().add(id, handle);
    }

    /// Takes up instances whose trees are gone, for ever.
    pub async fn mend(&self) {
        let (mut tries, turns) = (Tries::default(), Semaphore::new(GIVEN_UP_AT_ONCE));
        let (mut ids, mut work) = (BTreeSet::new(), FuturesUnordered::new());
        loop {
            let news = self.mending().news.notified();
            // Each stays on the list until it is seen to, so that a next mending goes on where this one ended.
            for (id, handle) in self.mending().new_ones(&ids) {
                ids.insert(id);
                let again = tries.again(id, Instant::now());
                work.push(self.mend_one(id, handle, again, &turns));
            }
            tokio::select! {
                Some(id) = work.next() => {
                    ids.remove(&id);
                }
                () = news => {}
            }
        }
    }

    async fn mend_one(&self, id: InstanceId, handle: InstanceHandle, again: bool, turns: &Semaphore) -> InstanceId {
        tokio::time::sleep(PAUSE).await;
        if again && handle.shared.source.lives() {
            log::warn!("instance={id} its tree is gone, starting another");
            // The next tree may end at once, and be noted again.
            self.mending().remove(id);
            if self.starts(id, &handle).await {
                return id;
            }
        }
        // An error would mean that the turns are closed, which they never are.
        let _turn = turns.acquire().await;
        self.give_up(id, &handle).await;
        self.mending().remove(id);
        id
    }

    /// Has a tree begun; whether it did. Nothing is the matter with an instance whose supervisor is being restarted.
    pub(in crate::instance) async fn starts(&self, id: InstanceId, handle: &InstanceHandle) -> bool {
        let mut late = false;
        for _ in 0..STARTS {
            match self.start(handle).await {
                Ok(()) => return true,
                // Only the answer to an earlier try came too late.
                Err(ControlError::AlreadyStarted) if late => return true,
                Err(error) => {
                    log::warn!("instance={id} no tree yet: {error}");
                    late |= error == ControlError::Timeout;
                }
            }
            if handle.shared.source.is_left() {
                self.forget(id);
                return true;
            }
            tokio::time::sleep(RETRY).await;
        }
        false
    }

    /// The instance becomes a row that can be started again.
    pub(in crate::instance) async fn give_up(&self, id: InstanceId, handle: &InstanceHandle) {
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

    fn at(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[tokio::test(start_paused = true)]
    async fn a_tree_that_ends_again_and_again_is_given_up_but_not_if_it_is_rare() {
        let (mut tries, id, begin) = (Tries::default(), InstanceId::new(), Instant::now());
        let mut again = |seconds| tries.again(id, at(begin, seconds));
        assert_eq!([0, 1, 2, 3].map(&mut again), [true, true, true, false]);
        assert_eq!([100, 200, 300, 400, 500].map(&mut again), [true; 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn each_instance_has_tries_of_its_own_and_is_forgotten_with_them() {
        let (mut tries, begin) = (Tries::default(), Instant::now());
        assert!((0..10).all(|_| tries.again(InstanceId::new(), begin)));
        tries.again(InstanceId::new(), at(begin, 61));
        assert_eq!(tries.0.len(), 1);
    }
}
