//! What happens in the life of an instance, for the `events` table: written through the journal, so that nothing here
//! waits for the database.

use std::time::Instant;

use crate::clock::unix_ms;
use crate::ids::SessionId;
use crate::instance::lifecycle::status::StatusReport;
use crate::instance::shared::InstanceShared;
use crate::instance::viewing::visits::Visit;
use crate::protocol::words::{EventClass, InstanceStatus};
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

    /// What it is about.
    #[must_use]
    pub const fn class(self) -> EventClass {
        match self {
            Self::ViewerJoined | Self::ViewerLeft | Self::ControlChanged => EventClass::Visits,
            Self::LinkUsed => EventClass::Entry,
            // An app that falls over again and again brings these about as well.
            Self::Ready | Self::Restarting => EventClass::Supervision,
            Self::Created
            | Self::Launched
            | Self::Adopted
            | Self::Failed
            | Self::Restarted
            | Self::Ending
            | Self::Terminated
            | Self::LinkMade
            | Self::LinkRevoked
            | Self::LinkExpired => EventClass::Audit,
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
        self.write(event, unix_ms(), detail.into());
    }

    /// Notes that somebody came, went or steers; `session`: whose doing that is, where one's. What comes too often is put
    /// together; never waits.
    pub fn visit(&self, event: InstanceEvent, session: Option<SessionId>, detail: impl Into<String>) {
        let visit = Visit {
            event,
            at: unix_ms(),
            detail: detail.into(),
        };
        let written = self.visits().note(session, visit, Instant::now());
        if let Some(visit) = written {
            self.write(visit.event, visit.at, visit.detail);
        }
    }

    /// Writes what was put together and is due by now; `None`: all of it.
    pub fn write_visits(&self, now: Option<Instant>) {
        let due = self.visits().due(now);
        for visit in due {
            self.write(visit.event, visit.at, visit.detail);
        }
    }

    fn write(&self, event: InstanceEvent, at: i64, detail: String) {
        self.services.journal.event(NewEvent {
            at,
            actor: format!("root/instances/{}", self.spec.id),
            kind: event.code().into(),
            detail,
            class: event.class(),
        });
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
