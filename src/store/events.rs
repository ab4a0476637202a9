//! Events: what happened, for people who want to know why.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::events;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = events)]
pub struct NewEvent {
    /// When, ms since 1970.
    pub at: i64,
    /// The path of the actor in the supervision tree, such as `root/instances/<id>`.
    pub actor: String,
    /// What: a stable word.
    pub kind: String,
    /// More about it for people; no secrets.
    pub detail: String,
}

impl Store {
    /// The newest events, the newest first, at most `most` of them; of `actor` and those below it, or of all.
    ///
    /// # Errors
    /// The database fails.
    pub async fn events(&self, actor: Option<String>, most: u32) -> Result<Vec<NewEvent>, StoreError> {
        self.read(move |connection| {
            let mut found = events::table.into_boxed();
            if let Some(actor) = actor {
                // From `actor/` to before `actor0`, the next character: no pattern that would have to be escaped.
                let below = events::actor
                    .ge(format!("{actor}/"))
                    .and(events::actor.lt(format!("{actor}0")));
                found = found.filter(events::actor.eq(actor).or(below));
            }
            Ok(found
                .order(events::event_id.desc())
                .limit(most.into())
                .select(NewEvent::as_select())
                .load(connection)?)
        })
        .await
    }
}

pub(super) fn append(connection: &mut SqliteConnection, new: &[NewEvent]) -> Result<(), StoreError> {
    // Rows by rows: SQLite limits the variables of one statement.
    for event in new {
        diesel::insert_into(events::table).values(event).execute(connection)?;
    }
    Ok(())
}
