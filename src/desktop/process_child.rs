//! What the children that stand for one process have in common: start it or attach to it, and learn of its end.

use std::time::Duration;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use super::shared::{DesktopShared, named};
use crate::process::{KeeperClient, KeeperEvent, ProcessError};
use crate::protocol::keeper::{Exit, Role, Spec, Started};
use crate::supervision::ExitReason;

/// How a process that is told to end is given time to do so.
const GRACE: Duration = Duration::from_secs(3);

/// A running process of the instance and the news about it.
pub(super) struct Process {
    keeper: KeeperClient,
    role: Role,
    events: broadcast::Receiver<KeeperEvent>,
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
    /// The keeper is gone, and with it everything.
    KeeperGone,
}

impl Process {
    /// Starts the role with this spec, or attaches to it where it already runs with an equal one.
    pub(super) async fn ensure(keeper: KeeperClient, role: &str, spec: Spec) -> Result<Self, ProcessError> {
        let role = named(role);
        // Before the start, so that not even an immediate end is missed.
        let events = keeper.events();
        let started = keeper.ensure(&role, spec, GRACE).await?;
        Ok(Self {
            keeper,
            role,
            events,
            started,
        })
    }

    /// The next thing that happens to this generation of the process. Cancel safe.
    pub(super) async fn news(&mut self) -> News {
        loop {
            match self.events.recv().await {
                Ok(KeeperEvent::Exited {
                    role,
                    generation,
                    exit,
                    tail,
                }) if role == self.role && generation == self.started.generation => {
                    return News::Ended(Ended { exit, tail });
                }
                Ok(KeeperEvent::Display {
                    role,
                    generation,
                    number,
                }) if role == self.role && generation == self.started.generation => {
                    return News::Display(number);
                }
                Ok(KeeperEvent::Gone) | Err(RecvError::Closed) => return News::KeeperGone,
                Ok(_) => {}
                // News were missed: ask how it is.
                Err(RecvError::Lagged(_)) => {
                    if let Some(news) = self.catch_up().await {
                        return news;
                    }
                }
            }
        }
    }

    /// Returns when the process has ended, with its end unless the keeper is gone.
    pub(super) async fn ended(&mut self) -> Option<Ended> {
        loop {
            match self.news().await {
                News::Ended(ended) => return Some(ended),
                News::KeeperGone => return None,
                News::Display(_) => {}
            }
        }
    }

    /// Ends it, unless the processes are left for the next host.
    pub(super) async fn stop(&self, shared: &DesktopShared) {
        if shared.leaves_processes() {
            return;
        }
        if let Err(error) = self.keeper.stop(&self.role, GRACE).await {
            log::warn!("instance={} role={} not stopped: {error}", shared.id, self.role);
        }
    }

    async fn catch_up(&self) -> Option<News> {
        let roles = self.keeper.status().await.ok()?;
        let mine = roles
            .into_iter()
            .find(|r| r.role == self.role && r.generation == self.started.generation)?;
        let exit = mine.exit?;
        let tail = self.keeper.tail(&self.role, 200).await.unwrap_or_default();
        Some(News::Ended(Ended { exit, tail }))
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
