//! A process in a bubblewrap sandbox: the descriptors it is made with, and who is who in it.
//!
//! ```text
//! keeper ─▶ bwrap (our child: its exit is the program's) ─▶ bwrap (first of the process namespace) ─▶ the program
//!       └─▶ the companion, where there is one: ready before the program starts, hung up on when the sandbox ends
//! ```
//!
//! The namespace ends with its first process, that one with our child (`--die-with-parent`), and our child with us.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{Pid, read};

use super::super::proc::{Identity, Process};
use super::super::seccomp;
use super::child::Plan;
use super::spawn::{Marking, NotStarted, foreign, launch, move_up, no_descriptors, pipe, texts};
use crate::protocol::keeper::{Companion, Failure, FailureCode, Filter, Sandbox};

const STATUS_FD: RawFd = 5;
const SECCOMP_FD: RawFd = 6;
const BLOCK_FD: RawFd = 7;
const SYNC_FD: RawFd = 8;
/// What a companion is given.
const READY_FD: RawFd = 3;
const HANGUP_FD: RawFd = 4;
const OWNER_FD: RawFd = 5;
/// `NS_GET_USERNS` (`ioctl_ns(2)`): the user namespace that owns another one.
const NS_GET_USERNS: libc::Ioctl = 0xb701;

/// A sandbox stands within a few milliseconds; its network takes a tenth of a second. The keeper waits that long.
const READY_WITHIN: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// As much of what bubblewrap says is passed on.
const MAX_SAID: usize = 600;
/// A path of the companion's, nothing else of the machine.
const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What is inside a sandbox that stands.
#[derive(Debug)]
pub(super) struct Inside {
    /// The program; none if it ended at once.
    pub app: Option<Identity>,
    /// The first process of the namespace.
    pub first: i32,
    /// What serves it.
    pub companion: Option<i32>,
    /// Bubblewrap tells an exit here, and would die of a closed pipe.
    _status: OwnedFd,
}

/// The descriptors that a sandbox is made with: ours, and its.
#[derive(Debug)]
pub(super) struct Fabric {
    status: (OwnedFd, OwnedFd),
    seccomp: OwnedFd,
    /// Its reading end is bubblewrap's.
    block: Option<(OwnedFd, OwnedFd)>,
    /// Its writing end is bubblewrap's.
    sync: Option<(OwnedFd, OwnedFd)>,
}

impl Fabric {
    pub(super) fn new(sandbox: &Sandbox) -> io::Result<Self> {
        let served = sandbox.companion.is_some();
        let block = || {
            let (its, ours) = io_pipe()?;
            io::Result::Ok((ours, move_up(its.as_fd())?))
        };
        Ok(Self {
            status: pipe()?,
            seccomp: filter(sandbox.filter)?,
            block: served.then(block).transpose()?,
            sync: served.then(pipe).transpose()?,
        })
    }

    /// The whole command line.
    pub(super) fn arguments(&self, sandbox: &Sandbox, command: impl Iterator<Item = String>) -> Vec<String> {
        let mut argv = sandbox.argv.clone();
        let mut fd = |option: &str, number: RawFd| argv.extend([option.to_owned(), number.to_string()]);
        fd("--json-status-fd", STATUS_FD);
        fd("--seccomp", SECCOMP_FD);
        if self.block.is_some() {
            fd("--block-fd", BLOCK_FD);
            fd("--sync-fd", SYNC_FD);
        }
        argv.push("--".to_owned());
        argv.extend(sandbox.inner.iter().cloned().chain(command));
        argv
    }

    /// What bubblewrap finds under which number.
    pub(super) fn given(&self) -> Vec<(RawFd, RawFd)> {
        let block = self.block.as_ref().map(|(_, its)| (its.as_raw_fd(), BLOCK_FD));
        let sync = self.sync.as_ref().map(|(_, its)| (its.as_raw_fd(), SYNC_FD));
        let status = (self.status.1.as_raw_fd(), STATUS_FD);
        let seccomp = (self.seccomp.as_raw_fd(), SECCOMP_FD);
        [status, seccomp].into_iter().chain(block).chain(sync).collect()
    }

    /// Waits until the sandbox stands and its program runs.
    pub(super) fn finish(
        self,
        outer: Pid,
        sandbox: &Sandbox,
        marking: &Marking<'_>,
        output_end: &OwnedFd,
        output: &OwnedFd,
    ) -> Result<Inside, Failure> {
        let until = Instant::now() + READY_WITHIN;
        let (status, its) = self.status;
        drop((its, self.seccomp));
        let mut said = Vec::new();
        let broken = |why: &str| {
            let words = words(output);
            let words = if words.is_empty() { why.to_owned() } else { words };
            Failure::new(
                FailureCode::SandboxFailed,
                format!("the sandbox cannot be made: {words}"),
            )
        };
        let first = loop {
            if let Some(pid) = number_after(&said, "\"child-pid\":") {
                break pid;
            }
            if !await_more(&status, until) || !more(&status, &mut said) {
                return Err(broken("bubblewrap says nothing"));
            }
        };
        let companion = match (&sandbox.companion, self.sync) {
            (Some(companion), Some((hangup, its))) => {
                drop(its);
                let pid = serve(companion, first, marking, output_end, hangup, until)?;
                Some(pid)
            }
            _ => None,
        };
        if let Some((go, its)) = self.block {
            drop(its);
            // Whoever would not hear it is dead, which is seen below.
            let _ = File::from(go).write(b"1");
        }
        loop {
            if let Some(app) = child_of(first) {
                return Ok(Inside {
                    app: Some(app),
                    first,
                    companion,
                    _status: status,
                });
            }
            let lives = Process::read(outer.as_raw()).is_some_and(|process| process.alive);
            if !lives {
                while more(&status, &mut said) {}
                // Told only if the program was executed.
                return match number_after(&said, "\"exit-code\":") {
                    Some(_) => Ok(Inside {
                        app: None,
                        first,
                        companion,
                        _status: status,
                    }),
                    None => Err(broken("bubblewrap ended")),
                };
            }
            if Instant::now() >= until {
                return Err(broken("it was not ready in time"));
            }
            sleep(LOOK_EVERY);
        }
    }
}

/// The files and the network of a sandbox, to be entered by another process.
pub(super) fn namespaces(app: Identity) -> io::Result<Vec<OwnedFd>> {
    let open = |name: &str| move_up(File::open(format!("/proc/{}/ns/{name}", app.pid))?.as_fd());
    let found = vec![open("net")?, open("mnt")?];
    // The descriptors are the program's only if it lived on until now.
    if app.lives() {
        Ok(found)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

/// Starts the companion and waits for its word.
fn serve(
    companion: &Companion,
    first: i32,
    marking: &Marking<'_>,
    output: &OwnedFd,
    hangup: OwnedFd,
    until: Instant,
) -> Result<i32, Failure> {
    let failed = |why: String| Failure::new(FailureCode::SandboxFailed, format!("no network for the sandbox: {why}"));
    let owner = owner_of_network(first).map_err(|error| failed(error.to_string()))?;
    // Who owns the network is root in it only once it is said who is who.
    while fs::read_to_string(format!("/proc/{first}/uid_map")).is_ok_and(|map| map.is_empty()) && Instant::now() < until
    {
        sleep(LOOK_EVERY);
    }
    let hangup = move_up(hangup.as_fd()).map_err(no_descriptors)?;
    let (ready, ready_end) = pipe().map_err(no_descriptors)?;
    let mut plan = Plan {
        programs: texts([companion.argv[0].clone()])?,
        argv: texts(companion.argv.iter().cloned())?,
        env: texts(
            [PATH.to_owned(), format!("HELIOSTAT_SANDBOX_PID={first}")]
                .into_iter()
                .chain(marking.variables().map(|(name, value)| format!("{name}={value}"))),
        )?,
        cwd: c"/".to_owned(),
        user: foreign(companion.user),
        given: vec![
            (ready_end.as_raw_fd(), READY_FD),
            (hangup.as_raw_fd(), HANGUP_FD),
            (owner.as_raw_fd(), OWNER_FD),
        ],
        ..Plan::new(output.as_raw_fd())
    };
    let pid = launch(&mut plan).map_err(|error| match error {
        NotStarted::Said(_, errno) => failed(format!("{}: {errno}", companion.argv[0])),
        NotStarted::System(text) => failed(text),
    })?;
    drop(ready_end);
    let mut said = Vec::new();
    if await_more(&ready, until) && more(&ready, &mut said) {
        return Ok(pid.as_raw());
    }
    let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    Err(failed(format!("{} was not ready in time", companion.argv[0])))
}

fn owner_of_network(pid: i32) -> io::Result<OwnedFd> {
    let network = File::open(format!("/proc/{pid}/ns/net"))?;
    // SAFETY: plain system call; a non-negative result is a new descriptor that nobody else owns.
    let owner = unsafe {
        match libc::ioctl(network.as_raw_fd(), NS_GET_USERNS) {
            fd if fd >= 0 => OwnedFd::from_raw_fd(fd),
            _ => return Err(io::Error::last_os_error()),
        }
    };
    move_up(owner.as_fd())
}

/// The filter as a file that bubblewrap reads to its end.
fn filter(filter: Filter) -> io::Result<OwnedFd> {
    let (reading, writing) = io_pipe()?;
    let program = seccomp::program(filter);
    // Far less than a pipe holds.
    File::from(writing).write_all(&program)?;
    move_up(reading.as_fd())
}

fn io_pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// The first child of a process.
fn child_of(pid: i32) -> Option<Identity> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    match children {
        Ok(text) => Identity::of(text.split_ascii_whitespace().next()?.parse().ok()?),
        // A kernel without this file.
        Err(_) => Process::all()
            .into_iter()
            .find(|process| process.parent == pid)
            .map(|process| process.identity),
    }
}

fn await_more(fd: &OwnedFd, until: Instant) -> bool {
    let ms = until.saturating_duration_since(Instant::now()).as_millis();
    let timeout = PollTimeout::try_from(ms).unwrap_or(PollTimeout::MAX);
    let fd: BorrowedFd<'_> = fd.as_fd();
    matches!(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], timeout), Ok(1..))
}

/// Reads once; false at the end, or where nothing is there now.
fn more(fd: &OwnedFd, said: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 1024];
    match read(fd, &mut buffer) {
        Ok(count) => {
            said.extend_from_slice(&buffer[..count]);
            count > 0
        }
        Err(_) => false,
    }
}

/// What bubblewrap complained of.
fn words(output: &OwnedFd) -> String {
    let mut said = Vec::new();
    while said.len() < MAX_SAID && more(output, &mut said) {}
    said.truncate(MAX_SAID);
    String::from_utf8_lossy(&said).trim().replace('\n', " · ")
}

/// The number that follows a key in bubblewrap's JSON.
fn number_after(text: &[u8], key: &str) -> Option<i32> {
    let text = String::from_utf8_lossy(text);
    let (_, rest) = text.split_once(key)?;
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    // Without what follows the number, more of it may be on its way.
    if rest.trim_start().len() == digits.len() {
        return None;
    }
    digits.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_has_not_come_whole_is_none_yet() {
        assert_eq!(number_after(b"{ \"child-pid\": 12", "\"child-pid\":"), None);
        assert_eq!(
            number_after(b"{ \"child-pid\": 123, \"x\"", "\"child-pid\":"),
            Some(123)
        );
        assert_eq!(
            number_after(b"{ \"child-pid\": 123 }\n{ \"exit-code\": 7 }\n", "\"exit-code\":"),
            Some(7)
        );
        assert_eq!(number_after(b"", "\"child-pid\":"), None);
    }
}
