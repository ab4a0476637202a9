//! One viewer's line to the VNC server: bytes to it and from it, and what is held back.
//!
//! ```text
//!   socket ─▶ orders ─▶ task ─▶ server         messages, and a request for a picture when the viewer has taken the last one
//!          ◀─ queue ◀──┘  ◀────┘               always read: the server has one thread for all its viewers
//! ```
//!
//! A server that stands still looks like a screen that does: of a picture in which nothing changes it says nothing. So where it
//! has said nothing for a while, it is asked for one pixel, which it has to answer.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::runtime::Handle;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until, timeout};

use crate::protocol::rfb::{ToServer, Update};

/// Messages that may wait for the server.
const ORDERS: usize = 256;
/// As much is handed on at once.
const CHUNK: usize = 32 * 1024;
/// Of a picture, and what it is packed in, that waits for the viewer: what it has not asked for, no server sends.
const PICTURES: usize = 2;
const REST: usize = 1 << 20;
/// A viewer is sent pictures no faster.
const UPDATE_EVERY: Duration = Duration::from_millis(10);
/// A viewer that takes nothing of what waits for it.
const TAKES_WITHIN: Duration = Duration::from_secs(10);
/// For the server to take one message.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// A server that has said nothing for so long is asked for a pixel …
const QUIET: Duration = Duration::from_secs(3);
/// … and has so long to answer, or to greet.
const ANSWERS_WITHIN: Duration = Duration::from_secs(8);
/// The pixel, whether it has changed or not.
const PIXEL: Update = Update {
    incremental: false,
    x: (0, 1),
    y: (0, 1),
};

/// Why a line has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineEnd {
    /// The server is gone, or stands still.
    #[error("the VNC server is gone")]
    Lost,
    /// The server says more than it was asked for.
    #[error("the VNC server floods")]
    Flooded,
    /// The viewer takes nothing.
    #[error("no pictures are taken")]
    NotTaken,
    /// The viewer asks for more than can be done.
    #[error("too many messages")]
    TooMuch,
}

/// Why there is no way to the server.
#[derive(Debug, thiserror::Error)]
pub enum NoVnc {
    /// It ended again and again, or is none of this instance's.
    #[error("its VNC server does not run")]
    Off,
    /// It has not come up in time.
    #[error("its VNC server has not started in time")]
    Late(#[source] Option<io::Error>),
}

/// Somebody watches by VNC, for as long as this lives.
#[derive(Debug)]
pub struct Wanted {
    pub(crate) count: watch::Sender<usize>,
    /// Told when the server answers no more.
    pub(crate) hangs: Arc<Notify>,
}

impl Drop for Wanted {
    fn drop(&mut self) {
        self.count.send_modify(|count| *count = count.saturating_sub(1));
    }
}

/// One viewer's line. When it is dropped, it ends.
#[derive(Debug)]
pub struct VncLine {
    orders: mpsc::Sender<Order>,
    incoming: Arc<Incoming>,
    _wanted: Wanted,
}

#[derive(Debug)]
enum Order {
    Message(Bytes),
    Update(Update),
    Hidden(bool),
}

/// What has come of the server.
#[derive(Debug)]
pub struct Incoming {
    inner: Mutex<Inner>,
    /// For who takes it.
    came: Notify,
    /// For who fills it.
    taken: Notify,
}

#[derive(Debug)]
struct Inner {
    chunks: VecDeque<Bytes>,
    bytes: usize,
    taken_at: Instant,
    end: Option<LineEnd>,
}

impl VncLine {
    /// A line over `stream`, for a picture of so many bytes.
    pub(crate) fn of_picture(runtime: &Handle, stream: UnixStream, wanted: Wanted, picture: usize) -> Self {
        Self::new(runtime, stream, wanted, PICTURES * picture + REST)
    }

    fn new(runtime: &Handle, stream: UnixStream, wanted: Wanted, most: usize) -> Self {
        // overflow: the line ends, see `order`.
        let (orders, queue) = mpsc::channel(ORDERS);
        let incoming = Arc::new(Incoming {
            inner: Mutex::new(Inner {
                chunks: VecDeque::new(),
                bytes: 0,
                taken_at: Instant::now(),
                end: None,
            }),
            came: Notify::new(),
            taken: Notify::new(),
        });
        let (carried, hangs) = (Arc::clone(&incoming), Arc::clone(&wanted.hangs));
        runtime.spawn(async move {
            // Of one that was dropped nobody asks how it ended.
            if let Err(end) = carry(stream, queue, &carried, &hangs, most).await {
                carried.lock().end = Some(end);
                carried.came.notify_one();
            }
        });
        Self {
            orders,
            incoming,
            _wanted: wanted,
        }
    }

    /// Passes on what a viewer says.
    ///
    /// # Errors
    /// [`LineEnd`] when there is no room: the line has ended, or does so now.
    pub fn say(&self, message: ToServer) -> Result<(), LineEnd> {
        self.order(match message {
            ToServer::Message(bytes) => Order::Message(bytes),
            ToServer::Update(update) => Order::Update(update),
        })
    }

    /// Nobody sees the viewer's page: no picture is asked for until somebody does.
    ///
    /// # Errors
    /// As of [`VncLine::say`].
    pub fn hide(&self, hidden: bool) -> Result<(), LineEnd> {
        self.order(Order::Hidden(hidden))
    }

    /// What comes of the server.
    #[must_use]
    pub fn incoming(&self) -> Arc<Incoming> {
        Arc::clone(&self.incoming)
    }

    fn order(&self, order: Order) -> Result<(), LineEnd> {
        // overflow: who asks so fast is put out.
        self.orders.try_send(order).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => LineEnd::TooMuch,
            mpsc::error::TrySendError::Closed(_) => self.incoming.lock().end.unwrap_or(LineEnd::Lost),
        })
    }
}

impl Incoming {
    /// The next bytes of the server. Cancel safe.
    ///
    /// # Errors
    /// How the line has ended, after all that came before.
    pub async fn next(&self) -> Result<Bytes, LineEnd> {
        loop {
            {
                let mut inner = self.lock();
                inner.taken_at = Instant::now();
                if let Some(chunk) = inner.chunks.pop_front() {
                    inner.bytes -= chunk.len();
                    if inner.chunks.is_empty() {
                        self.taken.notify_one();
                    }
                    return Ok(chunk);
                }
                if let Some(end) = inner.end {
                    return Err(end);
                }
            }
            self.came.notified().await;
        }
    }

    fn push(&self, chunk: Bytes, most: usize) -> Result<(), LineEnd> {
        let mut inner = self.lock();
        if inner.bytes + chunk.len() > most {
            return Err(LineEnd::Flooded);
        }
        if inner.chunks.is_empty() {
            inner.taken_at = Instant::now();
        }
        inner.bytes += chunk.len();
        inner.chunks.push_back(chunk);
        self.came.notify_one();
        Ok(())
    }

    /// Since when something waits that nobody takes.
    fn waits_since(&self) -> Option<Instant> {
        let inner = self.lock();
        (!inner.chunks.is_empty()).then_some(inner.taken_at)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server still answers.
#[derive(Debug)]
struct Answers {
    /// Pictures were asked for; a viewer may take its time before.
    greeted: bool,
    heard: Instant,
    /// When it was asked for something that it has to answer.
    asked: Option<Instant>,
}

impl Answers {
    /// It has to greet first.
    const fn new(now: Instant) -> Self {
        Self {
            greeted: false,
            heard: now,
            asked: Some(now),
        }
    }

    fn heard(&mut self, now: Instant) {
        (self.heard, self.asked) = (now, None);
    }

    /// Whether there is something that it has to say.
    const fn owed(&self) -> bool {
        self.asked.is_some()
    }

    /// When it has to have answered, or is to be asked.
    fn due(&self) -> Instant {
        self.asked.map_or(self.heard + QUIET, |asked| asked + ANSWERS_WITHIN)
    }
}

/// Until the viewer has let go of the line.
async fn carry(
    stream: UnixStream,
    mut orders: mpsc::Receiver<Order>,
    incoming: &Incoming,
    hangs: &Notify,
    most: usize,
) -> Result<(), LineEnd> {
    let (mut from, mut to) = stream.into_split();
    let mut asked: Option<Update> = None;
    let mut hidden = false;
    let mut next_update = Instant::now();
    let mut buffer = BytesMut::with_capacity(CHUNK);
    let mut message = None;
    let mut answers = Answers::new(Instant::now());
    loop {
        if let Some(bytes) = message.take() {
            let bytes: Bytes = bytes;
            let sent = timeout(SENT_WITHIN, to.write_all(&bytes)).await;
            sent.map_err(|_| LineEnd::Lost)?.map_err(|_| LineEnd::Lost)?;
        }
        let waits = incoming.waits_since();
        let may_ask = asked.is_some() && waits.is_none() && !hidden;
        if waits.is_some_and(|since| since.elapsed() >= TAKES_WITHIN) {
            return Err(LineEnd::NotTaken);
        }
        buffer.reserve(CHUNK);
        tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return Ok(()),
                Some(Order::Message(bytes)) => message = Some(bytes),
                Some(Order::Update(update)) => asked = Some(asked.map_or(update, |before| before.and(update))),
                Some(Order::Hidden(now)) => hidden = now,
            },
            read = from.read_buf(&mut buffer) => {
                if read.map_err(|_| LineEnd::Lost)? == 0 {
                    return Err(LineEnd::Lost);
                }
                answers.heard(Instant::now());
                incoming.push(buffer.split().freeze(), most)?;
            }
            () = sleep_until(next_update), if may_ask => {
                next_update = Instant::now() + UPDATE_EVERY;
                answers.greeted = true;
                message = asked.take().map(Update::message);
            }
            () = incoming.taken.notified() => {}
            () = sleep_until(waits.unwrap_or_else(Instant::now) + TAKES_WITHIN), if waits.is_some() => {}
            () = sleep_until(answers.due()), if answers.owed() || (answers.greeted && waits.is_none() && !hidden) => {
                if answers.owed() {
                    hangs.notify_one();
                    return Err(LineEnd::Lost);
                }
                answers.asked = Some(Instant::now());
                message = Some(PIXEL.message());
            }
        }
    }
}

#[cfg(test)]
#[path = "vnc_line_tests.rs"]
mod tests;
