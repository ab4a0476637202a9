//! What the children that stand for one process have in common: start it or attach to it, and learn of its end.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::children::standstill::{Act, Standstill};
use super::shared::{DesktopShared, named};
use crate::process::{KeeperClient, KeeperEvent, ProcessError};
use crate::protocol::keeper::{Event, Exit, MAX_TAIL_LINES, Role, Spec, Started};
use crate::source::{Part, PartSpec};
use crate::supervision::{ChildContext, ExitReason};

/// How a process that is told to end is given time to do so.
pub(super) const GRACE: Duration = Duration::from_secs(3);

/// A running process of the instance and the news about it.
pub(super) struct Process {
    keeper: KeeperClient,
    role: Role,
    events: broadcast::Receiver<KeeperEvent>,
    standstill: Standstill,
    /// What the keeper said at its start.
    pub(super) started: Started,
}

/// How a process ended, with the last lines of its output.
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) tail: Vec<String>,
}

/// News of a process.
pub(super) enum News {
    /// It ended.
    Ended(Ended),
    /// It is an X server and told its number.
    Display(u32),
    /// A signal stopped it, or it goes on.
    Stopped(bool),
    /// The keeper is gone, and with it everything.
    KeeperGone,
}

/// The end of a process's life.
pub(super) enum LifeEnd {
    /// It ended by itself or by somebody's signal.
    Ended(Ended),
    /// It was stopped again and again, or does not go on: whoever watches it has to kill it.
    Stalled,
    /// The keeper is gone, and with it everything.
    KeeperGone,
}

/// Between the tries to start what the system has no room for; a start that fails after all of them has failed.
const AGAIN: [Duration; 5] = [
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];

/// Tries again what may succeed a moment later, such as a start for which the system had no process left. `pause` says
/// whether to go on after it; no attempt is ever cut off, since what it starts has to be known.
async fn patiently<T>(
    what: &str,
    pause: impl AsyncFn(Duration) -> bool,
    mut attempt: impl AsyncFnMut() -> Result<T, ProcessError>,
) -> Result<T, ProcessError> {
    for time in AGAIN {
        match attempt().await {
            Err(error) if error.may_pass() => {
                log::warn!("{what}: code={} {error}, trying again", error.code());
                if !pause(time).await {
                    return Err(error);
                }
            }
            result => return result,
        }
    }
    attempt().await
}

impl Process {
    /// As [`Process::ensure`], with patience where the system is short of something. An error while `cx` is being stopped
    /// means nothing.
    pub(super) async fn ensure_patiently(
        shared: &DesktopShared,
        cx: &ChildContext,
        keeper: &KeeperClient,
        role: &str,
        spec: Spec,
    ) -> Result<Self, ProcessError> {
        let what = format!("instance={} role={role}", shared.id);
        let pause = async |time| cx.unless_stopping(tokio::time::sleep(time)).await.is_some();
        let attempt = async || Self::ensure(keeper.clone(), role, spec.clone()).await;
        patiently(&what, pause, attempt).await
    }

    /// Starts the role with this spec, or attaches to it where it already runs with an equal one.
    pub(super) async fn ensure(keeper: KeeperClient, role: &str, spec: Spec) -> Result<Self, ProcessError> {
        let role = named(role);
        // Before the start, so that not even an immediate end is missed.
        let events = keeper.events();
        let started = keeper.ensure(&role, spec, GRACE).await?;
        let mut standstill = Standstill::default();
        if started.stopped {
            standstill.stopped(Instant::now());
        }
        Ok(Self {
            keeper,
            role,
            events,
            standstill,
            started,
        })
    }

    /// The next thing that happens to this generation of the process. Cancel safe.
    pub(super) async fn news(&mut self) -> News {
        loop {
            let event = match self.events.recv().await {
                Ok(KeeperEvent::Said(event)) => event,
                Ok(KeeperEvent::Gone) | Err(RecvError::Closed) => return News::KeeperGone,
                // News were missed: ask how it is.
                Err(RecvError::Lagged(_)) => match self.catch_up().await {
                    Some(news) => return news,
                    None => continue,
                },
            };
            let (Event::Exited { role, generation, .. }
            | Event::Display { role, generation, .. }
            | Event::Stopped { role, generation, .. }) = &event;
            if (role, *generation) != (&self.role, self.started.generation) {
                continue;
            }
            return match event {
                Event::Exited { exit, tail, .. } => News::Ended(Ended { exit, tail }),
                Event::Display { number, .. } => News::Display(number),
                Event::Stopped { stopped, .. } => News::Stopped(stopped),
            };
        }
    }

    /// Returns when the life of the process is over. One that a signal has stopped is continued after a moment, for
    /// nobody can work with it; `stopped` hears of both. Cancel safe.
    pub(super) async fn life(&mut self, mut stopped: impl FnMut(bool)) -> LifeEnd {
        loop {
            let due = self.standstill.due();
            tokio::select! {
                news = self.news() => match news {
                    News::Ended(ended) => return LifeEnd::Ended(ended),
                    News::KeeperGone => return LifeEnd::KeeperGone,
                    News::Stopped(true) => {
                        self.standstill.stopped(Instant::now());
                        stopped(true);
                    }
                    News::Stopped(false) => {
                        self.standstill.continued();
                        stopped(false);
                    }
                    News::Display(_) => {}
                },
                () = at(due) => match self.standstill.act(Instant::now()) {
                    Act::Continue => {
                        log::warn!("role={} pid={} is stopped, continuing it", self.role, self.started.pid);
                        if let Err(error) = self.keeper.signal(&self.role, libc::SIGCONT).await {
                            log::warn!("role={} not continued: {error}", self.role);
                        }
                    }
                    Act::GiveUp => return LifeEnd::Stalled,
                },
            }
        }
    }

    /// Ends at once what does not answer, with everything it started.
    pub(super) async fn kill(&self, shared: &DesktopShared) {
        if let Err(error) = self.keeper.stop(&self.role, Duration::ZERO).await {
            log::warn!("instance={} role={} not killed: {error}", shared.id, self.role);
        }
    }

    /// Ends it, unless the processes are left for the next host, or for the successor of a sibling.
    pub(super) async fn stop(&self, shared: &DesktopShared) {
        if shared.keeps_process() {
            return;
        }
        if let Err(error) = self.keeper.stop(&self.role, GRACE).await {
            log::warn!("instance={} role={} not stopped: {error}", shared.id, self.role);
        }
    }

    /// The last lines that it wrote.
    pub(super) async fn tail(&self) -> Vec<String> {
        self.keeper.tail(&self.role, MAX_TAIL_LINES).await.unwrap_or_default()
    }

    async fn catch_up(&self) -> Option<News> {
        let roles = self.keeper.status().await.ok()?;
        let mine = roles
            .into_iter()
            .find(|r| r.role == self.role && r.generation == self.started.generation)?;
        let exit = mine.exit?;
        let tail = self.tail().await;
        Some(News::Ended(Ended { exit, tail }))
    }
}

async fn at(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

/// Viewers are told while a process is stopped; afterwards its part is what it was before.
pub(super) fn tell_stopped(shared: &DesktopShared, what: &'static str, part: PartSpec) -> impl FnMut(bool) {
    let mut before = None;
    move |stopped| {
        shared.facts.update(|facts| {
            let part = &mut facts[part];
            if stopped {
                let reason = format!("{what} was stopped by a signal and is being continued");
                before = Some(std::mem::replace(part, Part::Held { reason }));
            } else if let Some(before) = before.take() {
                *part = before;
            }
        });
    }
}

/// The exit of a child whose keeper is gone: the link's fault, not its own.
pub(super) fn keeper_gone() -> ExitReason {
    ExitReason::dependency("keeper_gone")
}

/// What people read about an exit.
pub(super) fn describe(what: &str, exit: Exit) -> String {
    match exit {
        Exit::Code(0) => format!("{what} ended"),
        Exit::Code(code) => format!("{what} ended with exit code {code}"),
        Exit::Signal(signal) => format!("{what} was killed by signal {signal}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::keeper::{Failure, FailureCode};

    fn failed(code: FailureCode) -> ProcessError {
        Failure::new(code, "in a test").into()
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_that_the_system_has_no_room_for_is_tried_again_for_a_while_and_no_other() {
        let tries_until = async |error: FailureCode, succeeds_at: usize, stops: bool| {
            let mut count = 0;
            let pause = async |time| {
                tokio::time::sleep(time).await;
                !stops
            };
            let result = patiently("test", pause, async || {
                count += 1;
                if count == succeeds_at {
                    Ok(())
                } else {
                    Err(failed(error))
                }
            });
            let result = result.await.map_err(|error| error.code());
            (count, result)
        };
        let stopped = tries_until(FailureCode::SpawnFailed, 3, true).await;
        assert_eq!(stopped, (1, Err("spawn_failed")));
        let tries = async |error, succeeds_at| tries_until(error, succeeds_at, false).await;
        assert_eq!(tries(FailureCode::SpawnFailed, 3).await, (3, Ok(())));
        assert_eq!(tries(FailureCode::SpawnFailed, 0).await, (6, Err("spawn_failed")));
        assert_eq!(
            tries(FailureCode::CommandNotFound, 2).await,
            (1, Err("command_not_found"))
        );
    }

    #[test]
    fn only_a_shortage_passes() {
        let io = |number| ProcessError::Io {
            what: "a test",
            source: std::io::Error::from_raw_os_error(number),
        };
        assert!(
            [libc::EAGAIN, libc::ENOMEM, libc::EMFILE]
                .map(io)
                .iter()
                .all(ProcessError::may_pass)
        );
        assert!(
            ![libc::ENOENT, libc::EACCES, libc::ENOSPC]
                .map(io)
                .iter()
                .any(ProcessError::may_pass)
        );
        assert!(!ProcessError::Gone.may_pass() && ProcessError::Timeout.may_pass());
    }
}
