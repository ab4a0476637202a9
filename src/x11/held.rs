//! What is down: the keys and buttons that were pressed for an instance and not yet released.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use super::lock;

/// What a viewer calls a key: its place on the keyboard, or its meaning where the place is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum KeyName {
    /// USB HID usage.
    Usage(u16),
    /// Keysym.
    Keysym(u32),
}

/// The table of what is down. Belongs to the instance and is shared by `Arc`, so that it outlives the thread that
/// injects: keys pressed by XTEST stay down when its connection is gone.
#[derive(Debug, Default)]
pub struct HeldInput {
    inner: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    keys: BTreeMap<KeyName, u8>,
    buttons: BTreeSet<u8>,
}

impl HeldInput {
    /// Nothing is down.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether nothing is down.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let held = lock(&self.inner);
        held.keys.is_empty() && held.buttons.is_empty()
    }

    /// A key went down as X keycode `code`. False if it is down already.
    pub(super) fn press_key(&self, name: KeyName, code: u8) -> bool {
        let mut held = lock(&self.inner);
        if held.keys.contains_key(&name) {
            return false;
        }
        held.keys.insert(name, code);
        true
    }

    /// A key goes up: the keycode to release, unless another key still holds the same one down.
    pub(super) fn release_key(&self, name: KeyName) -> Option<u8> {
        let mut held = lock(&self.inner);
        let code = held.keys.remove(&name)?;
        (!held.keys.values().any(|other| *other == code)).then_some(code)
    }

    /// The keycode by which a key is down, which is to be pressed once more: none if another key holds it down, too.
    pub(super) fn repeated_key(&self, name: KeyName) -> Option<u8> {
        let held = lock(&self.inner);
        let code = *held.keys.get(&name)?;
        (held.keys.values().filter(|other| **other == code).count() == 1).then_some(code)
    }

    /// A button changes; false if it is so already.
    pub(super) fn set_button(&self, button: u8, pressed: bool) -> bool {
        let mut held = lock(&self.inner);
        if pressed {
            held.buttons.insert(button)
        } else {
            held.buttons.remove(&button)
        }
    }

    /// Whether a key that was pressed by this name is down.
    pub(super) fn key_is_down(&self, name: KeyName) -> bool {
        lock(&self.inner).keys.contains_key(&name)
    }

    /// The keycodes that are down.
    pub(super) fn keycodes(&self) -> BTreeSet<u8> {
        lock(&self.inner).keys.values().copied().collect()
    }

    /// Empties the table: the keycodes and buttons that have to be released, the newest name first.
    pub(super) fn take_all(&self) -> (BTreeSet<u8>, BTreeSet<u8>) {
        let mut held = lock(&self.inner);
        let keys = std::mem::take(&mut held.keys).into_values().collect();
        (keys, std::mem::take(&mut held.buttons))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_key_is_released_by_the_code_that_was_pressed() {
        let held = HeldInput::new();
        assert!(held.press_key(KeyName::Usage(4), 38));
        assert!(!held.press_key(KeyName::Usage(4), 99), "it is down already");
        assert_eq!(held.repeated_key(KeyName::Usage(4)), Some(38));
        assert_eq!(held.release_key(KeyName::Usage(4)), Some(38));
        assert_eq!(held.release_key(KeyName::Usage(4)), None);
    }

    #[test]
    fn two_names_of_one_keycode_release_it_once() {
        let held = HeldInput::new();
        held.press_key(KeyName::Usage(4), 38);
        held.press_key(KeyName::Keysym(0x61), 38);
        assert_eq!(held.repeated_key(KeyName::Usage(4)), None);
        assert_eq!(held.release_key(KeyName::Usage(4)), None);
        assert_eq!(held.release_key(KeyName::Keysym(0x61)), Some(38));
        assert_eq!(held.repeated_key(KeyName::Usage(4)), None);
    }

    proptest! {
        #[test]
        fn releasing_all_releases_exactly_what_is_down(
            events in prop::collection::vec((0u8..6, any::<bool>(), any::<bool>()), 0..60),
        ) {
            let held = HeldInput::new();
            // What an X server that was sent the effects would hold.
            let mut keys = BTreeSet::new();
            let mut buttons = BTreeSet::new();
            for (n, key, pressed) in events {
                let name = KeyName::Usage(u16::from(n));
                match (key, pressed) {
                    (true, true) => if held.press_key(name, n / 2) { keys.insert(n / 2); },
                    (true, false) => if let Some(code) = held.release_key(name) { keys.remove(&code); },
                    (false, true) => if held.set_button(n, true) { buttons.insert(n); },
                    (false, false) => if held.set_button(n, false) { buttons.remove(&n); },
                }
            }
            prop_assert_eq!(held.take_all(), (keys, buttons));
            prop_assert!(held.is_empty());
        }
    }
}
