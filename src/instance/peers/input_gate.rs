//! Which input is applied: the policy between a viewer's data channels and the queue of the injecting thread.
//!
//! Called on the media runtime for every event; nothing in here waits.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::clock::monotonic_us;
use crate::ids::{PeerId, ViewerId};
use crate::instance::peers::lateness::Lateness;
use crate::instance::viewing::roster::Roster;
use crate::media::Presses;
use crate::peer::{InputChannel, InputSink};
use crate::policy::{Action, may};
use crate::protocol::input::{InputEvent, InputFrame};
use crate::x11::InputQueue;

/// The way of one peer's input.
#[derive(Debug)]
pub struct ViewerInput {
    viewer: ViewerId,
    peer: PeerId,
    roster: Arc<Roster>,
    queue: Arc<InputQueue>,
    /// The sequence number of the newest event applied, plus one; 0 before the first.
    next: AtomicU32,
    /// Events of a viewer who may send none.
    refused: AtomicU64,
    begun: Instant,
    lateness: Mutex<Lateness>,
    presses: Arc<Presses>,
}

impl ViewerInput {
    /// The way of `viewer`'s input by `peer` to `queue`. It ends when the viewer has a newer peer.
    #[must_use]
    pub fn new(viewer: ViewerId, peer: PeerId, roster: Arc<Roster>, queue: Arc<InputQueue>) -> Self {
        Self {
            viewer,
            peer,
            roster,
            queue,
            next: AtomicU32::new(0),
            refused: AtomicU64::new(0),
            begun: Instant::now(),
            lateness: Mutex::default(),
            presses: Arc::default(),
        }
    }

    /// How many events were dropped because the viewer may send none.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn apply(&self, frame: InputFrame, late: bool) {
        if late && matches!(frame.event, InputEvent::Repeat { .. }) {
            // Whoever held that key while the line stood still did not mean all of them.
            return;
        }
        let next = self.next.load(Ordering::Relaxed);
        let newer = is_newer(frame.seq, next);
        if frame.event.is_move() && !newer {
            // A click has carried the pointer further already.
            return;
        }
        if newer {
            self.next.store(frame.seq.wrapping_add(1).max(1), Ordering::Relaxed);
        }
        match frame.event {
            InputEvent::Hidden => self.queue.push(InputEvent::ReleaseAll),
            event if event.is_press() => {
                let press = self.presses.heard(frame.seq, monotonic_us());
                self.queue.press(event, press);
            }
            event if event.steers() => self.queue.push(event),
            _ => {}
        }
    }

    /// An event was dropped. Counted where this viewer may send none at all, rather than not now; the first is logged.
    fn note_refusal(&self) {
        let role = self.roster.role(self.viewer);
        let refused = !role.is_some_and(|role| may(role, Action::SendInput));
        if refused && self.refused.fetch_add(1, Ordering::Relaxed) == 0 {
            let role = role.map_or("gone", |role| role.as_str());
            log::warn!(
                "peer={} viewer={} role={role} sends input, which is dropped",
                self.peer,
                self.viewer
            );
        }
    }
}

impl Drop for ViewerInput {
    fn drop(&mut self) {
        self.roster.latencies().forget(self.peer);
        let refused = self.refused();
        if refused > 0 {
            log::info!(
                "peer={} viewer={} dropped={refused} events of input",
                self.peer,
                self.viewer
            );
        }
    }
}

/// Whether a move with this number comes after everything that was applied. Numbers wrap (RFC 1982).
fn is_newer(seq: u32, next: u32) -> bool {
    next == 0 || seq.wrapping_sub(next.wrapping_sub(1)).wrapping_sub(1) < u32::MAX / 2
}

impl InputSink for ViewerInput {
    fn accept(&self, frame: InputFrame, _: InputChannel) {
        if let InputEvent::Latency(report) = frame.event {
            self.roster.latencies().report(self.peer, report, Instant::now());
            return;
        }
        // What a page says of itself steers nothing.
        let late = self
            .lateness
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .is_late(frame.time_ms, self.begun.elapsed());
        let steers = frame.event.steers();
        if !self.roster.steer(self.viewer, self.peer, || self.apply(frame, late)) && steers {
            self.note_refusal();
        }
    }

    fn presses(&self) -> Option<Arc<Presses>> {
        Some(Arc::clone(&self.presses))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::ids::SessionId;
    use crate::instance::testing::tab;
    use crate::instance::viewing::outbound::OutboundTexts;
    use crate::instance::viewing::speaker::{RoleNow, Speaker};
    use crate::instance::viewing::viewers::ControlWish;
    use crate::protocol::words::Role;

    fn frame(seq: u32, event: InputEvent) -> InputFrame {
        InputFrame { seq, time_ms: 0, event }
    }

    const CLICK: InputEvent = InputEvent::Button {
        number: 0,
        pressed: true,
        x: 1,
        y: 1,
    };
    const MOVE: InputEvent = InputEvent::Move { x: 9, y: 9 };

    /// An instance's viewers and its queue, with its owner's tab and socket.
    fn owned() -> (Arc<Roster>, Arc<InputQueue>, ViewerId, OutboundTexts) {
        let queue = InputQueue::new().unwrap();
        let roster = Arc::new(Roster::new(8, Arc::clone(&queue), Instant::now()));
        let (viewer, socket) = joined(&roster, Role::Owner);
        (roster, queue, viewer, socket)
    }

    fn joined(roster: &Roster, role: Role) -> (ViewerId, OutboundTexts) {
        let (who, socket) = come(roster, role);
        (who.viewer, socket)
    }

    fn come(roster: &Roster, role: Role) -> (Speaker, OutboundTexts) {
        let (who, socket) = tab(SessionId::new());
        roster.join(&who, &RoleNow::always(role)).unwrap();
        (who, socket)
    }

    /// A viewer's new peer.
    fn watching(roster: &Roster, viewer: ViewerId) -> PeerId {
        let peer = PeerId::new();
        roster.replace_peer(viewer, peer);
        peer
    }

    #[test]
    fn input_by_a_peer_that_was_replaced_goes_nowhere() {
        let (roster, queue, id, _socket) = owned();
        let older = ViewerInput::new(id, watching(&roster, id), Arc::clone(&roster), Arc::clone(&queue));
        let newer = ViewerInput::new(id, watching(&roster, id), Arc::clone(&roster), Arc::clone(&queue));
        assert_eq!(queue.len(), 1, "what was held down by the older one is let go");
        queue.taken();
        older.accept(frame(1, InputEvent::ReleaseAll), InputChannel::Input);
        older.accept(frame(2, CLICK), InputChannel::Input);
        assert!(queue.is_empty());
        newer.accept(frame(1, CLICK), InputChannel::Input);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_spectators_input_goes_nowhere_and_is_counted() {
        let (roster, queue, mine, _socket) = owned();
        let (other, _other_socket) = joined(&roster, Role::Spectator);
        let (my_peer, other_peer) = (watching(&roster, mine), watching(&roster, other));
        let theirs = ViewerInput::new(other, other_peer, Arc::clone(&roster), Arc::clone(&queue));
        for seq in 1..4 {
            theirs.accept(frame(seq, CLICK), InputChannel::Input);
        }
        theirs.accept(frame(4, InputEvent::Visible), InputChannel::Input);
        assert!(queue.is_empty());
        assert_eq!(theirs.refused(), 3, "what a page says of itself is no input");
        ViewerInput::new(mine, my_peer, roster, Arc::clone(&queue)).accept(frame(1, CLICK), InputChannel::Input);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn who_may_steer_but_has_no_control_is_not_counted_among_those_who_may_not() {
        let (roster, queue, _mine, _socket) = owned();
        let (who, _other_socket) = come(&roster, Role::Controller);
        let other = who.viewer;
        let theirs = ViewerInput::new(other, watching(&roster, other), Arc::clone(&roster), Arc::clone(&queue));
        theirs.accept(frame(1, CLICK), InputChannel::Input);
        assert!(queue.is_empty());
        assert_eq!(theirs.refused(), 0);
        roster.control(&who, ControlWish::Request).unwrap();
        assert_eq!(queue.len(), 1, "what the owner held down is let go");
        queue.taken();
        theirs.accept(frame(2, CLICK), InputChannel::Input);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn presses_are_waited_for_and_what_a_page_measures_is_kept_while_its_peer_is_there() {
        let (roster, queue, id, _socket) = owned();
        let peer = watching(&roster, id);
        let input = ViewerInput::new(id, peer, Arc::clone(&roster), Arc::clone(&queue));
        let presses = input.presses().unwrap();
        let key = |pressed, usage| InputEvent::Key {
            pressed,
            usage,
            keysym: 0x61,
        };
        for (seq, event) in [
            (1, CLICK),
            (2, key(true, 4)),
            (3, key(false, 4)),
            (4, key(true, 0xe1)),
            (5, MOVE),
        ] {
            input.accept(frame(seq, event), InputChannel::Input);
        }
        queue.hand_over();
        input.accept(frame(6, CLICK), InputChannel::Input);
        queue.taken();
        let changed_us = monotonic_us();
        let stamps = crate::media::Stamps {
            changed_us,
            ..crate::media::Stamps::default()
        };
        presses.sent(changed_us, stamps, changed_us);
        let shown: Vec<u32> = std::iter::from_fn(|| presses.take()).map(|shown| shown.seq).collect();
        assert_eq!(shown, [6], "those before were never injected");

        let measured = crate::protocol::latency::Measured {
            p50: 120,
            p95: 180,
            samples: 5,
        };
        let report = crate::protocol::latency::LatencyReport {
            click: Some(measured),
            glass: None,
        };
        input.accept(frame(7, InputEvent::Latency(report)), InputChannel::Input);
        let told = || roster.latencies().told(Instant::now());
        assert_eq!(told()[peer.to_string()]["click_to_photon"]["p50_ms"], 12.0);
        assert!(queue.is_empty(), "it is no input");
        drop(input);
        assert_eq!(told(), serde_json::json!({}));
    }

    #[test]
    fn a_move_that_a_click_has_overtaken_is_dropped() {
        let (roster, queue, id, _socket) = owned();
        let peer = watching(&roster, id);
        let input = ViewerInput::new(id, peer, roster, Arc::clone(&queue));
        input.accept(frame(5, CLICK), InputChannel::Input);
        input.accept(frame(4, MOVE), InputChannel::Moves);
        assert_eq!(queue.len(), 1);
        input.accept(frame(6, MOVE), InputChannel::Moves);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn repeats_that_were_held_up_on_their_way_are_dropped_and_nothing_else_is() {
        let (roster, queue, id, _socket) = owned();
        let input = ViewerInput::new(id, watching(&roster, id), roster, Arc::clone(&queue));
        let key = |pressed| InputEvent::Key {
            pressed,
            usage: 0x4c,
            keysym: 0xffff,
        };
        let repeat = InputEvent::Repeat {
            usage: 0x4c,
            keysym: 0xffff,
        };
        // The browser's clock of frames that all come at the same moment: 12 s of a held key, and its release.
        let send = |seq, time_ms, event| input.accept(InputFrame { seq, time_ms, event }, InputChannel::Input);
        send(1, 12_500, CLICK);
        send(2, 500, key(true));
        for i in 0..360 {
            send(3 + i, 533 + 33 * i, repeat.clone());
        }
        send(400, 12_450, key(false));
        assert_eq!(queue.len(), 4, "the click, the press, one repeat, and the release");
    }

    #[test]
    fn sequence_numbers_wrap() {
        assert!(is_newer(0, 0) && is_newer(7, 7) && is_newer(8, 7));
        assert!(!is_newer(6, 7) && !is_newer(5, 7));
        assert!(is_newer(2, u32::MAX));
    }
}
