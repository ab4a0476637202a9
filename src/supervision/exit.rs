//! Why a child ended: the closed set of exit reasons, and the cell a child writes its own into.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use tokio::task::JoinError;

/// Why a child ended: OTP's exit reasons, and two of our own. Supervisors decide on this alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum ExitReason {
    /// Its work is done.
    Normal,
    /// Its supervisor asked it to stop, and it did.
    Shutdown,
    /// It gave up.
    Error {
        /// A stable word.
        code: String,
        /// A sentence for people.
        message: String,
    },
    /// It, or a task linked to it, panicked.
    Panic {
        /// What the panic said.
        message: String,
    },
    /// It was aborted (`brutal_kill`, or its shutdown timeout passed).
    Killed,
    /// It was alive but made no progress, and was aborted.
    Stalled,
    /// Something it depends on is gone; no restart budget is charged.
    Dependency {
        /// What is gone: `display_lost`, `keeper_gone`, …
        on: String,
    },
}

impl ExitReason {
    /// An error with its stable word.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Error {
            code: code.into(),
            message: message.into(),
        }
    }

    /// The loss of something that the child depends on.
    pub fn dependency(on: impl Into<String>) -> Self {
        Self::Dependency { on: on.into() }
    }

    /// Whether a `transient` child that ends so is started again.
    #[must_use]
    pub const fn is_abnormal(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown)
    }

    /// Whether a restart after it is charged to the restart intensity or the child's budget.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        !matches!(self, Self::Dependency { .. })
    }

    /// The stable word: the error's own code, what a dependency exit misses, or the kind.
    #[must_use]
    pub fn code(&self) -> &str {
        match self {
            Self::Normal => "normal",
            Self::Shutdown => "shutdown",
            Self::Error { code, .. } => code,
            Self::Dependency { on } => on,
            Self::Panic { .. } => "panic",
            Self::Killed => "killed",
            Self::Stalled => "stalled",
        }
    }

    /// What a panic said.
    pub(super) fn from_panic(payload: &(dyn Any + Send)) -> Self {
        let message = payload
            .downcast_ref::<&str>()
            .map(|s| (*s).to_owned())
            .or_else(|| payload.downcast_ref::<String>().cloned())
            .unwrap_or_else(|| "a panic without a text".to_owned());
        Self::Panic { message }
    }
}

impl fmt::Display for ExitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error { code, message } => write!(f, "{code}: {message}"),
            Self::Panic { message } => write!(f, "panic: {message}"),
            Self::Dependency { on } => write!(f, "depends on {on}"),
            other => f.write_str(other.code()),
        }
    }
}

/// Where a child leaves its exit reason before it stops; without one it ended normally.
///
/// The first reason stands, except that a panic replaces what is no panic.
#[derive(Clone, Debug, Default)]
pub struct ExitCell(Arc<Mutex<Option<ExitReason>>>);

impl ExitCell {
    /// Leaves the reason.
    pub fn set(&self, reason: ExitReason) {
        let mut cell = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_panic = |r: &ExitReason| matches!(r, ExitReason::Panic { .. });
        if cell.as_ref().is_none_or(|now| is_panic(&reason) && !is_panic(now)) {
            *cell = Some(reason);
        }
    }

    pub(super) fn get(&self) -> Option<ExitReason> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// The reason of an ended task: panic, then cancellation, then what the child wrote, then `Normal`. `killed_as` is
/// why its monitor aborted it, if it did.
pub(super) fn resolve(
    joined: Result<(), JoinError>,
    cell: Option<ExitReason>,
    killed_as: Option<ExitReason>,
) -> ExitReason {
    match (joined, cell) {
        (_, Some(panic @ ExitReason::Panic { .. })) => panic,
        (Err(error), _) if error.is_panic() => ExitReason::from_panic(error.into_panic().as_ref()),
        (Err(_), _) => killed_as.unwrap_or(ExitReason::Killed),
        (Ok(()), reason) => reason.unwrap_or(ExitReason::Normal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panic(message: &str) -> ExitReason {
        ExitReason::Panic {
            message: message.into(),
        }
    }

    #[test]
    fn the_first_reason_stands_but_a_panic_replaces_it() {
        let cell = ExitCell::default();
        cell.set(ExitReason::Shutdown);
        cell.set(ExitReason::Stalled);
        assert_eq!(cell.get(), Some(ExitReason::Shutdown));
        cell.set(panic("one"));
        cell.set(panic("two"));
        cell.set(ExitReason::Normal);
        assert_eq!(cell.get(), Some(panic("one")));
    }

    #[tokio::test]
    async fn a_panic_beats_a_kill_which_beats_the_cell_which_beats_normal() {
        let killed = || async {
            let task = tokio::spawn(std::future::pending::<()>());
            task.abort();
            task.await
        };
        let error = || Some(ExitReason::error("e", ""));
        assert_eq!(resolve(killed().await, Some(panic("p")), None), panic("p"));
        assert_eq!(resolve(killed().await, error(), None), ExitReason::Killed);
        assert_eq!(
            resolve(killed().await, error(), Some(ExitReason::Stalled)),
            ExitReason::Stalled
        );
        assert_eq!(resolve(Ok(()), error(), None).code(), "e");
        assert_eq!(resolve(Ok(()), None, None), ExitReason::Normal);
    }

    #[test]
    fn a_reason_is_serialised_with_its_kind_and_what_belongs_to_it() {
        let json = serde_json::to_string(&ExitReason::dependency("display_lost")).unwrap();
        assert_eq!(json, r#"{"reason":"dependency","on":"display_lost"}"#);
    }
}
