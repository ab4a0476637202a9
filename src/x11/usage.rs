//! Physical keys: USB HID usages (HID Usage Tables, page 7) as evdev key codes (`linux/input-event-codes.h`).

/// Evdev code of each usage from 0x04 (A) to 0x65 (Compose); 0 = none.
const FIRST: [u8; 98] = [
    30, 48, 46, 32, 18, 33, 34, 35, 23, 36, 37, 38, 50, 49, 24, 25, 16, 19, 31, 20, 22, 47, 17, 45, 21,
    44, // A to Z
    2, 3, 4, 5, 6, 7, 8, 9, 10, 11, // 1 to 0
    28, 1, 14, 15, 57, // Enter, Escape, Backspace, Tab, Space
    12, 13, 26, 27, 43, 43, 39, 40, 41, 51, 52, 53, // - = [ ] \ # ; ' ` , . /
    58, // Caps Lock
    59, 60, 61, 62, 63, 64, 65, 66, 67, 68, 87, 88, // F1 to F12
    99, 70, 119, // Print, Scroll Lock, Pause
    110, 102, 104, 111, 107, 109, // Insert, Home, Page Up, Delete, End, Page Down
    106, 105, 108, 103, // Right, Left, Down, Up
    69, 98, 55, 74, 78, 96, // Num Lock, keypad / * - + Enter
    79, 80, 81, 75, 76, 77, 71, 72, 73, 82, 83, // keypad 1 to 0 and .
    86, 127, // the key between Shift and Z, Compose
];

/// Evdev code of each usage from 0xE0 (left Control) to 0xE7 (right Meta).
const MODIFIERS: [u8; 8] = [29, 42, 56, 125, 97, 54, 100, 126];

/// Evdev codes of some others.
const OTHERS: [(u16, u8); 28] = [
    (0x67, 117), // keypad =
    (0x68, 183), // F13 to F24
    (0x69, 184),
    (0x6a, 185),
    (0x6b, 186),
    (0x6c, 187),
    (0x6d, 188),
    (0x6e, 189),
    (0x6f, 190),
    (0x70, 191),
    (0x71, 192),
    (0x72, 193),
    (0x73, 194),
    (0x75, 138), // Help
    (0x76, 139), // Menu
    (0x7a, 131), // Undo
    (0x7b, 137), // Cut
    (0x7c, 133), // Copy
    (0x7d, 135), // Paste
    (0x7e, 136), // Find
    (0x7f, 113), // Mute
    (0x80, 115), // Volume up
    (0x81, 114), // Volume down
    (0x85, 121), // keypad ,
    (0x87, 89),  // Ro
    (0x88, 93),  // Katakana/Hiragana
    (0x89, 124), // Yen
    (0x8a, 92),  // Henkan
];

/// The X keycode of a physical key, if it has one.
#[must_use]
pub(super) fn keycode(usage: u16) -> Option<u8> {
    let evdev = match usage {
        0x04..=0x65 => FIRST[usize::from(usage - 0x04)],
        0xe0..=0xe7 => MODIFIERS[usize::from(usage - 0xe0)],
        other => OTHERS.iter().find(|(usage, _)| *usage == other)?.1,
    };
    // X keycodes begin at 8, and the kernel's are shifted by that.
    Some(evdev + 8)
}

/// Whether a physical key of a viewer has this keycode.
pub(super) fn reachable(code: u8) -> bool {
    (0..=0xe7).any(|usage| keycode(usage) == Some(code))
}

/// The usages of Control, Alt and Meta, either side: with one of these down a key is a command, not text.
pub(super) const COMMAND_USAGES: [u16; 6] = [0xe0, 0xe2, 0xe3, 0xe4, 0xe6, 0xe7];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_keys_have_their_codes() {
        // As `xev` shows them with the evdev rules.
        for (usage, code) in [
            (0x04, 38),
            (0x1d, 52),
            (0x27, 19),
            (0x28, 36),
            (0x2c, 65),
            (0x4f, 114),
            (0x52, 111),
        ] {
            assert_eq!(keycode(usage), Some(code), "{usage:#x}");
        }
        for (usage, code) in [
            (0x64, 94),
            (0xe0, 37),
            (0xe1, 50),
            (0xe6, 108),
            (0xe7, 134),
            (0x63, 91),
            (0x62, 90),
        ] {
            assert_eq!(keycode(usage), Some(code), "{usage:#x}");
        }
    }

    #[test]
    fn every_usage_gives_a_legal_keycode_or_none() {
        assert!((0..=u16::MAX).filter_map(keycode).all(|code| code >= 9));
        assert_eq!(keycode(0), None);
        assert_eq!(keycode(0xffff), None);
    }
}
