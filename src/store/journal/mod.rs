//! The journal: what happened, on its way to the database.
//!
//! Whoever notes something never waits and never fails. What is noted lies in bounded memory until the writer has
//! stored it; a database that fails is tried again, ever more slowly, while newer notes replace or displace older.
//!
//! ```text
//!   note ──> Pending (bounded) ──take──> writer ──one transaction──> database
//!               ^                          │  passing fault: put back, wait, 0.1 s doubling to 5 s
//!               └──────────────────────────┘  refused row: that one is logged and left out
//! ```
//!
//! Survives: the database (see above) and the writer itself: the notes belong to the [`Journal`], so a writer that is
//! started again goes on where the last one was, at most storing an event twice.

pub mod pending;
pub mod writer;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{Notify, watch};

pub use pending::{Batch, Pending};

use super::events::NewEvent;
use super::instances::StatusChange;
use super::peers::{NewPeer, PeerClosed};
use super::pool::Store;
use super::revision::Revised;
use crate::ids::{InstanceId, PeerId, SessionId};

/// Takes notes of what happened. Cheap to clone; all clones share one memory.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    // overflow: the oldest notes are dropped and counted, see `Pending`.
    pending: Mutex<Pending>,
    noted: Notify,
    /// How many batches the writer has stored or failed to store.
    rounds: watch::Sender<u64>,
}

/// How the journal does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct JournalStats {
    /// Notes waiting to be stored.
    pub waiting: usize,
    /// Notes dropped because there was no more room.
    pub dropped: u64,
}

impl Default for Journal {
    fn default() -> Self {
        Self::new()
    }
}

impl Journal {
    /// An empty journal, without a writer yet.
    #[must_use]
    pub fn new() -> Self {
        let shared = Shared {
            pending: Mutex::new(Pending::default()),
            noted: Notify::new(),
            rounds: watch::Sender::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Notes an event.
    pub fn event(&self, event: NewEvent) {
        self.note(|pending| pending.event(event));
    }

    /// Notes the status of an instance, later than all before; replaces one that still waits.
    pub fn status(&self, id: InstanceId, change: StatusChange) {
        // Counted under the lock: the order of the notes is that of their numbers.
        self.note(|pending| pending.status(id, Revised::now(change)));
    }

    /// Notes a peer connection that is up.
    pub fn peer_connected(&self, peer: NewPeer) {
        self.note(|pending| pending.peer_connected(peer));
    }

    /// Notes the end of a peer connection.
    pub fn peer_closed(&self, id: PeerId, closed: PeerClosed) {
        self.note(|pending| pending.peer_closed(id, closed));
    }

    /// Notes that a session was used.
    pub fn session_used(&self, id: SessionId, now: i64) {
        self.note(|pending| pending.session_used(id, now));
    }

    /// How the journal does.
    #[must_use]
    pub fn stats(&self) -> JournalStats {
        let pending = self.pending();
        JournalStats {
            waiting: pending.len(),
            dropped: pending.dropped(),
        }
    }

    /// Waits until nothing that was noted waits or is on its way to the database, or the time is over; says which.
    /// Something has to run [`Journal::write_to`] meanwhile.
    pub async fn flush(&self, within: Duration) -> bool {
        let mut rounds = self.shared.rounds.subscribe();
        let empty = async {
            while !self.pending().is_settled() {
                if rounds.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(within, empty).await.is_ok()
    }

    /// The writer: stores what is noted, until it is dropped. One at a time; it may be started again at any moment.
    pub async fn write_to(&self, store: Store) {
        writer::run(&self.shared, store).await;
    }

    fn note(&self, note: impl FnOnce(&mut Pending)) {
        note(&mut self.pending());
        self.shared.noted.notify_one();
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.shared.pending()
    }
}

impl Shared {
    /// The notes are whole after every step, so a panic of another holder leaves nothing half done.
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod clock_tests;
