//! What a socket may hold half-read: between the connection and the codec, which has no bound of its own.
//!
//! Frames are handed on one at a time. The codec's reader takes all that there is before it looks at any of it, and gives
//! its actor 16 frames a turn: of small frames it would hold ever more.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use actix_web::error::PayloadError;
use bytes::Bytes;
use futures::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::{Frames, Refused};

/// Why the guard of a socket has ended its stream; shared with who has to say so.
pub(super) type Verdict = Rc<Cell<Option<Refused>>>;

/// The bytes of a connection, as far as they may be read.
pub(super) struct Guarded<S> {
    connection: S,
    /// What has come and was not handed on.
    waiting: Bytes,
    frames: Frames,
    timer: Pin<Box<Sleep>>,
    /// A whole frame was handed on, which the codec takes before there is more.
    handed_on: bool,
    verdict: Verdict,
}

impl<S> Guarded<S> {
    /// Guards a connection; says in `verdict` why it ends.
    pub fn new(connection: S, verdict: Verdict) -> Self {
        Self {
            connection,
            waiting: Bytes::new(),
            frames: Frames::default(),
            timer: Box::pin(sleep_until(Instant::now())),
            handed_on: false,
            verdict,
        }
    }

    fn refuse(&mut self, why: Refused) -> PayloadError {
        self.verdict.set(Some(why));
        self.waiting = Bytes::new();
        PayloadError::Io(std::io::Error::other(why))
    }

    /// Whether what is half there has had its time.
    fn is_late(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.frames.deadline() else {
            return false;
        };
        if self.timer.deadline() != deadline {
            self.timer.as_mut().reset(deadline);
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for Guarded<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if this.verdict.get().is_some() {
            return Poll::Ready(None);
        }
        if std::mem::take(&mut this.handed_on) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        loop {
            if this.is_late(cx) {
                return Poll::Ready(Some(Err(this.refuse(Refused::TooSlow))));
            }
            if !this.waiting.is_empty() {
                break;
            }
            match ready!(Pin::new(&mut this.connection).poll_next(cx)) {
                Some(Ok(bytes)) => this.waiting = bytes,
                ended => return Poll::Ready(ended),
            }
        }
        match this.frames.take(&this.waiting, Instant::now()) {
            Ok(step) => {
                this.handed_on = step.ended;
                Poll::Ready(Some(Ok(this.waiting.split_to(step.taken))))
            }
            Err(why) => Poll::Ready(Some(Err(this.refuse(why)))),
        }
    }
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
