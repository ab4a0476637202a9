//! What a browser can say, and should not.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::{CAP, Estimator, FLOOR, SEED, Sent};

fn packet(media: u16) -> Sent {
    Sent {
        bytes: 1250,
        media: Some(media),
        twice: false,
    }
}

#[test]
fn feedback_for_packets_that_were_never_sent_says_nothing() {
    let now = Instant::now();
    let mut estimator = Estimator::new(now);
    let arrived = estimator.feedback((0..=u16::MAX).map(|n| (n, Duration::from_secs(1))), now);
    assert!(arrived.is_empty());
    assert!((estimator.rate() - SEED).abs() < 1.0);
    assert_eq!(estimator.strange(), 65_536);
    let number = estimator.sent(packet(7), now);
    let said = [
        (number, Duration::from_secs(1)),
        (number, Duration::from_secs(2)),
        (number.wrapping_add(1), Duration::ZERO),
    ];
    assert_eq!(
        estimator.feedback(said, now + Duration::from_millis(20)),
        [7],
        "and each once"
    );
}

#[test]
fn a_browser_that_says_that_it_takes_terabits_or_nothing_stays_within_bounds() {
    let now = Instant::now();
    let mut estimator = Estimator::new(now);
    for rate in [1e15, f64::INFINITY, f64::NAN, -1.0, 0.0] {
        for _ in 0..20 {
            estimator.told(rate, now);
            assert!(
                (FLOOR..=CAP).contains(&estimator.rate()),
                "{rate}: {}",
                estimator.rate()
            );
        }
    }
    let before = estimator.rate();
    estimator.told(1e15, now);
    assert!(estimator.rate() <= before * 2.0, "nor does it get there at once");
}

#[test]
fn who_promises_to_tell_of_packets_and_only_reports_what_was_lost_is_adapted_to_by_that() {
    let begun = Instant::now();
    let mut estimator = Estimator::new(begun);
    let (mut carried, mut least) = (Vec::new(), f64::MAX);
    for second in 0..30u32 {
        let from = begun + Duration::from_secs(second.into());
        let mut sent = 0.0;
        for ms in 0..1000u64 {
            let now = from + Duration::from_millis(ms);
            if sent < estimator.rate() * (ms as f64 / 1000.0) {
                estimator.sent(packet(0), now);
                sent += 10_000.0;
            }
            if second > 5 {
                least = least.min(estimator.rate());
            }
        }
        let lost = (1.0 - 500_000.0 / sent).max(0.0);
        estimator.told_loss(lost, sent, from + Duration::from_secs(1));
        carried.push((lost, estimator.rate()));
    }
    assert!(least >= 300_000.0, "it is never silent for us: {least}, {carried:?}");
    let (lost, rates): (Vec<f64>, Vec<f64>) = carried.split_off(10).into_iter().unzip();
    assert!(lost.iter().sum::<f64>() / 20.0 < 0.1, "{lost:?}");
    assert!(
        rates.iter().all(|rate| (300_000.0..700_000.0).contains(rate)),
        "{rates:?}"
    );
}

#[test]
fn arrivals_at_a_time_that_jumps_start_anew() {
    let begun = Instant::now();
    let mut estimator = Estimator::new(begun);
    let mut now = begun;
    for n in 0..2000u32 {
        now += Duration::from_millis(10);
        let number = estimator.sent(packet(0), now);
        // The clock of a laptop that slept, again and again.
        let hours = u64::from(n / 300) * 3600;
        let at = now.duration_since(begun) + Duration::from_secs(hours);
        estimator.feedback([(number, at)], now + Duration::from_millis(20));
    }
    assert!(estimator.rate() >= SEED * 0.8, "{}", estimator.rate());
}

#[derive(Clone, Debug)]
enum Step {
    Sent(u16),
    Passes(u64),
    Arrived(Vec<(u16, u64)>),
    Told(f64),
    Lost(f64),
    Train,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (1u16..60).prop_map(Step::Sent),
        3 => (0u64..3000).prop_map(Step::Passes),
        4 => prop::collection::vec((0u16..200, any::<u64>().prop_map(|us| us >> 20)), 0..80).prop_map(Step::Arrived),
        1 => any::<f64>().prop_map(Step::Told),
        1 => any::<f64>().prop_map(Step::Lost),
        1 => Just(Step::Train),
    ];
    prop::collection::vec(step, 1..150)
}

proptest! {
    #[test]
    fn whatever_is_said_the_estimate_stays_within_its_bounds(steps in steps()) {
        let mut now = Instant::now();
        let (mut estimator, mut last) = (Estimator::new(now), 0u16);
        for step in steps {
            match step {
                Step::Sent(packets) => for n in 0..packets {
                    last = estimator.sent(packet(n), now);
                },
                Step::Passes(ms) => now += Duration::from_millis(ms),
                Step::Arrived(arrived) => {
                    let arrived = arrived.into_iter().map(|(back, us)| (last.wrapping_sub(back), Duration::from_micros(us)));
                    estimator.feedback(arrived, now);
                }
                Step::Told(rate) => estimator.told(rate, now),
                Step::Lost(lost) => estimator.told_loss(lost, 1e6, now),
                Step::Train => {
                    estimator.train(now);
                }
            }
            let line = estimator.line();
            prop_assert!((FLOOR..=CAP).contains(&line.rate), "{line:?}");
            prop_assert!(line.lost.is_finite() && (0.0..=1.0).contains(&line.lost), "{line:?}");
        }
    }
}
