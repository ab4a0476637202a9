//! When a packet may leave, so that a line is never offered much more than it carries.
//!
//! Two buckets leak at the estimate: the short one lets a few milliseconds through at once and the rest at 2.5 times the
//! estimate; the long one is the queue that this makes at the line, which may hold a moment's worth and no more.

use std::time::{Duration, Instant};

/// How much faster than the estimate packets follow each other.
const FASTER: f64 = 2.5;
/// What goes at once: so long by the estimate, …
const AT_ONCE: f64 = 0.010;
/// … and in any case two packets.
const FEWEST_BITS: f64 = 2.0 * 1280.0 * 8.0;
/// The queue that may be made at the line, by the estimate.
const QUEUE: f64 = 0.100;
/// No more is remembered, by the estimate.
const FORGET: f64 = 0.300;
/// It is let shrink a little more slowly than it does: what is not sent now is sent later.
const DRAIN: f64 = 1.05;

/// The buckets of one line.
#[derive(Debug)]
pub(in super::super) struct Pacer {
    short: f64,
    long: f64,
    at: Instant,
}

impl Pacer {
    /// Nothing was sent before `now`.
    pub(in super::super) const fn new(now: Instant) -> Self {
        Self {
            short: 0.0,
            long: 0.0,
            at: now,
        }
    }

    /// How long the next packet has to wait, at this estimate in bits a second: nothing, if it may leave.
    pub(in super::super) fn wait(&mut self, rate: f64, now: Instant) -> Duration {
        self.leak(rate, now);
        let short = (self.short - (rate * AT_ONCE * FASTER).max(FEWEST_BITS)) / (rate * FASTER);
        let long = (self.long - (rate * QUEUE).max(FEWEST_BITS)) / (rate * DRAIN);
        Duration::from_secs_f64(short.max(long).clamp(0.0, 1.0))
    }

    /// Bits that may leave now beside what is paced: the queue that may be made has so much room.
    pub(in super::super) fn room(&mut self, rate: f64, now: Instant) -> f64 {
        self.leak(rate, now);
        ((rate * QUEUE).max(FEWEST_BITS) - self.long).max(0.0)
    }

    /// A packet of so many bytes leaves, whether it had to wait or not.
    pub(in super::super) fn sent(&mut self, bytes: u32, rate: f64, now: Instant) {
        self.leak(rate, now);
        let bits = f64::from(bytes) * 8.0;
        self.short += bits;
        // More than that the line has lost, or its queue is longer than anybody can wait for.
        self.long = (self.long + bits).min((rate * FORGET).max(FEWEST_BITS * 2.0));
    }

    fn leak(&mut self, rate: f64, now: Instant) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        self.short = (passed * rate).mul_add(-FASTER, self.short).max(0.0);
        self.long = (passed * rate).mul_add(-DRAIN, self.long).max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// How long a frame of so many packets takes at this rate, in ms.
    fn takes(packets: u32, rate: f64) -> u128 {
        let begun = Instant::now();
        let (mut pacer, mut now) = (Pacer::new(begun), begun);
        for _ in 0..packets {
            now += pacer.wait(rate, now);
            pacer.sent(1250, rate, now);
        }
        now.duration_since(begun).as_millis()
    }

    #[test]
    fn small_frames_go_at_once_and_large_ones_at_two_and_a_half_times_the_estimate_until_the_line_has_a_queue() {
        assert_eq!(takes(2, 500_000.0), 0);
        assert_eq!(takes(2, 100_000.0), 0);
        // 25 kB at 100 Mbit/s: a LAN.
        assert_eq!(takes(20, 100_000_000.0), 0);
        // 100 kbit at 2 Mbit/s: 20 ms of it at once and the rest at 5 Mbit/s.
        assert!((8..=20).contains(&takes(10, 2_000_000.0)), "{}", takes(10, 2_000_000.0));
        // 600 kbit: of that a queue of 100 ms, and the rest as fast as the line carries it.
        assert!(
            (170..=260).contains(&takes(60, 2_000_000.0)),
            "{}",
            takes(60, 2_000_000.0)
        );
    }

    proptest! {
        #[test]
        fn in_no_second_is_more_sent_than_a_fifth_above_the_estimate(
            rate in 100_000.0..20_000_000.0f64,
            gaps in prop::collection::vec(0u64..40, 100..600),
        ) {
            let begun = Instant::now();
            let (mut pacer, mut now, mut sent) = (Pacer::new(begun), begun, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                now += pacer.wait(rate, now);
                pacer.sent(1250, rate, now);
                sent.push(now);
            }
            for from in &sent {
                let second = sent.iter().filter(|at| *at >= from && at.duration_since(*from) < Duration::from_secs(1));
                let bits = second.count() as f64 * 10_000.0;
                prop_assert!(bits <= rate * 1.2 + 4.0 * 10_000.0, "{bits} of {rate}");
            }
        }
    }
}
