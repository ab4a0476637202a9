//! What happens in the life of an instance, for the `events` table: written through the journal, so that nothing here
//! waits for the database.

use super::shared::InstanceShared;
use super::status::StatusReport;
use crate::clock::unix_ms;
use crate::ids::ViewerId;
use crate::protocol::words::InstanceStatus;
use crate::store::NewEvent;

/// What happened to an instance: stable words, stored as the event's kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceEvent {
    /// It was asked for and has a row.
    Created,
    /// Its tree was started.
    Launched,
    /// A host that started took it up as it ran.
    Adopted,
    /// Display, app and capture are up.
    Ready,
    /// Something of it was lost and is started again.
    Restarting,
    /// It has failed.
    Failed,
    /// Somebody asked for a restart.
    Restarted,
    /// It is being ended.
    Ending,
    /// It has ended.
    Terminated,
    /// A viewer came.
    ViewerJoined,
    /// A viewer went.
    ViewerLeft,
    /// Another viewer steers, or none.
    ControlChanged,
    /// A link to it was made.
    LinkMade,
    /// A session came by a link.
    LinkUsed,
    /// A link was revoked.
    LinkRevoked,
    /// A link has expired.
    LinkExpired,
}

impl InstanceEvent {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Created => "instance_created",
            Self::Launched => "instance_launched",
            Self::Adopted => "instance_adopted",
            Self::Ready => "instance_ready",
            Self::Restarting => "instance_restarting",
            Self::Failed => "instance_failed",
            Self::Restarted => "instance_restarted",
            Self::Ending => "instance_ending",
            Self::Terminated => "instance_terminated",
            Self::ViewerJoined => "viewer_joined",
            Self::ViewerLeft => "viewer_left",
            Self::ControlChanged => "control_changed",
            Self::LinkMade => "link_made",
            Self::LinkUsed => "link_used",
            Self::LinkRevoked => "link_revoked",
            Self::LinkExpired => "link_expired",
        }
    }
}

/// The event that a change of status is, with its details; `before`: what was told last. Pure.
#[must_use]
pub fn of_status(before: Option<InstanceStatus>, now: &StatusReport) -> Option<(InstanceEvent, String)> {
    if before == Some(now.status) {
        return None;
    }
    let event = match now.status {
        InstanceStatus::Running => InstanceEvent::Ready,
        InstanceStatus::Restarting => InstanceEvent::Restarting,
        InstanceStatus::Failed => InstanceEvent::Failed,
        InstanceStatus::Deinitializing => InstanceEvent::Ending,
        InstanceStatus::Terminated => InstanceEvent::Terminated,
        // Its creation or restart has told it.
        InstanceStatus::Idle | InstanceStatus::Initializing => return None,
    };
    let detail = match (&now.reason, &now.message) {
        (Some(reason), Some(message)) => format!("{reason}: {message}"),
        (Some(reason), None) => reason.clone(),
        (None, _) => String::new(),
    };
    Some((event, detail))
}

impl InstanceShared {
    /// Notes an event of this instance; never waits.
    pub fn event(&self, event: InstanceEvent, detail: impl Into<String>) {
        self.services.journal.event(NewEvent {
            at: unix_ms(),
            actor: format!("root/instances/{}", self.spec.id),
            kind: event.code().into(),
            detail: detail.into(),
        });
    }

    /// Notes who steers, if that is another one than `before`.
    pub fn control_event(&self, before: Option<ViewerId>) {
        let holder = self.roster.with(|v| v.holder());
        if holder != before {
            let who = holder.map_or_else(|| "nobody".to_owned(), |id| format!("viewer={id}"));
            self.event(InstanceEvent::ControlChanged, who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(status: InstanceStatus, reason: &str) -> StatusReport {
        StatusReport {
            status,
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            message: (!reason.is_empty()).then(|| "why".to_owned()),
            output: Vec::new(),
            retry_in: None,
        }
    }

    #[test]
    fn a_status_is_an_event_once_with_its_reason() {
        let lost = report(InstanceStatus::Restarting, "render_lost");
        assert_eq!(
            of_status(Some(InstanceStatus::Running), &lost),
            Some((InstanceEvent::Restarting, "render_lost: why".to_owned()))
        );
        assert_eq!(of_status(Some(InstanceStatus::Restarting), &lost), None);
        let up = report(InstanceStatus::Running, "");
        assert_eq!(of_status(None, &up), Some((InstanceEvent::Ready, String::new())));
        assert_eq!(
            of_status(None, &report(InstanceStatus::Initializing, "app_starting")),
            None
        );
    }
}
