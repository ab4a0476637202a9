//! What a line carries, from how long frames are under way. Pure: the time is an argument.
//!
//! ```text
//!   frames taken ─▶ the last of them ─▶ bytes in the time that the line had them ─▶ rate ─┬─▶ up to it, by steps
//!                        │                                                              └─▶ down to it, behind a queue
//!                        └─▶ the least late of a moment: the queue ─▶ less is told, so that it drains
//! ```
//!
//! Rates are those of many frames together: a page that was busy takes several at once, of which the last has taken no time
//! at all. What all frames wait now and then, jitter, says nothing of a queue, hence the least of a moment. Nor does a page
//! that is slow to take what has come, over which all arrives that is sent: the estimate is lowered only where less does.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::under_way::Sample;

/// What is told before anything is known, as for a connection by WebRTC.
const SEED_KBPS: f64 = 2000.0;
/// No line is told to carry less, or more.
const LEAST_KBPS: f64 = 100.0;
const MOST_KBPS: f64 = 100_000.0;
/// What is told, of what is found: the rest is for what an encoder is late to follow, and for frames that are larger than others.
const SHARE: f64 = 0.9;
/// Another value is told when it differs by so much.
const NEWS: f64 = 0.05;
/// A frame takes no less than this, and what is taken at once with another one has taken nothing that could be measured.
const AT_ONCE: Duration = Duration::from_micros(500);
/// A rate is that of frames which took so long together, or of the last second.
const MEASURED: Duration = Duration::from_millis(200);
const WINDOW: Duration = Duration::from_secs(1);
/// It takes so many of them.
const FEWEST: usize = 3;
/// The first frame of all counts alone, if it is as large as this and has taken half of that time.
const LARGE: usize = 8000;
/// So many are looked at, at most.
const MOST_SAMPLES: usize = 128;
/// The queue is what the least late frame of so long was late by.
const MOMENT: Duration = Duration::from_millis(300);
/// A queue up to this is none: so long a single frame may take.
const FREE: Duration = Duration::from_millis(20);
/// From this on the line is full.
const FULL: Duration = Duration::from_millis(40);
/// A queue of so long has all of [`DRAIN`] taken off.
const LONG: Duration = Duration::from_millis(120);
/// What is told less at most, to drain a queue.
const DRAIN: f64 = 0.25;
/// A line over which so much arrives of what was told carries all of it, however late.
const ALL: f64 = 0.95;
/// A line is believed to be so many times faster at once…
const STEP_UP: f64 = 1.5;
/// …and again no sooner than this.
const BETWEEN_STEPS: Duration = Duration::from_millis(100);
/// Without a queue, and while so much of what is told is used, more is tried: by so much with each step…
const USED: f64 = 0.7;
const TRIED: f64 = 1.03;
/// …but within this time after the line was full no more than so much of what it carried then.
const FULL_LATELY: Duration = Duration::from_secs(10);
const NEAR: f64 = 0.9;
/// The kernel sends no faster than so many times what is found. More would fill the queue of a narrow line with one key frame,
/// and what it loses then stops all that follows for a round trip or for the least of TCP's timeouts; with less, the estimate
/// would measure itself.
const PACE: f64 = 1.5;
/// Lines beyond this need no pace.
const PLENTY_KBPS: f64 = 20_000.0;

/// A frame that was taken.
#[derive(Clone, Copy, Debug)]
struct Taken {
    at: Instant,
    bytes: usize,
    time: Duration,
    late: Duration,
}

/// The estimate of one line.
#[derive(Debug)]
pub struct Capacity {
    kbps: f64,
    /// What of it was seen to come through, rather than tried.
    proven: f64,
    told: f64,
    /// The last, the newest at the end.
    taken: VecDeque<Taken>,
    stepped: Option<Instant>,
    /// When the line was full last, and what it carried then.
    full: Option<(Instant, f64)>,
    /// Frames take their time, so that what is known is the line's rate and not only a least.
    measured: bool,
    /// The first frame was taken.
    begun: bool,
}

impl Capacity {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            kbps: SEED_KBPS / SHARE,
            proven: SEED_KBPS / SHARE,
            told: SEED_KBPS,
            taken: VecDeque::new(),
            stepped: None,
            full: None,
            measured: false,
            begun: false,
        }
    }

    /// What to tell the hub now, in kbit/s.
    #[must_use]
    pub fn told(&self) -> u32 {
        whole(self.told)
    }

    /// How fast the kernel may send, in kbit/s; `None`: as it likes.
    #[must_use]
    pub fn pace(&self) -> Option<u32> {
        (self.measured && self.kbps < PLENTY_KBPS).then(|| whole(self.kbps.max(LEAST_KBPS) * PACE))
    }

    /// A frame was taken. Gives what is to be told, where that is news.
    pub fn note(&mut self, sample: Sample, now: Instant) -> Option<u32> {
        if self.taken.len() >= MOST_SAMPLES {
            // overflow: the oldest goes.
            self.taken.pop_front();
        }
        self.taken.push_back(Taken {
            at: now,
            bytes: sample.bytes,
            time: sample.time.max(AT_ONCE),
            late: sample.late,
        });
        while self.taken.front().is_some_and(|t| now.duration_since(t.at) > WINDOW) {
            self.taken.pop_front();
        }
        let queue = self.queue(now);
        self.measure(queue, now);
        let long = (queue.saturating_sub(FREE).as_secs_f64() / (LONG - FREE).as_secs_f64()).min(1.0);
        let tell = (self.kbps * SHARE * DRAIN.mul_add(-long, 1.0)).clamp(LEAST_KBPS, MOST_KBPS);
        if (tell / self.told - 1.0).abs() <= NEWS {
            return None;
        }
        self.told = tell;
        Some(self.told())
    }

    /// What every frame of the last moment had to wait, of the last few at least.
    fn queue(&self, now: Instant) -> Duration {
        let last = self.taken.iter().rev().enumerate();
        let moment = last.take_while(|(n, taken)| *n < FEWEST || now.duration_since(taken.at) <= MOMENT);
        let least = moment.map(|(_, taken)| taken.late).min().unwrap_or_default();
        if self.taken.len() < FEWEST {
            Duration::ZERO
        } else {
            least
        }
    }

    /// What came through in the time that the line had it, of the last frames.
    fn rate(&self) -> Option<f64> {
        let (mut bytes, mut time, mut frames) = (0, Duration::ZERO, 0);
        for taken in self.taken.iter().rev() {
            if time >= MEASURED && frames >= FEWEST {
                break;
            }
            bytes += taken.bytes;
            time += taken.time;
            frames += 1;
        }
        (frames >= FEWEST).then(|| rate(bytes, time))
    }

    /// What the first frame of all shows, which is a large one, where it has taken its time. One that has not shows little.
    fn first(&mut self) -> Option<f64> {
        let first = self
            .taken
            .front()
            .filter(|_| !std::mem::replace(&mut self.begun, true))?;
        let slow = first.time >= MEASURED / 2 && first.late >= FREE && first.bytes >= LARGE;
        slow.then(|| rate(first.bytes, first.time).max(LEAST_KBPS))
    }

    /// From those that were taken of late.
    fn measure(&mut self, queue: Duration, now: Instant) {
        let first = self.first();
        let Some(kbps) = self.rate().or(first) else {
            return;
        };
        if first.is_some() {
            // Nothing has been told that it could be compared with.
            (self.kbps, self.proven) = (self.kbps.min(kbps), self.proven.min(kbps));
        }
        let busy: Duration = self.taken.iter().map(|taken| taken.time).sum();
        self.measured |= busy >= MEASURED && queue >= FREE;
        if queue >= FULL {
            let carried = kbps.max(LEAST_KBPS);
            if kbps < self.told * ALL {
                (self.kbps, self.proven) = (carried, carried);
                self.full = Some((now, carried));
            } else if self.kbps > self.proven.max(kbps) {
                // What was tried is too much.
                self.kbps = self.proven.max(kbps);
                self.full = Some((now, self.kbps));
            }
        }
        let soon = self.stepped.is_some_and(|at| now.duration_since(at) < BETWEEN_STEPS);
        if soon {
            return;
        }
        if kbps > self.kbps {
            self.kbps = kbps.min(self.kbps * STEP_UP).min(MOST_KBPS / SHARE);
            self.proven = self.kbps;
        } else if queue < FREE && self.used(now) && !self.near_full(now) {
            self.kbps = (self.kbps * TRIED).min(MOST_KBPS / SHARE);
        } else {
            return;
        }
        self.stepped = Some(now);
    }

    /// Whether more was too much a while ago.
    fn near_full(&self, now: Instant) -> bool {
        let full = self.full.filter(|(at, _)| now.duration_since(*at) < FULL_LATELY);
        full.is_some_and(|(_, kbps)| self.kbps > kbps * NEAR)
    }

    /// Whether most of what was told is used.
    fn used(&self, now: Instant) -> bool {
        let bytes = self.taken.iter().map(|taken| taken.bytes).sum();
        let since = self.taken.front().map_or(Duration::ZERO, |t| now.duration_since(t.at));
        since >= WINDOW / 2 && rate(bytes, since) >= self.told * USED
    }
}

/// What lies between the least and the most, without its fraction.
#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is bounded and positive"
)]
fn whole(kbps: f64) -> u32 {
    kbps.round() as u32
}

/// In kbit/s.
fn rate(bytes: usize, time: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a few megabytes at most")]
    let bits = bytes as f64 * 8.0;
    bits / 1000.0 / time.as_secs_f64().max(0.001)
}

#[cfg(test)]
#[path = "capacity_tests.rs"]
mod tests;
