//! Asking a supervisor to start, stop or restart a child.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::child_spec::ChildSpec;
use super::node::RestartClaim;
use super::supervisor_spec::SpecError;

/// Requests that may wait for one supervisor.
const QUEUE: usize = 64;

/// Why a supervisor did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// It has as many children as it may have.
    #[error("it has as many children as it may have")]
    MaxChildren,
    /// A child of this id is there already.
    #[error("there is a child of this id already")]
    AlreadyStarted,
    /// No child has this id.
    #[error("there is no such child")]
    NotFound,
    /// It has a fixed list of children, and takes no more.
    #[error("its children are fixed")]
    FixedChildren,
    /// The child has ended for good, or was stopped on purpose.
    #[error("the child has ended")]
    Finished,
    /// The child is being restarted already.
    #[error("the child is being restarted already")]
    AlreadyRestarting,
    /// The root is nobody's child.
    #[error("the root is the host itself, which is restarted by its service manager or `heliostat upgrade`")]
    NotRestartable,
    /// The supervisor is ending.
    #[error("its supervisor is ending")]
    ShuttingDown,
    /// The child's spec makes no sense.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// Too many requests are waiting for it.
    #[error("too many requests are waiting")]
    Busy,
    /// It did not answer in time; what was asked may still happen.
    #[error("it did not answer in time")]
    Timeout,
}

impl ControlError {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::MaxChildren => "capacity",
            Self::AlreadyStarted => "already_started",
            Self::NotFound => "unknown_child",
            Self::FixedChildren => "fixed_children",
            Self::Finished => "child_finished",
            Self::AlreadyRestarting => "already_restarting",
            Self::NotRestartable => "not_restartable",
            Self::ShuttingDown => "shutting_down",
            Self::Spec(error) => error.code(),
            Self::Busy => "busy",
            Self::Timeout => "timeout",
        }
    }
}

/// What became of a child that somebody restarted by hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByHand {
    /// It has been started again.
    Restarted,
    /// It lives once, and has ended: whoever needs it makes another.
    Ended,
}

impl ByHand {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Restarted => "restarted",
            Self::Ended => "ended",
        }
    }
}

pub(super) type Reply = oneshot::Sender<Result<(), ControlError>>;

/// What a supervisor can be asked.
#[derive(Debug)]
pub(super) enum Request {
    Start(Box<ChildSpec>),
    Stop(Arc<str>),
    /// With a claim: asked from outside, and refused for a child that has ended.
    Restart(Arc<str>, Option<RestartClaim>),
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) request: Request,
    pub(super) reply: Reply,
}

/// The supervisor's end of its requests.
pub(super) struct Commands(OwnedMutexGuard<mpsc::Receiver<Command>>);

impl Commands {
    /// The next request whose asker still waits. Cancel safe.
    pub(super) async fn next(&mut self) -> Command {
        loop {
            match self.0.recv().await {
                Some(command) if command.reply.is_closed() => {}
                Some(command) => return command,
                None => std::future::pending().await,
            }
        }
    }

    /// Nothing that waits is done any more.
    pub(super) fn refuse(&mut self) {
        while let Ok(command) = self.0.try_recv() {
            let _ = command.reply.send(Err(ControlError::ShuttingDown));
        }
    }
}

/// A reference to a supervisor, made before it and valid over its restarts: requests wait for it while it is being
/// restarted. Cheap to clone, and may be used from any thread.
#[derive(Clone, Debug)]
pub struct SupervisorRef {
    commands: mpsc::Sender<Command>,
    queue: Arc<Mutex<mpsc::Receiver<Command>>>,
}

impl Default for SupervisorRef {
    fn default() -> Self {
        Self::new()
    }
}

impl SupervisorRef {
    /// A reference to a supervisor that is yet to be started.
    #[must_use]
    pub fn new() -> Self {
        // overflow: the asker is told that the supervisor is busy.
        let (commands, queue) = mpsc::channel(QUEUE);
        Self {
            commands,
            queue: Arc::new(Mutex::new(queue)),
        }
    }

    /// Adds a child to a dynamic supervisor and starts it.
    ///
    /// # Errors
    /// [`ControlError::MaxChildren`], [`ControlError::AlreadyStarted`], [`ControlError::FixedChildren`],
    /// [`ControlError::Spec`], and the general ones.
    pub async fn start_child(&self, spec: ChildSpec, deadline: Duration) -> Result<(), ControlError> {
        self.ask(Request::Start(Box::new(spec)), deadline).await
    }

    /// Stops a child; answered when it is gone. It stays down until it is restarted by hand or with its supervisor; a
    /// dynamic supervisor forgets it.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] and the general ones.
    pub async fn stop_child(&self, id: &str, deadline: Duration) -> Result<(), ControlError> {
        self.ask(Request::Stop(id.into()), deadline).await
    }

    /// Starts a child again, whether it runs or not, with the siblings that the strategy names, and forgets its earlier
    /// failures. One that lives once is ended.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] and the general ones.
    pub async fn restart_child(&self, id: &str, deadline: Duration) -> Result<(), ControlError> {
        self.ask(Request::Restart(id.into(), None), deadline).await
    }

    pub(super) async fn ask(&self, request: Request, deadline: Duration) -> Result<(), ControlError> {
        let (reply, answer) = oneshot::channel();
        let command = Command { request, reply };
        self.commands.try_send(command).map_err(|_| ControlError::Busy)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            // Dropped unanswered: the supervisor was aborted.
            Ok(Err(_)) => Err(ControlError::ShuttingDown),
            Err(_) => Err(ControlError::Timeout),
        }
    }

    /// How many requests wait.
    pub(super) fn waiting(&self) -> usize {
        self.commands.max_capacity() - self.commands.capacity()
    }

    /// The supervisor's end; free again as soon as the generation before has ended.
    pub(super) async fn receive(&self) -> Commands {
        Commands(Arc::clone(&self.queue).lock_owned().await)
    }
}
