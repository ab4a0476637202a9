//! What can go wrong in GStreamer.

/// Why pictures cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GstError {
    /// GStreamer itself does not start.
    #[error("gstreamer does not start: {0}")]
    Init(String),
    /// An element is not installed or cannot be made.
    #[error("element {element} is not usable: {reason}")]
    Missing {
        /// Its factory's name.
        element: String,
        /// Why.
        reason: String,
    },
    /// The pipeline does not start.
    #[error("the {element} pipeline does not start: {reason}")]
    Start {
        /// Its encoder.
        element: String,
        /// Why.
        reason: String,
    },
    /// An element posted an error.
    #[error("{element}: {reason}")]
    Failed {
        /// Which element.
        element: String,
        /// What it said.
        reason: String,
    },
    /// Pictures go in and nothing comes out.
    #[error("{element} gave nothing for {ms} ms")]
    Stalled {
        /// Its encoder.
        element: String,
        /// For how long.
        ms: u64,
    },
}

impl GstError {
    /// The stable code of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Init(_) => "gstreamer_init",
            Self::Missing { .. } => "encoder_missing",
            Self::Start { .. } => "encoder_start",
            Self::Failed { .. } => "encoder_failed",
            Self::Stalled { .. } => "encoder_stalled",
        }
    }

    /// What went wrong, for where the element is named already.
    #[must_use]
    pub fn said(&self) -> String {
        match self {
            Self::Init(reason)
            | Self::Missing { reason, .. }
            | Self::Start { reason, .. }
            | Self::Failed { reason, .. } => reason.clone(),
            Self::Stalled { ms, .. } => format!("gave nothing for {ms} ms"),
        }
    }
}
