//! Instances: what runs, and what ran.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::revision::Revised;
use super::schema::{instances, links};
use super::text::AsText;
use crate::ids::{InstanceId, ServerId, SessionId};
use crate::protocol::words::InstanceStatus;

/// A new instance, about to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewInstance {
    /// Its id.
    pub instance_id: InstanceId,
    /// Whose it is.
    pub session_id: SessionId,
    /// Where it runs.
    pub server_id: ServerId,
    /// The id of its app.
    pub app: String,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Frames per second at most.
    pub fps: u16,
    /// When it was asked for, ms since 1970.
    pub created: i64,
}

/// One instance as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = instances)]
pub struct InstanceRow {
    /// Its id.
    #[diesel(serialize_as = AsText<InstanceId>, deserialize_as = AsText<InstanceId>)]
    pub instance_id: InstanceId,
    /// Whose it is.
    #[diesel(serialize_as = AsText<SessionId>, deserialize_as = AsText<SessionId>)]
    pub session_id: SessionId,
    /// Where it runs.
    #[diesel(serialize_as = AsText<ServerId>, deserialize_as = AsText<ServerId>)]
    pub server_id: ServerId,
    /// The id of its app.
    pub app: String,
    /// Its status.
    #[diesel(serialize_as = AsText<InstanceStatus>, deserialize_as = AsText<InstanceStatus>)]
    pub status: InstanceStatus,
    /// When it was asked for, ms since 1970.
    pub created: i64,
    /// When its status last changed, ms since 1970.
    pub modified: i64,
    /// Width in pixels.
    pub width: i32,
    /// Height in pixels.
    pub height: i32,
    /// Frames per second at most.
    pub fps: i32,
    /// How often its app was started again.
    pub restarts: i32,
    /// When it ended, ms since 1970.
    pub ended: Option<i64>,
    /// Why it ended or failed: a stable word.
    pub exit_reason: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// The last lines that the app wrote, separated by line feeds.
    pub output: Option<String>,
    /// Which change it shows: the later of two has the greater number.
    pub revision: i64,
}

impl InstanceRow {
    /// Whether it has failed and its tree is gone, so that it can be started again from this row.
    #[must_use]
    pub fn is_failed_row(&self) -> bool {
        self.status == InstanceStatus::Failed && self.ended.is_some()
    }

    /// The last lines that the app wrote.
    #[must_use]
    pub fn output_lines(&self) -> Vec<String> {
        self.output
            .as_deref()
            .map(|text| text.lines().map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

/// All that a change of status says; each replaces the one before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusChange {
    /// The status from now on.
    pub status: InstanceStatus,
    /// Why: a stable word.
    pub reason: Option<String>,
    /// The same for people.
    pub message: Option<String>,
    /// The last lines that the app wrote; empty: as stored before.
    pub output: Vec<String>,
    /// How often its app was started again.
    pub restarts: u32,
    /// When, ms since 1970.
    pub modified: i64,
    /// When it ended, ms since 1970; `None`: it has not.
    pub ended: Option<i64>,
}

impl Store {
    /// Keeps a new instance, `INITIALIZING`.
    ///
    /// # Errors
    /// The id exists already or the server does not (`database_refused`), or the database fails.
    pub async fn insert_instance(&self, new: NewInstance) -> Result<(), StoreError> {
        let row = InstanceRow {
            instance_id: new.instance_id,
            session_id: new.session_id,
            server_id: new.server_id,
            app: new.app,
            status: InstanceStatus::Initializing,
            created: new.created,
            modified: new.created,
            width: new.width.into(),
            height: new.height.into(),
            fps: new.fps.into(),
            restarts: 0,
            ended: None,
            exit_reason: None,
            message: None,
            output: None,
            revision: 0,
        };
        self.change(move |connection| {
            diesel::insert_into(instances::table).values(row).execute(connection)?;
            Ok(())
        })
        .await
    }

    /// Stores a change of status at once; usually the journal does. It is later than all that were noted before. Says whether
    /// the instance was there, and had not ended.
    ///
    /// # Errors
    /// The database fails.
    pub async fn update_instance(&self, id: InstanceId, change: StatusChange) -> Result<bool, StoreError> {
        let change = Revised::now(change);
        self.change(move |connection| update(connection, id, &change)).await
    }

    /// One instance.
    ///
    /// # Errors
    /// The database fails.
    pub async fn instance(&self, id: InstanceId) -> Result<Option<InstanceRow>, StoreError> {
        self.read(move |connection| {
            Ok(instances::table
                .find(id.to_string())
                .select(InstanceRow::as_select())
                .first(connection)
                .optional()?)
        })
        .await
    }

    /// The instances of a session that have failed and are only rows (see [`InstanceRow::is_failed_row`]), the newest
    /// first, at most `most`.
    ///
    /// # Errors
    /// The database fails.
    pub async fn failed_instances_of(&self, session: SessionId, most: u32) -> Result<Vec<InstanceRow>, StoreError> {
        self.read(move |connection| {
            Ok(instances::table
                .filter(instances::session_id.eq(session.to_string()))
                .filter(instances::status.eq(InstanceStatus::Failed.as_str()))
                .filter(instances::ended.is_not_null())
                .order((instances::created.desc(), instances::instance_id))
                .limit(most.into())
                .select(InstanceRow::as_select())
                .load(connection)?)
        })
        .await
    }

    /// The instances of a server that have not ended, `FAILED` ones that can be restarted included, the oldest first:
    /// what a starting host looks for to adopt or to close.
    ///
    /// # Errors
    /// The database fails.
    pub async fn instances_not_ended(&self, server: ServerId) -> Result<Vec<InstanceRow>, StoreError> {
        self.read(move |connection| {
            Ok(instances::table
                .filter(
                    instances::server_id
                        .eq(server.to_string())
                        .and(instances::ended.is_null()),
                )
                .order((instances::created, instances::instance_id))
                .select(InstanceRow::as_select())
                .load(connection)?)
        })
        .await
    }
}

pub(super) fn update(
    connection: &mut SqliteConnection,
    id: InstanceId,
    Revised { revision, change }: &Revised,
) -> Result<bool, StoreError> {
    // A change that arrives late, after a newer one, changes nothing; and what has ended stays so.
    let target = instances::table
        .find(id.to_string())
        .filter(instances::revision.lt(revision))
        .filter(
            instances::status
                .ne(InstanceStatus::Terminated.as_str())
                .or(instances::ended.is_null()),
        );
    let changed = diesel::update(target)
        .set((
            instances::status.eq(change.status.as_str()),
            instances::exit_reason.eq(change.reason.as_deref()),
            instances::message.eq(change.message.as_deref()),
            instances::restarts.eq(i32::try_from(change.restarts).unwrap_or(i32::MAX)),
            instances::modified.eq(change.modified),
            instances::ended.eq(change.ended),
            instances::revision.eq(revision),
        ))
        .execute(connection)?;
    if changed > 0 && change.status == InstanceStatus::Terminated {
        // Links end with their instance; one that has failed may come back, and its links with it.
        diesel::delete(links::table.filter(links::instance_id.eq(id.to_string()))).execute(connection)?;
    }
    if changed > 0 && !change.output.is_empty() {
        diesel::update(instances::table.find(id.to_string()))
            .set(instances::output.eq(change.output.join("\n")))
            .execute(connection)?;
    }
    Ok(changed > 0)
}
