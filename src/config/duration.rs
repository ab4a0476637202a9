//! Durations as people write them: `250ms`, `8s`, `30min`, `12h`, `30d`, `1h30min`, and `0`.

use std::time::Duration;

/// What [`parse`] takes, in words.
pub const FORM: &str = "a duration such as 250ms, 8s, 30min, 12h, 30d or 1h30min";

const UNITS: [(&str, u64); 9] = [
    ("ms", 1),
    ("min", 60_000),
    ("m", 60_000),
    ("sec", 1_000),
    ("s", 1_000),
    ("hour", 3_600_000),
    ("h", 3_600_000),
    ("day", 86_400_000),
    ("d", 86_400_000),
];

/// Reads a duration: numbers each followed by a unit, largest first by custom but not by force; a bare `0` needs no
/// unit. Any other number without a unit is refused, because nobody can know what was meant.
#[must_use]
pub fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let mut rest = text;
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (_, millis) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters])?;
        total = total.checked_add(number.checked_mul(*millis)?)?;
        rest = rest[letters..].trim_start();
    }
    (!text.is_empty()).then(|| Duration::from_millis(total))
}

/// Writes a duration in the form that [`parse`] reads, to the millisecond.
#[must_use]
pub fn format(duration: Duration) -> String {
    let mut millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0".to_owned();
    }
    let mut text = String::new();
    for (unit, size) in [
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ] {
        if millis >= size {
            text.push_str(&format!("{}{unit}", millis / size));
            millis %= size;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_usual_forms_are_read() {
        for (text, millis) in [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("8s", 8_000),
            (" 30min ", 1_800_000),
            ("30 min", 1_800_000),
            ("1h30min", 5_400_000),
            ("2d 1s", 172_801_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_number_without_a_unit_or_an_unknown_unit_is_refused() {
        for text in [
            "",
            " ",
            "8",
            "s",
            "-8s",
            "8 weeks",
            "1.5s",
            "8s8",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format(duration)), Some(duration));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
