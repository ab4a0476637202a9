//! From key codes to keysyms and characters, by the rules of the core protocol (X11 protocol, "Keyboards").

/// F9, as all of these from `keysymdef.h`.
pub const KEYSYM_F9: u32 = 0xffc6;
/// F10.
pub const KEYSYM_F10: u32 = 0xffc7;
/// F12.
pub const KEYSYM_F12: u32 = 0xffc9;
/// Keysym of the Backspace key.
pub const KEYSYM_BACKSPACE: u32 = 0xff08;
/// Keysym of the Return key.
pub const KEYSYM_RETURN: u32 = 0xff0d;

const STATE_SHIFT: u16 = 1;
const STATE_LOCK: u16 = 2;
const STATE_NUM: u16 = 1 << 4;
const STATE_MODE: u16 = 1 << 7;

/// A copy of the server's keyboard mapping.
#[derive(Debug, Default)]
pub struct Keymap {
    first: u8,
    per_key: usize,
    keysyms: Vec<u32>,
}

impl Keymap {
    /// `keysyms` as GetKeyboardMapping answers: `per_key` keysyms for each key code from `first` on.
    pub fn new(first: u8, per_key: u8, keysyms: Vec<u32>) -> Self {
        Self {
            first,
            per_key: usize::from(per_key),
            keysyms,
        }
    }

    fn row(&self, code: u8) -> &[u32] {
        let at = usize::from(code).saturating_sub(usize::from(self.first)) * self.per_key;
        if code < self.first {
            return &[];
        }
        self.keysyms.get(at..at + self.per_key).unwrap_or(&[])
    }

    /// The keysym of a key under the modifiers of `state` (the event's `state` field); 0 when it has none.
    pub fn keysym(&self, code: u8, state: u16) -> u32 {
        let row = self.row(code);
        let at = |i: usize| row.get(i).copied().unwrap_or(0);
        // Mod5 is ISO_Level3_Shift on the servers' layouts, columns 4 and 5 of the core mapping.
        let base = if state & STATE_MODE != 0 && at(4) != 0 { 4 } else { 0 };
        let (plain, shifted) = (at(base), if at(base + 1) == 0 { at(base) } else { at(base + 1) });
        let shift = state & STATE_SHIFT != 0;
        let keypad = (0xff80..=0xffbd).contains(&shifted);
        let upper = if keypad {
            shift != (state & STATE_NUM != 0)
        } else if state & STATE_LOCK != 0 && is_cased(plain, shifted) {
            !shift
        } else {
            shift
        };
        if upper { shifted } else { plain }
    }
}

fn is_cased(plain: u32, shifted: u32) -> bool {
    match (character(plain), character(shifted)) {
        (Some(p), Some(s)) => p != s && p.to_uppercase().eq(s.to_uppercase()),
        _ => false,
    }
}

/// The character a keysym types; `None` for function keys and modifiers.
///
/// Latin-1 and Unicode keysyms (`0x01000000 + code point`), the keypad and the euro sign; the other legacy sets are
/// not known.
pub fn character(keysym: u32) -> Option<char> {
    match keysym {
        0x20..=0x7e | 0xa0..=0xff => char::from_u32(keysym),
        0x20ac => Some('€'),
        0xffaa..=0xffb9 => char::from_u32(keysym - 0xff80),
        0x0100_0100..=0x0110_ffff => char::from_u32(keysym - 0x0100_0000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> Keymap {
        // 38: a A, 10: 1 !, 90: KP_Insert KP_0, 26: e E - - EuroSign EuroSign
        let mut keysyms = vec![0; 6 * 248];
        for (code, row) in [
            (38_usize, [0x61, 0x41, 0x61, 0x41, 0, 0]),
            (10, [0x31, 0x21, 0, 0, 0, 0]),
            (90, [0xff9e, 0xffb0, 0, 0, 0, 0]),
            (26, [0x65, 0x45, 0x65, 0x45, 0x20ac, 0x20ac]),
        ] {
            keysyms[(code - 8) * 6..(code - 8) * 6 + 6].copy_from_slice(&row);
        }
        Keymap::new(8, 6, keysyms)
    }

    #[test]
    fn shift_lock_and_num_lock_choose_the_keysym() {
        let map = map();
        let typed = |code, state| character(map.keysym(code, state));
        assert_eq!(typed(38, 0), Some('a'));
        assert_eq!(typed(38, STATE_SHIFT), Some('A'));
        assert_eq!(typed(38, STATE_LOCK), Some('A'));
        assert_eq!(typed(38, STATE_LOCK | STATE_SHIFT), Some('a'));
        assert_eq!(typed(10, STATE_LOCK), Some('1'), "caps lock leaves digits alone");
        assert_eq!(typed(10, STATE_SHIFT), Some('!'));
        assert_eq!(typed(90, STATE_NUM), Some('0'));
        assert_eq!(typed(90, 0), None);
        assert_eq!(typed(26, STATE_MODE), Some('€'));
    }

    #[test]
    fn unknown_keys_type_nothing() {
        assert_eq!(map().keysym(3, 0), 0);
        assert_eq!(map().keysym(255, 0), 0);
        assert_eq!(Keymap::default().keysym(38, 0), 0);
        assert_eq!(character(KEYSYM_F12), None);
        assert_eq!(character(0x0110_0000 + 0xffff), Some('\u{10ffff}'));
        assert_eq!(character(0x0100_d800), None);
        assert_eq!(character(0x0100_4e2d), Some('中'));
    }
}
