//! Events: what happened, for people who want to know why.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::events;
use super::text::AsText;
use crate::protocol::words::EventClass;

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
    /// What it is about.
    #[diesel(serialize_as = AsText<EventClass>, deserialize_as = AsText<EventClass>)]
    pub class: EventClass,
}

/// How many events of a class are kept where there are `most` in all. The shares are fixed: a class that is flooded
/// displaces nothing of another.
#[must_use]
pub const fn share(class: EventClass, most: u32) -> u32 {
    let fifth = most / 5;
    match class {
        EventClass::Audit => most - 3 * fifth,
        EventClass::Entry | EventClass::Supervision | EventClass::Visits => fifth,
    }
}

impl Store {
    /// The newest events, the newest first, at most `most` of them; of `actor` and those below it, or of all; of one class,
    /// or of all.
    ///
    /// # Errors
    /// The database fails.
    pub async fn events(
        &self,
        actor: Option<String>,
        class: Option<EventClass>,
        most: u32,
    ) -> Result<Vec<NewEvent>, StoreError> {
        self.read(move |connection| {
            let mut found = events::table.into_boxed();
            if let Some(actor) = actor {
                // From `actor/` to before `actor0`, the next character: no pattern that would have to be escaped.
                let below = events::actor
                    .ge(format!("{actor}/"))
                    .and(events::actor.lt(format!("{actor}0")));
                found = found.filter(events::actor.eq(actor).or(below));
            }
            if let Some(class) = class {
                found = found.filter(events::class.eq(class.as_str()));
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
        diesel::insert_into(events::table)
            .values(event.clone())
            .execute(connection)?;
    }
    Ok(())
}
