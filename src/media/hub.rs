//! The hub of one instance: one encode in, any number of viewers out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::{Codec, Frame};

/// Frames a subscriber may have waiting: at 60 fps a fifth of a second. A machine that is short of processor time for
/// less than that costs nobody a key frame.
const SLOT: usize = 12;
/// All key frames of one codec together: at most one in this time.
const KEY_INTERVAL: Duration = Duration::from_millis(300);
/// Key frames on behalf of one slow subscriber: at most one in this time.
const SLOW_KEY_INTERVAL: Duration = Duration::from_secs(2);

/// Fans the frames of an instance's capture out to its peers. Shared by `Arc`; outlives both sides.
pub struct Hub {
    inner: Mutex<Inner>,
    wanted: watch::Sender<BTreeSet<Codec>>,
    key_wanted: Notify,
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
    /// A hub without publisher and subscribers.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            wanted: watch::Sender::new(BTreeSet::new()),
            key_wanted: Notify::new(),
        })
    }

    /// The codecs that have subscribers; changes as they come and go. An encoder runs only for these.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<BTreeSet<Codec>> {
        self.wanted.subscribe()
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
            },
        );
        let wanted = inner.wanted();
        drop(inner);
        self.publish_wanted(wanted);
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
        let watched = inner.subscribers.values().any(|s| s.codec == codec);
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
        let wanted = inner.wanted();
        drop(inner);
        self.publish_wanted(wanted);
    }

    fn publish_wanted(&self, wanted: BTreeSet<Codec>) {
        self.wanted.send_if_modified(|current| {
            let changed = *current != wanted;
            *current = wanted;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held leaves nothing half done here, so the data stays usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn wanted(&self) -> BTreeSet<Codec> {
        self.subscribers.values().map(|s| s.codec).collect()
    }
}

impl Subscriber {
    /// Offers a frame; says whether a key frame has to be asked for on this subscriber's behalf.
    fn offer(&mut self, frame: &Arc<Frame>, now: Instant, skipped: &mut u64) -> bool {
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
mod tests {
    use super::*;
    use bytes::Bytes;

    fn frame(key: bool, pts_us: u64) -> Frame {
        Frame {
            data: Bytes::from_static(b"picture"),
            key,
            pts_us,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_newcomer_gets_nothing_before_a_key_frame() {
        let hub = Hub::new();
        let mut viewer = hub.subscribe(Codec::H264);
        hub.publish(Codec::H264, frame(false, 1));
        hub.publish(Codec::H264, frame(true, 2));
        hub.publish(Codec::H264, frame(false, 3));
        assert_eq!(viewer.next().await.unwrap().pts_us, 2);
        assert_eq!(viewer.next().await.unwrap().pts_us, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_viewer_skips_to_the_next_key_frame_and_others_lose_nothing() {
        let hub = Hub::new();
        let mut slow = hub.subscribe(Codec::Vp8);
        let mut quick = hub.subscribe(Codec::Vp8);
        let mut seen = 0;
        for n in 0..20 {
            hub.publish(Codec::Vp8, frame(n == 0 || n == 15, n));
            seen += u64::from(quick.next().await.is_some());
        }
        assert_eq!(seen, 20);
        let mut got = Vec::new();
        while let Ok(f) = slow.frames.try_recv() {
            got.push(f.pts_us);
        }
        assert_eq!(got, (0..SLOT as u64).collect::<Vec<_>>());
        hub.publish(Codec::Vp8, frame(false, 20));
        hub.publish(Codec::Vp8, frame(true, 21));
        assert_eq!(slow.next().await.unwrap().pts_us, 21);
    }

    #[tokio::test(start_paused = true)]
    async fn many_requests_become_one_key_frame_each_300_ms() {
        let hub = Hub::new();
        let mut requests = hub.key_requests();
        let begin = Instant::now();
        let mut granted = 0;
        while begin.elapsed() < Duration::from_secs(3) {
            hub.request_key(Codec::H264);
            if tokio::time::timeout(Duration::from_millis(10), requests.next())
                .await
                .is_ok()
            {
                granted += 1;
            }
        }
        assert!((9..=11).contains(&granted), "{granted}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_codec_is_wanted_only_while_somebody_watches() {
        let hub = Hub::new();
        let wanted = hub.wanted();
        let viewer = hub.subscribe(Codec::Vp8);
        assert!(wanted.borrow().contains(&Codec::Vp8));
        drop(viewer);
        assert!(wanted.borrow().is_empty());
        assert_eq!(hub.subscribers(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_restart_of_the_source_only_a_key_frame_passes() {
        let hub = Hub::new();
        let mut viewer = hub.subscribe(Codec::H264);
        hub.publish(Codec::H264, frame(true, 1));
        assert_eq!(viewer.next().await.unwrap().pts_us, 1);
        hub.source_restarted(Codec::H264);
        hub.publish(Codec::H264, frame(false, 2));
        hub.publish(Codec::H264, frame(true, 3));
        assert_eq!(viewer.next().await.unwrap().pts_us, 3);
    }
}
