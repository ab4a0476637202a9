//! What waits to be dealt with by an actor: a queue of our own, because a mailbox of actix has no bound and does not tell
//! how full it is.
//!
//! Delivered are closures that call the actor's own `Handler`s, so that nothing changes for actors: a message waits while
//! the actor waits (`ctx.wait`), and what is left when the actor ends is dropped with it.

use std::pin::Pin;
use std::task::{self, Poll};

use actix::dev::{MessageResponse, OneshotSender};
use actix::{Actor, ActorFuture, AsyncContext, Context, Handler, Message};
use tokio::sync::mpsc;

/// Messages that may wait for one actor.
const QUEUE: usize = 1024;

/// One message on its way.
type Letter<A> = Box<dyn FnOnce(&mut A, &mut Context<A>) + Send>;

/// The queue is full, or its actor is gone.
#[derive(Debug)]
pub(super) enum Undelivered {
    /// More than [`QUEUE`] wait.
    Full,
    /// Nobody will ever read it.
    Gone,
}

/// The way into an [`Inbox`].
pub(super) struct Letterbox<A: Actor<Context = Context<A>>>(mpsc::Sender<Letter<A>>);

/// The actor's end, which it runs as a future of its own.
pub(super) struct Inbox<A: Actor<Context = Context<A>>>(mpsc::Receiver<Letter<A>>);

/// A new queue.
pub(super) fn inbox<A: Actor<Context = Context<A>>>() -> (Letterbox<A>, Inbox<A>) {
    // overflow: who sends is told so, and the message is dropped.
    let (letterbox, inbox) = mpsc::channel(QUEUE);
    (Letterbox(letterbox), Inbox(inbox))
}

impl<A: Actor<Context = Context<A>>> Letterbox<A> {
    /// Puts a message in; its answer goes to `answer`, if somebody waits for it.
    pub(super) fn post<M>(&self, message: M, answer: Option<OneshotSender<M::Result>>) -> Result<(), Undelivered>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
    {
        let letter: Letter<A> = Box::new(move |actor, ctx| {
            // As with actix: what nobody waits for any more is not begun.
            if !answer.as_ref().is_some_and(OneshotSender::is_closed) {
                let response = <A as Handler<M>>::handle(actor, message, ctx);
                response.handle(ctx, answer);
            }
        });
        self.0.try_send(letter).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Undelivered::Full,
            mpsc::error::TrySendError::Closed(_) => Undelivered::Gone,
        })
    }

    /// How to find out how many wait, without keeping the queue open.
    pub(super) fn gauge(&self) -> impl Fn() -> Option<usize> + Send + Sync + 'static + use<A> {
        let queue = self.0.downgrade();
        move || queue.upgrade().map(|queue| queue.max_capacity() - queue.capacity())
    }
}

impl<A: Actor<Context = Context<A>>> ActorFuture<A> for Inbox<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, actor: &mut A, ctx: &mut Context<A>, task: &mut task::Context<'_>) -> Poll<()> {
        // What a handler has begun to wait for comes before the next message, and none comes after a stop.
        while !ctx.waiting() {
            match self.0.poll_recv(task) {
                Poll::Ready(Some(letter)) => letter(actor, ctx),
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Pending
    }
}
