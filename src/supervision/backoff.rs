//! How long to wait before the next restart: bounded, growing, jittered. Pure but for the dice, which are handed in.

use std::time::Duration;

/// The delays between restarts that follow one another closely.
///
/// The first restart after a calm time is immediate, so that a single crash costs as little as possible; the second
/// waits about `base`, each further one twice as long, never longer than `max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay before the second restart; the first happens at once.
    pub base: Duration,
    /// No delay is longer.
    pub max: Duration,
    /// A child that lived this long starts over at no delay.
    pub healthy_after: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            base: Duration::from_millis(200),
            max: Duration::from_secs(10),
            healthy_after: Duration::from_secs(10),
        }
    }
}

impl Backoff {
    /// No waiting at all, as in OTP. Sensible only where few restarts are survived.
    pub const NONE: Self = Self {
        base: Duration::ZERO,
        max: Duration::ZERO,
        healthy_after: Duration::ZERO,
    };

    /// The delay before the restart that follows `failures` failures in a row (at least 1). `dice` in 0.0..1.0 takes up
    /// to a quarter off, so that children that failed together do not come back together.
    #[must_use]
    pub fn delay(&self, failures: u32, dice: f64) -> Duration {
        if failures <= 1 {
            return Duration::ZERO;
        }
        let doubled = self.base.saturating_mul(1 << (failures - 2).min(20));
        doubled.min(self.max).mul_f64(1.0 - 0.25 * dice.clamp(0.0, 1.0))
    }
}

/// A number in 0.0..=1.0 for jitter; without randomness there is no jitter.
pub(crate) fn dice() -> f64 {
    getrandom::u32().map_or(0.0, |n| f64::from(n) / f64::from(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn the_first_restart_happens_at_once_and_later_ones_wait_longer() {
        let backoff = Backoff::default();
        let ms: Vec<_> = (1..5).map(|n| backoff.delay(n, 0.0).as_millis()).collect();
        assert_eq!(ms, [0, 200, 400, 800]);
    }

    proptest! {
        #[test]
        fn every_delay_is_its_step_or_up_to_a_quarter_less(failures in 2u32..200, dice in 0.0f64..1.0) {
            let backoff = Backoff::default();
            let step = backoff.base.saturating_mul(1 << (failures - 2).min(20)).min(backoff.max);
            let delay = backoff.delay(failures, dice);
            prop_assert!(delay <= step && delay >= step.mul_f64(0.749), "{delay:?} of {step:?}");
        }

        #[test]
        fn without_jitter_delays_never_shrink(failures in 0u32..100) {
            let backoff = Backoff::default();
            prop_assert!(backoff.delay(failures, 0.0) <= backoff.delay(failures + 1, 0.0));
        }

        #[test]
        fn no_delay_exceeds_the_bound(failures in 0u32.., dice in -1.0f64..2.0) {
            let backoff = Backoff::default();
            prop_assert!(backoff.delay(failures, dice) <= backoff.max);
        }
    }
}
