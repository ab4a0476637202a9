//! What a key means together with Control, Alt or Meta, and which level of the keypad a keysym needs. Pure.

/// Usages of the row of digits, 1 to 0.
const DIGIT_ROW: std::ops::RangeInclusive<u16> = 0x1e..=0x27;

/// How a key of a command is to be pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chord {
    /// This letter, with Shift as it is: Control+Shift+C is no Control+C.
    Letter(u32),
    /// This character, with Shift only as far as the display's keymap needs it: Shift is part of making it.
    Character,
    /// Whatever the display's keymap has at the key's place.
    Place,
}

/// The key with this place and meaning, while a command is held.
pub(super) fn chord(usage: u16, keysym: u32, shift: bool) -> Chord {
    match character(keysym) {
        // Of an alphabet that programs know no commands in: they want the Latin letter of the same key.
        None => Chord::Place,
        // A French keyboard has its digits on Shift, and their commands without.
        Some(other) if DIGIT_ROW.contains(&usage) && !shift && !other.is_ascii_digit() => Chord::Place,
        Some(letter) if letter.is_alphabetic() => {
            let mut lower = letter.to_lowercase();
            match (lower.next(), lower.next()) {
                (Some(lower), None) => Chord::Letter(super::keymap::keysym_of(lower).unwrap_or(keysym)),
                _ => Chord::Letter(keysym),
            }
        }
        Some(_) => Chord::Character,
    }
}

/// The character of a keysym whose script has commands of its own: Latin, digits, punctuation, symbols.
fn character(keysym: u32) -> Option<char> {
    let point = match keysym {
        0x20..=0x7e | 0xa0..=0xff => keysym,
        0x0100_0100..=0x0110_ffff => keysym - 0x0100_0000,
        0x20ac => 0x20ac,
        _ => return None,
    };
    matches!(point, 0x20..=0x24f | 0x1e00..=0x1eff | 0x2000..=0x2bff)
        .then(|| char::from_u32(point))
        .flatten()
}

/// Whether a keysym of the keypad is one of those that Num Lock makes (digits, the decimal point) or one of those without
/// it (arrows, End, …); `None` for all other keysyms.
pub(super) const fn keypad_level(keysym: u32) -> Option<bool> {
    match keysym {
        0xff95..=0xff9f => Some(false),
        0xffac | 0xffae | 0xffb0..=0xffb9 => Some(true),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_commands_are_those_of_the_viewers_layout_and_other_alphabets_go_by_place() {
        // French Control+Z on the place of W, Caps Lock, German ö, Shift+Ö; then с, λ, ש.
        assert_eq!(chord(0x1a, 0x7a, false), Chord::Letter(0x7a));
        assert_eq!(chord(0x06, 0x43, false), Chord::Letter(0x63));
        assert_eq!(chord(0x33, 0xf6, false), Chord::Letter(0xf6));
        assert_eq!(chord(0x33, 0xd6, true), Chord::Letter(0xf6));
        for keysym in [0x0100_0441, 0x06d3, 0x0100_03bb, 0x0100_05e9] {
            assert_eq!(chord(0x06, keysym, false), Chord::Place, "{keysym:#x}");
        }
    }

    #[test]
    fn shift_belongs_to_a_character_and_not_to_the_command() {
        // German + and Shift+7, French & and Shift+&.
        assert_eq!(chord(0x30, 0x2b, false), Chord::Character);
        assert_eq!(chord(0x24, 0x2f, true), Chord::Character);
        assert_eq!(chord(0x1e, 0x26, false), Chord::Place);
        assert_eq!(chord(0x27, 0xe0, false), Chord::Place, "à");
        assert_eq!(chord(0x1e, 0x31, true), Chord::Character);
        assert_eq!(chord(0x27, 0x30, false), Chord::Character);
    }

    #[test]
    fn the_keypad_has_two_levels() {
        for (keysym, level) in [
            (0xffb1, Some(true)),
            (0xffae, Some(true)),
            (0xff9c, Some(false)),
            (0xff9f, Some(false)),
            (0xffab, None),
            (0xff8d, None),
            (0x31, None),
        ] {
            assert_eq!(keypad_level(keysym), level, "{keysym:#x}");
        }
    }
}
