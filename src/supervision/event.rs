//! What happens in a tree, as it happens: for the events table and for the page that shows it live.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::exit::ExitReason;
use crate::clock::unix_ms;

/// Events a subscriber may be behind.
const QUEUE: usize = 1024;

/// Something happened to a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChildEvent {
    /// When, ms since 1970.
    pub at_ms: i64,
    /// The child: ids from the root down, joined by `/`.
    #[serde(serialize_with = "as_text")]
    pub path: Arc<str>,
    /// Its generation then.
    pub generation: u64,
    /// What happened.
    #[serde(flatten)]
    pub what: What,
}

/// What happened to a child.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// A generation of it has begun.
    Started,
    /// Its generation has ended.
    Exited {
        /// Why.
        exit: ExitReason,
    },
    /// It is started again.
    Restarting {
        /// After so many ms.
        after_ms: u64,
    },
    /// Somebody asked for its restart.
    RestartAsked,
    /// Its own budget is used up; it stays down.
    GivenUp {
        /// The last straw.
        exit: ExitReason,
    },
    /// The child is a supervisor whose restart intensity is exceeded: it stops its children and ends.
    Escalated {
        /// The last straw.
        exit: ExitReason,
    },
}

fn as_text<S: Serializer>(text: &Arc<str>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

impl ChildEvent {
    /// The stable word for what happened, as the events table keeps it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.what {
            What::Started => "started",
            What::Exited { .. } => "exited",
            What::Restarting { .. } => "restarting",
            What::RestartAsked => "restart_asked",
            What::GivenUp { .. } => "given_up",
            What::Escalated { .. } => "escalated",
        }
    }

    /// More about it, for people.
    #[must_use]
    pub fn detail(&self) -> String {
        match &self.what {
            What::Started | What::RestartAsked => format!("generation {}", self.generation),
            What::Exited { exit } | What::GivenUp { exit } | What::Escalated { exit } => exit.to_string(),
            What::Restarting { after_ms } => format!("in {after_ms} ms"),
        }
    }
}

/// So many events were missed: the subscriber was too slow. A snapshot tells how things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} events were missed")]
pub struct Missed(pub u64);

/// A subscription to the events of a tree, from the moment it was made.
#[derive(Debug)]
pub struct Events(broadcast::Receiver<ChildEvent>);

impl Events {
    /// The next event; `None` when the tree and all its views are gone. Cancel safe.
    ///
    /// # Errors
    /// [`Missed`], once, where events were dropped; the next call goes on with the oldest that is left.
    pub async fn next(&mut self) -> Option<Result<ChildEvent, Missed>> {
        match self.0.recv().await {
            Ok(event) => Some(Ok(event)),
            Err(RecvError::Lagged(missed)) => Some(Err(Missed(missed))),
            Err(RecvError::Closed) => None,
        }
    }
}

/// Where supervisors tell what happens; one for a tree.
#[derive(Debug, Clone)]
pub(super) struct EventBus(broadcast::Sender<ChildEvent>);

impl Default for EventBus {
    fn default() -> Self {
        // overflow: a subscriber that is too slow loses the oldest, and is told how many; supervisors never wait.
        Self(broadcast::Sender::new(QUEUE))
    }
}

impl EventBus {
    pub(super) fn subscribe(&self) -> Events {
        Events(self.0.subscribe())
    }

    pub(super) fn tell(&self, path: &Arc<str>, generation: u64, what: What) {
        // Nobody listens: nothing to be told.
        let _ = self.0.send(ChildEvent {
            at_ms: unix_ms(),
            path: Arc::clone(path),
            generation,
            what,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_subscriber_that_is_too_slow_is_told_how_much_it_missed_and_goes_on() {
        let bus = EventBus::default();
        let mut events = bus.subscribe();
        for generation in 0..QUEUE as u64 + 3 {
            bus.tell(&"root/a".into(), generation, What::Started);
        }
        assert_eq!(events.next().await, Some(Err(Missed(3))));
        assert_eq!(events.next().await.unwrap().unwrap().generation, 3);
        drop(bus);
        while let Some(event) = events.next().await {
            assert!(event.is_ok());
        }
    }

    #[test]
    fn an_event_is_serialised_with_what_happened_beside_where_and_when() {
        let event = ChildEvent {
            at_ms: 5,
            path: "root/a".into(),
            generation: 2,
            what: What::Exited {
                exit: ExitReason::error("broken", "it broke"),
            },
        };
        let json = serde_json::to_value(&event).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "at_ms": 5, "path": "root/a", "generation": 2, "what": "exited",
                "exit": { "reason": "error", "code": "broken", "message": "it broke" },
            })
        );
        assert_eq!((event.kind(), event.detail().as_str()), ("exited", "broken: it broke"));
    }
}
