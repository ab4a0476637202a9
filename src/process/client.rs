//! The host's side of a keeper: starts or finds it, and calls it.
//!
//! A client is a handle; its connection closes with the last of them, and the keeper goes on. It works on any tokio
//! runtime with time and I/O, also one of a single thread, and lives as long as the runtime that made it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::ProcessError;
use super::keeper::SizedFolder;
use super::proc::{Identity, Mark, Process, is_foreign};
use crate::ids::InstanceId;
use crate::protocol::keeper::{
    Call, Event, Exit, Failure, FailureCode, MAX_TAIL_LINES, Message, Reply, Request, Role, RoleStatus, Spec, Started,
    encode, newest_lines,
};

mod link;
mod lost;
mod start;

pub use lost::Lost;
use lost::Parting;

/// Beyond the time that a call itself may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// Calls that wait to be sent.
const UNSENT_CALLS: usize = 64;
/// Events that a receiver may fall behind.
const EVENTS: usize = 256;

/// Whose keeper, and how to start it.
#[derive(Clone, Debug)]
pub struct KeeperOptions {
    /// The `heliostat` program.
    pub program: PathBuf,
    /// The instance's folder (0700), which exists.
    pub dir: PathBuf,
    /// The instance.
    pub instance: InstanceId,
    /// Without a host for so long the keeper ends the instance.
    pub host_absence: Duration,
    /// It parts from the machine's System V shared memory and mounts.
    pub apart: bool,
    /// Then also: folders of limited size, which go with it.
    pub sized: Vec<SizedFolder>,
}

/// What is heard from a keeper unasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeeperEvent {
    /// What it said.
    Said(Event),
    /// The connection is lost; nothing follows.
    Gone,
}

/// A connection to a keeper.
#[derive(Clone, Debug)]
pub struct KeeperClient {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    identity: Identity,
    mark: Mark,
    parting: Parting,
    next: AtomicU64,
    // overflow: the caller waits, within its deadline.
    calls: mpsc::Sender<link::Outgoing>,
    // overflow: a receiver that falls behind loses the oldest and is told so.
    events: broadcast::Sender<KeeperEvent>,
    gone: watch::Receiver<bool>,
}

impl KeeperClient {
    /// Starts a keeper, in a session of its own, and connects to it. Its log is `keeper.log` in the folder.
    ///
    /// # Errors
    /// [`ProcessError::NotStarted`] with the end of its log if it ended, also because the folder has a keeper.
    pub async fn spawn(options: &KeeperOptions) -> Result<Self, ProcessError> {
        let client = start::start(options).await?;
        log::info!("instance={} keeper={} started", options.instance, client.pid());
        Ok(client)
    }

    /// Connects to the living keeper of the folder and takes control.
    ///
    /// # Errors
    /// [`ProcessError::Io`] if there is none, [`ProcessError::NotOurs`] if it is not the one that its manifest names
    /// or another instance's.
    pub async fn connect(options: &KeeperOptions) -> Result<Self, ProcessError> {
        let client = start::connect(options).await?;
        start::reap_adopted(client.pid(), client.inner.gone.clone());
        log::info!("instance={} keeper={} connected", options.instance, client.pid());
        Ok(client)
    }

    /// Connects to the keeper of the folder, or starts one where there is none.
    ///
    /// # Errors
    /// As [`KeeperClient::connect`] and [`KeeperClient::spawn`].
    pub async fn spawn_or_connect(options: &KeeperOptions) -> Result<Self, ProcessError> {
        match Self::connect(options).await {
            Err(ProcessError::Io { .. }) => Self::spawn(options).await,
            result => result,
        }
    }

    /// The keeper's pid.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.inner.identity.pid
    }

    /// Lets the role run with this spec: attaches where it runs with an equal one, else ends what ran (KILL after
    /// `grace`) and starts it.
    ///
    /// # Errors
    /// The keeper's [`Failure`], or the connection's.
    pub async fn ensure(&self, role: &Role, spec: Spec, grace: Duration) -> Result<Started, ProcessError> {
        let request = Request::Ensure {
            role: role.clone(),
            spec,
            grace_ms: ms(grace),
        };
        match self.call(request, grace).await? {
            Reply::Started(started) => self.believe(started, role),
            _ => Err(self.unexpected()),
        }
    }

    /// Ends all processes of the role; none is left afterwards. A role that never ran is ended.
    ///
    /// # Errors
    /// `unkillable` if one outlives its KILL, or the connection's.
    pub async fn stop(&self, role: &Role, grace: Duration) -> Result<(), ProcessError> {
        self.done(
            Request::Stop {
                role: role.clone(),
                grace_ms: ms(grace),
            },
            grace,
        )
        .await
    }

    /// Sends a signal, by its number, to the role's main process.
    ///
    /// # Errors
    /// `unknown_role`, `not_running`, or the connection's.
    pub async fn signal(&self, role: &Role, signal: i32) -> Result<(), ProcessError> {
        self.done(
            Request::Signal {
                role: role.clone(),
                signal,
            },
            Duration::ZERO,
        )
        .await
    }

    /// Whether the keeper answers within `limit`.
    pub async fn answers_within(&self, limit: Duration) -> bool {
        matches!(timeout(limit, self.status()).await, Ok(Ok(_)))
    }

    /// Lets a keeper go on that a signal has stopped; false if it was not stopped.
    #[must_use]
    pub fn wake(&self) -> bool {
        let identity = self.inner.identity;
        Process::read(identity.pid).is_some_and(|p| p.identity == identity && p.stopped)
            && identity.signal(Signal::SIGCONT)
    }

    /// Kills the keeper, and it alone: what it kept is for a sweep to end. Nothing happens to a process without its mark,
    /// which is no keeper of ours, whatever it answers.
    pub fn kill(&self) {
        let Inner { identity, mark, .. } = &*self.inner;
        identity.signal_if(Signal::SIGKILL, || mark.is_on(identity.pid));
    }

    /// Why the connection is lost, once it is.
    #[must_use]
    pub fn lost(&self) -> &Lost {
        self.inner.parting.why()
    }

    /// All roles that were started and how they are.
    ///
    /// # Errors
    /// The connection's.
    pub async fn status(&self) -> Result<Vec<RoleStatus>, ProcessError> {
        match self.call(Request::Status, Duration::ZERO).await? {
            Reply::Status { roles } => Ok(roles),
            _ => Err(self.unexpected()),
        }
    }

    /// The last lines of the role's output, oldest first; at most 200.
    ///
    /// # Errors
    /// `unknown_role`, or the connection's.
    pub async fn tail(&self, role: &Role, lines: usize) -> Result<Vec<String>, ProcessError> {
        let request = Request::Tail {
            role: role.clone(),
            lines: lines.min(MAX_TAIL_LINES),
        };
        match self.call(request, Duration::ZERO).await? {
            Reply::Tail { lines } => Ok(bounded(&lines)),
            _ => Err(self.unexpected()),
        }
    }

    /// Runs something once, under a role that nothing else uses: how it ended, and the end of its output.
    ///
    /// # Errors
    /// `timed_out` if it was killed for it, the failures of a start, or the connection's.
    pub async fn run(&self, role: &Role, spec: Spec, limit: Duration) -> Result<(Exit, Vec<String>), ProcessError> {
        let request = Request::Run {
            role: role.clone(),
            spec,
            timeout_ms: ms(limit),
        };
        match self.call(request, limit).await? {
            Reply::Ran { exit, tail } => Ok((exit, bounded(&tail))),
            _ => Err(self.unexpected()),
        }
    }

    /// Ends the instance: all its processes, then the keeper.
    ///
    /// # Errors
    /// `unkillable` if one outlives its KILL, or the connection's.
    pub async fn end(&self, grace: Duration) -> Result<(), ProcessError> {
        self.done(Request::End { grace_ms: ms(grace) }, grace).await
    }

    /// What happens from now on. Subscribe before starting what the events are to be of.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<KeeperEvent> {
        self.inner.events.subscribe()
    }

    /// The connection is lost.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        *self.inner.gone.borrow()
    }

    /// Resolves when the connection is lost.
    pub async fn gone(&self) {
        // An error means that the connection's task is no more.
        let _ = self.inner.gone.clone().wait_for(|gone| *gone).await;
    }

    async fn done(&self, request: Request, time: Duration) -> Result<(), ProcessError> {
        match self.call(request, time).await? {
            Reply::Done => Ok(()),
            _ => Err(self.unexpected()),
        }
    }

    /// Who answers with something else than was asked is not asked again.
    fn unexpected(&self) -> ProcessError {
        let text = "an answer to another question than was asked";
        self.inner.parting.part(Lost::Protocol(text.into()));
        ProcessError::Unexpected
    }

    /// Takes the keeper's word for what it has started, as far as it can be true: its own process, of the role that was
    /// asked for. One that has ended already cannot be looked at; then its exit follows.
    fn believe(&self, started: Started, role: &Role) -> Result<Started, ProcessError> {
        let keeper = self.pid();
        let lie = if started.role == *role {
            let foreign = is_foreign(started.pid, keeper);
            foreign.then(|| format!("pid {} is no process of keeper {keeper}", started.pid))
        } else {
            Some(format!("it started {} where {role} was asked for", started.role))
        };
        match lie {
            None => Ok(started),
            Some(text) => {
                self.inner.parting.part(Lost::NotOurs(text.clone()));
                Err(ProcessError::NotOurs(text))
            }
        }
    }

    async fn call(&self, request: Request, time: Duration) -> Result<Reply, ProcessError> {
        let id = self.inner.next.fetch_add(1, Ordering::Relaxed);
        let frame = encode(&Call { id, request }).map_err(|error| match error {
            // The only messages of ours that can be so large hold a spec.
            crate::protocol::keeper::FrameError::TooLarge(_) => {
                ProcessError::Failed(Failure::new(FailureCode::BadRequest, "the request is too large"))
            }
            error => error.into(),
        })?;
        let (answer, answered) = oneshot::channel();
        let exchange = async {
            let outgoing = link::Outgoing { id, frame, answer };
            self.inner.calls.send(outgoing).await.map_err(|_| ProcessError::Gone)?;
            answered.await.map_err(|_| ProcessError::Gone)
        };
        let result = timeout(time.saturating_add(ANSWER_WITHIN), exchange)
            .await
            .map_err(|_| ProcessError::Timeout)??;
        Ok(result?)
    }
}

/// As many lines as a tail may have, whatever came.
fn bounded(lines: &[String]) -> Vec<String> {
    newest_lines(lines.iter().map(String::as_str), MAX_TAIL_LINES)
}

fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
