//! `heliostat stop`, `upgrade` and `token`: what is asked of a host that runs already.

use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::token;
use crate::config::{Config, StateDir};

/// A host drains for at most 15 s.
const STOP_DEADLINE: Duration = Duration::from_secs(40);
/// Between two looks at whether it is gone.
const LOOK: Duration = Duration::from_millis(50);

/// Why a running host could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// None runs on this state folder.
    #[error("no host runs on the state folder {0}")]
    NotRunning(String),
    /// It cannot be signalled.
    #[error("the host (pid {0}) cannot be signalled")]
    Signal(i32, #[source] nix::Error),
    /// It did not end.
    #[error("the host (pid {0}) did not end within {seconds} s", seconds = STOP_DEADLINE.as_secs())]
    Timeout(i32),
    /// The token.
    #[error("the token cannot be read")]
    Token(#[source] std::io::Error),
}

/// Asks the host for `signal` and waits until it has let go of its state folder.
///
/// # Errors
/// [`ControlError`].
pub fn stop(state: &Path, signal: Signal) -> Result<(), ControlError> {
    let user = || StateDir::user_of(state).ok().flatten();
    let pid = user().ok_or_else(|| ControlError::NotRunning(state.display().to_string()))?;
    kill(Pid::from_raw(pid), signal).map_err(|e| ControlError::Signal(pid, e))?;
    let until = Instant::now() + STOP_DEADLINE;
    while user() == Some(pid) {
        if Instant::now() > until {
            return Err(ControlError::Timeout(pid));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// The address of the host with its token.
///
/// # Errors
/// [`ControlError::Token`].
pub fn address(config: &Config) -> Result<String, ControlError> {
    let token = token::load(&config.server.state).map_err(ControlError::Token)?;
    Ok(token::address(config.server.listen, Some(&token)))
}
