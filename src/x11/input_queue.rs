//! Input on its way from the viewers to the thread that injects it.

use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use super::backlog::Backlog;
use super::{Wake, lock};
use crate::clock::monotonic_us;
use crate::media::Press;
use crate::protocol::input::InputEvent;

/// Presses that wait to be injected, and are measured.
const MOST_PRESSES: usize = 64;

/// A bounded queue of input events. Belongs to the instance and is shared by `Arc`: it outlives the thread that reads
/// it. Any thread pushes, one at a time pops.
#[derive(Debug)]
pub struct InputQueue {
    // overflow: see Backlog.
    waiting: Mutex<Waiting>,
    wake: Wake,
}

/// What a reader finds.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) events: Backlog,
    /// What was taken before and still waits is to be forgotten: somebody else has the say now.
    pub(super) forget: bool,
    // overflow: a further press is injected all the same, and not measured.
    presses: Vec<Arc<Press>>,
}

impl InputQueue {
    /// An empty queue.
    ///
    /// # Errors
    /// No file descriptors left.
    pub fn new() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            waiting: Mutex::default(),
            wake: Wake::new()?,
        }))
    }

    /// Queues an event and wakes the reader. Never waits, never loses a release.
    pub fn push(&self, event: InputEvent) {
        self.add(event, None);
    }

    /// As [`Self::push`]; `press` is told when the event is about to be injected.
    pub fn press(&self, event: InputEvent, press: Arc<Press>) {
        self.add(event, Some(press));
    }

    fn add(&self, event: InputEvent, press: Option<Arc<Press>>) {
        let first = {
            let mut waiting = lock(&self.waiting);
            let first = waiting.events.is_empty();
            waiting.events.push(event);
            if waiting.presses.len() < MOST_PRESSES {
                waiting.presses.extend(press);
            }
            first
        };
        // Otherwise it is awake already, or about to be.
        if first {
            self.wake.raise();
        }
    }

    /// Somebody else has the say: lets everything go that is down, and forgets what waits, text that is being typed
    /// included.
    pub fn hand_over(&self) {
        {
            let mut waiting = lock(&self.waiting);
            waiting.events.forget();
            waiting.presses.clear();
            waiting.events.push(InputEvent::ReleaseAll);
            waiting.forget = true;
        }
        self.wake.raise();
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.waiting).events.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        lock(&self.waiting).events.is_empty()
    }

    /// For tests elsewhere: what waits is taken by nobody.
    #[cfg(test)]
    pub(crate) fn taken(&self) {
        self.take();
    }

    /// What to poll for events.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.fd()
    }

    /// Wakes the reader without an event, so that it looks whether it is to end.
    pub(super) fn wake(&self) {
        self.wake.raise();
    }

    /// Everything that waits, without waiting.
    pub(super) fn take(&self) -> Waiting {
        // Cleared first: an event that comes in between raises the flag again.
        self.wake.clear();
        let taken = std::mem::take(&mut *lock(&self.waiting));
        for press in &taken.presses {
            press.inject(monotonic_us());
        }
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{Presses, Stamps};

    #[test]
    fn moves_become_one_but_never_pass_a_click() {
        let queue = InputQueue::new().unwrap();
        for x in 0..10 {
            queue.push(InputEvent::Move { x, y: 0 });
        }
        let click = InputEvent::Button {
            number: 0,
            pressed: true,
            x: 9,
            y: 0,
        };
        queue.push(click.clone());
        queue.push(InputEvent::Move { x: 50, y: 0 });
        queue.push(InputEvent::RelativeMove { dx: 2, dy: -1 });
        queue.push(InputEvent::RelativeMove { dx: 3, dy: -1 });
        let expected = [
            InputEvent::Move { x: 9, y: 0 },
            click,
            InputEvent::Move { x: 50, y: 0 },
            InputEvent::RelativeMove { dx: 5, dy: -2 },
        ];
        assert_eq!(queue.take().events.iter().cloned().collect::<Vec<_>>(), expected);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_press_is_injected_when_it_is_taken_and_not_where_somebody_else_has_the_say() {
        let (queue, presses) = (InputQueue::new().unwrap(), Presses::default());
        let click = InputEvent::Text("a".into());
        let shows = |presses: &Presses| {
            let changed_us = monotonic_us();
            presses.sent(
                changed_us,
                Stamps {
                    changed_us,
                    ..Stamps::default()
                },
                changed_us,
            );
            presses.take().map(|shown| shown.seq)
        };
        queue.press(click.clone(), presses.heard(1, monotonic_us()));
        assert_eq!(shows(&presses), None);
        queue.take();
        assert_eq!(shows(&presses), Some(1));
        queue.press(click, presses.heard(2, monotonic_us()));
        queue.hand_over();
        queue.take();
        assert_eq!(shows(&presses), None);
    }

    #[test]
    fn repeats_of_a_key_do_not_pile_up() {
        let queue = InputQueue::new().unwrap();
        let repeat = |usage| InputEvent::Repeat { usage, keysym: 0 };
        for _ in 0..100 {
            queue.push(repeat(0x4c));
        }
        queue.push(repeat(0x2a));
        queue.push(repeat(0x4c));
        let expected = [repeat(0x4c), repeat(0x2a), repeat(0x4c)];
        assert_eq!(queue.take().events.iter().cloned().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn who_takes_over_does_not_find_the_text_of_who_was_before() {
        let queue = InputQueue::new().unwrap();
        queue.push(InputEvent::Text("theirs".into()));
        queue.hand_over();
        queue.push(InputEvent::Text("mine".into()));
        let mut taken = queue.take();
        assert!(taken.forget);
        let events: Vec<_> = std::iter::from_fn(|| taken.events.pop()).collect();
        assert_eq!(events, [InputEvent::ReleaseAll, InputEvent::Text("mine".into())]);
        assert!(!queue.take().forget);
    }
}
