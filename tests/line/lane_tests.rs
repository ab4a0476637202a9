//! One way of a line on a clock of the test's own.

use std::time::Duration;

use proptest::prelude::*;

use super::lane::{Counters, Lane};
use super::shape::{Burst, Shape};

const MS: Duration = Duration::from_millis(1);

fn lane(shape: Shape) -> Lane {
    shape.check().unwrap();
    let mut lane = Lane::new(7);
    lane.change(Duration::ZERO, shape);
    lane
}

/// A packet that knows its number.
fn packet(number: u32, length: usize) -> Vec<u8> {
    let mut packet = number.to_be_bytes().to_vec();
    packet.resize(length.max(4), 0);
    packet
}

fn number(packet: &[u8]) -> u32 {
    u32::from_be_bytes(packet[..4].try_into().unwrap())
}

/// Takes whatever has arrived.
fn taken(lane: &mut Lane, now: Duration) -> Vec<u32> {
    std::iter::from_fn(|| lane.due(now))
        .map(|packet| number(&packet))
        .collect()
}

fn balance(counters: &Counters) -> (u64, u64) {
    let Counters {
        carried,
        full,
        lost,
        cut,
        blocked,
        within,
        ..
    } = counters;
    let all = [carried, full, lost, cut, blocked, within];
    (
        all.iter().map(|tally| tally.packets).sum(),
        all.iter().map(|tally| tally.bytes).sum(),
    )
}

/// Sends packets of a length at a pace, and takes what comes as often as they are sent. When each came, in ms.
fn stream(lane: &mut Lane, count: u32, length: usize, every: Duration) -> Vec<(u32, Duration)> {
    let mut came = Vec::new();
    for n in 0..count {
        let now = every * n;
        lane.offer(now, packet(n, length));
        came.extend(taken(lane, now).into_iter().map(|number| (number, now)));
    }
    while let Some(next) = lane.next() {
        came.extend(taken(lane, next).into_iter().map(|number| (number, next)));
    }
    came
}

fn kbps(rate_kbps: u64, queue_ms: u64) -> Shape {
    Shape {
        rate_kbps: Some(rate_kbps),
        queue_ms: Some(queue_ms),
        ..Shape::default()
    }
}

#[test]
fn a_line_without_limits_gives_everything_at_once_and_in_order() {
    let mut lane = lane(Shape::default());
    for n in 0..1_000 {
        lane.offer(MS, packet(n, 1_500));
    }
    assert_eq!(taken(&mut lane, MS), (0..1_000).collect::<Vec<_>>());
    assert_eq!(lane.next(), None);
}

#[test]
fn a_rate_is_kept_within_two_per_cent_however_seldom_one_looks() {
    for (rate, length, look) in [
        (500, 1_200, 1),
        (500, 1_200, 50),
        (2_000, 1_500, 7),
        (10_000, 300, 33),
        (200_000, 1_500, 20),
    ] {
        let mut lane = lane(kbps(rate, 500));
        let (mut n, mut now) = (0, Duration::ZERO);
        // Three times as much as it carries, for ten seconds.
        while now < Duration::from_secs(10) {
            let burst = 3 * rate * look / 8 / length as u64 + 1;
            for _ in 0..burst {
                lane.offer(now, packet(n, length));
                n += 1;
            }
            now += MS * u32::try_from(look).unwrap();
            taken(&mut lane, now);
        }
        let carried = lane.counters().carried.bytes as f64 * 8.0 / 10.0 / 1_000.0;
        let off = (carried / rate as f64 - 1.0).abs();
        assert!(off < 0.02, "{rate} kbit/s, looked at every {look} ms: {carried:.0}");
    }
}

#[test]
fn who_would_wait_longer_than_the_queue_is_dropped_and_nobody_else_is() {
    // 1250 bytes at 1 Mbit/s take 10 ms; 100 ms of queue are room for 10 beside the one that is being sent.
    let mut lane = lane(kbps(1_000, 100));
    for n in 0..20 {
        lane.offer(Duration::ZERO, packet(n, 1_250));
    }
    let counters = lane.counters();
    assert_eq!((counters.full.packets, counters.within.packets), (9, 11));
    assert!(taken(&mut lane, MS * 9).is_empty());
    assert_eq!(taken(&mut lane, MS * 10), [0]);
    assert_eq!(taken(&mut lane, MS * 110), (1..11).collect::<Vec<_>>());
    assert_eq!(lane.counters().full.packets, 9, "the tail was dropped, not the head");
}

#[test]
fn the_shortest_queue_lets_two_full_packets_wait() {
    let mut lane = lane(kbps(100, 1));
    for n in 0..4 {
        lane.offer(Duration::ZERO, packet(n, 1_500));
    }
    assert_eq!(lane.counters().full.packets, 1);
}

#[test]
fn a_delay_is_exact() {
    let mut lane = lane(Shape {
        delay_ms: 25,
        ..kbps(1_000, 100)
    });
    lane.offer(MS * 5, packet(0, 1_250));
    assert_eq!(lane.next(), Some(MS * 40), "5, and 10 for the rate, and 25");
    assert!(lane.due(MS * 40 - Duration::from_nanos(1)).is_none());
    assert!(lane.due(MS * 40).is_some());
}

#[test]
fn jitter_reorders_packets_only_where_it_may() {
    let jitter = Shape {
        delay_ms: 20,
        jitter_ms: 30,
        ..Shape::default()
    };
    for reorder in [false, true] {
        let came = stream(&mut lane(Shape { reorder, ..jitter }), 2_000, 1_000, MS * 2);
        assert_eq!(came.len(), 2_000);
        let overtaken = came.windows(2).filter(|pair| pair[0].0 > pair[1].0).count();
        assert_eq!(overtaken > 100, reorder, "{overtaken} were overtaken");
        let late: Vec<Duration> = came.iter().map(|(n, at)| *at - MS * 2 * *n).collect();
        assert!(late.iter().all(|late| (MS * 20..=MS * 52).contains(late)));
        let spread = late.iter().filter(|late| **late > MS * 40).count();
        assert!(spread > 300, "{spread} of 2000 took more than 40 ms");
    }
}

#[test]
fn loss_is_the_part_that_was_asked_for() {
    for loss in [0.0, 0.02, 0.1, 1.0] {
        let mut lane = lane(Shape {
            loss,
            ..Shape::default()
        });
        let came = stream(&mut lane, 50_000, 100, MS).len();
        let lost = 1.0 - came as f64 / 50_000.0;
        assert!((lost - loss).abs() < 0.005, "{lost} of {loss}");
        assert_eq!(lane.counters().lost.packets, 50_000 - came as u64);
    }
}

#[test]
fn bursts_are_as_frequent_and_as_long_as_asked_for() {
    let burst = Burst {
        enter: 0.005,
        leave: 0.2,
        loss: 1.0,
    };
    let mut lane = lane(Shape {
        burst: Some(burst),
        ..Shape::default()
    });
    let came: Vec<u32> = stream(&mut lane, 200_000, 100, MS).iter().map(|(n, _)| *n).collect();
    let gaps: Vec<u32> = came
        .windows(2)
        .map(|pair| pair[1] - pair[0] - 1)
        .filter(|gap| *gap > 0)
        .collect();
    let mean = gaps.iter().sum::<u32>() as f64 / gaps.len() as f64;
    assert!((4.6..5.4).contains(&mean), "a burst takes {mean} packets");
    assert!((900..1_080).contains(&gaps.len()), "{} bursts in 200000", gaps.len());
}

#[test]
fn an_outage_takes_all_that_is_sent_or_waits_and_nothing_that_is_on_its_way() {
    let mut lane = lane(Shape {
        delay_ms: 50,
        ..kbps(1_000, 500)
    });
    for n in 0..4 {
        lane.offer(Duration::ZERO, packet(n, 1_250));
    }
    lane.change(
        MS * 15,
        Shape {
            cut: true,
            ..kbps(1_000, 500)
        },
    );
    for n in 4..8 {
        lane.offer(MS * (20 + n), packet(n, 1_250));
    }
    lane.change(MS * 200, kbps(1_000, 500));
    lane.offer(MS * 200, packet(8, 1_250));
    assert_eq!(taken(&mut lane, MS * 1_000), [0, 1, 8]);
    let counters = lane.counters();
    assert_eq!((counters.cut.packets, counters.within.packets), (6, 0));
}

#[test]
fn a_firewall_keeps_back_what_it_is_told_to_and_counts_it() {
    let of = |protocol: u8, port: u16| {
        let mut packet = vec![0; 40];
        (packet[0], packet[9]) = (0x45, protocol);
        packet[22..24].copy_from_slice(&port.to_be_bytes());
        packet
    };
    let (no_udp, only_443) = (
        Shape {
            no_udp: true,
            ..Shape::default()
        },
        Shape {
            only_tcp_port: Some(443),
            ..Shape::default()
        },
    );
    for (shape, protocol, port, passes) in [
        (no_udp, 17, 443, false),
        (no_udp, 6, 80, true),
        (no_udp, 1, 0, true),
        (only_443, 17, 443, false),
        (only_443, 6, 80, false),
        (only_443, 6, 443, true),
        (only_443, 1, 0, false),
    ] {
        let mut lane = lane(shape);
        lane.offer(MS, of(protocol, port));
        assert_eq!(lane.due(MS).is_some(), passes, "{shape:?} {protocol} {port}");
        assert_eq!(lane.counters().blocked.packets, u64::from(!passes));
    }
}

#[test]
fn another_rate_counts_at_once_for_all_that_wait() {
    let mut lane = lane(kbps(10_000, 1_000));
    for n in 0..101 {
        lane.offer(Duration::ZERO, packet(n, 1_250));
    }
    // A packet a millisecond; the one that is being sent has half of its way left, which takes ten times as long.
    lane.change(Duration::from_micros(500), kbps(1_000, 1_000));
    assert_eq!(taken(&mut lane, MS * 1), [0]);
    assert_eq!(lane.next(), Some(Duration::from_micros(5_500)));
    let at = taken(&mut lane, Duration::from_micros(105_500));
    assert_eq!(at.len(), 10);
    lane.change(MS * 106, Shape::default());
    // All arrive with the one that was being sent, which nobody overtakes.
    assert_eq!(taken(&mut lane, Duration::from_micros(115_500)).len(), 90);
}

#[test]
fn what_is_on_its_way_is_bounded() {
    let mut lane = lane(Shape {
        delay_ms: 60_000,
        ..Shape::default()
    });
    for n in 0..2_000 {
        lane.offer(Duration::ZERO, packet(n, 65_000));
    }
    let counters = lane.counters();
    assert!(counters.within.bytes <= 64 << 20);
    assert_eq!(balance(&counters), (2_000, 2_000 * 65_000));
}

fn shapes() -> impl Strategy<Value = Shape> {
    let rate = proptest::option::of((8_u64..20_000, 1_u64..600));
    let burst = proptest::option::of((0.0..0.3, 0.05..1.0, 0.0..=1.0));
    (rate, 0_u64..120, 0_u64..60, any::<bool>(), 0.0..0.5, burst, 0..10).prop_map(
        |(rate, delay_ms, jitter_ms, reorder, loss, burst, cut)| Shape {
            rate_kbps: rate.map(|(rate, _)| rate),
            queue_ms: rate.map(|(_, queue)| queue),
            delay_ms,
            jitter_ms,
            reorder: reorder && jitter_ms > 0,
            loss,
            burst: burst.map(|(enter, leave, loss)| Burst { enter, leave, loss }),
            cut: cut == 0,
            ..Shape::default()
        },
    )
}

#[derive(Debug, Clone)]
enum Step {
    Offer(usize),
    Pass(u64),
    Change(Shape),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (20_usize..1_500).prop_map(Step::Offer),
        6 => (0_u64..40_000).prop_map(Step::Pass),
        1 => shapes().prop_map(Step::Change),
    ];
    proptest::collection::vec(step, 1..300)
}

proptest! {
    #[test]
    fn nothing_is_lost_without_a_cause_and_nothing_comes_twice(first in shapes(), steps in steps()) {
        first.check().unwrap();
        let mut lane = lane(first);
        let (mut now, mut sent, mut bytes) = (Duration::ZERO, 0_u32, 0_u64);
        let mut came = Vec::new();
        for step in steps {
            match step {
                Step::Offer(length) => {
                    lane.offer(now, packet(sent, length));
                    sent += 1;
                    bytes += length as u64;
                }
                Step::Pass(micros) => now += Duration::from_micros(micros),
                Step::Change(shape) => lane.change(now, shape),
            }
            came.extend(taken(&mut lane, now));
            let counters = lane.counters();
            prop_assert_eq!(balance(&counters), (u64::from(sent), bytes));
            prop_assert_eq!(counters.carried.packets, came.len() as u64);
        }
        while let Some(next) = lane.next() {
            prop_assert!(next > now, "there is nothing left to do at {:?}", now);
            now = next;
            came.extend(taken(&mut lane, now));
        }
        prop_assert_eq!(lane.counters().within.packets, 0);
        prop_assert_eq!(balance(&lane.counters()), (u64::from(sent), bytes));
        came.sort_unstable();
        prop_assert!(came.windows(2).all(|pair| pair[0] < pair[1]), "no packet comes twice");
    }

    #[test]
    fn nobody_is_overtaken_unless_that_was_asked_for(
        mut first in shapes(),
        steps in steps(),
    ) {
        first.reorder = false;
        let mut lane = lane(first);
        let (mut now, mut sent) = (Duration::ZERO, 0_u32);
        let mut came = Vec::new();
        for step in steps {
            match step {
                Step::Offer(length) => {
                    lane.offer(now, packet(sent, length));
                    sent += 1;
                }
                Step::Pass(micros) => now += Duration::from_micros(micros),
                Step::Change(shape) => lane.change(now, Shape { reorder: false, ..shape }),
            }
            came.extend(taken(&mut lane, now));
        }
        while let Some(next) = lane.next() {
            now = next;
            came.extend(taken(&mut lane, now));
        }
        prop_assert!(came.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn the_rate_is_never_exceeded(rate in 50_u64..50_000, queue in 1_u64..500, lengths in proptest::collection::vec(40_usize..1_500, 50..300)) {
        let mut lane = lane(kbps(rate, queue));
        for (n, length) in lengths.iter().enumerate() {
            lane.offer(MS * u32::try_from(n).unwrap(), packet(0, *length));
        }
        let (mut bits, mut begun) = (0_u128, None);
        while let Some(next) = lane.next() {
            while let Some(packet) = lane.due(next) {
                let took = lane_time(rate, packet.len());
                begun.get_or_insert(next.saturating_sub(took));
                bits += packet.len() as u128 * 8;
            }
            let time = (next - begun.unwrap_or(next)).as_nanos();
            // Whole nanoseconds a packet.
            prop_assert!(bits * 1_000_000 <= (time + 300) * u128::from(rate), "{} bits in {} ns", bits, time);
        }
    }
}

fn lane_time(rate: u64, bytes: usize) -> Duration {
    kbps(rate, 1).time_of(bytes)
}
