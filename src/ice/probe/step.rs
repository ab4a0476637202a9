//! What came of one part of a check.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::error::ProbeError;

/// One part of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// `connect`, `binding`, `allocation`, `relay`, `life` or `refusal`.
    pub step: &'static str,
    /// Whether it works.
    pub ok: bool,
    /// `ok`, or why not: the code of a [`ProbeError`].
    pub code: &'static str,
    /// The same in words.
    pub text: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<&'static str>,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl Step {
    /// The step of this name, from what it came to and when it began.
    #[must_use]
    pub fn new(step: &'static str, outcome: Result<String, &ProbeError>, began: Instant) -> Self {
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match outcome {
            Ok(text) => Self {
                step,
                ok: true,
                code: "ok",
                text,
                hint: None,
                ms,
            },
            Err(error) => Self {
                step,
                ok: false,
                code: error.code(),
                text: error.to_string(),
                hint: Some(error.hint()),
                ms,
            },
        }
    }
}

/// A time in words: `600 s`, or `1 h` where it is whole hours.
pub(super) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        0 => format!("{} ms", time.as_millis()),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s => format!("{s} s"),
    }
}
