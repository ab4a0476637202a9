//! Input that waits, within bounds. Pure.

use std::collections::VecDeque;

use super::keymap::is_printable;
use crate::protocol::input::InputEvent;

/// Events that may wait: more than a viewer makes in several seconds.
const CAPACITY: usize = 1024;
/// Bytes of text that may wait: the longest that the page pastes (256 Ki units of UTF-16).
const TEXT_BUDGET: usize = 768 * 1024;

/// Events in their order.
#[derive(Debug, Default)]
pub(super) struct Backlog {
    // overflow: moves replace the move before them, repeats of a key the repeat before them. Beyond the capacity the oldest event that releases nothing is
    // dropped; if all release something, one ReleaseAll takes their place. Text over the budget is refused, and what
    // follows it as well until none waits any more: a text ends early rather than lacking its middle. Characters that
    // are dropped are counted.
    events: VecDeque<InputEvent>,
    text_bytes: usize,
    refuses_text: bool,
    lost: u32,
}

impl Backlog {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &InputEvent> {
        self.events.iter()
    }

    /// The first one.
    pub(super) fn pop(&mut self) -> Option<InputEvent> {
        let event = self.events.pop_front()?;
        self.count_out(&event);
        Some(event)
    }

    /// Puts what was popped back to the front.
    pub(super) fn put_back(&mut self, event: InputEvent) {
        self.text_bytes += text_len(&event);
        self.events.push_front(event);
    }

    /// Takes a move out that may pass the text and the keys before it: where the pointer is says nothing about those.
    pub(super) fn pop_passing_move(&mut self) -> Option<InputEvent> {
        let waits = |e: &InputEvent| {
            matches!(
                e,
                InputEvent::Text(_) | InputEvent::Key { .. } | InputEvent::Repeat { .. }
            )
        };
        let first = self.events.iter().position(|e| !waits(e))?;
        if self.events.get(first).is_some_and(InputEvent::is_move) {
            self.events.remove(first)
        } else {
            None
        }
    }

    /// Drops everything but what releases something: it was meant by somebody who has no say any more.
    pub(super) fn forget(&mut self) {
        self.events.retain(releases);
        (self.text_bytes, self.refuses_text) = (0, false);
    }

    /// How many characters were dropped since the last call.
    pub(super) fn take_lost(&mut self) -> u32 {
        std::mem::take(&mut self.lost)
    }

    /// Puts an event at the end.
    pub(super) fn push(&mut self, event: InputEvent) {
        self.push_within(event, CAPACITY);
    }

    fn push_within(&mut self, event: InputEvent, capacity: usize) {
        match (self.events.back_mut(), &event) {
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
        let bytes = text_len(&event);
        if bytes > 0 {
            self.refuses_text &= self.text_bytes > 0;
            self.refuses_text |= self.text_bytes + bytes > TEXT_BUDGET || self.events.len() >= capacity;
            if self.refuses_text {
                self.count_lost(&event);
                return;
            }
        }
        if self.events.len() >= capacity {
            match self.events.iter().position(|e| !releases(e)) {
                Some(oldest) => {
                    if let Some(dropped) = self.events.remove(oldest) {
                        self.count_out(&dropped);
                        self.count_lost(&dropped);
                    }
                }
                None if releases(&event) => {
                    self.events.clear();
                    self.events.push_back(InputEvent::ReleaseAll);
                    return;
                }
                None => {
                    self.count_lost(&event);
                    return;
                }
            }
        }
        self.text_bytes += bytes;
        self.events.push_back(event);
    }

    fn count_out(&mut self, event: &InputEvent) {
        self.text_bytes = self.text_bytes.saturating_sub(text_len(event));
    }

    fn count_lost(&mut self, event: &InputEvent) {
        let characters = match event {
            InputEvent::Text(text) => u32::try_from(text.chars().count()).unwrap_or(u32::MAX),
            InputEvent::Key {
                pressed: true, keysym, ..
            } if is_printable(*keysym) => 1,
            _ => 0,
        };
        self.lost = self.lost.saturating_add(characters);
    }
}

fn text_len(event: &InputEvent) -> usize {
    match event {
        InputEvent::Text(text) => text.len(),
        _ => 0,
    }
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
            "[a-z]{1,9}".prop_map(InputEvent::Text),
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

    fn characters<'a>(events: impl IntoIterator<Item = &'a InputEvent>) -> u32 {
        events.into_iter().map(|e| text_len(e) as u32).sum()
    }

    proptest! {
        #[test]
        fn nothing_stays_down_that_was_released(events in prop::collection::vec(event(), 0..200), capacity in 1usize..20) {
            let mut backlog = Backlog::default();
            for event in &events {
                backlog.push_within(event.clone(), capacity);
                prop_assert!(backlog.len() <= capacity);
            }
            // Presses may be lost, so less may be down than was meant, but never more.
            prop_assert!(down(backlog.iter()).is_subset(&down(&events)));
            prop_assert_eq!(backlog.text_bytes as u32, characters(backlog.iter()));
            // Every character is there or was counted; a ReleaseAll takes the place of releases only.
            prop_assert_eq!(characters(backlog.iter()) + backlog.take_lost(), characters(&events));
            backlog.forget();
            prop_assert_eq!(backlog.text_bytes, 0);
            prop_assert!(backlog.iter().all(releases));
        }
    }

    #[test]
    fn a_text_that_is_too_long_ends_early_and_is_counted() {
        let mut backlog = Backlog::default();
        let piece = || InputEvent::Text("x".repeat(1024));
        for _ in 0..10_240 {
            backlog.push(piece());
        }
        assert_eq!(
            (backlog.len(), backlog.take_lost()),
            (768, (10_240 - 768) * 1024),
            "10 MiB"
        );
        // Room again, but its rest would stand in the wrong place.
        for _ in 0..700 {
            backlog.pop();
        }
        backlog.push(piece());
        assert_eq!((backlog.len(), backlog.take_lost()), (68, 1024));
        while backlog.pop().is_some() {}
        backlog.push(piece());
        assert_eq!((backlog.len(), backlog.take_lost()), (1, 0));
    }

    #[test]
    fn a_move_passes_text_that_waits_but_no_click() {
        let mut backlog = Backlog::default();
        let step = InputEvent::Move { x: 1, y: 1 };
        backlog.push(InputEvent::Text("漢".into()));
        assert_eq!(backlog.pop_passing_move(), None);
        backlog.push(step.clone());
        assert_eq!(backlog.pop_passing_move(), Some(step.clone()));
        backlog.push(InputEvent::Button {
            number: 0,
            pressed: true,
            x: 0,
            y: 0,
        });
        backlog.push(step);
        assert_eq!(backlog.pop_passing_move(), None);
    }
}
