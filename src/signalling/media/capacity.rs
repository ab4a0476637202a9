//! What a line carries, from how long frames are under way. Pure: the time is an argument.
//!
//! A frame that takes its time shows the line's rate: so many bytes in so much time. One that does not only shows that the
//! line carries no less, and lowers nothing. What all frames wait now and then, jitter, says nothing of the rate, and neither
//! does a page that is slow to take what has come: only a queue that has become long does.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::under_way::Sample;

/// What is told before anything is known, as for a connection by WebRTC.
const SEED_KBPS: f64 = 2000.0;
/// No line is told to carry less, or more.
const LEAST_KBPS: f64 = 100.0;
const MOST_KBPS: f64 = 100_000.0;
/// What is told, of what is found: the rest is for what an encoder is late to follow, and for the queue to drain.
const SHARE: f64 = 0.85;
/// Another value is told when it differs by so much.
const NEWS: f64 = 0.05;
/// A frame that took no longer than this took no time.
const AT_ONCE: Duration = Duration::from_millis(4);
/// Frames that took their time count for so long.
const WINDOW: Duration = Duration::from_secs(1);
/// So many of them are looked at, at most.
const MOST_SAMPLES: usize = 128;
/// A line is slower than was thought when at least so many frames have taken so long together.
const SLOW_FRAMES: usize = 3;
const SLOW_TIME: Duration = Duration::from_millis(100);
/// …and were so late, in the mean, as they only are behind a queue.
const SLOW_LATE: Duration = Duration::from_millis(80);
/// A line over which so much arrives of what was told carries all of it, however late.
const ALL: f64 = 0.95;
/// A line is believed to be so many times faster at once…
const STEP_UP: f64 = 1.5;
/// …and again no sooner than this.
const BETWEEN_STEPS: Duration = Duration::from_millis(100);
/// Jitter counts no more than this, so that a queue that grows is not taken for it.
const MOST_JITTER: Duration = Duration::from_millis(40);
/// The share of a new difference in the jitter (RFC 3550 section 6.4.1).
const JITTER_SHARE: f64 = 1.0 / 16.0;

/// A frame that took its time.
#[derive(Clone, Copy, Debug)]
struct Waited {
    at: Instant,
    bytes: usize,
    time: Duration,
    late: Duration,
}

/// The estimate of one line.
#[derive(Debug)]
pub struct Capacity {
    kbps: f64,
    told: f64,
    /// Those that took their time.
    waited: VecDeque<Waited>,
    stepped: Option<Instant>,
    last_delay: Option<Duration>,
    /// Seconds.
    jitter: f64,
}

impl Capacity {
    /// Nothing is known yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            kbps: SEED_KBPS / SHARE,
            told: SEED_KBPS,
            waited: VecDeque::new(),
            stepped: None,
            last_delay: None,
            jitter: 0.0,
        }
    }

    /// What to tell the hub now, in kbit/s.
    #[must_use]
    pub fn told(&self) -> u32 {
        // It lies between the least and the most.
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is bounded and positive"
        )]
        let kbps = self.told.round() as u32;
        kbps
    }

    /// A frame was taken. Gives what is to be told, where that is news.
    pub fn note(&mut self, sample: Sample, now: Instant) -> Option<u32> {
        let jitter = self.jitter_with(sample.delay);
        let wait = if sample.queued {
            sample.time
        } else {
            sample.time.saturating_sub(jitter)
        };
        if wait <= AT_ONCE {
            self.faster(rate(sample.bytes, AT_ONCE), now);
        } else {
            if self.waited.len() >= MOST_SAMPLES {
                // overflow: the oldest goes.
                self.waited.pop_front();
            }
            self.waited.push_back(Waited {
                at: now,
                bytes: sample.bytes,
                time: wait,
                late: sample.late,
            });
            self.measure(now);
        }
        let tell = (self.kbps * SHARE).clamp(LEAST_KBPS, MOST_KBPS);
        if (tell / self.told - 1.0).abs() <= NEWS {
            return None;
        }
        self.told = tell;
        Some(self.told())
    }

    /// The jitter, with the delay that has come.
    fn jitter_with(&mut self, delay: Duration) -> Duration {
        if let Some(last) = self.last_delay.replace(delay) {
            let difference = delay.abs_diff(last).min(MOST_JITTER).as_secs_f64();
            self.jitter += (difference - self.jitter) * JITTER_SHARE;
        }
        Duration::from_secs_f64(self.jitter)
    }

    /// From those that took their time of late.
    fn measure(&mut self, now: Instant) {
        while self.waited.front().is_some_and(|w| now.duration_since(w.at) > WINDOW) {
            self.waited.pop_front();
        }
        let bytes = self.waited.iter().map(|w| w.bytes).sum();
        let time: Duration = self.waited.iter().map(|w| w.time).sum();
        let late: Duration = self.waited.iter().map(|w| w.late).sum();
        let frames = self.waited.len();
        let behind = late >= SLOW_LATE * u32::try_from(frames).unwrap_or(u32::MAX);
        let kbps = rate(bytes, time);
        if kbps > self.kbps {
            self.faster(kbps, now);
        } else if frames >= SLOW_FRAMES && time >= SLOW_TIME && behind && kbps < self.told * ALL {
            self.kbps = kbps.max(LEAST_KBPS);
        }
    }

    /// The line carries no less than this.
    fn faster(&mut self, kbps: f64, now: Instant) {
        let soon = self.stepped.is_some_and(|at| now.duration_since(at) < BETWEEN_STEPS);
        if kbps <= self.kbps || soon {
            return;
        }
        self.kbps = kbps.min(self.kbps * STEP_UP).min(MOST_KBPS / SHARE);
        self.stepped = Some(now);
    }
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
