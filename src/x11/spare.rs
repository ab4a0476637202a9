//! Spare keys that are bound to keysyms which the keymap lacks.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::keymap::Keymap;

/// A key that was bound is left alone for this long: a program that has not read its last event yet would take it for
/// the new meaning.
const REST: Duration = Duration::from_millis(150);

/// Which spare keys were bound, the longest ago first.
#[derive(Debug, Default)]
pub(super) struct SpareKeys {
    bound: Vec<(u8, Instant)>,
}

impl SpareKeys {
    /// A key to bind next, and how long to wait before: one that means nothing, else the one that was bound longest
    /// ago and is not held. Pure.
    pub(super) fn choose(&self, keymap: &Keymap, held: &BTreeSet<u8>, now: Instant) -> Option<(u8, Duration)> {
        if let Some(code) = keymap.spare().into_iter().find(|code| !held.contains(code)) {
            return Some((code, Duration::ZERO));
        }
        let (code, at) = self.bound.iter().find(|(code, _)| !held.contains(code))?;
        Some((*code, (*at + REST).saturating_duration_since(now)))
    }

    /// A key was bound at `now`.
    pub(super) fn bound(&mut self, code: u8, now: Instant) {
        self.bound.retain(|(other, _)| *other != code);
        self.bound.push((code, now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_bound_longest_ago_is_bound_again_after_a_rest() {
        let mut keymap = Keymap::new(8, 1, vec![0x61, 0, 0]);
        let mut spare = SpareKeys::default();
        let now = Instant::now();
        let none = BTreeSet::new();
        for wanted in [10, 9] {
            let (code, wait) = spare.choose(&keymap, &none, now).unwrap();
            assert_eq!((code, wait), (wanted, Duration::ZERO));
            keymap.bind(code, 0xe9);
            spare.bound(code, now);
        }
        assert_eq!(spare.choose(&keymap, &none, now), Some((10, REST)));
        assert_eq!(
            spare.choose(&keymap, &BTreeSet::from([10]), now + REST),
            Some((9, Duration::ZERO))
        );
        assert_eq!(spare.choose(&keymap, &BTreeSet::from([9, 10]), now), None);
    }
}
