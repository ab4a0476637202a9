//! Instances that are only rows: they have ended, or failed under an earlier host. Nothing of them runs.
//!
//! ```text
//!   FAILED row ──revive──▶ a child of the tree under the same id, INITIALIZING
//!       └──────remove────▶ TERMINATED
//! ```
//!
//! A failed row takes no place on the machine, and stays until somebody removes it or it is old enough (retention).

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

use crate::clock::unix_ms;
use crate::folders::removal;
use crate::ids::{InstanceId, SessionId};
use crate::instance::lifecycle::events::InstanceEvent;
use crate::instance::manager::Manager;
use crate::instance::spec::{InstanceSpec, LaunchError, LaunchRequest};
use crate::process::sweep_instance;
use crate::protocol::signalling::{AppLabel, InstanceMessage, Size};
use crate::protocol::words::{InstanceStatus, Role};
use crate::source::EndReason;
use crate::store::{InstanceRow, NewEvent, NewInstance, StatusChange, StoreError};

/// Failed rows that one session is shown.
const MOST_FAILED: u32 = 20;

/// Why an instance that is only a row is not started again or removed.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// There is none, or it has not failed.
    #[error("there is no such instance")]
    Unknown,
    /// It is being started again already.
    #[error("the instance is being started already")]
    Busy,
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be started now.
    #[error(transparent)]
    Launch(#[from] LaunchError),
}

/// The rows that are being started again: one request each.
#[derive(Debug, Default)]
pub(in crate::instance) struct Reviving(Mutex<BTreeSet<InstanceId>>);

impl Reviving {
    /// `None`: somebody else is at it.
    fn begin(&self, id: InstanceId) -> Option<Begun<'_>> {
        // Not `then_some`: a guard that is not handed out must not be made, its drop would end the other's.
        let first = self.lock().insert(id);
        first.then(|| Begun { all: self, id })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<InstanceId>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Begun<'r> {
    all: &'r Reviving,
    id: InstanceId,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        self.all.lock().remove(&self.id);
    }
}

impl Manager {
    /// The row of an instance that is new here.
    pub(in crate::instance) fn row_of(&self, spec: &InstanceSpec) -> NewInstance {
        NewInstance {
            instance_id: spec.id,
            session_id: spec.owner,
            server_id: self.services().server,
            app: spec.app().to_owned(),
            width: spec.width,
            height: spec.height,
            fps: spec.fps,
            created: spec.created_ms,
        }
    }

    /// The row of an instance that was not launched after all, if it came to one: it has ended, and says why.
    pub(in crate::instance) fn end_row(&self, id: InstanceId, why: &LaunchError) {
        let now = unix_ms();
        self.services().journal.status(
            id,
            StatusChange {
                status: InstanceStatus::Terminated,
                reason: Some(why.code().into()),
                message: Some(format!("it could not be launched: {why}")),
                output: Vec::new(),
                restarts: 0,
                modified: now,
                ended: Some(now),
            },
        );
    }

    /// What is stored of an instance, whether or not it is still here.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn row(&self, id: InstanceId) -> Result<Option<InstanceRow>, StoreError> {
        self.services().store.instance(id).await
    }

    /// The failed instances of a session that are only rows, as REST tells them, the newest first.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn failed_of(&self, session: SessionId) -> Result<Vec<Value>, StoreError> {
        let rows = self.services().store.failed_instances_of(session, MOST_FAILED).await?;
        // One that is just being started again is here already.
        let rows = rows.iter().filter(|row| self.get(row.instance_id).is_none());
        Ok(rows.map(|row| self.describe_row(row, Role::Owner)).collect())
    }

    /// An instance that is no longer here, as viewers are told who are `role` there.
    #[must_use]
    pub fn ended_message(&self, row: InstanceRow, role: Role) -> InstanceMessage {
        let output = self.output_of(&row, role);
        let pixels = |n: i32| u16::try_from(n).unwrap_or(0);
        InstanceMessage {
            instance_id: row.instance_id,
            status: row.status,
            reason: row.exit_reason,
            message: row.message,
            app: AppLabel {
                name: self.catalogue().name_of(&row.app),
                id: row.app,
                keyboard: None,
            },
            size: Size {
                width: pixels(row.width),
                height: pixels(row.height),
            },
            output,
            retry_in_ms: None,
            restarts: u32::try_from(row.restarts).unwrap_or(0),
            windows: Vec::new(),
            renditions: Vec::new(),
            text_not_typed: 0,
        }
    }

    /// Starts a failed row again, under the same id, with the app as the catalogue has it now. What is begun is carried
    /// through, or undone, whether or not the one who asks still waits for the answer.
    ///
    /// # Errors
    /// [`RowError`]; the row is as before then.
    pub async fn revive(&self, id: InstanceId) -> Result<(), RowError> {
        let manager = self.clone();
        let reviving = self.services().media.spawn(async move { manager.start_row(id).await });
        let revived = reviving.await;
        revived.unwrap_or_else(|e| Err(LaunchError::Setup(e.to_string()).into()))
    }

    async fn start_row(&self, id: InstanceId) -> Result<(), RowError> {
        let _only = self.reviving().begin(id).ok_or(RowError::Busy)?;
        if self.get(id).is_some() {
            return Err(RowError::Busy);
        }
        let row = self.failed_row(id).await?;
        let spec = self.spec_of(&row)?;
        let handle = self.set_up(spec).await?;
        let begun = async {
            let change = status(&row, InstanceStatus::Initializing, None);
            self.services()
                .store
                .update_instance(id, change)
                .await
                .map_err(LaunchError::Store)?;
            self.start(&handle).await.map_err(LaunchError::tree)
        };
        if let Err(error) = begun.await {
            log::error!("instance={id} not started again: {error}");
            self.undo(&handle).await;
            let failed = status(&row, InstanceStatus::Failed, Some(unix_ms()));
            self.services().journal.status(id, failed);
            return Err(error.into());
        }
        log::info!("instance={id} app={} started again", handle.spec().app());
        handle.shared.event(InstanceEvent::Restarted, "from its row");
        self.announce_revival(id);
        Ok(())
    }

    /// Ends a failed row: it is no longer offered for a restart.
    ///
    /// # Errors
    /// [`RowError`].
    pub async fn remove_failed(&self, id: InstanceId) -> Result<(), RowError> {
        let _only = self.reviving().begin(id).ok_or(RowError::Busy)?;
        let row = self.failed_row(id).await?;
        let end = EndReason::Requested;
        let change = StatusChange {
            reason: Some(end.code().into()),
            message: Some(end.message(false).into()),
            ..status(&row, InstanceStatus::Terminated, Some(unix_ms()))
        };
        self.services().store.update_instance(id, change).await?;
        log::info!("instance={id} removed");
        self.services().journal.event(NewEvent {
            at: unix_ms(),
            actor: format!("root/instances/{id}"),
            kind: InstanceEvent::Terminated.code().into(),
            detail: format!("{}: {}", end.code(), end.message(false)),
            class: InstanceEvent::Terminated.class(),
        });
        Ok(())
    }

    /// Ends what runs of an instance that cannot be adopted. Its row says why, as a failed one that can be started again.
    pub(in crate::instance) async fn abandon(&self, id: InstanceId, row: Option<InstanceRow>, why: &LaunchError) {
        let folder = self.services().state.instance(id);
        let ended = tokio::task::spawn_blocking(move || {
            sweep_instance(&folder, id);
            removal::remove_tree(&folder)
        });
        if let Ok(Err(error)) = ended.await {
            log::warn!("instance={id} folder not removed: {error}");
        }
        if let Some(row) = row {
            let change = StatusChange {
                reason: Some("not_adopted".into()),
                message: Some(format!("the next host could not take it up: {why}")),
                ..status(&row, InstanceStatus::Failed, Some(unix_ms()))
            };
            self.services().journal.status(id, change);
        }
    }

    async fn failed_row(&self, id: InstanceId) -> Result<InstanceRow, RowError> {
        let row = self.row(id).await?;
        row.filter(InstanceRow::is_failed_row).ok_or(RowError::Unknown)
    }

    fn spec_of(&self, row: &InstanceRow) -> Result<InstanceSpec, LaunchError> {
        let request = LaunchRequest {
            app: row.app.clone(),
            width: Some(row.width.into()),
            height: Some(row.height.into()),
            fps: Some(row.fps.into()),
            region: None,
        };
        let apps = self.catalogue().apps();
        let services = self.services();
        InstanceSpec::decide(
            row.instance_id,
            &request,
            row.session_id,
            &apps,
            &services.config,
            &services.sandboxing,
            row.created,
        )
    }

    fn output_of(&self, row: &InstanceRow, role: Role) -> Vec<String> {
        let shown = self.services().shows_output(role);
        if shown { row.output_lines() } else { Vec::new() }
    }

    /// An instance that is only a row, as REST tells it to somebody who is `role` there.
    #[must_use]
    pub fn describe_row(&self, row: &InstanceRow, role: Role) -> Value {
        let name = self.catalogue().name_of(&row.app);
        json!({
            "instance_id": row.instance_id, "session_id": row.session_id, "server_id": row.server_id,
            "app": { "id": row.app, "name": name },
            "status": row.status, "reason": row.exit_reason, "message": row.message, "output": self.output_of(row, role),
            "width": row.width, "height": row.height, "fps": row.fps,
            "created": row.created, "modified": row.modified, "viewers": 0, "reap_at": null, "restarts": row.restarts,
            "url": format!("/stream/{}", row.instance_id), "mine": role == Role::Owner, "role": role,
        })
    }
}

/// The row with another status; only one that has ended keeps its reason.
fn status(row: &InstanceRow, status: InstanceStatus, ended: Option<i64>) -> StatusChange {
    StatusChange {
        status,
        reason: ended.and(row.exit_reason.clone()),
        message: ended.and(row.message.clone()),
        output: Vec::new(),
        restarts: u32::try_from(row.restarts).unwrap_or(0),
        modified: unix_ms(),
        ended,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_started_again_by_one_request_at_a_time() {
        let (reviving, id) = (Reviving::default(), InstanceId::new());
        let first = reviving.begin(id);
        assert!(first.is_some());
        assert!(reviving.begin(id).is_none());
        assert!(reviving.begin(InstanceId::new()).is_some());
        drop(first);
        assert!(reviving.begin(id).is_some());
    }
}
