use std::time::{Duration, Instant};

use super::super::{Estimator, Pacer, Sent};
use super::line::{PACKET, Shape, Simulation, Source};

const MBIT: f64 = 1_000_000.0;
/// A picture that takes whatever it gets.
const ALL: Source = Source::Follows(50.0 * MBIT);

/// How a steady line is used after ten seconds: the share of it, and the longest queue in ms.
fn steady(shape: Shape) -> (f64, f64) {
    let mut simulation = Simulation::new(shape);
    simulation.run(ALL, 10.0);
    let figures = simulation.run(ALL, 20.0);
    println!(
        "{:>8.0} kbit/s queue {:>3.0} ms: estimate {:.2} (least {:.2}, most {:.2}), carried {:.2}, offered {:.2}, queue {:.0} ms",
        shape.rate / 1000.0,
        shape.queue_ms,
        figures.mean() / shape.rate,
        figures.least / shape.rate,
        figures.most / shape.rate,
        figures.carried / figures.seconds / shape.rate,
        figures.offered / figures.seconds / shape.rate,
        figures.queue_ms
    );
    (figures.mean() / shape.rate, figures.queue_ms)
}

#[test]
fn steady_lines_of_half_a_megabit_to_ten_are_used_and_their_queues_stay_short() {
    for rate in [0.5, 1.0, 2.0, 10.0] {
        for queue in [50.0, 200.0, 500.0] {
            let (share, longest) = steady(Shape::of(rate * MBIT, queue));
            assert!((0.65..1.15).contains(&share), "{rate} Mbit/s, {queue} ms: {share}");
            assert!(longest < 350.0, "{rate} Mbit/s, {queue} ms: {longest} ms");
        }
    }
}

#[test]
fn nine_tenths_of_ten_megabits_are_found_within_seconds() {
    let mut simulation = Simulation::new(Shape::of(10.0 * MBIT, 100.0));
    let took = simulation.until(ALL, 8.5 * MBIT, 10.0);
    println!("{took:?} s");
    assert!(took.is_some_and(|took| took < 4.0), "{took:?}");
}

#[test]
fn a_line_of_half_a_megabit_is_found_within_a_second_and_never_offered_much_more_afterwards() {
    for queue in [50.0, 200.0, 500.0] {
        let mut simulation = Simulation::new(Shape::of(0.5 * MBIT, queue));
        simulation.run(ALL, 1.5);
        println!("after 1.5 s: {:.0}", simulation.estimator.rate());
        assert!(
            simulation.estimator.rate() < 0.7 * MBIT,
            "{queue}: {}",
            simulation.estimator.rate()
        );
        for second in 0..20 {
            let figures = simulation.run(ALL, 1.0);
            assert!(
                figures.offered < 1.2 * 0.5 * MBIT,
                "{queue} ms, second {second}: {figures:?}"
            );
        }
    }
}

#[test]
fn ten_megabits_that_become_one_and_ten_again_are_followed_within_seconds() {
    for queue in [50.0, 200.0] {
        let mut simulation = Simulation::new(Shape::of(10.0 * MBIT, queue));
        simulation.run(ALL, 10.0);
        assert!(
            simulation.estimator.rate() > 7.0 * MBIT,
            "{}",
            simulation.estimator.rate()
        );
        simulation.shape.rate = MBIT;
        simulation.run(ALL, 1.5);
        assert!(
            simulation.estimator.rate() < 1.2 * MBIT,
            "{}",
            simulation.estimator.rate()
        );
        for second in 0..10 {
            let figures = simulation.run(ALL, 1.0);
            assert!(figures.offered < 1.2 * MBIT, "{queue} ms, second {second}: {figures:?}");
        }
        simulation.shape.rate = 10.0 * MBIT;
        let took = simulation.until(ALL, 8.0 * MBIT, 20.0);
        println!("back after {took:?} s");
        assert!(took.is_some_and(|took| took < 10.0), "{queue} ms: {took:?}");
    }
}

#[test]
fn loss_that_is_the_lines_own_is_no_reason_to_send_less() {
    for (loss, least) in [(0.02, 0.7), (0.05, 0.6), (0.10, 0.4)] {
        for rate in [2.0, 10.0] {
            let (share, _) = steady(Shape {
                loss,
                round_trip_ms: 50.0,
                ..Shape::of(rate * MBIT, 100.0)
            });
            assert!(share > least, "{loss} at {rate} Mbit/s: {share}");
        }
    }
}

#[test]
fn jitter_with_and_without_reordering_is_no_queue() {
    for reorders in [false, true] {
        let (share, _) = steady(Shape {
            jitter_ms: 30.0,
            reorders,
            ..Shape::of(5.0 * MBIT, 150.0)
        });
        assert!(share > 0.6, "reorders: {reorders}: {share}");
    }
}

/// The least and the median of the estimates after so many seconds, of many lines like that.
fn after(shape: Shape, seconds: f64) -> (f64, f64) {
    let mut rates: Vec<f64> = (1..=60_u64)
        .map(|seed| {
            let mut simulation = Simulation::seeded(shape, seed);
            simulation.run(ALL, seconds);
            simulation.estimator.rate()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    (rates[0], rates[rates.len() / 2])
}

#[test]
fn a_line_on_which_packets_overtake_each_other_begins_no_slower_for_that() {
    for jitter_ms in [5.0, 30.0] {
        let shape = Shape {
            jitter_ms,
            reorders: true,
            round_trip_ms: 50.0,
            ..Shape::of(50.0 * MBIT, 100.0)
        };
        let (least, median) = after(shape, 1.0);
        assert!(
            least > 1.5 * MBIT && median > 2.0 * MBIT,
            "{jitter_ms} ms: {least}, {median}"
        );
    }
}

#[test]
fn that_packets_overtake_each_other_is_seen_and_forgotten() {
    let mut simulation = Simulation::new(Shape {
        jitter_ms: 30.0,
        reorders: true,
        ..Shape::of(5.0 * MBIT, 150.0)
    });
    simulation.run(ALL, 5.0);
    let overtaking = simulation.overtaking();
    assert!((5.0..=35.0).contains(&overtaking), "{overtaking}");
    simulation.shape.jitter_ms = 0.0;
    simulation.run(ALL, 15.0);
    assert!(simulation.overtaking() < 1.0, "{}", simulation.overtaking());
}

#[test]
fn a_millisecond_of_jitter_is_no_reason_to_wait_for_what_is_lost() {
    let mut simulation = Simulation::new(Shape {
        jitter_ms: 1.0,
        reorders: true,
        ..Shape::of(5.0 * MBIT, 150.0)
    });
    simulation.run(ALL, 5.0);
    assert!(simulation.overtaking() < 0.001, "{}", simulation.overtaking());
}

#[test]
fn a_line_that_was_away_for_three_seconds_is_used_again_at_once() {
    let mut simulation = Simulation::new(Shape::of(4.0 * MBIT, 200.0));
    simulation.run(ALL, 10.0);
    let before = simulation.estimator.rate();
    simulation.away = true;
    let away = simulation.run(ALL, 3.0);
    // At the end nearly nothing is sent.
    assert!(away.least <= 100_000.0, "{away:?}");
    simulation.away = false;
    let took = simulation.until(ALL, before * 0.7, 10.0);
    println!("{before:.0} again after {took:?} s");
    assert!(took.is_some_and(|took| took < 3.0), "{took:?}");
}

#[test]
fn a_still_screen_costs_nothing_and_changes_nothing() {
    let mut simulation = Simulation::new(Shape::of(10.0 * MBIT, 100.0));
    simulation.run(ALL, 5.0);
    // What was under way still tells of it.
    simulation.run(Source::Still, 1.0);
    let before = simulation.estimator.rate();
    let figures = simulation.run(Source::Still, 60.0);
    assert!(figures.padding == 0.0, "{figures:?}");
    assert!(figures.offered < 32.0 * 200.0 * 8.0, "{figures:?}");
    assert!(
        (figures.least, figures.most) == (before, before),
        "{before} {figures:?}"
    );
    let moves = simulation.run(ALL, 5.0);
    assert!(moves.mean() > 0.6 * 10.0 * MBIT, "{moves:?}");
}

#[test]
fn what_is_never_used_is_never_believed() {
    // A picture of 1 Mbit/s on a line of 100: trains show that there is more, and are all that does.
    let mut simulation = Simulation::new(Shape::of(100.0 * MBIT, 100.0));
    let figures = simulation.run(Source::Follows(MBIT), 120.0);
    assert!(figures.most <= 50.0 * MBIT, "{figures:?}");
    assert!(figures.padding < 120.0 * 0.02 * MBIT, "{figures:?}");
    // Nor does silence.
    simulation.run(Source::Still, 1.0);
    let before = simulation.estimator.rate();
    let figures = simulation.run(Source::Still, 30.0);
    assert!(figures.most <= before, "{figures:?}");
}

#[test]
fn a_line_that_lets_bursts_through_fools_trains_only_now_and_then() {
    let (share, longest) = steady(Shape {
        burst: 30_000.0,
        ..Shape::of(2.0 * MBIT, 200.0)
    });
    assert!((0.6..1.3).contains(&share), "{share}");
    assert!(longest < 250.0, "{longest}");
}

/// How long the packets of a first key frame of 60 kB take to leave, in ms.
fn first_key_frame(round_trip: Duration) -> u128 {
    let begun = Instant::now();
    let (mut estimator, mut pacer, mut now) = (Estimator::new(begun), Pacer::new(begun), begun);
    estimator.is_so_far(round_trip);
    for _ in 0..48 {
        loop {
            let held = estimator.holds(now);
            let wait = pacer.wait(estimator.rate(), now);
            if !held && wait.is_zero() {
                break;
            }
            now += wait.max(Duration::from_millis(1));
        }
        let packet = Sent {
            bytes: PACKET,
            media: None,
            twice: false,
        };
        estimator.sent(packet, now);
        pacer.sent(PACKET, estimator.rate(), now);
    }
    now.duration_since(begun).as_millis()
}

#[test]
fn the_first_key_frame_does_not_wait_where_the_browser_is_near() {
    assert!(first_key_frame(Duration::from_micros(600)) <= 15);
    assert!(
        first_key_frame(Duration::from_millis(20)) >= 400,
        "nothing is known of that"
    );
}

#[test]
fn a_near_browser_behind_a_slow_line_is_found_out_at_once() {
    let mut simulation = Simulation::new(Shape {
        round_trip_ms: 1.0,
        ..Shape::of(2e6, 200.0)
    });
    assert!(simulation.estimator.is_so_far(Duration::from_millis(1)));
    assert!(!simulation.estimator.is_so_far(Duration::from_millis(1)), "once");
    simulation.run(Source::Follows(8e6), 2.0);
    let figures = simulation.run(Source::Follows(8e6), 5.0);
    assert!((1.2e6..2.4e6).contains(&figures.mean()), "{figures:?}");
    assert!(figures.offered < figures.carried * 1.1, "{figures:?}");
}
