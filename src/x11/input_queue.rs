//! Input on its way from the viewers to the thread that injects it.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};

use super::{Wake, lock};
use crate::protocol::input::InputEvent;

/// Events that may wait: more than a viewer makes in several seconds.
const CAPACITY: usize = 1024;

/// A bounded queue of input events. Belongs to the instance and is shared by `Arc`: it outlives the thread that reads
/// it. Any thread pushes, one at a time pops.
#[derive(Debug)]
pub struct InputQueue {
    // overflow: moves replace the move before them, repeats of a key the repeat before them; beyond the capacity the oldest event that releases nothing is
    // dropped; if all release something, one ReleaseAll takes their place.
    events: Mutex<VecDeque<InputEvent>>,
    wake: Wake,
}

impl InputQueue {
    /// An empty queue.
    ///
    /// # Errors
    /// No file descriptors left.
    pub fn new() -> std::io::Result<Arc<Self>> {
        Ok(Arc::new(Self {
            events: Mutex::default(),
            wake: Wake::new()?,
        }))
    }

    /// Queues an event and wakes the reader. Never waits, never loses a release.
    pub fn push(&self, event: InputEvent) {
        let first = {
            let mut events = lock(&self.events);
            let first = events.is_empty();
            enqueue(&mut events, event, CAPACITY);
            first
        };
        // Otherwise it is awake already, or about to be.
        if first {
            self.wake.raise();
        }
    }

    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.events).len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        lock(&self.events).is_empty()
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
    pub(super) fn take(&self) -> VecDeque<InputEvent> {
        // Cleared first: an event that comes in between raises the flag again.
        self.wake.clear();
        std::mem::take(&mut *lock(&self.events))
    }
}

/// Puts an event at the end. Pure.
fn enqueue(events: &mut VecDeque<InputEvent>, event: InputEvent, capacity: usize) {
    match (events.back_mut(), &event) {
        (Some(last @ InputEvent::Move { .. }), InputEvent::Move { .. }) => {
            *last = event;
            return;
        }
        // Whoever is slow gets no more of a held key than it can take.
        (Some(last @ InputEvent::Repeat { .. }), InputEvent::Repeat { .. }) if *last == event => return,
        (Some(InputEvent::RelativeMove { dx, dy }), InputEvent::RelativeMove { dx: more_x, dy: more_y }) => {
            if let (Some(x), Some(y)) = (dx.checked_add(*more_x), dy.checked_add(*more_y)) {
                (*dx, *dy) = (x, y);
                return;
            }
        }
        _ => {}
    }
    if events.len() >= capacity {
        match events.iter().position(|e| !releases(e)) {
            Some(oldest) => drop(events.remove(oldest)),
            None if releases(&event) => {
                events.clear();
                events.push_back(InputEvent::ReleaseAll);
                return;
            }
            None => return,
        }
    }
    events.push_back(event);
}

const fn releases(event: &InputEvent) -> bool {
    matches!(
        event,
        InputEvent::ReleaseAll | InputEvent::Key { pressed: false, .. } | InputEvent::Button { pressed: false, .. }
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn event() -> impl Strategy<Value = InputEvent> {
        prop_oneof![
            any::<(u16, u16)>().prop_map(|(x, y)| InputEvent::Move { x, y }),
            any::<(i16, i16)>().prop_map(|(dx, dy)| InputEvent::RelativeMove { dx, dy }),
            (1u16..6, any::<bool>()).prop_map(|(usage, pressed)| InputEvent::Key {
                pressed,
                usage,
                keysym: 0
            }),
            (0u8..5, any::<bool>()).prop_map(|(number, pressed)| InputEvent::Button {
                number,
                pressed,
                x: 0,
                y: 0
            }),
            Just(InputEvent::ReleaseAll),
            Just(InputEvent::Visible),
        ]
    }

    /// What is down after the events, as the X server would see it.
    fn down<'a>(events: impl IntoIterator<Item = &'a InputEvent>) -> BTreeSet<(bool, u16)> {
        let mut down = BTreeSet::new();
        for event in events {
            let (key, pressed) = match event {
                InputEvent::Key { pressed, usage, .. } => ((true, *usage), *pressed),
                InputEvent::Button { pressed, number, .. } => ((false, u16::from(*number)), *pressed),
                InputEvent::ReleaseAll => {
                    down.clear();
                    continue;
                }
                _ => continue,
            };
            if pressed {
                down.insert(key)
            } else {
                down.remove(&key)
            };
        }
        down
    }

    proptest! {
        #[test]
        fn nothing_stays_down_that_was_released(events in prop::collection::vec(event(), 0..200), capacity in 1usize..20) {
            let mut queue = VecDeque::new();
            for event in &events {
                enqueue(&mut queue, event.clone(), capacity);
                prop_assert!(queue.len() <= capacity);
            }
            // Presses may be lost, so less may be down than was meant, but never more.
            prop_assert!(down(&queue).is_subset(&down(&events)));
        }
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
        assert_eq!(queue.take(), [repeat(0x4c), repeat(0x2a), repeat(0x4c)]);
    }

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
        assert_eq!(queue.take(), expected);
        assert!(queue.is_empty());
    }
}
