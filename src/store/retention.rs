//! Forgetting what has ended long ago, and what there is too much of.

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;

use super::error::StoreError;
use super::events::share;
use super::pool::Store;
use super::schema::{events, instances, links, peers, sessions};
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

impl Store {
    /// Deletes what is not kept. Sessions that have an instance that lives stay.
    ///
    /// # Errors
    /// The database fails; then nothing is deleted.
    pub async fn delete_old(&self, keep: Keep) -> Result<Removed, StoreError> {
        self.change(move |connection| {
            let mut surplus = 0;
            for class in EventClass::ALL {
                surplus += delete_surplus_events(connection, *class, share(*class, keep.events))?;
            }
            let surplus_peers = delete_surplus_peers(connection, keep.peers)?;
            let surplus_guests = delete_surplus_guests(connection, keep.guests)?;
            let alive = instances::table
                .filter(instances::ended.is_null())
                .select(instances::session_id);
            Ok(Removed {
                instances: diesel::delete(instances::table.filter(instances::ended.lt(keep.ended_before)))
                    .execute(connection)?,
                peers: surplus_peers
                    + diesel::delete(peers::table.filter(peers::closed_at.lt(keep.ended_before)))
                        .execute(connection)?,
                links: diesel::delete(links::table.filter(links::expires_at.lt(keep.ended_before)))
                    .execute(connection)?,
                events: surplus
                    + diesel::delete(events::table.filter(events::at.lt(keep.ended_before))).execute(connection)?,
                sessions: surplus_guests
                    + diesel::delete(
                        sessions::table
                            .filter(sessions::modified.lt(keep.unused_since))
                            .filter(sessions::session_id.ne_all(alive)),
                    )
                    .execute(connection)?,
            })
        })
        .await
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
    let surplus = events::table.filter(of_class).filter(events::event_id.le(last));
    Ok(diesel::delete(surplus).execute(connection)?)
}

/// Deletes the peers that ended first beyond `most` of a role at an instance: spectators displace only spectators, and
/// only where they watch.
fn delete_surplus_peers(connection: &mut SqliteConnection, most: u32) -> Result<usize, StoreError> {
    let surplus = "DELETE FROM peers WHERE peer_id IN (SELECT peer_id FROM (SELECT peer_id, row_number() OVER \
                   (PARTITION BY instance_id, role ORDER BY closed_at DESC) AS nth FROM peers \
                   WHERE closed_at IS NOT NULL) WHERE nth > ?)";
    Ok(sql_query(surplus)
        .bind::<BigInt, _>(i64::from(most))
        .execute(connection)?)
}

/// Deletes the sessions of guests that were used longest ago, beyond `most`.
fn delete_surplus_guests(connection: &mut SqliteConnection, most: u32) -> Result<usize, StoreError> {
    let surplus = "DELETE FROM sessions WHERE session_id IN (SELECT session_id FROM sessions WHERE token_hash = '' \
                   AND session_id NOT IN (SELECT session_id FROM instances) \
                   AND session_id NOT IN (SELECT session_id FROM grants) ORDER BY modified DESC LIMIT -1 OFFSET ?)";
    Ok(sql_query(surplus)
        .bind::<BigInt, _>(i64::from(most))
        .execute(connection)?)
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
