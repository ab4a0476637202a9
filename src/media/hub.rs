//! The hub of one instance: each rendition encoded once, any number of viewers out.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::capacity::coalesced;
use super::colours::FULL;
use super::ladder::Ladder;
use super::moves::Moves;
use super::{Codec, Frame, Rendition, Track};
pub use keys::KeyRequests;
use keys::Keys;
use subscriber::{Offered, SLOT, Subscriber};
pub use subscription::Subscription;

mod keys;
mod subscriber;
mod subscription;

/// The rate of a hub that is told none, in kbit/s.
const USUAL_KBPS: u32 = 4000;

/// Fans the frames of an instance's capture out to its peers. Shared by `Arc`; outlives both sides.
pub struct Hub {
    ladder: Ladder,
    inner: Mutex<Inner>,
    wanted: watch::Sender<BTreeSet<Rendition>>,
    rates: watch::Sender<BTreeMap<Rendition, u32>>,
    key_wanted: Notify,
    /// What [`Hub::tend`] waits for may have changed.
    looked: Notify,
}

#[derive(Default)]
struct Inner {
    next_subscriber: u64,
    subscribers: BTreeMap<u64, Subscriber>,
    moves: BTreeMap<Track, Moves>,
    keys: Keys,
    stats: HubStats,
    /// When to look at who watches what again.
    due: Option<Instant>,
}

/// What went through a hub since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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
    /// A hub without publisher and subscribers, of the whole picture at the usual rate.
    #[must_use]
    pub fn new() -> Arc<Self> {
        Self::with_rate(USUAL_KBPS)
    }

    /// A hub of the whole picture alone, at `max_kbps` unless a subscriber's path carries less.
    #[must_use]
    pub fn with_rate(max_kbps: u32) -> Arc<Self> {
        Self::with_ladder(Ladder::single(max_kbps))
    }

    /// A hub whose tracks can be had in these renditions.
    #[must_use]
    pub fn with_ladder(ladder: Ladder) -> Arc<Self> {
        Arc::new(Self {
            ladder,
            inner: Mutex::default(),
            wanted: watch::Sender::new(BTreeSet::new()),
            rates: watch::Sender::new(BTreeMap::new()),
            key_wanted: Notify::new(),
            looked: Notify::new(),
        })
    }

    /// The renditions that its tracks can be had in.
    #[must_use]
    pub const fn ladder(&self) -> &Ladder {
        &self.ladder
    }

    /// What somebody watches, or is moved to; changes as they come, go, pause and move. An encoder runs only for these.
    #[must_use]
    pub fn wanted(&self) -> watch::Receiver<BTreeSet<Rendition>> {
        self.wanted.subscribe()
    }

    /// What each encoder should use, in kbit/s: what the least of its subscribers' paths carries, within bounds.
    #[must_use]
    pub fn rates(&self) -> watch::Receiver<BTreeMap<Rendition, u32>> {
        self.rates.subscribe()
    }

    /// The capture side's end of key-frame requests. One reader at a time.
    #[must_use]
    pub fn key_requests(self: &Arc<Self>) -> KeyRequests {
        KeyRequests::new(Arc::clone(self))
    }

    /// Moves viewers when it is time to, for ever. The capture side runs it: without pictures there is nothing to move.
    /// Cancel safe.
    pub async fn tend(&self) -> Infallible {
        loop {
            let due = self.lock().due;
            match due {
                Some(at) if at <= Instant::now() => self.look(&mut self.lock(), Instant::now()),
                Some(at) => tokio::select! {
                    () = sleep_until(at) => {}
                    () = self.looked.notified() => {}
                },
                None => self.looked.notified().await,
            }
        }
    }

    /// Subscribes to a track from the next key frame on, which is asked for.
    #[must_use]
    pub fn subscribe(self: &Arc<Self>, track: impl Into<Track>) -> Subscription {
        let track = track.into();
        // overflow: a frame that finds its slot full is skipped, and all after it up to the next key frame.
        let (frames, receiver) = mpsc::channel(SLOT);
        let mut inner = self.lock();
        let id = inner.next_subscriber;
        inner.next_subscriber += 1;
        inner.subscribers.insert(id, Subscriber::new(moving(track), frames));
        let full = track != moving(track);
        inner.moves.entry(moving(track)).or_default().join(id, full);
        self.look(&mut inner, Instant::now());
        drop(inner);
        Subscription::new(self, id, track, receiver)
    }

    /// Hands one frame to those who watch its rendition. Never waits.
    pub fn publish(&self, frame: Frame) {
        let frame = Arc::new(frame);
        let rendition = frame.rendition;
        let now = Instant::now();
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.stats.frames += 1;
        inner.stats.key_frames += u64::from(frame.key);
        inner.stats.bytes += frame.data.len() as u64;
        inner.stats.last_pts_us = inner.stats.last_pts_us.max(frame.pts_us);
        let (track, rung) = place(rendition);
        let Some(moves) = inner.moves.get_mut(&track) else {
            return;
        };
        let mut moved = moves.picture(frame.stamps.grabbed_us, frame.data.len(), now);
        if frame.key {
            inner.keys.came(rendition);
            moved |= moves.key(rung);
        }
        for (id, subscriber) in &mut inner.subscribers {
            if subscriber.track != track || moves.watches(*id) != Some(rung) {
                continue;
            }
            let Offered { skipped, stalled, ask } = subscriber.offer(&frame, now);
            inner.stats.skipped += u64::from(skipped);
            if stalled {
                log::info!("rendition={rendition} a viewer does not keep up, skipping to the next key frame");
                moves.stalled(*id, &self.ladder, now);
                moved = true;
            }
            if ask {
                inner.keys.want(rendition);
                self.key_wanted.notify_one();
            }
        }
        if moved {
            self.look(inner, now);
        }
    }

    /// Colours in full cannot be encoded any more: whoever takes them gets those at half size.
    pub fn end_full(&self) {
        let mut guard = self.lock();
        let inner = &mut *guard;
        inner.moves.values_mut().for_each(Moves::end_full);
        for subscriber in inner.subscribers.values_mut() {
            subscriber.restart();
        }
        self.look(inner, Instant::now());
        for rendition in &*self.wanted.borrow() {
            inner.keys.want(*rendition);
        }
        drop(guard);
        self.key_wanted.notify_one();
    }

    /// Asks for a key frame. Requests that come close together become one.
    pub fn request_key(&self, rendition: impl Into<Rendition>) {
        self.lock().keys.want(rendition.into());
        self.key_wanted.notify_one();
    }

    /// A publisher (re)started: whoever watches needs a key frame before anything else makes sense.
    pub fn source_restarted(&self) {
        let mut inner = self.lock();
        for subscriber in inner.subscribers.values_mut() {
            subscriber.restart();
        }
        for rendition in &*self.wanted.borrow() {
            inner.keys.want(*rendition);
        }
        drop(inner);
        self.key_wanted.notify_one();
    }

    /// What went through so far.
    #[must_use]
    pub fn stats(&self) -> HubStats {
        self.lock().stats
    }

    /// How many subscribers there are, of all tracks.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.lock().subscribers.len()
    }

    /// Looks who has to be moved, and tells the publisher what is wanted then. Under the lock, so that what is told last
    /// is what counts.
    fn look(&self, inner: &mut Inner, now: Instant) {
        let (mut rates, mut due) = (BTreeMap::new(), None);
        let mut asked = false;
        for (track, moves) in &mut inner.moves {
            let decided = moves.decide(&self.ladder, now);
            due = decided.due.into_iter().chain(due).min();
            for rung in decided.keys {
                inner.keys.want(rendition(*track, rung));
                asked = true;
            }
            let rated = moves.rates(&self.ladder).into_iter();
            rates.extend(rated.map(|(rung, kbps)| (rendition(*track, rung), kbps)));
        }
        inner.due = due;
        self.looked.notify_one();
        if asked {
            self.key_wanted.notify_one();
        }
        let wanted = rates.keys().copied().collect();
        self.rates.send_if_modified(|current| {
            for (rendition, kbps) in &mut rates {
                *kbps = coalesced(current.get(rendition).copied(), *kbps);
            }
            let changed = *current != rates;
            *current = rates;
            changed
        });
        self.wanted.send_if_modified(|current| {
            let changed = *current != wanted;
            *current = wanted;
            changed
        });
    }

    /// Changes what is known of a subscriber, and looks who has to be moved then.
    fn change(&self, track: Track, change: impl FnOnce(&mut Moves, &mut BTreeMap<u64, Subscriber>, Instant)) {
        let now = Instant::now();
        let mut guard = self.lock();
        let inner = &mut *guard;
        if let Some(moves) = inner.moves.get_mut(&moving(track)) {
            change(moves, &mut inner.subscribers, now);
            self.look(inner, now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic while the lock is held leaves nothing half done here, so the data stays usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The track whose viewers those of this one are among: they watch the same where it moves.
fn moving(track: Track) -> Track {
    track.codec().moving().into()
}

/// What a rung of [`Moves`] stands for.
fn rendition(track: Track, rung: u8) -> Rendition {
    if rung == FULL {
        Codec::H264Full.into()
    } else {
        Rendition::new(track, rung)
    }
}

/// The reverse of [`rendition`].
fn place(rendition: Rendition) -> (Track, u8) {
    let track = moving(rendition.track);
    let rung = if track == rendition.track { rendition.rung } else { FULL };
    (track, rung)
}

#[cfg(test)]
mod tests;
