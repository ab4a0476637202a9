//! How old things are where the clock of the machine may be wrong. Pure: what clocks say are arguments.
//!
//! Nothing is old on the word of one clock. Wall-clock time is believed as far as another clock, which counts since the machine
//! began to run and which nobody sets, goes along with it. When the two part (a bad battery, a step of NTP, a virtual machine that
//! was paused), or the host was away for so long that a wrong clock is as likely, all that is there counts as used at that moment:
//! it grows old from then on, whatever its row says.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Two clocks that differ by more have parted.
pub const STEP_MS: i64 = 600_000;
/// So much more time without a host than with one is taken from the clock alone; and never more than a fourth of what is kept the
/// shortest.
const ABSENCE_MS: i64 = 7 * 86_400_000;

/// What is known of time; kept from one host to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reckoning {
    /// The latest time that was looked at, ms since 1970.
    pub seen_ms: i64,
    /// All that is there counts as used at this time or later, ms since 1970.
    pub fresh_from_ms: i64,
    /// So much time since then only the clock knows of, as no host ran, less the time that one has run since.
    pub unsure_ms: i64,
    /// For how long hosts have run, in all.
    pub lived_ms: i64,
}

/// Where this host began to look: both clocks at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    now_ms: i64,
    running: Duration,
}

/// The clock is not to be believed: it says so much more than is known to have passed, in ms; 0: nothing is known of before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jump(pub i64);

impl Reckoning {
    /// A first look: all that is there grows old from here on.
    #[must_use]
    pub fn begin(now_ms: i64) -> Self {
        Self {
            seen_ms: now_ms,
            fresh_from_ms: now_ms,
            unsure_ms: 0,
            lived_ms: 0,
        }
    }

    /// The first look of a host, after one of an earlier host, if any. `shortest`: so long is kept what is kept the shortest.
    #[must_use]
    pub fn resume(
        before: Option<Self>,
        now_ms: i64,
        running: Duration,
        shortest: Duration,
    ) -> (Self, Anchor, Option<Jump>) {
        let anchor = Anchor { now_ms, running };
        let Some(mut this) = before else {
            return (Self::begin(now_ms), anchor, Some(Jump(0)));
        };
        let away = now_ms.saturating_sub(this.seen_ms);
        this.seen_ms = now_ms;
        this.unsure_ms = this.unsure_ms.saturating_add(away.max(0));
        let most = (ms(shortest) / 4).min(ABSENCE_MS);
        let jump = (away < -STEP_MS || this.unsure_ms > most).then_some(Jump(away));
        if jump.is_some() {
            this.fresh_from_ms = now_ms;
            this.unsure_ms = 0;
        }
        (this, anchor, jump)
    }

    /// A further look of the same host.
    #[must_use]
    pub fn look(
        mut self,
        anchor: &mut Anchor,
        since: Duration,
        now_ms: i64,
        running: Duration,
    ) -> (Self, Option<Jump>) {
        self.lived_ms = self.lived_ms.saturating_add(ms(since));
        self.unsure_ms = self.unsure_ms.saturating_sub(ms(since)).max(0);
        self.seen_ms = now_ms;
        let expected = anchor.now_ms.saturating_add(ms(running.saturating_sub(anchor.running)));
        let off = now_ms.saturating_sub(expected);
        if off.saturating_abs() <= STEP_MS {
            return (self, None);
        }
        *anchor = Anchor { now_ms, running };
        self.fresh_from_ms = now_ms;
        self.unsure_ms = 0;
        (self, Some(Jump(off)))
    }

    /// What was used before this is older than `age`; `None`: nothing is known to be.
    #[must_use]
    pub fn older(&self, age: Duration) -> Option<i64> {
        let before = self.seen_ms.saturating_sub(ms(age));
        (before >= self.fresh_from_ms).then_some(before)
    }
}

/// Milliseconds, as times are counted.
#[must_use]
pub fn ms(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
#[path = "reckoning_tests.rs"]
mod tests;
