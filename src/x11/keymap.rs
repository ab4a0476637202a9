//! The keymap of the X server: which key makes a keysym. Pure.
//!
//! These are the keys that keyboards have. Those that none has belong to [`super::bindings`] and are left out here, so
//! that commands (Control and a letter) are never made by a character that only stands on one of those: Control and a
//! letter of another script goes by its place, where this keymap has the Latin letter.

use super::bindings::Slot;

/// Keysyms of the modifiers that change what other keys mean.
pub(super) const SHIFT_L: u32 = 0xffe1;
const SHIFT_R: u32 = 0xffe2;
/// Switches to the third level of a key, as `AltGr` does.
pub(super) const LEVEL_THREE: u32 = 0xfe03;
/// Keysyms of the locks and level shifts that a viewer's keyboard has already applied to the keysyms that it sends.
const APPLIED: [u32; 6] = [0xffe5, 0xffe6, 0xff7f, 0xfe03, 0xff7e, 0xfe11];

/// A key and the modifiers it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stroke {
    pub(super) code: u8,
    /// `None` if Shift makes no difference.
    pub(super) shift: Option<bool>,
    /// With the key of the third level.
    pub(super) level_three: bool,
}

impl Stroke {
    /// A key of the layout.
    pub(super) const fn new(code: u8, shift: Option<bool>) -> Self {
        Self {
            code,
            shift,
            level_three: false,
        }
    }

    /// A key that no keyboard has.
    pub(super) const fn of(slot: Slot) -> Self {
        Self {
            code: slot.code,
            shift: Some(slot.level & 1 != 0),
            level_three: slot.level & 2 != 0,
        }
    }

    /// Which slot it makes.
    pub(super) const fn slot(self) -> Slot {
        let shift = matches!(self.shift, Some(true));
        Slot {
            code: self.code,
            level: shift as u8 | (self.level_three as u8) << 1,
        }
    }
}

/// A copy of the server's table.
#[derive(Debug, Default)]
pub(super) struct Keymap {
    first: u8,
    per_code: usize,
    keysyms: Vec<u32>,
}

impl Keymap {
    /// From the reply to `GetKeyboardMapping`: keysyms of each keycode from `first` on, `per_code` each; `without` those
    /// that are not the layout's.
    pub(super) fn new(first: u8, per_code: u8, mut keysyms: Vec<u32>, without: &[u8]) -> Self {
        let per_code = usize::from(per_code.max(1));
        for index in without.iter().filter_map(|code| code.checked_sub(first)) {
            let start = usize::from(index) * per_code;
            keysyms
                .iter_mut()
                .skip(start)
                .take(per_code)
                .for_each(|keysym| *keysym = 0);
        }
        Self {
            first,
            per_code,
            keysyms,
        }
    }

    fn codes(&self) -> impl Iterator<Item = (u8, &[u32])> {
        (self.first..=u8::MAX).zip(self.keysyms.chunks_exact(self.per_code))
    }

    /// The keysyms without and with Shift of a keycode, by the rules of the X protocol ("Keyboards").
    fn levels(keysyms: &[u32]) -> (u32, u32) {
        let plain = keysyms.first().copied().unwrap_or(0);
        let shifted = keysyms.get(1).copied().unwrap_or(0);
        match (shifted, u8::try_from(plain)) {
            (0, Ok(letter)) if letter.is_ascii_lowercase() => (plain, plain - 0x20),
            (0, _) => (plain, plain),
            _ => (plain, shifted),
        }
    }

    /// How to make `keysym`: by the key `preferred` if it can, else by the first that can.
    pub(super) fn find(&self, keysym: u32, preferred: Option<u8>) -> Option<Stroke> {
        let stroke = |(code, keysyms): (u8, &[u32])| {
            let (plain, shifted) = Self::levels(keysyms);
            match (plain == keysym, shifted == keysym) {
                (true, true) => Some(Stroke::new(code, None)),
                (true, false) => Some(Stroke::new(code, Some(false))),
                (false, true) => Some(Stroke::new(code, Some(true))),
                (false, false) => None,
            }
        };
        let liked = self.codes().find(|(code, _)| Some(*code) == preferred).and_then(stroke);
        // A key that needs no Shift first: there is less to undo.
        liked
            .or_else(|| self.codes().filter_map(stroke).find(|s| s.shift != Some(true)))
            .or_else(|| self.codes().find_map(stroke))
    }

    /// The keycodes of the Shift keys.
    pub(super) fn shift_codes(&self) -> Vec<u8> {
        let shift = |keysyms: &[u32]| keysyms.first().is_some_and(|k| matches!(*k, SHIFT_L | SHIFT_R));
        self.codes()
            .filter(|(_, keysyms)| shift(keysyms))
            .map(|(code, _)| code)
            .collect()
    }
}

/// Whether a keysym is something printed, as opposed to a function, a modifier or a dead key.
pub(super) const fn is_printable(keysym: u32) -> bool {
    matches!(keysym, 0x20..=0x7e | 0xa0..=0xff | 0x100..=0x20ff | 0x0100_0100..=0x0110_ffff)
}

/// Whether a key has done its work when its keysym arrives: Caps Lock, Num Lock, `AltGr`.
pub(super) fn is_applied(keysym: u32) -> bool {
    APPLIED.contains(&keysym)
}

/// The keysym of a character (X protocol, appendix A): Latin-1 as it is, the others by their code point. `None` for
/// control characters without a key.
pub(super) fn keysym_of(character: char) -> Option<u32> {
    match (character, u32::from(character)) {
        ('\n' | '\r', _) => Some(0xff0d),
        ('\t', _) => Some(0xff09),
        ('\u{8}', _) => Some(0xff08),
        ('\u{1b}', _) => Some(0xff1b),
        ('\u{7f}', _) => Some(0xffff),
        (_, point @ (0x20..=0x7e | 0xa0..=0xff)) => Some(point),
        (_, 0..=0x9f) => None,
        (_, point) => Some(0x0100_0000 | point),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 8: a, 9: 1 !, 10: nothing, 11: Shift, 12: !, 13: nothing.
    fn keymap() -> Keymap {
        Keymap::new(8, 2, vec![0x61, 0, 0x31, 0x21, 0, 0, SHIFT_L, 0, 0x21, 0x3f, 0, 0], &[])
    }

    #[test]
    fn a_letter_without_a_second_keysym_has_its_capital_with_shift() {
        assert_eq!(keymap().find(0x41, None), Some(Stroke::new(8, Some(true))));
        assert_eq!(keymap().find(0x61, None), Some(Stroke::new(8, Some(false))));
        assert_eq!(keymap().shift_codes(), [11]);
    }

    #[test]
    fn the_key_that_was_really_pressed_is_preferred() {
        assert_eq!(keymap().find(0x21, Some(9)), Some(Stroke::new(9, Some(true))));
        assert_eq!(keymap().find(0x21, Some(8)), Some(Stroke::new(12, Some(false))));
        assert_eq!(keymap().find(0xe9, Some(8)), None);
    }

    #[test]
    fn keys_that_are_not_the_layouts_are_left_out() {
        let keymap = Keymap::new(8, 2, vec![0x61, 0, 0xe9, 0xc9, 0x62, 0], &[9, 200, 3]);
        assert_eq!(keymap.find(0xe9, None), None);
        assert_eq!(keymap.find(0x62, None), Some(Stroke::new(10, Some(false))));
    }

    #[test]
    fn a_level_is_reached_by_its_modifiers() {
        let modifiers = |level| {
            let stroke = Stroke::of(Slot { code: 9, level });
            (stroke.shift, stroke.level_three)
        };
        assert_eq!(modifiers(0), (Some(false), false));
        assert_eq!(modifiers(1), (Some(true), false));
        assert_eq!(modifiers(2), (Some(false), true));
        assert_eq!(modifiers(3), (Some(true), true));
    }

    #[test]
    fn characters_have_keysyms() {
        assert_eq!(keysym_of('é'), Some(0xe9));
        assert_eq!(keysym_of('€'), Some(0x0100_20ac));
        assert_eq!(keysym_of('\n'), Some(0xff0d));
        assert_eq!(keysym_of('\u{1}'), None);
        assert!(is_printable(0x0100_20ac) && is_printable(0x06d1) && !is_printable(0xff0d));
    }
}
