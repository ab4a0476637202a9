//! What is known of the way to one browser, shared by those who send on it and by the interceptors that see what leaves and
//! what is said about it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::super::bandwidth::{Estimator, Pacer, Sent};
use super::super::connection::Path as Known;
use super::super::repeats::Terms;

/// Of what a line carries, what is left for encoded pictures: the headers of RTP and below take a twentieth, and encoders do
/// not meet their rate exactly.
const FOR_MEDIA: f64 = 0.95 * 0.92;
/// At least this share stays the picture's, however much is sent again.
const LEAST_FOR_MEDIA: f64 = 0.5;
/// Of what the line carries, what repeats may take.
const FOR_REPEATS: f64 = 0.3;
/// A line that loses less by itself is not worth parity, …
const LOSES: f64 = 0.01;
/// … nor one on which a repeat is there sooner than a browser shows its next picture.
const FAR: Duration = Duration::from_millis(20);
/// With more than that waiting on it, a line loses what is too much for it, and parity would be more.
const FULL: Duration = Duration::from_millis(25);
/// While nothing is known yet, between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(4);
/// Bytes are added up over so long.
const SECOND: Duration = Duration::from_secs(1);
/// Entries of that. overflow: those of one moment are one, so that there are no more.
const MOMENT: Duration = Duration::from_millis(20);

/// The way to one browser.
pub(super) struct Path {
    inner: Mutex<Inner>,
    known: watch::Sender<Known>,
}

struct Inner {
    estimator: Estimator,
    pacer: Pacer,
    media: LastSecond,
    repeats: LastSecond,
    /// Of the picture, packets that have arrived since somebody asked. overflow: no more than the estimator remembers.
    arrived: Vec<u16>,
    /// Packets that a train is short of.
    padding: usize,
    /// The first packet of the last key frame.
    key: Option<u16>,
}

impl Path {
    pub(super) fn new(now: Instant) -> Self {
        let path = Self {
            inner: Mutex::new(Inner {
                estimator: Estimator::new(now),
                pacer: Pacer::new(now),
                media: LastSecond::default(),
                repeats: LastSecond::default(),
                arrived: Vec::new(),
                padding: 0,
                key: None,
            }),
            known: watch::Sender::new(Known::default()),
        };
        path.publish(&mut path.lock(), now);
        path
    }

    /// What is known, as that changes.
    pub(super) fn known(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// A check of the path was answered after so long.
    pub(super) fn is_so_far(&self, round_trip: Duration, now: Instant) {
        let inner = &mut *self.lock();
        if inner.estimator.is_so_far(round_trip) {
            self.publish(inner, now);
        }
    }

    /// How long the next packet has to wait.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        let inner = &mut *self.lock();
        if inner.estimator.holds(now) {
            return LOOK_AGAIN;
        }
        inner.pacer.wait(inner.estimator.rate(), now)
    }

    /// How long a frame of so many bytes takes to come through.
    pub(super) fn takes(&self, bytes: usize) -> Duration {
        #[allow(clippy::cast_precision_loss, reason = "bytes of a frame")]
        let bits = bytes as f64 * 8.0;
        Duration::from_secs_f64((bits / self.lock().estimator.rate()).clamp(0.0, 3600.0))
    }

    /// A packet of the picture is handed over.
    pub(super) fn handed_over(&self, bytes: u32, now: Instant) {
        let inner = &mut *self.lock();
        inner.pacer.sent(bytes, inner.estimator.rate(), now);
    }

    /// A frame of so many packets begins: how many of them leave together, with what has to be added to them.
    pub(super) fn train(&self, packets: usize, now: Instant) -> usize {
        let inner = &mut *self.lock();
        let train = inner.estimator.train(now).unwrap_or(0);
        inner.padding = train.saturating_sub(packets);
        train
    }

    /// Against the loss of what share of the packets parity is worth it: where the line loses some by itself, not because its
    /// queue is full, and to send them again takes long.
    pub(super) fn protects_against(&self) -> Option<f64> {
        let line = self.lock().estimator.line();
        let far = line.round_trip.is_some_and(|took| took >= FAR);
        (far && line.lost >= LOSES && line.queue < FULL).then_some(line.lost)
    }

    /// A key frame begins with this packet.
    pub(super) fn key_frame(&self, sequence: u16) {
        self.lock().key = Some(sequence);
    }

    /// Whether packets are wanted beside the next ones, and how many.
    pub(super) fn padding(&self) -> usize {
        self.lock().padding
    }

    /// They are being sent.
    pub(super) fn padded(&self) {
        self.lock().padding = 0;
    }

    /// A packet leaves; `again` if it left before, or another in its place. The number by which the browser tells of it,
    /// where it does.
    pub(super) fn left(&self, packet: Sent, again: bool, counted: bool, now: Instant) -> u16 {
        let inner = &mut *self.lock();
        if again {
            inner.repeats.add(packet.bytes, now);
            inner.pacer.sent(packet.bytes, inner.estimator.rate(), now);
        } else {
            inner.media.add(packet.bytes, now);
        }
        if !counted {
            return 0;
        }
        let before = inner.estimator.rate();
        let number = inner.estimator.sent(packet, now);
        if inner.estimator.rate() < before {
            self.publish(inner, now);
        }
        number
    }

    /// The browser tells of packets by these numbers.
    pub(super) fn feedback(&self, arrived: impl IntoIterator<Item = (u16, Duration)>, now: Instant) {
        let inner = &mut *self.lock();
        let news = inner.estimator.feedback(arrived, now);
        inner.arrived.extend(news);
        self.publish(inner, now);
    }

    /// The browser tells what it can take.
    pub(super) fn told(&self, bits: f64, now: Instant) {
        let inner = &mut *self.lock();
        inner.estimator.told(bits, now);
        self.publish(inner, now);
    }

    /// The browser tells what share of the packets it has lost.
    pub(super) fn told_loss(&self, lost: f64, now: Instant) {
        let inner = &mut *self.lock();
        let sent = inner.media.bits(now) + inner.repeats.bits(now);
        inner.estimator.told_loss(lost, sent, now);
        self.publish(inner, now);
    }

    /// On what terms packets are sent again.
    pub(super) fn terms(&self, now: Instant) -> Terms {
        let inner = &mut *self.lock();
        let rate = inner.estimator.rate();
        Terms {
            budget: bytes(rate * FOR_REPEATS),
            room: bytes(inner.pacer.room(rate, now)),
            overtaking: inner.estimator.overtaking(now),
            round_trip: inner.estimator.took(),
            key: inner.key,
        }
    }

    /// Packets of the picture that have arrived since the last call.
    pub(super) fn take_arrived(&self) -> Vec<u16> {
        std::mem::take(&mut self.lock().arrived)
    }

    fn publish(&self, inner: &mut Inner, now: Instant) {
        let line = inner.estimator.line();
        let media = line.rate.mul_add(FOR_MEDIA, -inner.repeats.bits(now));
        let known = Known {
            estimate_kbps: kbps(line.rate),
            media_kbps: kbps(media.max(line.rate * FOR_MEDIA * LEAST_FOR_MEDIA)),
            round_trip: line.round_trip,
            lost_permille: permille(line.lost),
        };
        self.known.send_if_modified(|current| {
            let changed = *current != known;
            *current = known;
            changed
        });
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Numbers only: a panic leaves none that is worse than another.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Bytes of the last second.
#[derive(Debug, Default)]
struct LastSecond {
    sums: VecDeque<(Instant, u64)>,
    sum: u64,
}

impl LastSecond {
    fn add(&mut self, bytes: u32, now: Instant) {
        self.forget(now);
        let bytes = u64::from(bytes);
        self.sum += bytes;
        match self.sums.back_mut() {
            Some((at, sum)) if now.saturating_duration_since(*at) < MOMENT => *sum += bytes,
            _ => self.sums.push_back((now, bytes)),
        }
    }

    fn bits(&mut self, now: Instant) -> f64 {
        self.forget(now);
        #[allow(clippy::cast_precision_loss, reason = "bytes of a second")]
        let bytes = self.sum as f64;
        bytes * 8.0
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, bytes)) = self.sums.front().copied()
            && now.saturating_duration_since(at) > SECOND
        {
            self.sums.pop_front();
            self.sum -= bytes;
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn kbps(bits: f64) -> u32 {
    (bits / 1000.0).max(0.0) as u32
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn bytes(bits: f64) -> u64 {
    (bits / 8.0).max(0.0) as u64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates")]
fn permille(share: f64) -> u32 {
    (share * 1000.0).round().clamp(0.0, 1000.0) as u32
}
