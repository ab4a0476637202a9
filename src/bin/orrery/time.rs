//! Time: `CLOCK_MONOTONIC` in µs for measuring, and a pacer for frames.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// Microseconds of `CLOCK_MONOTONIC`, comparable with every other process of the machine.
pub fn monotonic_us() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC)
        .map_or(0, |t| u64::try_from(Duration::from(t).as_micros()).unwrap_or(u64::MAX))
}

/// Says when the next frame is due, without drift and without catching up after a delay.
#[derive(Debug, Clone, Copy)]
pub struct Pacer {
    period: Duration,
    next: Instant,
}

impl Pacer {
    /// `per_second` ticks a second, the first at `now`. At least one a second.
    pub fn new(per_second: u32, now: Instant) -> Self {
        Self {
            period: Duration::from_secs(1) / per_second.max(1),
            next: now,
        }
    }

    /// When the next tick is due.
    pub fn due_at(&self) -> Instant {
        self.next
    }

    /// No tick before `until`.
    pub fn hold(&mut self, until: Instant) {
        self.next = self.next.max(until);
    }

    /// Whether a tick is due; if so the next one is planned. Missed ticks are skipped, not made up for.
    pub fn tick(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        self.next += self.period;
        if self.next <= now {
            self.next = now + self.period;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pacer_ticks_at_its_rate_and_skips_what_it_missed() {
        let start = Instant::now();
        let mut pacer = Pacer::new(10, start);
        assert!(pacer.tick(start));
        assert!(!pacer.tick(start + Duration::from_millis(99)));
        assert!(pacer.tick(start + Duration::from_millis(101)));
        assert_eq!(pacer.due_at(), start + Duration::from_millis(200), "no drift");
        let late = start + Duration::from_millis(950);
        assert!(pacer.tick(late));
        assert!(!pacer.tick(late), "missed ticks are not made up for");
        assert_eq!(pacer.due_at(), late + Duration::from_millis(100));
        pacer.hold(late);
        assert_eq!(
            pacer.due_at(),
            late + Duration::from_millis(100),
            "nothing is brought forward"
        );
        pacer.hold(late + Duration::from_millis(150));
        assert!(!pacer.tick(late + Duration::from_millis(149)));
    }
}
