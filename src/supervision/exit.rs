//! Why a child ended.

use std::any::Any;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

/// Why a child ended: OTP's exit reasons, and two of our own.
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
    /// It panicked.
    Panic {
        /// What the panic said.
        message: String,
    },
    /// It was aborted (`brutal_kill`, or its shutdown timeout passed).
    Killed,
    /// It was alive but made no progress.
    Stalled,
    /// Something it depends on is gone; its own restart budget is not charged.
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

    /// Whether a restart after it is charged to the restart intensity.
    #[must_use]
    pub const fn is_counted(&self) -> bool {
        !matches!(self, Self::Dependency { .. })
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
            Self::Normal => f.write_str("normal"),
            Self::Shutdown => f.write_str("shutdown"),
            Self::Error { code, message } => write!(f, "{code}: {message}"),
            Self::Panic { message } => write!(f, "panic: {message}"),
            Self::Killed => f.write_str("killed"),
            Self::Stalled => f.write_str("stalled"),
            Self::Dependency { on } => write!(f, "depends on {on}"),
        }
    }
}

/// Where an actor leaves its exit reason before it stops; without one it ended normally.
#[derive(Clone, Debug, Default)]
pub struct ExitCell(Arc<Mutex<Option<ExitReason>>>);

impl ExitCell {
    /// Leaves the reason; the first one stays.
    pub fn set(&self, reason: ExitReason) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(reason);
    }

    pub(super) fn take(&self) -> Option<ExitReason> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
