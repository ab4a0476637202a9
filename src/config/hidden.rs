//! Secrets of the configuration: used, and never shown.

use std::fmt;

/// Fewer characters could be guessed, offline, from one credential.
const MIN: usize = 16;
const MAX: usize = 256;

/// A secret that appears in no message, no log line and no listing.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden(String);

impl Hidden {
    /// A secret of 16 to 256 visible ASCII characters without commas; `None` for any other text.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let fine = |c: char| c.is_ascii_graphic() && c != ',';
        ((MIN..=MAX).contains(&text.len()) && text.chars().all(fine)).then(|| Self(text.to_owned()))
    }

    /// The secret itself, for what is made with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The secrets in a file: one a line; empty lines, and those that begin with `#`, count for nothing. `None` when one of
/// them is none, or when there are none or more than two.
#[must_use]
pub fn in_file(text: &str) -> Option<Vec<Hidden>> {
    let lines = text.lines().map(str::trim);
    let secrets: Option<Vec<Hidden>> = lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(Hidden::new)
        .collect();
    secrets.filter(|secrets| (1..=2).contains(&secrets.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Hidden::new("0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.expose(), "0123456789abcdef");
    }

    #[test]
    fn what_is_short_or_has_spaces_is_no_secret() {
        for wrong in [
            "",
            "short",
            "0123456789 abcdef",
            "0123456789,abcdef",
            "0123456789abcdéf",
        ] {
            assert!(Hidden::new(wrong).is_none(), "{wrong}");
        }
        assert!(Hidden::new(&"x".repeat(257)).is_none());
    }

    #[test]
    fn a_file_has_one_secret_or_two_and_remarks() {
        let one = "0123456789abcdef";
        assert_eq!(in_file(&format!("# of coturn\n\n  {one}\n")).unwrap().len(), 1);
        assert_eq!(
            in_file(&format!("{one}\n{one}x\n")).unwrap()[1].expose(),
            format!("{one}x")
        );
        for wrong in [String::new(), "short".to_owned(), format!("{one}\n{one}\n{one}\n")] {
            assert!(in_file(&wrong).is_none(), "{wrong}");
        }
    }
}
