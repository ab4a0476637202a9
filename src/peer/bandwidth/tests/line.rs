//! A line between two ends: a rate, a queue, loss, delay and jitter. Packets in, feedback out, as Chromium sends it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::super::{Estimator, Pacer, Sent};

/// Between two reports of the browser.
const FEEDBACK: f64 = 0.05;
/// A packet with all its headers.
pub(super) const PACKET: u32 = 1250;

/// What a line does.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// Bits a second.
    pub(super) rate: f64,
    /// What its queue holds, in ms at that rate.
    pub(super) queue_ms: f64,
    /// Share of the packets that get lost whatever is sent.
    pub(super) loss: f64,
    /// There and back.
    pub(super) round_trip_ms: f64,
    /// At most, equally distributed.
    pub(super) jitter_ms: f64,
    /// Whether packets overtake each other by it.
    pub(super) reorders: bool,
    /// Bytes that pass at once before the rate counts.
    pub(super) burst: f64,
}

impl Shape {
    pub(super) const fn of(rate: f64, queue_ms: f64) -> Self {
        Self {
            rate,
            queue_ms,
            loss: 0.0,
            round_trip_ms: 30.0,
            jitter_ms: 0.0,
            reorders: false,
            burst: 0.0,
        }
    }
}

/// What came of a stretch of time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) seconds: f64,
    /// Bits offered to the line, and carried by it.
    pub(super) offered: f64,
    pub(super) carried: f64,
    /// Bits that no picture wanted.
    pub(super) padding: f64,
    /// Of the estimate, in bits a second.
    pub(super) sum: f64,
    pub(super) least: f64,
    pub(super) most: f64,
    /// The longest that the queue was, in ms.
    pub(super) queue_ms: f64,
    pub(super) samples: f64,
}

impl Figures {
    pub(super) fn mean(&self) -> f64 {
        self.sum / self.samples
    }
}

/// What wants to be sent.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    /// An encoder that follows the estimate, up to so many bits a second, in 60 frames.
    Follows(f64),
    /// One small frame every two seconds.
    Still,
}

/// The whole of it.
pub(super) struct Simulation {
    pub(super) shape: Shape,
    pub(super) estimator: Estimator,
    pub(super) away: bool,
    pacer: Pacer,
    begun: Instant,
    now: f64,
    waiting: VecDeque<u32>,
    next_frame: f64,
    next_feedback: f64,
    /// When the line has sent what it holds, without what it has saved up.
    free_at: f64,
    /// Under way to the browser: when they arrive, their numbers.
    under_way: Vec<(f64, u16)>,
    arrived: Vec<(u16, f64)>,
    /// Under way back.
    told: VecDeque<(f64, Vec<(u16, Duration)>)>,
    last_arrival: f64,
    random: u64,
    figures: Figures,
    /// Bytes of the first frame, if it is larger than those that follow.
    key_frame: f64,
}

impl Simulation {
    pub(super) fn new(shape: Shape) -> Self {
        let begun = Instant::now();
        Self {
            shape,
            estimator: Estimator::new(begun),
            away: false,
            pacer: Pacer::new(begun),
            begun,
            now: 0.0,
            waiting: VecDeque::new(),
            next_frame: 0.0,
            next_feedback: 0.0,
            free_at: 0.0,
            under_way: Vec::new(),
            arrived: Vec::new(),
            told: VecDeque::new(),
            last_arrival: 0.0,
            random: 0x9E37_79B9_7F4A_7C15,
            figures: Figures::default(),
            key_frame: 0.0,
        }
    }

    /// With chances of its own, and a key frame first.
    pub(super) fn seeded(shape: Shape, seed: u64) -> Self {
        let mut simulation = Self::new(shape);
        simulation.key_frame = 60_000.0;
        simulation.random ^= seed.wrapping_mul(0xD134_2543_DE82_EF95);
        simulation
    }

    /// Goes on for so many seconds.
    pub(super) fn run(&mut self, source: Source, seconds: f64) -> Figures {
        self.figures = Figures {
            seconds,
            least: f64::MAX,
            ..Figures::default()
        };
        let end = self.now + seconds;
        while self.now < end {
            self.now += 0.001;
            self.frames(source);
            self.send();
            self.line();
            self.note();
        }
        self.figures
    }

    /// Runs until the estimate is at least that: after how many seconds.
    pub(super) fn until(&mut self, source: Source, rate: f64, most: f64) -> Option<f64> {
        let begun = self.now;
        while self.now - begun < most {
            if self.estimator.rate() >= rate {
                return Some(self.now - begun);
            }
            self.run(source, 0.05);
        }
        None
    }

    /// In ms.
    pub(super) fn overtaking(&self) -> f64 {
        self.estimator.overtaking(self.at()).as_secs_f64() * 1000.0
    }

    fn at(&self) -> Instant {
        self.begun + Duration::from_secs_f64(self.now)
    }

    fn frames(&mut self, source: Source) {
        if self.now < self.next_frame {
            return;
        }
        let bytes = match source {
            Source::Follows(most) => {
                self.next_frame = self.now + 1.0 / 60.0;
                // Frames differ: every tenth is four times as large.
                let large = self.chance() < 0.1;
                let mean = (self.estimator.rate() * 0.87).min(most) / 8.0 / 60.0;
                if large { mean * 4.0 } else { mean * 0.67 }
            }
            Source::Still => {
                self.next_frame = self.now + 2.0;
                200.0
            }
        };
        let bytes = bytes.max(std::mem::take(&mut self.key_frame));
        let packets = (bytes / f64::from(PACKET)).ceil().max(1.0) as usize;
        let train = if packets >= 3 {
            let now = self.at();
            self.estimator.train(now)
        } else {
            None
        };
        for n in 0..packets.max(train.unwrap_or(0)) {
            let size = if n + 1 == packets {
                bytes - (packets - 1) as f64 * f64::from(PACKET)
            } else {
                f64::from(PACKET)
            };
            let size = if n >= packets {
                self.figures.padding += f64::from(PACKET) * 8.0;
                PACKET
            } else {
                size.max(60.0) as u32
            };
            if train.is_some_and(|train| n < train) {
                self.offer(size);
            } else {
                self.waiting.push_back(size);
            }
        }
    }

    fn send(&mut self) {
        // The feeder lets no more wait than a moment's worth.
        let bits: f64 = self.waiting.iter().map(|b| f64::from(*b) * 8.0).sum();
        if bits > self.estimator.rate() * 0.3 {
            self.waiting.clear();
        }
        while let Some(size) = self.waiting.front().copied() {
            if self.estimator.holds(self.at()) || !self.pacer.wait(self.estimator.rate(), self.at()).is_zero() {
                break;
            }
            self.waiting.pop_front();
            self.offer(size);
        }
    }

    fn offer(&mut self, bytes: u32) {
        let now = self.at();
        let number = self.estimator.sent(
            Sent {
                bytes,
                media: None,
                twice: false,
            },
            now,
        );
        self.pacer.sent(bytes, self.estimator.rate(), now);
        let bits = f64::from(bytes) * 8.0;
        self.figures.offered += bits;
        let saved = self.shape.burst * 8.0 / self.shape.rate;
        let queue = (self.free_at - saved - self.now).max(0.0);
        self.figures.queue_ms = self.figures.queue_ms.max(queue * 1000.0);
        if self.away || queue * 1000.0 > self.shape.queue_ms || self.chance() < self.shape.loss {
            return;
        }
        self.free_at = self.free_at.max(self.now) + bits / self.shape.rate;
        let leaves = (self.free_at - saved).max(self.now);
        self.figures.carried += bits;
        let jitter = self.chance() * self.shape.jitter_ms / 1000.0;
        let mut arrives = leaves + self.shape.round_trip_ms / 2000.0 + jitter;
        if !self.shape.reorders {
            arrives = arrives.max(self.last_arrival);
        }
        self.last_arrival = self.last_arrival.max(arrives);
        self.under_way.push((arrives, number));
    }

    fn line(&mut self) {
        let now = self.now;
        let (came, comes): (Vec<_>, Vec<_>) = self.under_way.drain(..).partition(|(at, _)| *at <= now);
        self.under_way = comes;
        self.arrived.extend(came.into_iter().map(|(at, number)| (number, at)));
        if now >= self.next_feedback {
            self.next_feedback = now + FEEDBACK;
            if !self.arrived.is_empty() && !self.away {
                let told = self.arrived.drain(..);
                // Quarters of a millisecond, by a clock of its own.
                let told =
                    told.map(|(number, at)| (number, Duration::from_micros((at * 4000.0) as u64 * 250 + 77_000_000)));
                let told = told.collect();
                self.told.push_back((now + self.shape.round_trip_ms / 2000.0, told));
            }
        }
        while self.told.front().is_some_and(|(at, _)| *at <= now) {
            let (_, told) = self.told.pop_front().unwrap();
            let at = self.at();
            self.estimator.feedback(told, at);
        }
    }

    fn note(&mut self) {
        let rate = self.estimator.rate();
        self.figures.sum += rate;
        self.figures.samples += 1.0;
        self.figures.least = self.figures.least.min(rate);
        self.figures.most = self.figures.most.max(rate);
    }

    fn chance(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1u64 << 53) as f64
    }
}
