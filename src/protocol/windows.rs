//! The windows of an app, as those who steer it are told of them.

use serde::Serialize;

/// So many windows are told of.
pub const MAX_WINDOWS: usize = 32;
/// Characters of a title.
pub const MAX_TITLE: usize = 80;

/// One window that a user can switch to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WindowEntry {
    /// The display's number for it.
    pub id: u32,
    /// What the app calls it, made harmless; may be empty.
    pub title: String,
    /// The keys go to it, or to a dialog of it.
    pub active: bool,
    /// It is minimised.
    pub hidden: bool,
}

/// What is worth telling of these windows: nothing where there is nothing to choose.
#[must_use]
pub fn choice(mut windows: Vec<WindowEntry>) -> Vec<WindowEntry> {
    if windows.len() < 2 && !windows.iter().any(|window| window.hidden) {
        return Vec::new();
    }
    if let Some(active) = windows.iter().position(|w| w.active).filter(|at| *at >= MAX_WINDOWS) {
        // The one that is looked at is always named.
        windows.swap(MAX_WINDOWS - 1, active);
    }
    windows.truncate(MAX_WINDOWS);
    windows
}

/// A title of any bytes as a short line of text: no control characters, none that turn the direction of what follows.
#[must_use]
pub fn clean_title(text: &str) -> String {
    let mut clean = String::new();
    let mut length = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let mut word = word.chars().filter(|c| !turns(*c)).peekable();
        if word.peek().is_none() {
            continue;
        }
        if length > 0 {
            if length + 1 >= MAX_TITLE {
                clean.push('…');
                return clean;
            }
            clean.push(' ');
            length += 1;
        }
        for letter in word {
            if length >= MAX_TITLE {
                clean.push('…');
                return clean;
            }
            clean.push(letter);
            length += 1;
        }
    }
    clean
}

/// Characters without a shape that change how others are shown (Unicode Bidirectional Algorithm, section 2).
const fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn window(id: u32, active: bool, hidden: bool) -> WindowEntry {
        WindowEntry {
            id,
            title: String::new(),
            active,
            hidden,
        }
    }

    #[test]
    fn windows_are_told_of_where_there_is_something_to_choose() {
        assert_eq!(choice(Vec::new()), []);
        assert_eq!(choice(vec![window(1, true, false)]), []);
        let gone = vec![window(1, false, true)];
        assert_eq!(choice(gone.clone()), gone, "nothing else brings it back");
        let two = vec![window(1, true, false), window(2, false, false)];
        assert_eq!(choice(two.clone()), two);
    }

    #[test]
    fn of_very_many_windows_the_active_one_is_told_of() {
        let many: Vec<_> = (0..500).map(|id| window(id, id == 400, false)).collect();
        let told = choice(many);
        assert_eq!(told.len(), MAX_WINDOWS);
        assert!(told.iter().any(|w| w.id == 400 && w.active));
    }

    #[test]
    fn a_title_is_one_short_line() {
        assert_eq!(clean_title("  a\tb\r\nc\u{7}\u{0}d "), "a b c d");
        assert_eq!(clean_title("invoice\u{202e}fdp.exe"), "invoicefdp.exe");
        assert_eq!(clean_title("\u{202e} \u{feff}"), "");
        assert_eq!(clean_title("日本語 – ünï"), "日本語 – ünï");
        let long = clean_title(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), MAX_TITLE + 1);
        assert!(long.ends_with('…'));
        assert_eq!(clean_title("<b>&amp;"), "<b>&amp;", "pages show text as text");
    }

    proptest! {
        #[test]
        fn any_title_is_harmless(text in ".{0,300}") {
            let clean = clean_title(&text);
            prop_assert!(clean.chars().count() <= MAX_TITLE + 1);
            prop_assert!(!clean.chars().any(|c| c.is_control() || turns(c)));
            prop_assert_eq!(clean.trim(), clean.as_str());
        }
    }
}
