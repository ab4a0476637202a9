use proptest::prelude::*;

use super::*;

const PACKET: usize = 1200;

/// A line on which nothing stands in the way.
const FREE: Terms = Terms {
    budget: u64::MAX,
    room: u64::MAX,
    overtaking: Duration::ZERO,
    round_trip: Duration::ZERO,
    key: None,
};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A stream of so many packets, sent within a millisecond.
fn after(packets: u16) -> (Repeats, Instant) {
    let begun = Instant::now();
    let mut repeats = Repeats::new(begun);
    for sequence in 0..packets {
        repeats.sent(sequence, PACKET, begun);
    }
    (repeats, begun)
}

#[test]
fn a_packet_that_was_lost_is_sent_again_at_once_and_the_next_time_after_a_round_trip() {
    let (mut repeats, begun) = after(100);
    assert_eq!(repeats.again(7, FREE, begun + ms(5)), Some(1200));
    assert_eq!(repeats.again(7, FREE, begun + ms(6)), None);
    assert_eq!(
        repeats.again(8, FREE, begun + ms(6)),
        Some(1200),
        "another one need not wait for it"
    );
    assert_eq!(
        repeats.again(7, FREE, begun + ms(104)),
        None,
        "while nothing is known of the way"
    );
    assert_eq!(repeats.again(7, FREE, begun + ms(105)), Some(1200));

    repeats.round_trip().told(7 << 16, begun);
    repeats.round_trip().heard(7, 65536 / 10, begun + ms(140));
    assert_eq!(repeats.again(7, FREE, begun + ms(140)), None);
    assert_eq!(
        repeats.again(7, FREE, begun + ms(146)),
        Some(1200),
        "40 ms there and back, as both reports say"
    );
}

#[test]
fn what_was_never_sent_or_is_long_gone_is_not_sent_again() {
    let (mut repeats, begun) = after(10);
    assert_eq!(repeats.again(10, FREE, begun), None);
    for sequence in 10..2000 {
        repeats.sent(sequence, PACKET, begun);
    }
    assert_eq!(repeats.again(900, FREE, begun), None);
    assert_eq!(repeats.again(1000, FREE, begun), Some(1200));
}

#[test]
fn a_large_picture_that_is_lost_whole_is_sent_again_whole_and_not_twice() {
    let (mut repeats, begun) = after(300);
    let now = begun + ms(60);
    assert!((0..300).all(|sequence| repeats.again(sequence, FREE, now).is_some()));
    let again = (0..300).filter(|sequence| repeats.again(*sequence, FREE, now + ms(200)).is_some());
    assert_eq!(again.count(), 13, "what needs no stream beside it");
}

#[test]
fn the_one_packet_of_a_still_screen_is_sent_again_even_when_it_is_asked_for_late() {
    let (mut repeats, begun) = after(1);
    assert_eq!(repeats.again(0, FREE, begun + ms(2500)), Some(1200));
    let rest = (0..1000).filter(|n| repeats.again(0, FREE, begun + ms(3000 + n * 200)).is_some());
    assert_eq!(rest.count(), usize::from(MOST_TIMES) - 1, "and not for ever");
}

#[test]
fn a_browser_that_reports_nonsense_waits_no_longer_and_no_shorter_than_anybody() {
    let (mut repeats, begun) = after(10);
    let round_trip = repeats.round_trip();
    round_trip.told(3 << 16, begun);
    round_trip.heard(4, 0, begun + ms(200));
    assert_eq!(round_trip.now(), UNKNOWN, "of a report that nobody made");
    round_trip.heard(3, u32::MAX, begun + ms(200));
    assert_eq!(round_trip.now(), SHORTEST);
    for _ in 0..50 {
        round_trip.heard(3, 0, begun + Duration::from_secs(3600));
    }
    assert!(round_trip.now() <= LONGEST && round_trip.now() > LONGEST / 2);
}

#[test]
fn what_is_known_to_have_arrived_is_not_sent_again() {
    let (mut repeats, begun) = after(10);
    repeats.arrived(7);
    assert_eq!(repeats.again(7, FREE, begun + ms(5)), None);
    assert_eq!(repeats.again(8, FREE, begun + ms(5)), Some(1200));
}

#[test]
fn what_was_sent_before_a_key_frame_is_needed_by_nobody() {
    let (mut repeats, begun) = after(10);
    let terms = |key| Terms { key: Some(key), ..FREE };
    assert_eq!(repeats.again(4, terms(5), begun), None);
    assert_eq!(repeats.again(5, terms(5), begun), Some(1200));
    assert_eq!(repeats.again(6, terms(65_530), begun), Some(1200));
}

#[test]
fn a_repeat_waits_for_room_and_for_word_of_the_one_before_it_however_long_the_queue_is() {
    let (mut repeats, begun) = after(10);
    let room = |room, ms| Terms {
        room,
        round_trip: Duration::from_millis(ms),
        ..FREE
    };
    assert_eq!(repeats.again(7, room(1199, 0), begun), None);
    assert_eq!(repeats.again(7, room(1200, 0), begun), Some(1200));
    assert_eq!(repeats.again(7, room(1200, 300), begun + ms(299)), None);
    assert_eq!(repeats.again(7, room(1200, 300), begun + ms(300)), Some(1200));
}

#[test]
fn what_may_only_have_been_overtaken_is_sent_again_when_it_is_still_missed_afterwards() {
    let (mut repeats, begun) = after(10);
    let jitter = Terms {
        overtaking: ms(30),
        ..FREE
    };
    assert_eq!(repeats.again(7, jitter, begun + ms(50)), None);
    assert_eq!(repeats.again(7, jitter, begun + ms(79)), None);
    assert_eq!(repeats.again(7, jitter, begun + ms(80)), Some(1200));
}

#[test]
fn no_more_is_sent_again_in_a_second_than_the_line_has_room_for() {
    let (mut repeats, begun) = after(300);
    let slow = Terms { budget: 18_750, ..FREE };
    let again = |repeats: &mut Repeats, at| (0..300).filter(|n| repeats.again(*n, slow, at).is_some()).count();
    assert_eq!(again(&mut repeats, begun + ms(60)), 15);
    assert_eq!(again(&mut repeats, begun + ms(900)), 0);
    assert_eq!(
        again(&mut repeats, begun + ms(1061)),
        13,
        "what needs no stream beside it"
    );
}

#[derive(Clone, Debug)]
enum Step {
    Sent(u16),
    Asked(Vec<u16>),
    Pause(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (1u16..40).prop_map(Step::Sent),
        5 => prop::collection::vec(0u16..64, 1..80).prop_map(Step::Asked),
        3 => (0u64..300).prop_map(Step::Pause),
    ];
    prop::collection::vec(step, 1..120)
}

proptest! {
    /// Whatever is asked for in whatever order: within any second no more is repeated than was sent in it, and no packet
    /// within the shortest round trip.
    #[test]
    fn repeats_never_outgrow_the_stream_by_more_than_the_burst(steps in steps()) {
        let begun = Instant::now();
        let (mut repeats, mut now, mut next) = (Repeats::new(begun), begun, 0u16);
        let (mut sent, mut again, mut times) = (Vec::new(), Vec::new(), Vec::<(u16, Instant)>::new());
        for step in steps {
            match step {
                Step::Sent(packets) => for _ in 0..packets {
                    repeats.sent(next, PACKET, now);
                    sent.push((now, 1200));
                    next = next.wrapping_add(1);
                },
                Step::Asked(back) => for back in back {
                    let sequence = next.wrapping_sub(back);
                    if let Some(bytes) = repeats.again(sequence, FREE, now) {
                        prop_assert!(
                            times.iter().all(|(s, at)| *s != sequence || now - *at >= SHORTEST),
                            "{sequence} twice within a round trip"
                        );
                        again.push((now, u64::from(bytes)));
                        times.push((sequence, now));
                        let within = |all: &[(Instant, u64)], span: Duration| -> u64 {
                            all.iter().filter(|(at, _)| now - *at < span).map(|(_, bytes)| bytes).sum()
                        };
                        // Steps are 10 ms long, so the beginning of the second is known no better.
                        let (media, repeated) = (within(&sent, WINDOW), within(&again, WINDOW - STEP));
                        prop_assert!(repeated <= media + BURST, "{repeated} bytes again beside {media}");
                    }
                },
                Step::Pause(pause) => now += ms(pause),
            }
        }
    }
}
