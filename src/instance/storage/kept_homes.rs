//! Emptying the home that a session keeps of an app: the way on when it has outgrown its limit.

use tokio::task::spawn_blocking;

use crate::ids::SessionId;
use crate::instance::manager::Manager;

/// Why a kept home is not emptied.
#[derive(Debug, thiserror::Error)]
pub enum KeptHomeError {
    /// Somebody works in it.
    #[error("an instance of this app runs, terminate it first")]
    Busy,
    /// It cannot be removed.
    #[error("the kept home cannot be emptied: {0}")]
    Files(#[source] std::io::Error),
}

impl KeptHomeError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "busy",
            Self::Files(_) => "setup_failed",
        }
    }
}

impl Manager {
    /// Empties what a session keeps of an app. Nothing there is fine.
    ///
    /// # Errors
    /// [`KeptHomeError`].
    pub async fn empty_home(&self, owner: SessionId, app: String) -> Result<(), KeptHomeError> {
        let busy = |facts: crate::source::Facts| facts.failure.is_none() && !facts.ended;
        let mine = self.of_session(owner).into_iter();
        if mine
            .filter(|instance| instance.spec().app() == app)
            .any(|instance| busy(instance.shared.facts.get()))
        {
            return Err(KeptHomeError::Busy);
        }
        let apps = self.services().apps.clone();
        let emptied = spawn_blocking(move || apps.empty_kept_home(owner, &app)).await;
        emptied
            .unwrap_or_else(|panic| Err(std::io::Error::other(panic)))
            .map_err(KeptHomeError::Files)
    }
}
