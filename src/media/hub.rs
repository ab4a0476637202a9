//! The hub of one instance: one encode in, any number of viewers out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::capacity::{coalesced, rate};
use super::{Codec, Frame};

/// Frames a subscriber may have waiting: at 60 fps a fifth of a second. A machine that is short of processor time for
/// less than that costs nobody a key frame.
const SLOT: usize = 12;
/// All key frames of one codec together: at most one in this time.
const KEY_INTERVAL: Duration = Duration::from_millis(300);
/// Key frames on behalf of one slow subscriber: at most one in this time.
const SLOW_KEY_INTERVAL: Duration = Duration::from_secs(2);
/// The rate of a hub that is told none, in kbit/s.
const USUAL_KBPS: u32 = 4000;

/// Fans the frames of an instance's capture out to its peers. Shared by `Arc`; outlives both sides.
pub struct Hub {
    inner: Mutex<Inner>,
    wanted: watch::Sender<BTreeSet<Codec>>,
    rates: watch::Sender<BTreeMap<Codec, u32>>,
    key_wanted: Notify,
    max_kbps: u32,
}

#[derive(Default)]
struct Inner {
    next_subscriber: u64,
    subscribers: BTreeMap<u64, Subscriber>,
    keys: BTreeMap<Codec, KeyState>,
    stats: HubStats,
}

/// Coalesces the wishes for key frames of one codec.
#[derive(Default)]
struct KeyState {
    wanted: bool,
    last: Option<Instant>,
}

struct Subscriber {
    codec: Codec,
    frames: mpsc::Sender<Arc<Frame>>,
    needs_key: bool,
    /// It has been given a frame.
    started: bool,
    slow_key_at: Option<Instant>,
    /// What its path carries, in kbit/s; `None` until it has told.
    capacity: Option<u32>,
    /// Nobody looks at it.
    paused: bool,
}

/// What went through a hub since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HubStats {
    /// Frames published.
    pub frames: u64,
    /// Key frames among them.
    pub key_frames: u64,
    /// Bytes published.
    pub bytes: u64,
    /// Frames that a slow subscriber missed.
    pub skipped: u64,
    /// `CLOCK_MONOTONIC` µs of the newest frame, 0 before the first.
    pub last_pts_us: u64,
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("Hub")
            .field("subscribers", &inner.subscribers.len())
            .field("stats", &inner.stats)
            .finish_non_exhaustive()
    }
}

impl Hub {
    /// A hub without publisher and subscribers, of the usual rate.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_rate(USUAL_KBPS)
    }

    /// A hub without publisher and subscribers, whose encoders get `max_kbps` unless a subscriber's path carries less.
    #[must_use]
    pub fn with_rate(max_kbps: u32) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            wanted: watch::Sender::new(BTreeSet::new()),
            rates: watch::Sender::new(BTreeMap::new()),
            key_wanted: Notify::new(),
            max_kbps,
        })
    }

    /// The codecs that somebody watches; changes as they come, go and pause. An encoder runs only for these.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<BTreeSet<Codec>> {
        self.wanted.subscribe()
    }

    /// What each encoder should use, in kbit/s: what the least of its subscribers' paths carries, within bounds.
    #[must_use]
    pub fn rates(&self) -> watch::Receiver<BTreeMap<Codec, u32>> {
        self.rates.subscribe()
    }

    /// The capture side's end of key-frame requests. One reader at a time.
    #[must_use]
    pub fn key_requests(self: &Arc<Self>) -> KeyRequests {
        KeyRequests { hub: Arc::clone(self) }
    }

    /// Subscribes to one codec from the next key frame on, which is asked for.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, codec: Codec) -> Subscription {
        // overflow: a frame that finds its slot full is skipped, and all after it up to the next key frame.
        let (frames, receiver) = mpsc::channel(SLOT);
        let mut inner = self.lock();
        let id = inner.next_subscriber;
        inner.next_subscriber += 1;
        inner.subscribers.insert(
            id,
            Subscriber {
                codec,
                frames,
                needs_key: true,
                started: false,
                slow_key_at: None,
                capacity: None,
                paused: false,
            },
        );
        self.publish_wanted(&inner);
        drop(inner);
        self.request_key(codec);
        Subscription {
            hub: Arc::downgrade(self),
            id,
            codec,
            frames: receiver,
        }
    }

    /// Hands one frame of `codec` to its subscribers. Never waits.
    pub fn publish(&self, codec: Codec, frame: Frame) {
        let frame = Arc::new(frame);
        let now = Instant::now();
        let mut ask = false;
        let mut inner = self.lock();
        inner.stats.frames += 1;
        inner.stats.key_frames += u64::from(frame.key);
        inner.stats.bytes += frame.data.len() as u64;
        inner.stats.last_pts_us = inner.stats.last_pts_us.max(frame.pts_us);
        if frame.key {
            inner.keys.entry(codec).or_default().wanted = false;
        }
        let mut skipped = 0;
        for subscriber in inner.subscribers.values_mut().filter(|s| s.codec == codec) {
            ask |= subscriber.offer(&frame, now, &mut skipped);
        }
        inner.stats.skipped += skipped;
        drop(inner);
        if ask {
            self.request_key(codec);
        }
    }

    /// Asks for a key frame of `codec`. Requests that come close together become one.
    pub fn request_key(&self, codec: Codec) {
        self.lock().keys.entry(codec).or_default().wanted = true;
        self.key_wanted.notify_one();
    }

    /// A publisher (re)started: whoever watches needs a key frame before anything else makes sense.
    pub fn source_restarted(&self, codec: Codec) {
        let mut inner = self.lock();
        for subscriber in inner.subscribers.values_mut().filter(|s| s.codec == codec) {
            subscriber.needs_key = true;
        }
        let watched = inner.subscribers.values().any(|s| s.codec == codec && !s.paused);
        drop(inner);
        if watched {
            self.request_key(codec);
        }
    }

    /// What went through so far.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        self.lock().stats
    }

    /// How many subscribers there are, of all codecs.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.lock().subscribers.len()
    }

    fn unsubscribe(&self, id: u64) {
        let mut inner = self.lock();
        inner.subscribers.remove(&id);
        self.publish_wanted(&inner);
    }

    /// Tells the publisher what is wanted now. Under the lock, so that what is told last is what counts.
    fn publish_wanted(&self, inner: &Inner) {
        let wanted = inner.wanted();
        self.rates.send_if_modified(|current| {
            let told = wanted.iter().map(|codec| {
                let wish = rate(inner.capacities(*codec), self.max_kbps);
                (*codec, coalesced(current.get(codec).copied(), wish))
            });
            let told = told.collect();
            let changed = *current != told;
            *current = told;
            changed
        });
        self.wanted.send_if_modified(|current| {
            let changed = *current != wanted;
            *current = wanted;
            changed
        });
    }

    fn set_capacity(&self, id: u64, kbps: u32) {
        let mut inner = self.lock();
        if let Some(subscriber) = inner.subscribers.get_mut(&id) {
            subscriber.capacity = Some(kbps);
            self.publish_wanted(&inner);
        }
    }

    fn pause(&self, id: u64, paused: bool) {
        let mut inner = self.lock();
        let Some(subscriber) = inner.subscribers.get_mut(&id) else {
            return;
        };
        if subscriber.paused == paused {
            return;
        }
        subscriber.paused = paused;
        subscriber.needs_key = true;
        // The next key frame is asked for here, and not charged to it.
        subscriber.started = false;
        let codec = subscriber.codec;
        self.publish_wanted(&inner);
        drop(inner);
        if !paused {
            self.request_key(codec);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held leaves nothing half done here, so the data stays usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wanted(&self) -> BTreeSet<Codec> {
        let watching = self.subscribers.values().filter(|s| !s.paused);
        watching.map(|s| s.codec).collect()
    }

    /// What the paths of those carry who watch a codec, as far as they have told.
    fn capacities(&self, codec: Codec) -> impl Iterator<Item = u32> {
        let watching = self.subscribers.values().filter(move |s| !s.paused && s.codec == codec);
        watching.filter_map(|s| s.capacity)
    }
}

impl Subscriber {
    /// Offers a frame; says whether a key frame has to be asked for on this subscriber's behalf.
    fn offer(&mut self, frame: &Arc<Frame>, now: Instant, skipped: &mut u64) -> bool {
        if self.paused {
            return false;
        }
        if self.needs_key && !frame.key {
            *skipped += 1;
            // The first one was asked for when it came, and is not charged to it.
            return self.started && self.may_ask(now);
        }
        match self.frames.try_send(Arc::clone(frame)) {
            Ok(()) => {
                self.needs_key = false;
                self.started = true;
                false
            }
            Err(_) => {
                log::info!(
                    "codec={} a viewer does not keep up, skipping to the next key frame",
                    self.codec
                );
                *skipped += 1;
                self.needs_key = true;
                self.may_ask(now)
            }
        }
    }

    fn may_ask(&mut self, now: Instant) -> bool {
        let due = self
            .slow_key_at
            .is_none_or(|at| now.duration_since(at) >= SLOW_KEY_INTERVAL);
        if due {
            self.slow_key_at = Some(now);
        }
        due
    }
}

/// The capture side's end of key-frame requests.
#[derive(Debug)]
pub struct KeyRequests {
    hub: Arc<Hub>,
}

impl KeyRequests {
    /// Waits for the next codec that needs a key frame, at most one per codec and 300 ms. Cancel safe.
    pub async fn next(&mut self) -> Codec {
        loop {
            let mut wait: Option<Duration> = None;
            {
                let mut inner = self.hub.lock();
                let now = Instant::now();
                for (codec, key) in &mut inner.keys {
                    if !key.wanted {
                        continue;
                    }
                    let rest = key
                        .last
                        .map_or(Duration::ZERO, |at| KEY_INTERVAL.saturating_sub(now.duration_since(at)));
                    if rest.is_zero() {
                        key.wanted = false;
                        key.last = Some(now);
                        return *codec;
                    }
                    wait = Some(wait.map_or(rest, |w| w.min(rest)));
                }
            }
            match wait {
                Some(rest) => tokio::time::sleep(rest).await,
                None => self.hub.key_wanted.notified().await,
            }
        }
    }
}

/// One viewer's place at a hub; leaves it when dropped.
#[derive(Debug)]
pub struct Subscription {
    hub: Weak<Hub>,
    id: u64,
    codec: Codec,
    frames: mpsc::Receiver<Arc<Frame>>,
}

impl Subscription {
    /// The next frame, the first being a key frame. `None` when the hub is gone. Cancel safe.
    pub async fn next(&mut self) -> Option<Arc<Frame>> {
        self.frames.recv().await
    }

    /// The codec subscribed to.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// Asks for a key frame (the browser sent a PLI, RFC 4585 section 6.3.1).
    pub fn request_key(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.request_key(self.codec);
        }
    }

    /// What this viewer's path carries for media, in kbit/s: less overhead and repeats. Whoever never tells is not counted.
    pub fn set_capacity(&self, kbps: u32) {
        if let Some(hub) = self.hub.upgrade() {
            hub.set_capacity(self.id, kbps);
        }
    }

    /// Nobody looks at this viewer's picture, or somebody does again: without frames, and not counted for rates, while
    /// that lasts. It goes on with a key frame, which is asked for.
    pub fn pause(&self, paused: bool) {
        if let Some(hub) = self.hub.upgrade() {
            hub.pause(self.id, paused);
        }
    }

    /// This viewer cannot keep up: throws away what waits and goes on with the next key frame, which is asked for.
    pub fn skip_to_key(&mut self) {
        while self.frames.try_recv().is_ok() {}
        if let Some(hub) = self.hub.upgrade() {
            let ask = hub.lock().subscribers.get_mut(&self.id).is_some_and(|s| {
                s.needs_key = true;
                s.may_ask(Instant::now())
            });
            if ask {
                hub.request_key(self.codec);
            }
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.unsubscribe(self.id);
        }
    }
}

#[cfg(test)]
mod tests;
