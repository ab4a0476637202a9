//! Handing over to another binary: the instances live on, the process id and the listening socket stay.
//!
//! ```text
//! serving ── upgrade asked for ──▶ checking ── it starts ──▶ letting go ──▶ exec ──▶ serving
//!    ▲                                │ it does not: refused, nothing has happened
//!    └────────────────────────────────┘          it does not serve: the one before follows (`super::handback`)
//! ```
//!
//! The new binary is tried first, as this user with these arguments, and with the listening socket: `serve --check`
//! ([`super::check`]) refuses all that `serve` would, and says what it speaks. A binary that speaks another keeper protocol is refused: it could not
//! adopt what runs. Connections that come between the two wait in the listener's backlog.

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::socket::{getsockopt, sockopt};
use serde::{Deserialize, Serialize};

use crate::protocol::{capture, keeper};

/// Names the listening socket's descriptor to the next binary.
pub(super) const LISTENER: &str = "HELIOSTAT_LISTENER";
/// Trying every encoder takes a second or two.
pub const CHECK_WITHIN: Duration = Duration::from_secs(30);
/// As much of what a refused binary wrote is told.
const MAX_SAID: usize = 500;
/// Who asks for an upgrade writes here which binary it is to be.
const REQUEST: &str = "upgrade.json";
/// What this host is, for who waits for the next one.
const STATUS: &str = "host.json";

/// Why a binary was not handed over to.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// It cannot be run at all.
    #[error("{0} cannot be run")]
    Run(PathBuf, #[source] std::io::Error),
    /// It did not say in time that it would start.
    #[error("{0} did not say within {limit} s that it would start", limit = CHECK_WITHIN.as_secs())]
    Timeout(PathBuf),
    /// It would not start.
    #[error("{program} would not start: {said}")]
    WouldNotStart {
        /// Which.
        program: PathBuf,
        /// What it said.
        said: String,
    },
    /// It is something else.
    #[error("{0} is not a heliostat that can be handed over to")]
    NotHeliostat(PathBuf),
    /// It would serve another state folder, and leave the instances alone.
    #[error("{program} would serve the state folder {theirs}, and not {ours}; the configuration has changed")]
    OtherState {
        /// Which.
        program: PathBuf,
        /// Its folder.
        theirs: PathBuf,
        /// That of the instances.
        ours: PathBuf,
    },
    /// It could not adopt the instances.
    #[error("{program} speaks keeper protocol {theirs}, the instances speak {ours}; end them first")]
    Protocol {
        /// Which.
        program: PathBuf,
        /// Its version.
        theirs: u32,
        /// That of the keepers that run.
        ours: u32,
    },
}

impl HandoverError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Run(..) => "upgrade_not_executable",
            Self::Timeout(_) => "upgrade_timeout",
            Self::WouldNotStart { .. } => "upgrade_would_not_start",
            Self::NotHeliostat(_) => "upgrade_not_heliostat",
            Self::OtherState { .. } => "upgrade_other_state",
            Self::Protocol { .. } => "upgrade_protocol",
        }
    }
}

/// What `serve --check` says on standard output when all is well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The program's version.
    pub heliostat: String,
    /// The version of what it says to keepers.
    pub keeper_protocol: u32,
    /// The version of what it says to capture processes.
    pub capture_protocol: u16,
    /// The state folder that it would serve, where there is one already. Earlier versions do not say.
    #[serde(default)]
    pub state: Option<PathBuf>,
}

impl Check {
    /// What this binary says.
    #[must_use]
    pub fn own(state: Option<PathBuf>) -> Self {
        Self {
            heliostat: env!("CARGO_PKG_VERSION").to_owned(),
            keeper_protocol: keeper::VERSION,
            capture_protocol: capture::VERSION,
            state,
        }
    }
}

/// What a host is, as it notes it in its state folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostNote {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// Its binary.
    pub program: PathBuf,
    /// When it began to serve, ms since 1970.
    pub since_ms: i64,
    /// How many upgrades it has refused.
    pub refusals: u32,
    /// Why it refused the latest one.
    pub refused: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct UpgradeRequest {
    program: PathBuf,
}

impl HostNote {
    /// This host, which begins to serve.
    #[must_use]
    pub fn own(program: &Path) -> Self {
        Self {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            program: program.to_owned(),
            since_ms: crate::clock::unix_ms(),
            refusals: 0,
            refused: None,
        }
    }

    /// Writes it down. A failure is logged: who waits for it then waits in vain.
    pub fn write(&self, state: &Path) {
        if let Err(error) = write_json(state, STATUS, self) {
            log::warn!("{STATUS} cannot be written: {error}");
        }
    }

    /// What the host of this state folder wrote.
    ///
    /// # Errors
    /// It cannot be read, or is none.
    pub fn read(state: &Path) -> std::io::Result<Self> {
        Ok(serde_json::from_slice(&std::fs::read(state.join(STATUS))?)?)
    }
}

/// Notes which binary the next upgrade is to be to.
///
/// # Errors
/// It cannot be written.
pub fn ask_for(state: &Path, program: &Path) -> std::io::Result<()> {
    let program = program.to_owned();
    write_json(state, REQUEST, &UpgradeRequest { program })
}

/// The binary that was asked for; `own` where nobody named one. Asked for once.
#[must_use]
pub fn asked_for(state: &Path, own: &Path) -> PathBuf {
    let path = state.join(REQUEST);
    let asked = std::fs::read(&path)
        .ok()
        .and_then(|text| serde_json::from_slice::<UpgradeRequest>(&text).ok());
    let _ = std::fs::remove_file(path);
    asked.map_or_else(|| own.to_owned(), |request| request.program)
}

/// Writes a file of the state folder, whole or not at all.
///
/// # Errors
/// It cannot be written.
pub(super) fn write_json(state: &Path, name: &str, value: &impl Serialize) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = state.join(format!("{name}.new"));
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    serde_json::to_writer(file, value)?;
    std::fs::rename(fresh, state.join(name))
}

/// Tries whether `program` would start with these arguments, as the host was started with them, and serve the state folder
/// `ours`, listening at `listener`.
///
/// # Errors
/// [`HandoverError`].
pub async fn check(
    program: &Path,
    arguments: &[OsString],
    ours: &Path,
    listener: Option<&TcpListener>,
) -> Result<(), HandoverError> {
    let mut command = tokio::process::Command::new(program);
    command
        .args(arguments)
        .arg("--check")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    if let Some(listener) = listener {
        let number = listener.as_raw_fd();
        command.env(LISTENER, number.to_string());
        // SAFETY: fcntl(2) is all that is called between fork and exec; the descriptor is open as long as the borrow.
        unsafe {
            command.pre_exec(move || {
                fcntl(BorrowedFd::borrow_raw(number), FcntlArg::F_SETFD(FdFlag::empty()))?;
                Ok(())
            });
        }
    }
    let child = command.spawn().map_err(|e| HandoverError::Run(program.to_owned(), e))?;
    let output = tokio::time::timeout(CHECK_WITHIN, child.wait_with_output())
        .await
        .map_err(|_| HandoverError::Timeout(program.to_owned()))?
        .map_err(|e| HandoverError::Run(program.to_owned(), e))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said: String = said.trim().chars().take(MAX_SAID).collect();
        return Err(HandoverError::WouldNotStart {
            program: program.to_owned(),
            said: format!("{}: {said}", output.status),
        });
    }
    let said: Check =
        serde_json::from_slice(&output.stdout).map_err(|_| HandoverError::NotHeliostat(program.to_owned()))?;
    if let Some(theirs) = said.state.as_ref().filter(|theirs| *theirs != ours) {
        return Err(HandoverError::OtherState {
            program: program.to_owned(),
            theirs: theirs.clone(),
            ours: ours.to_owned(),
        });
    }
    if said.keeper_protocol != keeper::VERSION {
        return Err(HandoverError::Protocol {
            program: program.to_owned(),
            theirs: said.keeper_protocol,
            ours: keeper::VERSION,
        });
    }
    Ok(())
}

/// Becomes what `command` says, in this very process. Everything else has to be let go before. Comes back only with an error.
#[must_use]
pub fn become_it(mut command: std::process::Command, listener: &(impl AsFd + AsRawFd)) -> std::io::Error {
    let prepared = fcntl(listener, FcntlArg::F_SETFD(FdFlag::empty())).and_then(|_| {
        // Until the next one listens to them, they must not end it. What is ignored stays so over an exec.
        // SAFETY: ignoring a signal runs no handler.
        unsafe {
            signal(Signal::SIGUSR2, SigHandler::SigIgn)?;
            signal(Signal::SIGHUP, SigHandler::SigIgn)
        }
    });
    if let Err(error) = prepared {
        return error.into();
    }
    command.env(LISTENER, listener.as_raw_fd().to_string()).exec()
}

/// Another descriptor of the socket that the binary before this one listened to, whatever becomes of the one it left.
#[must_use]
pub fn listener_of_environment() -> Option<OwnedFd> {
    let number: i32 = std::env::var(LISTENER).ok()?.parse().ok().filter(|n| *n > 2)?;
    // SAFETY: only looked at and copied here; one that is not open or no listening socket is refused.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    if !getsockopt(&borrowed, sockopt::AcceptConn).unwrap_or(false) {
        return None;
    }
    borrowed.try_clone_to_owned().ok()
}

/// What the binary before this one left of its listening.
#[derive(Debug)]
pub enum Handed {
    /// A socket for this address.
    Listener(TcpListener),
    /// Something else.
    Another,
    /// There was none.
    Nothing,
}

/// The listening socket of the binary before this one, if it left one for this address.
#[must_use]
pub fn inherited(address: SocketAddr) -> Handed {
    match std::env::var(LISTENER) {
        Ok(number) => handed(&number, address).map_or(Handed::Another, Handed::Listener),
        Err(_) => Handed::Nothing,
    }
}

fn handed(number: &str, address: SocketAddr) -> Option<TcpListener> {
    let number: i32 = number.parse().ok().filter(|n| *n > 2)?;
    // SAFETY: only looked at here; one that is not open or no listening socket is refused.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl(borrowed, FcntlArg::F_GETFD).ok()?;
    // Everything that this program opens itself is closed on exec: without the flag it was handed down.
    if flags & libc::FD_CLOEXEC != 0 || !getsockopt(&borrowed, sockopt::AcceptConn).unwrap_or(false) {
        return None;
    }
    fcntl(borrowed, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC)).ok()?;
    // SAFETY: it was handed down for this, and nothing else here knows of it.
    let listener = TcpListener::from(unsafe { OwnedFd::from_raw_fd(number) });
    let bound = listener.local_addr().ok()?;
    let fits = bound.ip() == address.ip() && (address.port() == 0 || bound.port() == address.port());
    listener.set_nonblocking(true).ok()?;
    fits.then_some(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(text: &str) -> (tempfile::TempDir, PathBuf) {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        (folder, path)
    }

    async fn refused(text: &str) -> &'static str {
        let (_folder, program) = script(text);
        check(&program, &["serve".into()], Path::new("/state"), None)
            .await
            .unwrap_err()
            .code()
    }

    #[tokio::test]
    async fn only_a_binary_that_would_start_and_speaks_the_same_is_handed_over_to() {
        let own = serde_json::to_string(&Check::own(Some("/state".into()))).unwrap();
        let (_folder, program) = script(&format!("[ \"$*\" = 'serve --check' ] && echo '{own}'"));
        check(&program, &["serve".into()], Path::new("/state"), None)
            .await
            .unwrap();
        assert_eq!(refused("echo no config >&2; exit 1").await, "upgrade_would_not_start");
        assert_eq!(refused("exit 0").await, "upgrade_not_heliostat");
        let other = own.replace(
            &format!("\"keeper_protocol\":{}", keeper::VERSION),
            "\"keeper_protocol\":999",
        );
        assert_eq!(refused(&format!("echo '{other}'")).await, "upgrade_protocol");
        let elsewhere = own.replace("/state", "/elsewhere");
        assert_eq!(refused(&format!("echo '{elsewhere}'")).await, "upgrade_other_state");
        let missing = check(Path::new("/nonexistent/heliostat"), &[], Path::new("/state"), None).await;
        assert_eq!(missing.unwrap_err().code(), "upgrade_not_executable");
    }

    #[tokio::test]
    async fn who_is_tried_has_the_listening_socket_and_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = serde_json::to_string(&Check::own(None)).unwrap();
        let (_folder, program) = script(&format!(
            "case $(readlink /proc/$$/fd/$HELIOSTAT_LISTENER) in socket:*) echo '{own}';; *) exit 1;; esac"
        ));
        let state = Path::new("/state");
        check(&program, &[], state, Some(&listener)).await.unwrap();
        let without = check(&program, &[], state, None).await;
        assert_eq!(without.unwrap_err().code(), "upgrade_would_not_start");
        let flags = fcntl(&listener, FcntlArg::F_GETFD).unwrap();
        assert_ne!(flags & libc::FD_CLOEXEC, 0);
    }

    #[test]
    fn an_upgrade_is_asked_for_once() {
        let state = tempfile::tempdir().unwrap();
        let own = Path::new("/usr/bin/heliostat");
        assert_eq!(asked_for(state.path(), own), own);
        ask_for(state.path(), Path::new("/opt/new")).unwrap();
        assert_eq!(asked_for(state.path(), own), Path::new("/opt/new"));
        assert_eq!(asked_for(state.path(), own), own);
    }

    #[test]
    fn a_host_is_known_by_its_note() {
        let state = tempfile::tempdir().unwrap();
        assert!(HostNote::read(state.path()).is_err());
        let note = HostNote::own(Path::new("/usr/bin/heliostat"));
        note.write(state.path());
        assert_eq!(HostNote::read(state.path()).unwrap(), note);
    }
}
