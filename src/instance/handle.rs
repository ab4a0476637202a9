//! What the layers above hold of an instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::actor::{End, InstanceActor, RestartApp};
use super::error::InstanceError;
use super::lifecycle::events::InstanceEvent;
use super::lifecycle::status::StatusReport;
use super::screenshots::ScreenshotError;
use super::shared::InstanceShared;
use super::spec::InstanceSpec;
use super::viewing::viewers::ControlError;
use crate::clock::unix_ms;
use crate::ids::{Claim, SessionId, ViewerId};
use crate::protocol::words::Role;
use crate::source::EndReason;
use crate::supervision::{CallError, ChildRef};

/// A restart stops what runs before it answers.
const RESTART_DEADLINE: Duration = Duration::from_secs(60);

/// A page that opens a socket for its picture ahead says as whom it watches before long.
const CLAIM_WITHIN: Duration = Duration::from_secs(10);

/// What the layers above hold of an instance. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct InstanceHandle {
    pub(super) shared: Arc<InstanceShared>,
    pub(super) actor: ChildRef<InstanceActor>,
}

/// Why a request to an instance failed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// It said no.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Its actor is being restarted or does not answer.
    #[error("the instance does not answer now: {0}")]
    Call(#[from] CallError),
    /// Its display is away.
    #[error("there is no picture now")]
    NoDisplay,
    /// No screenshot can be taken now.
    #[error(transparent)]
    Screenshot(#[from] ScreenshotError),
}

impl RequestError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Instance(error) => error.code(),
            Self::Call(error) => error.code(),
            Self::NoDisplay => "no_display",
            Self::Screenshot(error) => error.code(),
        }
    }

    /// Seconds after which it may be otherwise, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Instance(error) => error.retry_after(),
            _ => None,
        }
    }
}

impl InstanceHandle {
    /// What it is made of.
    #[must_use]
    pub fn spec(&self) -> &InstanceSpec {
        &self.shared.spec
    }

    /// Its actor, over all restarts.
    #[must_use]
    pub const fn actor(&self) -> &ChildRef<InstanceActor> {
        &self.actor
    }

    /// Whether both are of the same life of the instance in this host.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.actor.is_same(&other.actor)
    }

    /// How it is.
    #[must_use]
    pub fn report(&self) -> StatusReport {
        self.shared.report()
    }

    /// What has been counted of its picture and of each of its connections, for administrators.
    #[must_use]
    pub fn counters(&self) -> Value {
        self.shared.counters()
    }

    /// How long the picture takes at each of its peers' viewers, as their pages say.
    #[must_use]
    pub fn latencies(&self) -> Value {
        self.shared.roster.latencies().told(Instant::now())
    }

    /// Decides anew what each viewer may. Who may not watch any more is closed.
    pub fn regrade(&self) {
        self.shared.regrade();
    }

    /// The sessions that watch it, one entry a viewer.
    #[must_use]
    pub fn watching(&self) -> Vec<SessionId> {
        self.shared.roster.with(|v| v.iter().map(|(_, v)| v.session).collect())
    }

    /// Waits for the viewer of this session that makes this claim.
    ///
    /// # Errors
    /// `not_watching`: none did for a while.
    pub async fn claimed(&self, claim: Claim, session: SessionId) -> Result<ViewerId, RequestError> {
        let made = timeout(CLAIM_WITHIN, self.shared.roster.claimed(claim, session)).await;
        made.map_err(|_| InstanceError::Control(ControlError::NotWatching).into())
    }

    /// Notes an event of it; never waits.
    pub fn event(&self, event: InstanceEvent, detail: impl Into<String>) {
        self.shared.event(event, detail);
    }

    /// How it is, as REST tells it to somebody who is `role` there.
    #[must_use]
    pub fn describe(&self, role: Role) -> Value {
        let (spec, report, facts) = (&self.shared.spec, self.shared.report(), self.shared.facts.get());
        let label = spec.label();
        let reap_at = self.shared.reap_at().map(|at| {
            let rest = at.saturating_duration_since(Instant::now());
            unix_ms().saturating_add(i64::try_from(rest.as_millis()).unwrap_or(i64::MAX))
        });
        let output = if self.shared.services.shows_output(role) {
            report.output
        } else {
            Vec::new()
        };
        json!({
            "instance_id": spec.id, "session_id": spec.owner, "server_id": self.shared.services.server,
            "app": { "id": label.id, "name": label.name },
            "status": report.status, "reason": report.reason, "message": report.message, "output": output,
            "width": spec.width, "height": spec.height, "fps": spec.fps,
            "created": spec.created_ms, "modified": self.shared.modified_ms(),
            "viewers": self.shared.roster.with(|v| v.len()), "reap_at": reap_at, "restarts": facts.restarts,
            "url": format!("/stream/{}", spec.id), "mine": role == Role::Owner, "role": role,
        })
    }

    /// Ends it; the rest happens by itself.
    pub fn end(&self, reason: EndReason) {
        // An actor that is being restarted finds the wish in the facts.
        if self.actor.tell(End(reason)).is_err() {
            self.shared.facts.update(|f| {
                f.ending.get_or_insert(reason);
            });
        }
    }

    /// Starts its app anew.
    ///
    /// # Errors
    /// [`RequestError`].
    pub async fn restart(&self) -> Result<(), RequestError> {
        Ok(self.actor.ask(RestartApp, RESTART_DEADLINE).await??)
    }

    /// From now on its processes outlive this host.
    pub fn leave_processes(&self) {
        self.shared.source.leave();
    }

    /// Its picture now, as PNG. Whoever asks while one is being taken gets the same.
    ///
    /// # Errors
    /// [`RequestError::NoDisplay`] and [`RequestError::Screenshot`].
    pub async fn screenshot(&self) -> Result<Bytes, RequestError> {
        let take = self.shared.source.picture().ok_or(RequestError::NoDisplay)?;
        let turns = &self.shared.services.screenshots;
        Ok(self.shared.screenshots.get(turns, take).await?)
    }
}
