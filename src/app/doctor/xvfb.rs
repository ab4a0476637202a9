//! A trial X server: started as instances start theirs, ended when dropped.

use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::scratch::Scratch;
use crate::config::AppEntry;
use crate::desktop::Layout;
use crate::desktop::commands::{PATH, XAUTHORITY, xauthority_path};
use crate::files::Readers;
use crate::folders::AppOwner;
use crate::sandbox::Confinement;
use crate::x11::{DisplayAddress, X11Error, create_authority};

/// What it says.
const LOG: &str = "log";
/// More than it ever says.
const MAX_LOG_BYTES: u64 = 1 << 20;
/// What an X server gets to end by itself.
const END: Duration = Duration::from_secs(2);
/// Between two looks at whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// The size of the trial's screen.
pub const SIZE: (u16, u16) = (640, 480);

/// Why there is no display.
#[derive(Debug, thiserror::Error)]
pub enum XvfbError {
    /// A file of the trial.
    #[error("{0} cannot be made")]
    File(&'static str, #[source] io::Error),
    /// The authority file.
    #[error("the authority file cannot be made")]
    Authority(#[source] X11Error),
    /// It cannot be run.
    #[error("it cannot be run")]
    Run(#[source] io::Error),
    /// It ended instead.
    #[error("it ended at once: {0}")]
    Ended(String),
    /// It said nothing.
    #[error("it did not start within {} s: {said}", deadline.as_secs_f32())]
    Late {
        /// How long it had.
        deadline: Duration,
        /// The end of what it said.
        said: String,
    },
}

/// A running X server.
#[derive(Debug)]
pub struct Xvfb {
    child: Child,
    number: Option<u32>,
    scratch: Scratch,
}

impl Xvfb {
    /// Starts `program` as `owner` and waits until it says its number.
    pub fn start(program: &Path, owner: Option<&AppOwner>, deadline: Duration) -> Result<Self, XvfbError> {
        let until = Instant::now() + deadline;
        let scratch = Scratch::new(owner).map_err(|error| XvfbError::File("a temporary folder", error))?;
        let readers = owner.map_or(Readers::Nobody, |owner| Readers::Group(owner.gid));
        create_authority(scratch.folder(), XAUTHORITY, "", readers).map_err(XvfbError::Authority)?;
        let log = scratch
            .folder()
            .append(LOG)
            .map_err(|error| XvfbError::File("a log", error))?;
        let mut command = command(program, &scratch);
        if let Some(owner) = owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .map_err(XvfbError::Run)?;
        let mut xvfb = Self {
            child,
            number: None,
            scratch,
        };
        let said = match xvfb.child.stdout.take() {
            Some(stdout) => first_line(stdout, until),
            None => Ok(None),
        };
        match said {
            Ok(Some(line)) => match line.trim().parse() {
                Ok(number) => {
                    xvfb.number = Some(number);
                    Ok(xvfb)
                }
                Err(_) => Err(XvfbError::Ended(xvfb.complaint())),
            },
            Ok(None) => Err(XvfbError::Late {
                deadline,
                said: xvfb.complaint(),
            }),
            Err(error) => Err(XvfbError::Run(error)),
        }
    }

    /// Where it is and what opens it.
    pub fn address(&self) -> DisplayAddress {
        DisplayAddress {
            // Only a server that said its number is given out.
            number: self.number.unwrap_or_default(),
            authority: Some(xauthority_path(self.scratch.path())),
        }
    }

    /// The end of what it said.
    fn complaint(&self) -> String {
        let text = self.scratch.folder().read(LOG, MAX_LOG_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() {
            "it said nothing".to_owned()
        } else {
            lines[lines.len().saturating_sub(4)..].join(" | ")
        }
    }
}

impl Drop for Xvfb {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            // It is ours and not waited for yet, so the pid is still its own.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let until = Instant::now() + END;
        while Instant::now() < until {
            if matches!(self.child.try_wait(), Ok(Some(_))) {
                return;
            }
            thread::sleep(LOOK);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(number) = self.number {
            let _ = std::fs::remove_file(format!("/tmp/.X11-unix/X{number}"));
        }
    }
}

/// The command line of an instance's display, except that it says its number on its standard output.
fn command(program: &Path, scratch: &Scratch) -> Command {
    let folder = scratch.path().to_owned();
    let layout = Layout {
        app: AppEntry::new("doctor", "true"),
        width: SIZE.0,
        height: SIZE.1,
        fps: 1,
        bitrate_kbps: 1000,
        home: folder.clone(),
        tmp: folder.clone(),
        xauthority: xauthority_path(&folder),
        window_manager_config: folder.clone(),
        program: PathBuf::new(),
        vnc_folder: None,
        user: None,
        user_name: String::new(),
        confinement: Confinement::default(),
    };
    let spec = layout.display();
    let mut command = Command::new(program);
    command
        .args(spec.argv.iter().skip(1).map(|arg| arg.replace("{displayfd}", "1")))
        .env_clear()
        .envs(&spec.env)
        .env("PATH", PATH)
        .current_dir("/");
    command
}

/// The first line, or what came before the end of the stream; `None` when it is too late.
fn first_line(mut stream: ChildStdout, until: Instant) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    loop {
        let rest = until.saturating_duration_since(Instant::now());
        if rest.is_zero() {
            return Ok(None);
        }
        // At least 1 ms, or the last part of one would be spent turning round.
        let timeout = PollTimeout::try_from(rest.max(Duration::from_millis(1))).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(stream.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) | Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) => {}
            Err(errno) => return Err(errno.into()),
        }
        let mut byte = [0; 64];
        let count = stream.read(&mut byte)?;
        line.extend_from_slice(&byte[..count]);
        if count == 0 || line.contains(&b'\n') || line.len() > 64 {
            return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn script(folder: &tempfile::TempDir, text: &str) -> PathBuf {
        let path = folder.path().join("Xvfb");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[test]
    fn one_that_hangs_is_given_up_and_ended() {
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let program = script(
            &folder,
            &format!(
                "trap '' TERM; echo $$ > {}; while :; do read x < /dev/zero; done",
                pid.display()
            ),
        );
        let begin = Instant::now();
        let error = Xvfb::start(&program, None, Duration::from_millis(500)).unwrap_err();
        assert!(matches!(error, XvfbError::Late { .. }), "{error}");
        assert!(begin.elapsed() < Duration::from_secs(20));
        let pid = std::fs::read_to_string(pid).unwrap();
        assert!(!Path::new("/proc").join(pid.trim()).exists());
    }

    #[test]
    fn one_that_ends_at_once_is_told_with_its_last_words() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(&folder, "echo '(EE) no screens found' >&2; exit 1");
        let error = Xvfb::start(&program, None, Duration::from_secs(20)).unwrap_err();
        assert!(
            matches!(&error, XvfbError::Ended(said) if said.contains("no screens found")),
            "{error}"
        );
    }

    #[test]
    fn one_that_says_its_number_is_at_that_address() {
        let folder = tempfile::tempdir().unwrap();
        let program = script(&folder, "echo 4123456; exec sleep 60");
        let xvfb = Xvfb::start(&program, None, Duration::from_secs(20)).unwrap();
        let address = xvfb.address();
        assert_eq!(address.number, 4_123_456);
        assert!(address.authority.unwrap().exists());
    }
}
