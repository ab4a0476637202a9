//! Connections that carry no request end.
//!
//! actix has a deadline for the head of a connection's first request, and one for silence after an answer. Half a head after
//! an answer, or the rest of a body that nobody wants, ends the silence and has no deadline (actix-http 3.20, `head timer
//! only applies to first request on connection`). So who has sent one good request would keep a place for ever.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::HttpRequest;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use bytes::Bytes;
use futures::future::{Either, select};
use socket2::{SockRef, Socket};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use crate::signalling::media::Kernel;

/// From the end of an answer to the next request; a slow client still reads the answer in this time.
const IDLE_DEADLINE: Duration = Duration::from_secs(60);

/// Bytes that may wait in the system, not sent yet, where they are to be noticed before.
const UNSENT: u32 = 16 * 1024;

/// A connection. Its worker's thread has it to itself.
#[derive(Debug)]
pub(super) struct Connection {
    requests: Cell<u32>,
    since: Cell<Instant>,
    /// Of its own, so that nobody else's descriptor is meant when the number is used again.
    socket: Rc<Socket>,
    /// Tells that it is gone, by its end.
    _gone: oneshot::Sender<()>,
}

impl Connection {
    /// A new one; it will be watched.
    pub fn watched(socket: SockRef<'_>) -> Option<Rc<Self>> {
        // overflow: there is nothing to send.
        let (gone, ended) = oneshot::channel();
        let socket = Rc::new(socket.try_clone().ok()?);
        let connection = Rc::new(Self {
            requests: Cell::new(0),
            since: Cell::new(Instant::now()),
            socket: Rc::clone(&socket),
            _gone: gone,
        });
        actix_web::rt::spawn(watch(Rc::downgrade(&connection), ended, socket));
        Some(connection)
    }

    /// Of what is written to a request's connection, the system keeps little that is not sent yet: what waits is to be
    /// noticed here. Without effect where something else is between. Gives what is known of it for as long as it lasts;
    /// `direct`: without a proxy between.
    pub fn keeps_little(request: &HttpRequest, direct: bool) -> Kernel {
        let Some(connection) = request.conn_data::<Rc<Self>>() else {
            return Kernel::unknown();
        };
        let _ = connection.socket.set_tcp_notsent_lowat(UNSENT);
        Kernel::of(&connection.socket, direct)
    }

    /// One more request, until what is given is dropped.
    pub fn request(self: &Rc<Self>) -> Request {
        self.requests.set(self.requests.get() + 1);
        Request(Rc::clone(self))
    }

    /// When it will have been without a request for too long.
    fn until(&self) -> Instant {
        let since = if self.requests.get() > 0 {
            Instant::now()
        } else {
            self.since.get()
        };
        since + IDLE_DEADLINE
    }
}

async fn watch(connection: Weak<Connection>, mut ended: oneshot::Receiver<()>, socket: Rc<Socket>) {
    while let Some(until) = connection.upgrade().map(|connection| connection.until()) {
        if until <= Instant::now() {
            // What was written is still sent; then actix closes it.
            let _ = socket.shutdown(std::net::Shutdown::Read);
            return;
        }
        if let Either::Left(_) = select(&mut ended, Box::pin(sleep_until(until))).await {
            return;
        }
    }
}

/// That a connection carries a request.
#[derive(Debug)]
pub(super) struct Request(Rc<Connection>);

impl Drop for Request {
    fn drop(&mut self) {
        self.0.requests.set(self.0.requests.get().saturating_sub(1));
        self.0.since.set(Instant::now());
    }
}

/// The body of an answer: a request is carried until its end.
pub(super) struct Carried {
    body: BoxBody,
    _request: Request,
}

impl Carried {
    /// This body, on a connection.
    pub fn new(body: BoxBody, request: Request) -> Self {
        Self {
            body,
            _request: request,
        }
    }
}

impl MessageBody for Carried {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_next(cx)
    }
}
