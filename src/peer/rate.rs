//! How many input events a viewer may send: a token bucket, pure.

use std::time::Duration;

/// Events a second that nobody's hands reach.
const PER_SECOND: u32 = 2000;
/// Events at once.
const BURST: u32 = 2000;
const NANOS_PER_EVENT: u128 = 1_000_000_000 / PER_SECOND as u128;

/// A token bucket of 2000 events and 2000 events a second.
#[derive(Clone, Debug)]
pub struct RateGuard {
    /// Credit in nanoseconds.
    credit: u128,
    last: Duration,
}

impl RateGuard {
    /// A full bucket at time `now`.
    #[must_use]
    pub const fn new(now: Duration) -> Self {
        Self {
            credit: BURST as u128 * NANOS_PER_EVENT,
            last: now,
        }
    }

    /// Takes one event out of the bucket; false when it is empty. Time that goes back counts as standing still.
    pub fn allow(&mut self, now: Duration) -> bool {
        let gained = now.saturating_sub(self.last).as_nanos();
        self.last = self.last.max(now);
        self.credit = (self.credit + gained).min(u128::from(BURST) * NANOS_PER_EVENT);
        let allowed = self.credit >= NANOS_PER_EVENT;
        if allowed {
            self.credit -= NANOS_PER_EVENT;
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_thousand_events_a_second_pass_for_ever() {
        let mut guard = RateGuard::new(Duration::ZERO);
        assert!((0..20_000).all(|ms| guard.allow(Duration::from_millis(ms))));
    }

    proptest! {
        #[test]
        fn over_any_time_no_more_pass_than_the_burst_and_the_rate(gaps in prop::collection::vec(0u64..2000, 1..20_000)) {
            let mut guard = RateGuard::new(Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut passed = 0u128;
            for gap in gaps {
                now += Duration::from_micros(gap);
                passed += u128::from(guard.allow(now));
            }
            prop_assert!(passed <= u128::from(BURST) + now.as_nanos() / NANOS_PER_EVENT);
        }
    }
}
