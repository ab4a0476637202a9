//! Asking a supervisor to start, stop or restart a child.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::child_spec::ChildSpec;

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
            Self::NotFound => "not_found",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
        }
    }
}

type Reply = oneshot::Sender<Result<(), ControlError>>;

pub(super) enum Command {
    Start(Box<ChildSpec>, Reply),
    Stop(String, Reply),
    Restart(String, Reply),
}

/// A reference to a supervisor, made before it and valid over its restarts. Cheap to clone, and may be used from any
/// thread.
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

    /// Starts a child after those that are there.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn start_child(&self, spec: ChildSpec, deadline: Duration) -> Result<(), ControlError> {
        self.ask(deadline, |reply| Command::Start(Box::new(spec), reply)).await
    }

    /// Stops a child; it stays down until it is restarted by hand or with its supervisor.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn stop_child(&self, id: &str, deadline: Duration) -> Result<(), ControlError> {
        self.ask(deadline, |reply| Command::Stop(id.to_owned(), reply)).await
    }

    /// Starts a child again, whether it runs or not, and forgets its earlier failures.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn restart_child(&self, id: &str, deadline: Duration) -> Result<(), ControlError> {
        self.ask(deadline, |reply| Command::Restart(id.to_owned(), reply)).await
    }

    async fn ask(&self, deadline: Duration, command: impl FnOnce(Reply) -> Command) -> Result<(), ControlError> {
        let (reply, answer) = oneshot::channel();
        self.commands.try_send(command(reply)).map_err(|_| ControlError::Busy)?;
        match tokio::time::timeout(deadline, answer).await {
            Ok(Ok(result)) => result,
            _ => Err(ControlError::Timeout),
        }
    }

    /// The supervisor's end; free again as soon as the generation before has ended.
    pub(super) async fn receive(&self) -> OwnedMutexGuard<mpsc::Receiver<Command>> {
        Arc::clone(&self.queue).lock_owned().await
    }
}
