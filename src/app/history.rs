//! History: what the kernel restarts, and why, for the `events` table.
//!
//! Starts and ordinary ends are not kept: they are told by those whose they are. A history that is behind notes how
//! much it missed.

use std::sync::Arc;

use crate::clock::unix_ms;
use crate::instance::Services;
use crate::protocol::words::EventClass;
use crate::store::NewEvent;
use crate::supervision::{ChildEvent, ChildSpec, ExitReason, Missed, Restart, TreeView, What};

/// Notes what happens in the tree, until it is stopped.
pub fn history(services: &Arc<Services>, tree: &TreeView) -> ChildSpec {
    let (services, tree) = (Arc::clone(services), tree.clone());
    ChildSpec::task("history", Restart::Permanent, move |cx| {
        let (services, mut events) = (Arc::clone(&services), tree.subscribe());
        async move {
            while let Some(Some(event)) = cx.unless_stopping(events.next()).await {
                let note = match event {
                    Ok(event) if is_history(&event) => NewEvent {
                        at: event.at_ms,
                        actor: event.path.to_string(),
                        kind: event.kind().into(),
                        detail: event.detail(),
                        class: class_of(&event.what),
                    },
                    Ok(_) => continue,
                    Err(Missed(missed)) => NewEvent {
                        at: unix_ms(),
                        actor: "root".into(),
                        kind: "events_missed".into(),
                        detail: missed.to_string(),
                        class: EventClass::Supervision,
                    },
                };
                services.journal.event(note);
            }
            ExitReason::Shutdown
        }
    })
}

fn is_history(event: &ChildEvent) -> bool {
    match &event.what {
        What::Started => false,
        What::Exited { exit } => exit.is_abnormal(),
        What::Restarting { .. } | What::RestartAsked | What::GivenUp { .. } | What::Escalated { .. } => true,
    }
}

/// A restart by hand is somebody's doing; the rest happens.
const fn class_of(what: &What) -> EventClass {
    match what {
        What::RestartAsked => EventClass::Audit,
        _ => EventClass::Supervision,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_and_faults_are_history_and_ordinary_ends_are_not() {
        let event = |what| ChildEvent {
            at_ms: 1,
            path: "root/a".into(),
            generation: 1,
            what,
        };
        let exited = |exit| event(What::Exited { exit });
        assert!(!is_history(&event(What::Started)));
        assert!(!is_history(&exited(ExitReason::Normal)));
        assert!(!is_history(&exited(ExitReason::Shutdown)));
        assert!(is_history(&exited(ExitReason::Stalled)));
        assert!(is_history(&event(What::Restarting { after_ms: 200 })));
        assert!(is_history(&event(What::RestartAsked)));
    }
}
