//! The way of a frame: from the hub to one connection. One task per peer, on the media runtime.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::LINES;
use super::channels::View;
use super::connection::{Connection, Delivery, Path};
use super::error::PeerError;
use super::key_rate::KeyRate;
use super::state::ConnectionState;
use super::waiting::Waiting;
use crate::clock::monotonic_us;
use crate::ids::PeerId;
use crate::media::{Frame, Presses, Stamps, Subscription};

/// A frame that is being sent while another path is looked for has this time to leave on the old one.
const LEAVES_WITHIN: Duration = Duration::from_millis(100);
/// What waits is to be gone in a second: the encoder gets that much less.
const TOLD_LEAST_KBPS: u32 = 50;
/// Changes by less than one of so many parts are not told.
const TOLD_PARTS: u32 = 20;
/// A key frame that was asked for and has not come after this time is asked for again.
const KEY_WITHIN: Duration = Duration::from_secs(2);
/// Frames kept while the connection comes up, or looks for another path, so that the picture is there with it.
const EARLY_FRAMES: usize = 30;
/// Bytes of them.
const EARLY_BYTES: usize = 1024 * 1024;

/// What one peer was sent so far.
#[derive(Debug, Default)]
pub struct FeedCounters {
    /// Frames handed to the connection.
    pub frames: AtomicU64,
    /// Packets of them.
    pub packets: AtomicU64,
    /// Bytes of payload.
    pub bytes: AtomicU64,
    /// Times the viewer was too slow and skipped to a key frame.
    pub congested: AtomicU64,
    /// Key frames the browser asked for.
    pub key_requests: AtomicU64,
    /// What the encoder was told that the line has room for, in kbit/s.
    pub told_kbps: AtomicU32,
}

/// Feeds one connection from one subscription until it is stopped.
pub struct Feeder {
    peer: PeerId,
    connection: Arc<dyn Connection>,
    subscription: Subscription,
    waiting: Waiting,
    path: watch::Receiver<Path>,
    seen: Seen,
    pinned: Pinned,
    counters: Arc<FeedCounters>,
    /// Until when a key frame has to come, while one is missing.
    key_by: Option<Instant>,
    /// How many the browser has asked for.
    asked: KeyRate,
    /// What the browser's viewer waits to see.
    presses: Option<Arc<Presses>>,
    /// The frame that is being sent.
    leaving: (u64, Stamps),
    /// Too much waits for the frame that is being sent: nothing more is taken before that has left.
    overrun: bool,
}

impl std::fmt::Debug for Feeder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feeder")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl Feeder {
    /// A feeder that has sent nothing yet.
    #[must_use]
    pub fn new(
        peer: PeerId,
        connection: Arc<dyn Connection>,
        subscription: Subscription,
        view: watch::Receiver<View>,
        counters: Arc<FeedCounters>,
    ) -> Self {
        let path = connection.path();
        Self {
            peer,
            connection,
            subscription,
            waiting: Waiting::default(),
            path,
            seen: Seen::new(view.clone()),
            pinned: Pinned {
                view,
                rung: None,
                again_at: None,
            },
            counters,
            key_by: None,
            asked: KeyRate::default(),
            presses: None,
            leaving: (0, Stamps::default()),
            overrun: false,
        }
    }

    /// Says to `presses` which frames were sent.
    #[must_use]
    pub fn showing(mut self, presses: Option<Arc<Presses>>) -> Self {
        self.presses = presses;
        self
    }

    /// Runs until `stop` becomes true (or is dropped), the hub is gone, or the connection takes no more packets.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => {}
            () = self.feed() => {}
        }
    }

    async fn feed(&mut self) {
        self.tell();
        while self.come_up().await && self.stream().await {}
    }

    /// Sends the stream while there is a path; false when it never will again.
    async fn stream(&mut self) -> bool {
        let connection = Arc::clone(&self.connection);
        let mut state = connection.state();
        let mut sending: Option<Sending<'_>> = None;
        loop {
            if sending.is_none()
                && let Some(frame) = self.waiting.pop()
            {
                if frame.key {
                    self.key_by = None;
                }
                self.leaving = (frame.pts_us, frame.stamps);
                sending = Some(connection.send(frame));
                self.tell();
            }
            let key_by = self.key_by.unwrap_or_else(|| Instant::now() + KEY_WITHIN);
            tokio::select! {
                biased;
                // Another path is looked for. What is sent now would be lost: it is kept, as at the beginning.
                looking = looks_for_a_path(&mut state) => return looking && self.leave(sending).await,
                delivery = sent(&mut sending) => {
                    sending = None;
                    if !self.delivered(delivery) {
                        return false;
                    }
                }
                Ok(()) = self.path.changed() => self.tell(),
                frame = self.subscription.next() => {
                    let Some(frame) = frame else { return false };
                    self.wait_for_line(frame, sending.is_some());
                    self.tell();
                }
                hidden = self.seen.changed() => self.see(hidden),
                rung = self.pinned.changed() => self.pin(rung),
                () = connection.key_request() => {
                    self.counters.key_requests.fetch_add(1, Ordering::Relaxed);
                    if self.seen.paused {
                        continue;
                    }
                    match self.asked.ask(Instant::now()) {
                        Ok(()) => self.subscription.request_key(),
                        // The next one that comes will do, whoever asked for it.
                        Err(at) => self.key_by = Some(self.key_by.map_or(at, |by| by.min(at))),
                    }
                }
                () = sleep_until(key_by), if self.key_by.is_some() => {
                    self.key_by = Some(Instant::now() + KEY_WITHIN);
                    self.asked.made(Instant::now());
                    self.subscription.request_key();
                }
            }
        }
    }

    /// The page is hidden, or seen again: the stream stops, and goes on with a key frame, which counts as asked for.
    fn see(&mut self, hidden: bool) {
        if hidden {
            self.waiting.clear();
            self.key_by = None;
            self.seen.paused = true;
        } else if let Err(at) = self.asked.ask(Instant::now()) {
            self.seen.again_at = Some(at);
            return;
        } else {
            self.key_by = Some(Instant::now() + KEY_WITHIN);
            self.seen.paused = false;
        }
        self.seen.again_at = None;
        self.subscription.pause(hidden);
    }

    /// The user wants another rendition. It begins with a key frame, which counts as asked for.
    fn pin(&mut self, rung: Option<u8>) {
        let asked = self.asked.ask(Instant::now());
        self.pinned.again_at = asked.err();
        if asked.is_ok() {
            self.pinned.rung = rung;
            self.subscription.pin(rung);
        }
    }

    /// Tells the hub what the line has room for, when that has changed: what it carries, less what waits already.
    fn tell(&self) {
        let media = self.path.borrow().media_kbps;
        let wish = media.saturating_sub(self.waiting.kbit()).max(TOLD_LEAST_KBPS);
        let told = self.counters.told_kbps.load(Ordering::Relaxed);
        if told == 0 || wish.abs_diff(told) > told / TOLD_PARTS {
            self.counters.told_kbps.store(wish, Ordering::Relaxed);
            self.subscription.set_capacity(wish);
        }
    }

    /// A frame waits for the line, unless that is too much.
    fn wait_for_line(&mut self, frame: Arc<Frame>, sending: bool) {
        let kbps = self.path.borrow().media_kbps;
        if self.overrun || self.waiting.push(frame, kbps) {
            return;
        }
        if sending {
            // A key frame that is made now would wait as well, and what follows it be too much again.
            self.overrun = true;
        } else {
            self.congested();
        }
    }

    /// What became of a frame; false when the connection is gone.
    fn delivered(&mut self, delivery: Result<Delivery, PeerError>) -> bool {
        let overrun = std::mem::take(&mut self.overrun);
        match delivery {
            Ok(Delivery::Sent { packets, bytes }) => {
                self.counters.frames.fetch_add(1, Ordering::Relaxed);
                if let Some(presses) = &self.presses {
                    let (pts_us, stamps) = self.leaving;
                    presses.sent(pts_us, stamps, monotonic_us());
                }
                self.counters.packets.fetch_add(packets, Ordering::Relaxed);
                self.counters.bytes.fetch_add(bytes, Ordering::Relaxed);
                if overrun {
                    self.congested();
                }
            }
            Ok(Delivery::Congested) => self.congested(),
            Err(error) => {
                log::log!(LINES.level(), "peer={} feeding ends: {error}", self.peer);
                return false;
            }
        }
        true
    }

    /// The line does not carry the stream: it goes on with a key frame.
    fn congested(&mut self) {
        self.counters.congested.fetch_add(1, Ordering::Relaxed);
        log::log!(
            LINES.level(),
            "peer={} congested, skipping to the next key frame",
            self.peer
        );
        self.begin_anew();
    }

    fn begin_anew(&mut self) {
        self.overrun = false;
        self.waiting.clear();
        self.subscription.skip_to_key();
        self.key_by = Some(Instant::now() + KEY_WITHIN);
    }

    /// Another path is looked for: what is being sent still leaves, if it does so soon; false when the connection is gone.
    async fn leave(&mut self, mut sending: Option<Sending<'_>>) -> bool {
        if sending.is_none() {
            return true;
        }
        match timeout(LEAVES_WITHIN, sent(&mut sending)).await {
            Ok(delivery) => self.delivered(delivery),
            Err(_) => {
                self.begin_anew();
                true
            }
        }
    }

    /// Waits until media can flow, keeping the stream since its last key frame; false when it never will.
    async fn come_up(&mut self) -> bool {
        let mut state = self.connection.state();
        let mut early = Early::default();
        while let Some(frame) = self.waiting.pop() {
            early.keep(frame);
        }
        loop {
            tokio::select! {
                biased;
                connected = state.wait_for(|s| *s == ConnectionState::Connected) => {
                    if connected.is_err() {
                        return false;
                    }
                    break;
                }
                frame = self.subscription.next() => {
                    let Some(frame) = frame else { return false };
                    early.keep(frame);
                }
            }
        }
        if early.overflown {
            self.waiting.clear();
            self.subscription.skip_to_key();
            self.subscription.request_key();
            self.key_by = Some(Instant::now() + KEY_WITHIN);
            return true;
        }
        for frame in early.frames {
            self.waiting.keep(frame);
        }
        true
    }
}

/// Whether anybody sees the page.
struct Seen {
    view: watch::Receiver<View>,
    /// The stream has stopped.
    paused: bool,
    /// It goes on then, at the earliest.
    again_at: Option<Instant>,
}

impl Seen {
    const fn new(view: watch::Receiver<View>) -> Self {
        Self {
            view,
            paused: false,
            again_at: None,
        }
    }

    /// Waits until the stream has to stop or go on: whether the page is hidden. Cancel safe.
    async fn changed(&mut self) -> bool {
        loop {
            let hidden = self.view.borrow_and_update().hidden;
            let again_at = self.again_at.filter(|at| *at > Instant::now());
            if hidden != self.paused && (hidden || again_at.is_none()) {
                return hidden;
            }
            let at = again_at.unwrap_or_else(|| Instant::now() + KEY_WITHIN);
            tokio::select! {
                changed = self.view.changed() => if changed.is_err() {
                    std::future::pending::<()>().await;
                },
                () = sleep_until(at), if again_at.is_some() => {}
            }
        }
    }
}

/// Which rendition the user has chosen.
struct Pinned {
    view: watch::Receiver<View>,
    /// What the hub was told.
    rung: Option<u8>,
    /// It is told another one then, at the earliest.
    again_at: Option<Instant>,
}

impl Pinned {
    /// Waits until it is to be told another one. Cancel safe.
    async fn changed(&mut self) -> Option<u8> {
        if let Some(at) = self.again_at {
            sleep_until(at).await;
        }
        let told = self.rung;
        match self.view.wait_for(|view| view.rung != told).await.map(|view| view.rung) {
            Ok(rung) => rung,
            Err(_) => std::future::pending().await,
        }
    }
}

/// A frame on its way.
type Sending<'a> = Pin<Box<dyn Future<Output = Result<Delivery, PeerError>> + Send + 'a>>;

/// Waits until a frame is sent that may not be there, for ever then.
async fn sent(sending: &mut Option<Sending<'_>>) -> Result<Delivery, PeerError> {
    match sending {
        Some(sending) => sending.await,
        None => std::future::pending().await,
    }
}

/// Waits until another path is looked for; false when the connection is gone.
async fn looks_for_a_path(state: &mut watch::Receiver<ConnectionState>) -> bool {
    state.wait_for(|s| *s == ConnectionState::Connecting).await.is_ok()
}

/// The stream since its last key frame, as long as it is short.
#[derive(Default)]
struct Early {
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
    overflown: bool,
}

impl Early {
    fn keep(&mut self, frame: Arc<Frame>) {
        if frame.key {
            *self = Self::default();
        }
        if self.overflown {
            return;
        }
        self.bytes += frame.data.len();
        self.frames.push_back(frame);
        // overflow: all of it goes, and the stream begins with a key frame asked for when the connection is up.
        if self.frames.len() > EARLY_FRAMES || self.bytes > EARLY_BYTES {
            self.frames.clear();
            self.overflown = true;
        }
    }
}

#[cfg(test)]
mod tests;
