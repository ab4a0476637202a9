//! When the binary that was handed over to does not serve: the one before follows it.
//!
//! ```text
//! letting go ──▶ exec ──▶ starting ── it serves ──▶ nothing more to do
//!                            │ an error, a panic, a fatal signal, or no service within READY_WITHIN
//!                            └──▶ its changes of the database are taken back ──▶ exec of the one before
//! ```
//!
//! The one before is the very program that ran: where another was installed in its place, it is kept in the state folder.
//! A binary that is none of ours, or too broken to come here, is what `serve --check` is there to refuse.

use std::ffi::OsString;
use std::fs::{self, Permissions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::fatal;
use super::handover::{HostNote, become_it, listener_of_environment};
use crate::config::{Config, Sources};
use crate::store::{Store, newest_change};

/// A start takes a few seconds; the machine may be busy.
pub const READY_WITHIN: Duration = Duration::from_secs(60);
/// Tells the next binary of this one.
const BEFORE: &str = "HELIOSTAT_BEFORE";
/// Tells this one that the next did not serve.
const HANDED_BACK: &str = "HELIOSTAT_HANDED_BACK";
/// In the state folder: the program that ran, where its place was taken.
const KEPT: &str = "heliostat.before";
/// As much of why the next one did not serve is told.
const MAX_SAID: usize = 500;

/// The binary before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    /// Where it can be run.
    program: PathBuf,
    /// Where it was installed: the next upgrade is to what is there.
    usual: PathBuf,
    /// What it was started with.
    arguments: Vec<String>,
    /// The newest change of the database that it knows.
    change: String,
}

/// Why this binary runs again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedBack {
    /// What the next one said.
    pub why: String,
    /// Where this one was installed.
    pub usual: PathBuf,
}

impl Before {
    /// This one, for the next. `None` where it cannot be run again.
    #[must_use]
    pub fn this(usual: &Path, arguments: &[OsString], state: &Path) -> Option<Self> {
        let program = runnable(usual, Path::new("/proc/self/exe"), state);
        let program = program.inspect_err(|error| log::warn!("{} cannot be kept: {error}", usual.display()));
        let arguments = arguments.iter().map(|a| a.to_str().map(str::to_owned));
        Some(Self {
            program: program.ok()?,
            usual: HandedBack::of_environment().map_or_else(|| usual.to_owned(), |back| back.usual),
            arguments: arguments.collect::<Option<_>>()?,
            change: newest_change()?,
        })
    }

    /// Tells a command of it.
    pub fn tell(this: Option<&Self>, command: &mut Command) {
        command
            .env_remove(HANDED_BACK)
            .env_remove(BEFORE)
            .env_remove(fatal::DIED);
        if let Some(text) = this.and_then(|this| serde_json::to_string(this).ok()) {
            command.env(BEFORE, text);
        }
    }

    fn of_environment() -> Option<Self> {
        serde_json::from_str(&std::env::var(BEFORE).ok()?).ok()
    }

    /// Becomes it. Comes back only where that fails.
    pub fn follow(&self, sources: &Sources, listener: &OwnedFd, why: &str) {
        log::error!("this binary does not serve: {why}; {} follows", self.program.display());
        if let Ok((config, _)) = Config::load(sources)
            && let Ok(state) = config.server.state.canonicalize()
            && let Err(error) = Store::go_back(&config.store.url, &state, &self.change)
        {
            log::error!("the database cannot be taken back, code={}: {error}", error.code());
        }
        let back = HandedBack {
            why: why.chars().take(MAX_SAID).collect(),
            usual: self.usual.clone(),
        };
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_remove(BEFORE).env_remove(fatal::DIED);
        command.env(HANDED_BACK, serde_json::to_string(&back).unwrap_or_default());
        let error = become_it(command, listener);
        log::error!("{} cannot be run: {error}", self.program.display());
    }
}

impl HandedBack {
    /// What the environment says.
    #[must_use]
    pub fn of_environment() -> Option<Self> {
        serde_json::from_str(&std::env::var(HANDED_BACK).ok()?).ok()
    }

    /// The note of a host that follows one that did not serve: an upgrade was refused.
    #[must_use]
    pub fn noted(self, note: HostNote, former: Option<HostNote>) -> HostNote {
        HostNote {
            refusals: former.map_or(0, |former| former.refusals) + 1,
            refused: Some(format!("the new one did not serve: {}", self.why)),
            ..note
        }
    }
}

/// A program with what is in `running`: `usual`, or a copy where something else lies there by now.
fn runnable(usual: &Path, running: &Path, state: &Path) -> io::Result<PathBuf> {
    let ours = running.metadata()?;
    let lies_there = usual
        .metadata()
        .is_ok_and(|found| (found.dev(), found.ino()) == (ours.dev(), ours.ino()));
    if lies_there {
        return Ok(usual.to_owned());
    }
    let (kept, fresh) = (state.join(KEPT), state.join(format!("{KEPT}.new")));
    fs::copy(running, &fresh)?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o700))?;
    fs::rename(fresh, &kept)?;
    Ok(kept)
}

type Follow = Box<dyn FnOnce(&str) + Send>;

/// Watches over a start: whoever comes first, service or a failure, decides.
pub struct Start {
    follow: Arc<Mutex<Option<Follow>>>,
    signals: Mutex<Option<fatal::Watch>>,
    /// Dropped when it serves.
    serves: Mutex<Option<SyncSender<()>>>,
}

impl std::fmt::Debug for Start {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Start").finish_non_exhaustive()
    }
}

impl Start {
    /// The start of this process; of one that was not handed over to nobody takes notice.
    #[must_use]
    pub fn of_this(sources: &Sources) -> Self {
        let Some((before, listener)) = Before::of_environment().zip(listener_of_environment()) else {
            return Self::watched(None, READY_WITHIN);
        };
        let died = fatal::died();
        let signals = if died.is_none() {
            let watched = fatal::watch(listener.as_fd());
            watched
                .inspect_err(|error| log::warn!("nobody follows a death by signal: {error}"))
                .ok()
        } else {
            None
        };
        let sources = sources.clone();
        let follow: Follow = Box::new(move |why| before.follow(&sources, &listener, why));
        let mut this = Self::watched(Some(follow), READY_WITHIN);
        this.signals = Mutex::new(signals);
        if let Some(signal) = died {
            this.failed(&format!("it was ended by {signal}"));
        }
        this
    }

    fn watched(follow: Option<Follow>, within: Duration) -> Self {
        let watched = follow.is_some();
        // overflow: never, nothing is sent.
        let (serves, served) = sync_channel(1);
        let this = Self {
            follow: Arc::new(Mutex::new(follow)),
            signals: Mutex::new(None),
            serves: Mutex::new(Some(serves)),
        };
        if watched {
            let follow = Arc::clone(&this.follow);
            let watch = move || {
                if served.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
                    fail(&follow, &format!("it did not serve within {} s", within.as_secs()));
                }
            };
            if let Err(error) = std::thread::Builder::new().name("start".into()).spawn(watch) {
                log::warn!("nobody looks whether this binary serves in time: {error}");
            }
        }
        this
    }

    /// It serves: nobody follows.
    pub fn serves(&self) {
        let _ = self.signals.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.follow.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = self.serves.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// It does not; does not come back where another binary follows.
    pub fn failed(&self, why: &str) {
        fail(&self.follow, why);
    }
}

fn fail(follow: &Mutex<Option<Follow>>, why: &str) {
    let follow = follow.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(follow) = follow {
        follow(why);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A start within so many ms, and who hears why another follows.
    fn start(within: u64) -> (Start, std::sync::mpsc::Receiver<String>) {
        // overflow: never, one is sent at most.
        let (tell, told) = sync_channel(1);
        let follow: Follow = Box::new(move |why| tell.send(why.to_owned()).unwrap());
        (Start::watched(Some(follow), Duration::from_millis(within)), told)
    }

    #[test]
    fn who_does_not_serve_in_time_or_fails_is_followed_once() {
        let (slow, told) = start(20);
        let why = told.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(why.contains("did not serve within"), "{why}");
        slow.failed("again");
        assert!(told.recv_timeout(Duration::from_secs(30)).is_err());
        let (failed, told) = start(60_000);
        failed.failed("no certificate");
        failed.failed("again");
        assert_eq!(told.iter().collect::<Vec<_>>(), ["no certificate"]);
    }

    #[test]
    fn who_serves_is_not_followed() {
        let (well, told) = start(60_000);
        well.serves();
        well.failed("later");
        assert_eq!(told.iter().count(), 0);
    }

    #[test]
    fn a_program_whose_place_was_taken_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (usual, running) = (folder.path().join("heliostat"), folder.path().join("running"));
        fs::write(&running, "old").unwrap();
        fs::hard_link(&running, &usual).unwrap();
        assert_eq!(runnable(&usual, &running, folder.path()).unwrap(), usual);
        fs::remove_file(&usual).unwrap();
        fs::write(&usual, "new").unwrap();
        let kept = runnable(&usual, &running, folder.path()).unwrap();
        assert_ne!(kept, usual);
        assert_eq!(fs::read_to_string(&kept).unwrap(), "old");
        assert_eq!(kept.metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn the_next_one_is_told_nothing_of_how_this_one_came_to_be() {
        let mut command = Command::new("/usr/bin/heliostat");
        Before::tell(None, &mut command);
        let told: Vec<_> = command.get_envs().collect();
        for name in [HANDED_BACK, BEFORE, fatal::DIED] {
            assert!(told.contains(&(name.as_ref(), None)), "{name}: {told:?}");
        }
    }

    #[test]
    fn a_host_that_follows_notes_a_refused_upgrade() {
        let former = HostNote {
            refusals: 3,
            ..HostNote::own(Path::new("/usr/bin/heliostat"))
        };
        let back = HandedBack {
            why: "no port".into(),
            usual: "/usr/bin/heliostat".into(),
        };
        let note = back.noted(HostNote::own(Path::new("/state/heliostat.before")), Some(former));
        assert_eq!(note.refusals, 4);
        assert!(note.refused.unwrap().contains("no port"));
    }
}
