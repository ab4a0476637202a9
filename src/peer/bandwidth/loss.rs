//! What is lost, and what of it a lower rate would save.
//!
//! Radio loses packets whatever is sent over it; a full queue loses what does not fit. The first is there at every rate: what
//! was lost in the best moment of the last ten seconds is taken for the line's own.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Loss is counted over so long, …
const WINDOW: Duration = Duration::from_millis(300);
/// … and over so many packets.
const PACKETS: u32 = 30;
/// Windows without so many packets end anyway, and those with fewer than some say nothing.
const LONGEST: Duration = Duration::from_secs(1);
const FEWEST: u32 = 10;
/// The best window of so long.
const BEST_OF: Duration = Duration::from_secs(10);
/// No more than that is the line's own: a line that throws away what is too much for it would look the same.
const OWN_AT_MOST: f64 = 0.12;
/// So much more than its own is congestion.
const BEYOND: f64 = 0.08;
/// So much more is no time to grow.
const GROWTH_BELOW: f64 = 0.04;

/// What one window says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Window {
    /// Share of the packets that was lost.
    pub(super) lost: f64,
    /// That is more than the line loses by itself.
    pub(super) congested: bool,
}

/// What is lost.
#[derive(Debug, Default)]
pub(super) struct Loss {
    begun: Option<Instant>,
    packets: u32,
    missing: u32,
    /// The windows of the last ten seconds. overflow: bounded by their length.
    past: VecDeque<(Instant, f64)>,
    smooth: f64,
    high: bool,
}

impl Loss {
    /// One packet's fate; what the window says when it is complete.
    pub(super) fn add(&mut self, lost: bool, now: Instant) -> Option<Window> {
        let begun = *self.begun.get_or_insert(now);
        self.packets += 1;
        self.missing += u32::from(lost);
        let age = now.saturating_duration_since(begun);
        if !(age >= WINDOW && self.packets >= PACKETS || age >= LONGEST) {
            return None;
        }
        let (packets, missing) = (self.packets, self.missing);
        (self.begun, self.packets, self.missing) = (Some(now), 0, 0);
        if packets < FEWEST {
            return None;
        }
        Some(self.judge(f64::from(missing) / f64::from(packets), now))
    }

    /// A share of loss that somebody else has counted (receiver reports).
    pub(super) fn judge(&mut self, lost: f64, now: Instant) -> Window {
        while self
            .past
            .front()
            .is_some_and(|(at, _)| now.saturating_duration_since(*at) > BEST_OF)
        {
            self.past.pop_front();
        }
        let own = self.past.iter().map(|(_, lost)| *lost).reduce(f64::min).unwrap_or(0.0);
        let own = own.min(OWN_AT_MOST);
        self.past.push_back((now, lost));
        self.smooth = self.smooth.mul_add(0.7, lost * 0.3);
        self.high = lost > own + GROWTH_BELOW;
        Window {
            lost,
            congested: lost > own.mul_add(1.5, BEYOND),
        }
    }

    /// Share of the packets lost lately.
    pub(super) const fn smooth(&self) -> f64 {
        self.smooth
    }

    /// Whether the last window lost too much for more to be tried.
    pub(super) const fn forbids_growth(&self) -> bool {
        self.high
    }
}
