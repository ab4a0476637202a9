//! What a check found.

use serde::Serialize;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Nothing that keeps instances from being launched.
    Note,
    /// Keeps instances, or the host, from starting.
    Problem,
}

impl Level {
    /// The word that the report begins the line with.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Problem => "problem",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How bad it is.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Finding {
    fn new(check: &'static str, level: Level, text: impl Into<String>) -> Self {
        Self {
            check,
            level,
            text: text.into(),
            hint: None,
        }
    }

    /// As it should be.
    pub fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Ok, text)
    }

    /// Odd, or missing without harm.
    pub fn note(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Note, text)
    }

    /// Has to be mended.
    pub fn problem(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, Level::Problem, text)
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
