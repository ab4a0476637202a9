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

    /// Notes a restart; `false` if it is one too many.
    pub fn charge(&mut self, now: Instant) -> bool {
        self.restarts.push_back(now);
        self.count(now) <= self.limit.max
    }

    /// Restarts within the period before `now`.
    pub fn count(&mut self, now: Instant) -> usize {
        while self
            .restarts
            .front()
            .is_some_and(|at| now.duration_since(*at) > self.limit.period)
        {
            self.restarts.pop_front();
        }
        self.restarts.len()
    }

    /// Forgets all: somebody started the child again by hand.
    pub fn reset(&mut self) {
        self.restarts.clear();
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
                prop_assert_eq!(window.charge(start + Duration::from_secs(t)), within <= max);
            }
        }
    }
}
