//! `heliostat stop`, `upgrade` and `token`: what is asked of a host that runs already.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::control_socket::{Answer, DEADLINE, Request, SOCKET};
use super::handover::{self, HostNote};
use super::token;
use crate::config::Config;
use crate::folders::{StateDir, StateDirError};

/// A host drains for at most 15 s.
const STOP_DEADLINE: Duration = Duration::from_secs(40);
/// The new binary is tried, instances are let go of, and it starts.
const UPGRADE_DEADLINE: Duration = Duration::from_secs(90);
/// One request is answered after the other.
const ANSWER_DEADLINE: Duration = DEADLINE.saturating_mul(3);
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
    /// The new binary cannot be named to it.
    #[error("the new binary {0} cannot be named to the host")]
    Binary(PathBuf, #[source] std::io::Error),
    /// It goes on as it was.
    #[error("the host goes on as it was: {0}")]
    Refused(String),
    /// The new one does not serve.
    #[error("no new host serves after {seconds} s; its log says more", seconds = UPGRADE_DEADLINE.as_secs())]
    NotUpgraded,
    /// The token.
    #[error("the token cannot be replaced")]
    Token(#[source] std::io::Error),
    /// The state folder.
    #[error(transparent)]
    State(StateDirError),
    /// It runs and does not answer.
    #[error("the host does not answer at its socket {SOCKET}")]
    Unanswered(#[source] std::io::Error),
    /// It answers that it cannot.
    #[error("the host refuses: {0}")]
    TokenRefused(String),
}

impl ControlError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotRunning(_) => "not_running",
            Self::Signal(..) => "not_signalled",
            Self::Timeout(_) => "not_stopped",
            Self::Binary(..) => "upgrade_binary",
            Self::Refused(_) => "upgrade_refused",
            Self::NotUpgraded => "not_upgraded",
            Self::Token(_) => "token",
            Self::State(error) => error.code(),
            Self::Unanswered(_) => "control_unanswered",
            Self::TokenRefused(_) => "token_refused",
        }
    }
}

fn user_of(state: &Path) -> Option<i32> {
    StateDir::user_of(state).ok().flatten()
}

fn running(state: &Path) -> Result<i32, ControlError> {
    user_of(state).ok_or_else(|| ControlError::NotRunning(state.display().to_string()))
}

fn send(pid: i32, signal: Signal) -> Result<(), ControlError> {
    kill(Pid::from_raw(pid), signal).map_err(|e| ControlError::Signal(pid, e))
}

/// Asks the host to end and waits until it has let go of its state folder.
///
/// # Errors
/// [`ControlError`].
pub fn stop(state: &Path) -> Result<(), ControlError> {
    let pid = running(state)?;
    send(pid, Signal::SIGTERM)?;
    let until = Instant::now() + STOP_DEADLINE;
    while user_of(state) == Some(pid) {
        if Instant::now() > until {
            return Err(ControlError::Timeout(pid));
        }
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Asks the host to hand over to a new binary and waits until that serves; says what serves now.
///
/// # Errors
/// [`ControlError`].
pub fn upgrade(state: &Path, binary: Option<&Path>) -> Result<String, ControlError> {
    let pid = running(state)?;
    let before = HostNote::read(state).ok();
    if let Some(binary) = binary {
        let named = std::fs::canonicalize(binary).and_then(|path| handover::ask_for(state, &path));
        named.map_err(|e| ControlError::Binary(binary.to_owned(), e))?;
    }
    send(pid, Signal::SIGUSR2)?;
    let until = Instant::now() + UPGRADE_DEADLINE;
    while Instant::now() < until {
        std::thread::sleep(LOOK);
        let Ok(now) = HostNote::read(state) else { continue };
        // First: it may be this one again, after the next.
        if before.as_ref().map_or(0, |b| b.refusals) < now.refusals {
            return Err(ControlError::Refused(now.refused.unwrap_or_default()));
        }
        if before.as_ref().is_none_or(|b| b.since_ms != now.since_ms) {
            return Ok(format!("heliostat {} serves, pid {}", now.version, now.pid));
        }
        if user_of(state).is_none() {
            // Between the two nobody has the folder for a moment; longer means that it has ended.
            std::thread::sleep(LOOK * 100);
            running(state)?;
        }
    }
    Err(ControlError::NotUpgraded)
}

/// An address that signs one browser in: with a ticket of the running host, which says where it is, or with another token in
/// the place of the one there was, from the running host or, where none runs, for the next one. Only one that runs can end
/// its instances.
///
/// # Errors
/// [`ControlError`].
pub fn address(config: &Config, wish: Request) -> Result<String, ControlError> {
    let state = &config.server.state;
    match user_of(state) {
        Some(_) => ask(state, wish),
        None if wish == (Request::Rotate { end: false }) => {
            // Held until it is written, so that no host starts meanwhile with the former one.
            let _lock = StateDir::open(state).map_err(ControlError::State)?;
            let secret = token::replace(state).map_err(ControlError::Token)?;
            Ok(token::address(&config.server, Some(&secret)))
        }
        None => Err(ControlError::NotRunning(state.display().to_string())),
    }
}

fn ask(state: &Path, request: Request) -> Result<String, ControlError> {
    match exchange(state, request).map_err(ControlError::Unanswered)? {
        Answer::Address(address) => Ok(address),
        Answer::Error(why) => Err(ControlError::TokenRefused(why)),
    }
}

fn exchange(state: &Path, request: Request) -> std::io::Result<Answer> {
    let mut stream = UnixStream::connect(state.join(SOCKET))?;
    stream.set_read_timeout(Some(ANSWER_DEADLINE))?;
    stream.set_write_timeout(Some(ANSWER_DEADLINE))?;
    let mut line = serde_json::to_string(&request)?;
    line.push('\n');
    stream.write_all(line.as_bytes())?;
    let mut said = String::new();
    BufReader::new(stream).read_line(&mut said)?;
    Ok(serde_json::from_str(&said)?)
}
