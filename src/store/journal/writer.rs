//! The journal's writer.

use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use log::{info, warn};

use super::super::error::StoreError;
use super::super::pool::Store;
use super::super::{events, instances, peers, sessions};
use super::Shared;
use super::pending::{Batch, PeerNote};

/// How long notes gather before they are stored together.
const GATHER: Duration = Duration::from_millis(50);
/// The first wait after a fault; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait between two attempts: what was noted is stored soon after the database is back.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// Notes that are not lost when the writer is dropped in the middle of storing them.
struct Taken<'s> {
    shared: &'s Shared,
    batch: Option<Batch>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            self.shared.pending().put_back(batch);
        }
    }
}

pub(super) async fn run(shared: &Shared, store: Store) {
    let mut wait = FIRST_WAIT;
    let mut failing = false;
    loop {
        let noted = shared.noted.notified();
        if shared.pending().is_empty() {
            noted.await;
        }
        tokio::time::sleep(GATHER).await;
        match write_once(shared, &store).await {
            Ok(()) => {
                if std::mem::take(&mut failing) {
                    info!("the journal is stored again");
                }
                wait = FIRST_WAIT;
            }
            Err(error) => {
                if !std::mem::replace(&mut failing, true) {
                    warn!("code={} the journal cannot be stored and waits: {error}", error.code());
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        }
        shared.rounds.send_modify(|rounds| *rounds += 1);
    }
}

/// Stores one batch. After an error everything waits again.
async fn write_once(shared: &Shared, store: &Store) -> Result<(), StoreError> {
    let batch = shared.pending().take();
    let mut taken = Taken {
        shared,
        batch: Some(batch.clone()),
    };
    let notes = batch.len();
    match store.write(batch.clone()).await {
        Ok(()) => {}
        Err(error) if error.is_passing() => return Err(error),
        // One row that the database refuses for ever must not hold up the others.
        Err(_) => write_singly(store, batch).await?,
    }
    taken.batch = None;
    shared.pending().settle(notes);
    Ok(())
}

/// Stores each note in a transaction of its own, and leaves out those that are refused.
async fn write_singly(store: &Store, batch: Batch) -> Result<(), StoreError> {
    let singly = (batch.events.into_iter().map(|event| Batch {
        events: vec![event],
        ..Batch::default()
    }))
    .chain(batch.statuses.into_iter().map(|status| Batch {
        statuses: vec![status],
        ..Batch::default()
    }))
    .chain(batch.peers.into_iter().map(|peer| Batch {
        peers: vec![peer],
        ..Batch::default()
    }))
    .chain(batch.sessions.into_iter().map(|session| Batch {
        sessions: vec![session],
        ..Batch::default()
    }));
    for one in singly {
        match store.write(one).await {
            Ok(()) => {}
            Err(error) if error.is_passing() => return Err(error),
            Err(error) => warn!("code={} a note of the journal is left out: {error}", error.code()),
        }
    }
    Ok(())
}

impl Store {
    /// Stores a batch of the journal, all of it or nothing.
    ///
    /// # Errors
    /// A row is refused, or the database fails.
    pub async fn write(&self, batch: Batch) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        self.change(move |connection| write(connection, batch)).await
    }
}

fn write(connection: &mut SqliteConnection, batch: Batch) -> Result<(), StoreError> {
    for (id, change) in &batch.statuses {
        instances::update(connection, *id, change)?;
    }
    for peer in batch.peers {
        match peer {
            PeerNote::Connected(peer) => peers::insert(connection, peer)?,
            PeerNote::Closed(id, closed) => {
                peers::close(connection, id, closed)?;
            }
        }
    }
    for (id, used) in batch.sessions {
        sessions::touch(connection, id, used)?;
    }
    events::append(connection, &batch.events)
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
