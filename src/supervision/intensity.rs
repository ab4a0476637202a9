//! Restart intensity: how many restarts within which period are still healing. Pure.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// At most `max` restarts within `period` (OTP: `intensity` and `period`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts that are survived.
    pub max: usize,
    /// Within this time.
    pub period: Duration,
}

impl Intensity {
    /// At most `max` restarts within `period`.
    #[must_use]
    pub const fn new(max: usize, period: Duration) -> Self {
        Self { max, period }
    }
}

/// Restarts as they happened, as far back as they matter.
#[derive(Clone, Debug)]
pub struct Window {
    limit: Intensity,
    restarts: VecDeque<Instant>,
}

impl Window {
    /// No restart yet.
    #[must_use]
    pub const fn new(limit: Intensity) -> Self {
        Self {
            limit,
            restarts: VecDeque::new(),
        }
    }

    /// The limit that it is judged by.
    #[must_use]
    pub const fn limit(&self) -> Intensity {
        self.limit
    }

    /// Notes a restart; `false` if it is one too many. One exactly a period old still counts.
    pub fn charge(&mut self, now: Instant) -> bool {
        while self.restarts.front().is_some_and(|at| !self.holds(*at, now)) {
            self.restarts.pop_front();
        }
        self.restarts.push_back(now);
        let survived = self.restarts.len() <= self.limit.max;
        // A window over its limit needs no more than the newest `max + 1` to stay over it.
        while self.restarts.len() > self.limit.max.saturating_add(1) {
            self.restarts.pop_front();
        }
        survived
    }

    /// Restarts within the period before `now`, at most one more than are survived.
    #[must_use]
    pub fn count(&self, now: Instant) -> usize {
        self.restarts.iter().filter(|at| self.holds(**at, now)).count()
    }

    /// Restarts that would still be survived at `now`.
    #[must_use]
    pub fn left(&self, now: Instant) -> usize {
        self.limit.max.saturating_sub(self.count(now))
    }

    /// Forgets all: somebody started the child again by hand.
    pub fn reset(&mut self) {
        self.restarts.clear();
    }

    fn holds(&self, restart: Instant, now: Instant) -> bool {
        now.saturating_duration_since(restart) <= self.limit.period
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop, prop_assert_eq, proptest};

    #[test]
    fn as_many_as_allowed_survive_and_one_more_does_not() {
        let now = Instant::now();
        let mut window = Window::new(Intensity::new(3, Duration::from_secs(10)));
        assert!((0..3).all(|_| window.charge(now)));
        assert!(!window.charge(now));
    }

    #[test]
    fn restarts_older_than_the_period_are_forgotten() {
        let now = Instant::now();
        let mut window = Window::new(Intensity::new(1, Duration::from_secs(10)));
        assert!(window.charge(now));
        assert!(window.charge(now + Duration::from_millis(10_001)));
        assert!(!window.charge(now + Duration::from_millis(10_002)));
    }

    proptest! {
        #[test]
        fn it_gives_up_exactly_when_more_than_max_fall_into_one_period(
            max in 0usize..6, period in 1u64..50, gaps in prop::collection::vec(0u64..30, 1..40),
        ) {
            let start = Instant::now();
            let mut window = Window::new(Intensity::new(max, Duration::from_secs(period)));
            let mut at = Vec::new();
            let mut t = 0;
            for gap in gaps {
                t += gap;
                at.push(t);
                let within = at.iter().filter(|x| t - **x <= period).count();
                let now = start + Duration::from_secs(t);
                prop_assert_eq!(window.charge(now), within <= max);
                prop_assert_eq!(window.count(now), within.min(max + 1));
                prop_assert_eq!(window.left(now), max.saturating_sub(within));
            }
        }
    }
}
