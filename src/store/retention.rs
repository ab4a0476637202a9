//! Forgetting what has ended long ago, and what there is too much of.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;

use super::error::StoreError;
use super::events::share;
use super::pool::Store;
use super::schema::events;
use crate::protocol::words::EventClass;

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Keep {
    /// What ended before is deleted; ms since 1970.
    pub ended_before: i64,
    /// Sessions not used since are deleted; ms since 1970.
    pub unused_since: i64,
    /// Events at most, the newest; each class has its share of them.
    pub events: u32,
    /// Peers that have ended at most, the newest, of each role at each instance.
    pub peers: u32,
    /// Sessions of guests at most, those used last; not counted are those that have launched something, or came by a link.
    pub guests: u32,
}

impl Keep {
    /// Everything, but for what nobody looks at any more: what guests leave behind, who can come and go as they like.
    pub const ALL: Self = Self {
        ended_before: i64::MIN,
        unused_since: i64::MIN,
        events: u32::MAX,
        peers: 1000,
        guests: 100_000,
    };
}

/// How many rows were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Instances that ended, their peers and links with them.
    pub instances: usize,
    /// Peers closed, of instances that live on.
    pub peers: usize,
    /// Links that expired.
    pub links: usize,
    /// Sessions that nobody used, or of too many guests.
    pub sessions: usize,
    /// Events.
    pub events: usize,
}

/// Rows of one table that one transaction deletes at most: there is one writer at a time, and others wait for it.
const BATCH: usize = 2_000;
/// Instances: each takes its peers and links with it.
const BATCH_OF_INSTANCES: usize = 50;
/// Between two such transactions: who waits for the database has its turn.
const PAUSE: Duration = Duration::from_millis(5);

impl Store {
    /// Deletes what is not kept, some at a time, so that nothing waits for long. Sessions that have an instance that lives stay.
    /// What was deleted is told even if the rest could not be.
    ///
    /// # Errors
    /// The database fails; then what is left is left for the next time.
    pub async fn delete_old(&self, keep: Keep) -> (Removed, Result<(), StoreError>) {
        let mut removed = Removed::default();
        let outcome = self.delete_in_turn(keep, &mut removed).await;
        (removed, outcome)
    }

    async fn delete_in_turn(&self, keep: Keep, removed: &mut Removed) -> Result<(), StoreError> {
        for class in EventClass::ALL {
            let most = share(*class, keep.events);
            self.delete_batches(BATCH, &mut removed.events, move |connection| {
                delete_surplus_events(connection, *class, most)
            })
            .await?;
        }
        let before = keep.ended_before;
        let old = "DELETE FROM events WHERE event_id IN (SELECT event_id FROM events WHERE at < ? LIMIT ?)";
        self.delete_batches(BATCH, &mut removed.events, one(old, before, BATCH))
            .await?;
        self.delete_batches(BATCH, &mut removed.peers, one(SURPLUS_PEERS, keep.peers.into(), BATCH))
            .await?;
        let old = "DELETE FROM peers WHERE peer_id IN (SELECT peer_id FROM peers WHERE closed_at < ? LIMIT ?)";
        self.delete_batches(BATCH, &mut removed.peers, one(old, before, BATCH))
            .await?;
        let old = "DELETE FROM links WHERE link_id IN (SELECT link_id FROM links WHERE expires_at < ? LIMIT ?)";
        self.delete_batches(BATCH, &mut removed.links, one(old, before, BATCH))
            .await?;
        let old =
            "DELETE FROM instances WHERE instance_id IN (SELECT instance_id FROM instances WHERE ended < ? LIMIT ?)";
        self.delete_batches(
            BATCH_OF_INSTANCES,
            &mut removed.instances,
            one(old, before, BATCH_OF_INSTANCES),
        )
        .await?;
        self.delete_batches(
            BATCH,
            &mut removed.sessions,
            one(SURPLUS_GUESTS, keep.guests.into(), BATCH),
        )
        .await?;
        self.delete_batches(
            BATCH,
            &mut removed.sessions,
            one(UNUSED_SESSIONS, keep.unused_since, BATCH),
        )
        .await
    }

    /// Calls `some` until it deletes fewer rows than `batch`.
    async fn delete_batches<F>(&self, batch: usize, deleted: &mut usize, some: F) -> Result<(), StoreError>
    where
        F: Fn(&mut SqliteConnection) -> Result<usize, StoreError> + Clone + Send + 'static,
    {
        loop {
            let now = self.change(some.clone()).await?;
            *deleted += now;
            if now < batch {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// A statement of two numbers: what is not kept, and how many rows at most.
fn one(
    statement: &'static str,
    bound: i64,
    most: usize,
) -> impl Fn(&mut SqliteConnection) -> Result<usize, StoreError> + Clone {
    move |connection| {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        Ok(sql_query(statement)
            .bind::<BigInt, _>(bound)
            .bind::<BigInt, _>(most)
            .execute(connection)?)
    }
}

/// Deletes the oldest events of a class beyond `most`; says how many.
fn delete_surplus_events(connection: &mut SqliteConnection, class: EventClass, most: u32) -> Result<usize, StoreError> {
    let of_class = events::class.eq(class.as_str());
    // The newest of those that are too many; ids only rise.
    let last: Option<i64> = events::table
        .filter(of_class)
        .order(events::event_id.desc())
        .offset(most.into())
        .select(events::event_id)
        .first(connection)
        .optional()?;
    let Some(last) = last else { return Ok(0) };
    let surplus: Vec<i64> = events::table
        .filter(of_class)
        .filter(events::event_id.le(last))
        .order(events::event_id)
        .limit(i64::try_from(BATCH).unwrap_or(i64::MAX))
        .select(events::event_id)
        .load(connection)?;
    // The oldest of a class, up to one of them.
    let Some(up_to) = surplus.last() else { return Ok(0) };
    let these = events::table.filter(of_class).filter(events::event_id.le(*up_to));
    Ok(diesel::delete(these).execute(connection)?)
}

/// The peers that ended first beyond so many of a role at an instance: spectators displace only spectators, and only where
/// they watch.
const SURPLUS_PEERS: &str = "DELETE FROM peers WHERE peer_id IN (SELECT peer_id FROM (SELECT peer_id, row_number() OVER \
                             (PARTITION BY instance_id, role ORDER BY closed_at DESC) AS nth FROM peers \
                             WHERE closed_at IS NOT NULL) WHERE nth > ? LIMIT ?)";

/// The sessions of guests that were used longest ago, beyond so many.
const SURPLUS_GUESTS: &str = "DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM (SELECT session_id, \
                              row_number() OVER (ORDER BY modified DESC) AS nth FROM sessions WHERE token_hash = '' \
                              AND session_id NOT IN (SELECT session_id FROM instances) \
                              AND session_id NOT IN (SELECT session_id FROM grants)) WHERE nth > ? LIMIT ?)";

/// Those that nobody has used since, and that have nothing that lives.
const UNUSED_SESSIONS: &str = "DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions WHERE modified < ? \
                               AND session_id NOT IN (SELECT session_id FROM instances WHERE ended IS NULL) LIMIT ?)";

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
