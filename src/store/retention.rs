//! Forgetting what has ended long ago.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::{events, instances, links, peers, sessions};

/// How many rows were deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Removed {
    /// Instances that ended, their peers and links with them.
    pub instances: usize,
    /// Peers closed, of instances that live on.
    pub peers: usize,
    /// Links that expired.
    pub links: usize,
    /// Sessions that nobody used.
    pub sessions: usize,
    /// Events.
    pub events: usize,
}

impl Store {
    /// Deletes rows of what ended before `ended_before`, and sessions not used since `unused_since` that have no
    /// instance that lives (all in ms since 1970). Of the events, at most `most_events` stay, the newest.
    ///
    /// # Errors
    /// The database fails; then nothing is deleted.
    pub async fn delete_old(
        &self,
        ended_before: i64,
        unused_since: i64,
        most_events: u32,
    ) -> Result<Removed, StoreError> {
        self.change(move |connection| {
            let surplus = delete_surplus_events(connection, most_events)?;
            let alive = instances::table
                .filter(instances::ended.is_null())
                .select(instances::session_id);
            Ok(Removed {
                instances: diesel::delete(instances::table.filter(instances::ended.lt(ended_before)))
                    .execute(connection)?,
                peers: diesel::delete(peers::table.filter(peers::closed_at.lt(ended_before))).execute(connection)?,
                links: diesel::delete(links::table.filter(links::expires_at.lt(ended_before))).execute(connection)?,
                events: surplus
                    + diesel::delete(events::table.filter(events::at.lt(ended_before))).execute(connection)?,
                sessions: diesel::delete(
                    sessions::table
                        .filter(sessions::modified.lt(unused_since))
                        .filter(sessions::session_id.ne_all(alive)),
                )
                .execute(connection)?,
            })
        })
        .await
    }
}

/// Deletes the oldest events beyond `most`; says how many.
fn delete_surplus_events(connection: &mut SqliteConnection, most: u32) -> Result<usize, StoreError> {
    // The newest of those that are too many; ids only rise.
    let last: Option<i64> = events::table
        .order(events::event_id.desc())
        .offset(most.into())
        .select(events::event_id)
        .first(connection)
        .optional()?;
    let Some(last) = last else { return Ok(0) };
    Ok(diesel::delete(events::table.filter(events::event_id.le(last))).execute(connection)?)
}
