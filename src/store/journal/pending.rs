//! What waits to be stored: bounded, and with only the newest status of each instance. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::super::events::NewEvent;
use super::super::peers::{NewPeer, PeerClosed};
use super::super::revision::Revised;
use crate::ids::{InstanceId, PeerId, SessionId};
use crate::protocol::words::{EventClass, InstanceStatus};

/// The most notes of each kind that wait, and of events the most of each class.
pub const MOST: usize = 4096;
/// The most notes of each kind in one batch: a transaction of a few milliseconds.
pub const BATCH: usize = 256;

/// Notes that wait.
#[derive(Debug, Default)]
pub struct Pending {
    events: VecDeque<NewEvent>,
    /// How many there are of each class.
    of_class: [usize; EventClass::ALL.len()],
    statuses: BTreeMap<InstanceId, Revised>,
    peers: VecDeque<PeerNote>,
    sessions: BTreeMap<SessionId, i64>,
    noted: u64,
    settled: u64,
    dropped: u64,
}

/// A note about a peer connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerNote {
    /// It is up.
    Connected(NewPeer),
    /// It has ended.
    Closed(PeerId, PeerClosed),
}

/// Notes taken to be stored together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Events in their order.
    pub events: Vec<NewEvent>,
    /// The status of instances.
    pub statuses: Vec<(InstanceId, Revised)>,
    /// Peers in their order.
    pub peers: Vec<PeerNote>,
    /// When sessions were used.
    pub sessions: Vec<(SessionId, i64)>,
}

impl Batch {
    /// How many notes it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len() + self.statuses.len() + self.peers.len() + self.sessions.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Pending {
    /// Notes an event.
    pub fn event(&mut self, event: NewEvent) {
        self.noted += 1;
        let class = event.class;
        self.of_class[class as usize] += 1;
        self.events.push_back(event);
        self.trim_events(class);
    }

    /// Notes a status. An older one of the same instance that still waits is replaced: but its output is kept when
    /// the newer one has none.
    pub fn status(&mut self, id: InstanceId, mut change: Revised) {
        self.noted += 1;
        if let Some(old) = self.statuses.remove(&id) {
            self.settled += 1;
            change = newer(old, change);
        }
        self.statuses.insert(id, change);
        self.trim();
    }

    /// Notes a peer that is up.
    pub fn peer_connected(&mut self, peer: NewPeer) {
        self.noted += 1;
        self.peers.push_back(PeerNote::Connected(peer));
        self.trim();
    }

    /// Notes the end of a peer.
    pub fn peer_closed(&mut self, id: PeerId, closed: PeerClosed) {
        self.noted += 1;
        self.peers.push_back(PeerNote::Closed(id, closed));
        self.trim();
    }

    /// Notes that a session was used.
    pub fn session_used(&mut self, id: SessionId, now: i64) {
        self.noted += 1;
        if let Some(old) = self.sessions.insert(id, now) {
            self.settled += 1;
            self.sessions.insert(id, old.max(now));
        }
        self.trim();
    }

    /// Takes the oldest notes, to be stored, and then to be either [settled](Self::settle) or [put
    /// back](Self::put_back).
    #[must_use]
    pub fn take(&mut self) -> Batch {
        let events: Vec<NewEvent> = self.events.drain(..self.events.len().min(BATCH)).collect();
        for event in &events {
            self.of_class[event.class as usize] -= 1;
        }
        let peers = self.peers.drain(..self.peers.len().min(BATCH)).collect();
        let statuses = std::iter::from_fn(|| self.statuses.pop_first()).take(BATCH).collect();
        let sessions = std::iter::from_fn(|| self.sessions.pop_first()).take(BATCH).collect();
        Batch {
            events,
            statuses,
            peers,
            sessions,
        }
    }

    /// So many notes that were taken are stored, or never will be.
    pub fn settle(&mut self, notes: usize) {
        self.settled += notes as u64;
    }

    /// Puts back what could not be stored, as older than everything noted since.
    pub fn put_back(&mut self, batch: Batch) {
        for event in batch.events.into_iter().rev() {
            self.of_class[event.class as usize] += 1;
            self.events.push_front(event);
        }
        for class in EventClass::ALL {
            self.trim_events(*class);
        }
        for peer in batch.peers.into_iter().rev() {
            self.peers.push_front(peer);
        }
        for (id, old) in batch.statuses {
            let change = match self.statuses.remove(&id) {
                Some(since) => {
                    self.settled += 1;
                    newer(old, since)
                }
                None => old,
            };
            self.statuses.insert(id, change);
        }
        for (id, old) in batch.sessions {
            if let Some(since) = self.sessions.insert(id, old) {
                self.settled += 1;
                self.sessions.insert(id, old.max(since));
            }
        }
        self.trim();
    }

    /// How many notes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len() + self.statuses.len() + self.peers.len() + self.sessions.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether every note there has been is stored, replaced by a newer one, or dropped: none waits, and none was taken
    /// and neither settled nor put back.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.noted == self.settled
    }

    /// How many notes were dropped for want of room.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Drops the oldest of a class that has too many: none displaces those of another.
    fn trim_events(&mut self, class: EventClass) {
        while self.of_class[class as usize] > MOST {
            let oldest = self.events.iter().position(|event| event.class == class);
            if let Some(oldest) = oldest {
                self.events.remove(oldest);
            }
            self.of_class[class as usize] -= 1;
            self.dropped += 1;
            self.settled += 1;
        }
    }

    fn trim(&mut self) {
        let mut dropped = 0;
        dropped += drop_oldest(&mut self.peers);
        while self.statuses.len() > MOST {
            let oldest = self
                .statuses
                .iter()
                // What nobody tells again, the end, last of all.
                .min_by_key(|(_, noted)| (noted.change.status == InstanceStatus::Terminated, noted.revision))
                .map(|(id, _)| *id);
            oldest.map(|id| self.statuses.remove(&id));
            dropped += 1;
        }
        while self.sessions.len() > MOST {
            let oldest = self.sessions.iter().min_by_key(|(_, used)| **used).map(|(id, _)| *id);
            oldest.map(|id| self.sessions.remove(&id));
            dropped += 1;
        }
        self.dropped += dropped;
        self.settled += dropped;
    }
}

fn drop_oldest<T>(notes: &mut VecDeque<T>) -> u64 {
    let surplus = notes.len().saturating_sub(MOST);
    notes.drain(..surplus);
    surplus as u64
}

/// The later one, with the last output.
fn newer(one: Revised, other: Revised) -> Revised {
    let (old, mut new) = if one.revision <= other.revision {
        (one, other)
    } else {
        (other, one)
    };
    if new.change.output.is_empty() {
        new.change.output = old.change.output;
    }
    new
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::super::super::instances::StatusChange;
    use super::*;

    pub(in super::super) fn event(at: i64) -> NewEvent {
        NewEvent {
            at,
            actor: "root".to_owned(),
            kind: "test".to_owned(),
            detail: String::new(),
            class: EventClass::Supervision,
        }
    }

    fn change(revision: i64, status: InstanceStatus, output: &[&str]) -> Revised {
        let change = StatusChange {
            status,
            reason: None,
            message: None,
            output: output.iter().map(ToString::to_string).collect(),
            restarts: 0,
            // By a clock that goes back.
            modified: -revision,
            ended: None,
        };
        Revised { revision, change }
    }

    #[test]
    fn only_the_newest_status_of_an_instance_waits_with_the_last_output() {
        let mut pending = Pending::default();
        let id = InstanceId::new();
        pending.status(id, change(1, InstanceStatus::Failed, &["boom"]));
        pending.status(id, change(2, InstanceStatus::Running, &[]));
        let batch = pending.take();
        assert_eq!(
            batch.statuses,
            vec![(id, change(2, InstanceStatus::Running, &["boom"]))]
        );
        assert!(pending.is_empty());
    }

    #[test]
    fn what_is_put_back_does_not_replace_what_was_noted_since() {
        let mut pending = Pending::default();
        let id = InstanceId::new();
        pending.status(id, change(1, InstanceStatus::Initializing, &[]));
        pending.event(event(1));
        let batch = pending.take();
        pending.status(id, change(2, InstanceStatus::Running, &[]));
        pending.event(event(2));
        pending.put_back(batch);
        let batch = pending.take();
        assert_eq!(batch.statuses[0].1.change.status, InstanceStatus::Running);
        assert_eq!(batch.events.iter().map(|event| event.at).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn when_there_is_no_more_room_the_oldest_events_are_dropped_and_counted() {
        let mut pending = Pending::default();
        for at in 0..MOST as i64 + 10 {
            pending.event(event(at));
        }
        assert_eq!((pending.len(), pending.dropped()), (MOST, 10));
        assert_eq!(pending.take().events[0].at, 10);
    }

    #[test]
    fn a_flood_of_one_class_displaces_none_of_another() {
        let mut pending = Pending::default();
        for class in EventClass::ALL {
            pending.event(NewEvent {
                class: *class,
                ..event(1)
            });
        }
        for at in 0..2 * MOST as i64 {
            pending.event(NewEvent {
                class: EventClass::Visits,
                ..event(at)
            });
        }
        let first = pending.take();
        let classes: Vec<EventClass> = first.events[..3].iter().map(|event| event.class).collect();
        assert_eq!(classes, EventClass::ALL[..3]);
        pending.put_back(first);
        assert_eq!(pending.len(), MOST + 3);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Event,
        Status(u8),
        Session(u8),
        Take,
        Settle,
        PutBack,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => Just(Step::Event),
            4 => (0u8..4).prop_map(Step::Status),
            2 => (0u8..4).prop_map(Step::Session),
            2 => Just(Step::Take),
            1 => Just(Step::Settle),
            1 => Just(Step::PutBack),
        ];
        prop::collection::vec(step, 0..200)
    }

    proptest! {
        #[test]
        fn every_note_waits_is_on_its_way_or_is_settled(steps in steps()) {
            let mut pending = Pending::default();
            let instances: Vec<InstanceId> = (0..4).map(|_| InstanceId::new()).collect();
            let sessions: Vec<SessionId> = (0..4).map(|_| SessionId::new()).collect();
            let mut taken: Vec<Batch> = Vec::new();
            for (now, step) in steps.into_iter().enumerate() {
                let now = now as i64;
                match step {
                    Step::Event => pending.event(event(now)),
                    Step::Status(i) => {
                        pending.status(instances[usize::from(i)], change(now, InstanceStatus::Running, &[]));
                    }
                    Step::Session(i) => pending.session_used(sessions[usize::from(i)], now),
                    Step::Take => taken.push(pending.take()),
                    Step::Settle => {
                        if let Some(batch) = taken.pop() {
                            pending.settle(batch.len());
                        }
                    }
                    Step::PutBack => {
                        if let Some(batch) = taken.pop() {
                            pending.put_back(batch);
                        }
                    }
                }
                let on_the_way: usize = taken.iter().map(Batch::len).sum();
                prop_assert_eq!(pending.noted, pending.settled + (pending.len() + on_the_way) as u64);
                prop_assert_eq!(pending.is_settled(), pending.len() + on_the_way == 0);
            }
        }
    }
}
