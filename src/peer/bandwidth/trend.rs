//! Whether the delay grows: the slope of a line through the last delays, against a threshold that follows it
//! (draft-ietf-rmcat-gcc-02, section 5, with the slope in place of its Kalman filter).

use std::collections::VecDeque;

/// Delays that the line goes through.
const POINTS: usize = 20;
/// Of the delay before, kept in each.
const SMOOTHING: f64 = 0.9;
const GAIN: f64 = 4.0;
/// From here on more points make the slope no more certain.
const CERTAIN: u32 = 60;
/// So long it has to grow.
const GROWS_FOR_MS: f64 = 10.0;
const THRESHOLD_MS: f64 = 12.5;
const THRESHOLDS_MS: (f64, f64) = (6.0, 600.0);
/// A slope that much above the threshold is no jitter to get used to.
const OUTLIER_MS: f64 = 15.0;
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;

/// What the queue does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Queue {
    /// It grows: more is sent than comes through.
    Grows,
    /// It stays as it is.
    Stays,
    /// It shrinks: wait until it is gone.
    Shrinks,
}

/// The line through the last delays.
#[derive(Debug)]
pub(super) struct Trend {
    points: VecDeque<(f64, f64)>,
    smooth: Option<f64>,
    seen: u32,
    threshold: f64,
    before: Option<f64>,
    /// For how long it has been above the threshold, and how often.
    above: (f64, u32),
    slope: f64,
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            points: VecDeque::new(),
            smooth: None,
            seen: 0,
            threshold: THRESHOLD_MS,
            before: None,
            above: (0.0, 0),
            slope: 0.0,
        }
    }
}

impl Trend {
    /// A group of packets arrived at this time with this delay, both in ms; how long after the one before it left.
    pub(super) fn add(&mut self, arrived: f64, delay: f64, apart: f64) -> Queue {
        let smooth = self
            .smooth
            .map_or(delay, |s| SMOOTHING.mul_add(s, (1.0 - SMOOTHING) * delay));
        self.smooth = Some(smooth);
        self.seen = (self.seen + 1).min(CERTAIN);
        if self.points.len() == POINTS {
            self.points.pop_front();
        }
        self.points.push_back((arrived, smooth));
        if self.points.len() < POINTS {
            return Queue::Stays;
        }
        let slope = self.fit();
        let growth = f64::from(self.seen) * slope * GAIN;
        let queue = self.judge(growth, slope, apart);
        self.follow(growth, arrived);
        self.slope = slope;
        queue
    }

    fn fit(&self) -> f64 {
        #[allow(clippy::cast_precision_loss, reason = "twenty")]
        let n = self.points.len() as f64;
        let (x, y) = self.points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0, y + p.1));
        let (x, y) = (x / n, y / n);
        let (up, down) = self.points.iter().fold((0.0, 0.0), |(up, down), p| {
            (up + (p.0 - x) * (p.1 - y), down + (p.0 - x) * (p.0 - x))
        });
        if down > 0.0 { up / down } else { 0.0 }
    }

    fn judge(&mut self, growth: f64, slope: f64, apart: f64) -> Queue {
        if growth > self.threshold {
            self.above = (self.above.0 + apart, self.above.1 + 1);
            if self.above.0 > GROWS_FOR_MS && self.above.1 > 1 && slope >= self.slope {
                self.above = (0.0, 0);
                return Queue::Grows;
            }
            return Queue::Stays;
        }
        self.above = (0.0, 0);
        if growth < -self.threshold {
            Queue::Shrinks
        } else {
            Queue::Stays
        }
    }

    fn follow(&mut self, growth: f64, arrived: f64) {
        let passed = (arrived - self.before.unwrap_or(arrived)).clamp(0.0, 100.0);
        self.before = Some(arrived);
        let size = growth.abs();
        if size > self.threshold + OUTLIER_MS {
            return;
        }
        let by = if size < self.threshold { DOWN } else { UP };
        self.threshold += by * (size - self.threshold) * passed;
        self.threshold = self.threshold.clamp(THRESHOLDS_MS.0, THRESHOLDS_MS.1);
    }
}
