//! When an app counts as started.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The sign by which an app is known to be ready.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Ready {
    /// The first mapped window has drawn.
    #[default]
    Window,
    /// Something listens on this TCP port of loopback.
    Tcp(u16),
    /// A line of the app's output matches this regular expression (crate `regex`; known to compile).
    Log(String),
    /// This command, given to `/bin/sh -c` in the app's environment, exits 0.
    Command(String),
}

/// The longest expression or command, in bytes.
const LONGEST: usize = 4096;
/// The most memory one compiled expression may take, in bytes.
const REGEX_SIZE: usize = 1 << 20;

impl Ready {
    /// Reads `window`, `tcp:PORT`, `log:REGEX` or `command:COMMAND`; `None` for anything else, an expression that
    /// does not compile included.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text == "window" {
            return Some(Self::Window);
        }
        let (kind, rest) = text.split_once(':')?;
        if rest.trim().is_empty() || rest.len() > LONGEST || rest.contains('\0') {
            return None;
        }
        match kind {
            "tcp" => rest.parse().ok().filter(|port| *port > 0).map(Self::Tcp),
            "log" => {
                regex::RegexBuilder::new(rest).size_limit(REGEX_SIZE).build().ok()?;
                Some(Self::Log(rest.to_owned()))
            }
            "command" => Some(Self::Command(rest.to_owned())),
            _ => None,
        }
    }
}

impl TryFrom<String> for Ready {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text).ok_or_else(|| format!("{text:?} is no sign of readiness"))
    }
}

impl From<Ready> for String {
    fn from(ready: Ready) -> Self {
        ready.to_string()
    }
}

impl fmt::Display for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Window => f.write_str("window"),
            Self::Tcp(port) => write!(f, "tcp:{port}"),
            Self::Log(regex) => write!(f, "log:{regex}"),
            Self::Command(command) => write!(f, "command:{command}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_four_forms_are_read() {
        assert_eq!(Ready::parse("window"), Some(Ready::Window));
        assert_eq!(Ready::parse("tcp:5900"), Some(Ready::Tcp(5900)));
        assert_eq!(
            Ready::parse("log:^ready: [0-9]+$"),
            Some(Ready::Log("^ready: [0-9]+$".to_owned()))
        );
        assert_eq!(
            Ready::parse("command:test -e /tmp/x"),
            Some(Ready::Command("test -e /tmp/x".to_owned()))
        );
    }

    #[test]
    fn other_forms_and_broken_contents_are_refused() {
        for wrong in [
            "",
            "windows",
            "tcp:",
            "tcp:0",
            "tcp:70000",
            "log:(",
            "log:",
            "command: ",
            "http:80",
            "log:a{9999999}",
        ] {
            assert_eq!(Ready::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_written_the_same(text in "(tcp|log|command|window|\\PC{0,5}):?\\PC{0,40}") {
            if let Some(ready) = Ready::parse(&text) {
                prop_assert_eq!(Ready::parse(&ready.to_string()), Some(ready));
            }
        }
    }
}
