//! References that follow a child over its restarts.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message};
use tokio::sync::{oneshot, watch};

use super::inbox::{Letterbox, Undelivered};

/// Why a message did not get through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The child is not running now.
    #[error("it is not running at the moment")]
    Down,
    /// It runs, but in another generation than the one that was meant.
    #[error("it has been restarted since")]
    Stale,
    /// It ended, or was restarted, before it answered.
    #[error("it ended before it answered")]
    Ended,
    /// It did not answer in time.
    #[error("it did not answer in time")]
    Timeout,
    /// Too much waits for it already.
    #[error("too much waits for it already")]
    Full,
}

impl CallError {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Down | Self::Stale | Self::Ended => "restarting",
            Self::Timeout => "timeout",
            Self::Full => "busy",
        }
    }
}

impl From<Undelivered> for CallError {
    fn from(error: Undelivered) -> Self {
        match error {
            Undelivered::Full => Self::Full,
            Undelivered::Gone => Self::Down,
        }
    }
}

/// The living generation of a child.
struct Living<A: Actor<Context = Context<A>>> {
    letterbox: Letterbox<A>,
    generation: u64,
}

/// A reference to a child, made before it and valid over all its restarts. Cheap to clone; keeps nobody alive.
///
/// The address of a dead child can never be had through it: it is withdrawn before the supervisor hears of the end.
pub struct ChildRef<A: Actor<Context = Context<A>>> {
    cell: watch::Sender<Option<Living<A>>>,
    generations: Arc<AtomicU64>,
}

impl<A: Actor<Context = Context<A>>> Clone for ChildRef<A> {
    fn clone(&self) -> Self {
        Self {
            cell: self.cell.clone(),
            generations: Arc::clone(&self.generations),
        }
    }
}

impl<A: Actor<Context = Context<A>>> fmt::Debug for ChildRef<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildRef")
            .field("generation", &self.generation())
            .finish()
    }
}

impl<A: Actor<Context = Context<A>>> Default for ChildRef<A> {
    fn default() -> Self {
        Self {
            cell: watch::Sender::new(None),
            generations: Arc::default(),
        }
    }
}

impl<A: Actor<Context = Context<A>>> ChildRef<A> {
    /// A reference to a child that is yet to be started.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether both follow the same child.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.cell.same_channel(&other.cell)
    }

    /// The generation that lives now.
    #[must_use]
    pub fn generation(&self) -> Option<u64> {
        self.cell.borrow().as_ref().map(|living| living.generation)
    }

    /// Sends without waiting. The answer, if any, is dropped; so is the message when the child is down.
    ///
    /// # Errors
    /// [`CallError::Down`], [`CallError::Full`].
    pub fn tell<M>(&self, message: M) -> Result<(), CallError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let living = self.cell.borrow();
        let living = living.as_ref().ok_or(CallError::Down)?;
        Ok(living.letterbox.post(message, None)?)
    }

    /// As [`ChildRef::tell`], but only to this very generation: a message that was meant for an older one is dropped.
    ///
    /// # Errors
    /// [`CallError::Stale`] besides.
    pub fn tell_generation<M>(&self, generation: u64, message: M) -> Result<(), CallError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let living = self.cell.borrow();
        let living = living.as_ref().ok_or(CallError::Down)?;
        if living.generation != generation {
            return Err(CallError::Stale);
        }
        Ok(living.letterbox.post(message, None)?)
    }

    /// Sends and waits for the answer, at most `deadline`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn ask<M>(&self, message: M, deadline: Duration) -> Result<M::Result, CallError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let (answer, answered) = oneshot::channel();
        {
            let living = self.cell.borrow();
            let living = living.as_ref().ok_or(CallError::Down)?;
            living.letterbox.post(message, Some(answer))?;
        }
        match tokio::time::timeout(deadline, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Ended),
            Err(_) => Err(CallError::Timeout),
        }
    }

    /// Returns once a generation later than `after` lives, or the deadline has passed.
    pub async fn started_after(&self, after: u64, deadline: Duration) -> bool {
        let mut changes = self.cell.subscribe();
        let newer = changes.wait_for(|l| l.as_ref().is_some_and(|l| l.generation > after));
        tokio::time::timeout(deadline, newer).await.is_ok_and(|r| r.is_ok())
    }

    /// Where the last generation is counted, so that no number comes twice.
    pub(super) fn generations(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.generations)
    }

    pub(super) fn publish(&self, letterbox: Letterbox<A>, generation: u64) -> Published<A> {
        self.cell.send_replace(Some(Living { letterbox, generation }));
        Published {
            reference: self.clone(),
            generation,
        }
    }
}

/// Withdraws the address when its actor ends, however it ends.
pub(super) struct Published<A: Actor<Context = Context<A>>> {
    reference: ChildRef<A>,
    generation: u64,
}

impl<A: Actor<Context = Context<A>>> Drop for Published<A> {
    fn drop(&mut self) {
        let generation = self.generation;
        self.reference.cell.send_if_modified(|living| {
            let mine = living.as_ref().is_some_and(|l| l.generation == generation);
            if mine {
                *living = None;
            }
            mine
        });
    }
}
