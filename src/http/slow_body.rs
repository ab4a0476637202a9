//! Bodies of requests that come too slowly: handlers wait for a body as long as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::{Payload, ServiceRequest};
use actix_web::error::PayloadError;
use bytes::Bytes;
use futures::Stream;
use tokio::time::{Instant, Sleep, sleep_until};

/// From the head of a request to the end of its body.
const BODY_DEADLINE: Duration = Duration::from_secs(20);

/// The body of a request, as far as it comes in time.
struct InTime<S> {
    body: S,
    timer: Pin<Box<Sleep>>,
}

impl<S: Stream<Item = Result<Bytes, PayloadError>> + Unpin> Stream for InTime<S> {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.timer.as_mut().poll(cx).is_ready() {
            let late = std::io::Error::from(std::io::ErrorKind::TimedOut);
            return Poll::Ready(Some(Err(PayloadError::Io(late))));
        }
        Pin::new(&mut self.body).poll_next(cx)
    }
}

/// Gives the body of a request that changes something its time. Others have none that is read; what follows an upgrade is no
/// body.
pub(super) fn limit(request: &mut ServiceRequest) {
    if request.method().is_safe() {
        return;
    }
    let body = InTime {
        body: request.take_payload(),
        timer: Box::pin(sleep_until(Instant::now() + BODY_DEADLINE)),
    };
    request.set_payload(Payload::Stream {
        payload: Box::pin(body),
    });
}

/// Whether a body was not read because it came too slowly.
pub(super) fn is_late(error: &PayloadError) -> bool {
    matches!(error, PayloadError::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}
