//! The way of a frame: from the hub to one connection. One task per peer, on the media runtime.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::LINES;
use super::connection::Connection;
use super::key_rate::KeyRate;
use super::packets::Packetizer;
use super::state::ConnectionState;
use crate::ids::PeerId;
use crate::media::{Frame, Subscription};

/// A packet that cannot be handed over within this time: the viewer is congested.
const WRITE_WITHIN: Duration = Duration::from_millis(100);
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
    /// Packets among them.
    pub packets: AtomicU64,
    /// Bytes of payload.
    pub bytes: AtomicU64,
    /// Times the viewer was too slow and skipped to a key frame.
    pub congested: AtomicU64,
    /// Key frames the browser asked for.
    pub key_requests: AtomicU64,
}

/// Feeds one connection from one subscription until it is stopped.
pub struct Feeder {
    peer: PeerId,
    connection: Arc<dyn Connection>,
    subscription: Subscription,
    packetizer: Packetizer,
    counters: Arc<FeedCounters>,
    /// Until when a key frame has to come, while one is missing.
    key_by: Option<Instant>,
    /// How many the browser has asked for.
    asked: KeyRate,
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
        counters: Arc<FeedCounters>,
    ) -> Self {
        let packetizer = Packetizer::new(subscription.codec());
        Self {
            peer,
            connection,
            subscription,
            packetizer,
            counters,
            key_by: None,
            asked: KeyRate::default(),
        }
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
        while self.come_up().await && self.stream().await {}
    }

    /// Sends the stream while there is a path; false when it never will again.
    async fn stream(&mut self) -> bool {
        let connection = Arc::clone(&self.connection);
        let mut state = connection.state();
        loop {
            let key_by = self.key_by.unwrap_or_else(|| Instant::now() + KEY_WITHIN);
            tokio::select! {
                biased;
                // Another path is looked for. What is sent now would be lost: it is kept, as at the beginning.
                looking = looks_for_a_path(&mut state) => return looking,
                frame = self.subscription.next() => {
                    let Some(frame) = frame else { return false };
                    if !self.send(&frame).await {
                        return false;
                    }
                }
                () = connection.key_request() => {
                    self.counters.key_requests.fetch_add(1, Ordering::Relaxed);
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

    /// Waits until media can flow, keeping the stream since its last key frame; false when it never will.
    async fn come_up(&mut self) -> bool {
        let mut state = self.connection.state();
        let mut early = Early::default();
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
            self.subscription.skip_to_key();
            self.subscription.request_key();
            self.key_by = Some(Instant::now() + KEY_WITHIN);
            return true;
        }
        for frame in early.frames {
            if !self.send(&frame).await {
                return false;
            }
        }
        true
    }

    /// Sends one frame; false when the connection is gone.
    async fn send(&mut self, frame: &Frame) -> bool {
        if frame.key {
            self.key_by = None;
        }
        for packet in self.packetizer.packets(frame) {
            let len = packet.payload.len() as u64;
            match timeout(WRITE_WITHIN, self.connection.write(packet)).await {
                Ok(Ok(())) => {
                    self.counters.packets.fetch_add(1, Ordering::Relaxed);
                    self.counters.bytes.fetch_add(len, Ordering::Relaxed);
                }
                Ok(Err(error)) => {
                    log::log!(LINES.level(), "peer={} feeding ends: {error}", self.peer);
                    return false;
                }
                Err(_) => {
                    // The rest of this frame is missing for good: the browser sees the gap and waits for a key frame.
                    self.counters.congested.fetch_add(1, Ordering::Relaxed);
                    log::log!(
                        LINES.level(),
                        "peer={} congested, skipping to the next key frame",
                        self.peer
                    );
                    self.subscription.skip_to_key();
                    self.key_by = Some(Instant::now() + KEY_WITHIN);
                    return true;
                }
            }
        }
        self.counters.frames.fetch_add(1, Ordering::Relaxed);
        true
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
