//! The estimate: down to what came through when the queue grows, up while it is used.

use std::time::{Duration, Instant};

use super::{CAP, FLOOR, SEED};

/// Of what came through while the queue grew: below it, so that the queue empties.
const BACK_TO: f64 = 0.85;
/// A second, while no ceiling is known.
const GROWTH: f64 = 0.4;
/// Near a ceiling: a packet in each round trip and what feedback takes, in bits, and a share a second.
const STEP: f64 = 9600.0;
const SLOWLY: f64 = 0.03;
/// What a line carried when it was full is no news for ever: other traffic ends, radio gets better.
const CEILING_FOR: Duration = Duration::from_secs(5);
/// From this share of it on it is near.
const NEAR: f64 = 0.8;
/// That much above it there was none.
const BEYOND: f64 = 1.15;
/// Never above so much of what is proven to come through.
const PROVEN: f64 = 1.5;
/// What is sent is less than this share of the estimate: nothing is learnt from its coming through.
const USED: f64 = 0.5;
/// Steps of time that count as longer are pauses.
const LONGEST_STEP: Duration = Duration::from_millis(500);
/// Between two steps back, and the round trip besides.
const BACK_AFTER: Duration = Duration::from_millis(150);

/// An additive-increase, multiplicative-decrease estimate with a ceiling.
#[derive(Debug)]
pub(super) struct Rate {
    now: f64,
    ceiling: Option<(f64, Instant)>,
    back_at: Option<Instant>,
    grown_at: Option<Instant>,
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            now: SEED,
            ceiling: None,
            back_at: None,
            grown_at: None,
        }
    }
}

impl Rate {
    /// In bits a second.
    pub(super) const fn now(&self) -> f64 {
        self.now
    }

    /// When it last went back.
    pub(super) const fn back_at(&self) -> Option<Instant> {
        self.back_at
    }

    /// The queue grows, while so much came through. Whether that is news.
    pub(super) fn queue_grows(&mut self, through: f64, round_trip: Duration, now: Instant) -> bool {
        let wait = BACK_AFTER + round_trip.min(Duration::from_millis(300));
        let recent = self.back_at.is_some_and(|at| now.saturating_duration_since(at) < wait);
        // What is under way was sent before: it says the same again. Unless it says that it is far worse.
        if recent && through > self.now * 0.5 {
            return false;
        }
        let to = (through * BACK_TO).min(self.now * 0.95);
        self.ceiling = (through < self.now).then_some((through, now));
        self.back_at = Some(now);
        self.set(to);
        true
    }

    /// More is lost than the line loses by itself, while so much came through.
    pub(super) fn loses(&mut self, lost: f64, through: f64, now: Instant) {
        let to = self.now * (1.0 - 0.5 * lost.clamp(0.0, 1.0));
        self.back_at = Some(now);
        // What came through came through.
        self.set(to.max((through * 0.9).min(self.now)));
    }

    /// All is well: so much came through of late.
    pub(super) fn all_is_well(&mut self, through: f64, round_trip: Duration, now: Instant) {
        let passed = self
            .grown_at
            .map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let passed = passed.min(LONGEST_STEP).as_secs_f64();
        self.grown_at = Some(now);
        if through < self.now * USED {
            return;
        }
        if self
            .ceiling
            .is_some_and(|(at, since)| self.now > at * BEYOND || now.saturating_duration_since(since) > CEILING_FOR)
        {
            self.ceiling = None;
        }
        let near = self.ceiling.is_some_and(|(at, _)| self.now > at * NEAR);
        let by = if near {
            let turn = round_trip.as_secs_f64() + 0.1;
            (STEP / turn).max(self.now * SLOWLY) * passed
        } else {
            self.now * GROWTH * passed
        };
        self.set((self.now + by).min(through * PROVEN + 10_000.0).max(self.now));
    }

    /// The first that is known.
    pub(super) fn begin(&mut self, with: f64) {
        self.set(with);
    }

    /// It is proven to carry so much.
    pub(super) fn raise(&mut self, to: f64) {
        self.ceiling = None;
        self.set(to.max(self.now));
    }

    /// Somebody else says what it is.
    pub(super) fn told(&mut self, to: f64) {
        // Who lies has to do so for a while.
        if !to.is_nan() {
            self.set(to.clamp(self.now * 0.5, self.now * 2.0));
        }
    }

    fn set(&mut self, to: f64) {
        self.now = if to.is_finite() { to.clamp(FLOOR, CAP) } else { FLOOR };
    }
}
