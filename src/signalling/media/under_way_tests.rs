use proptest::prelude::*;

use super::*;

const TRIP: Duration = Duration::from_millis(20);

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// A socket whose opening message was taken after [`TRIP`], and the time then.
fn opened() -> (UnderWay, Instant) {
    let begun = Instant::now();
    let mut under_way = UnderWay::new(begun);
    assert_eq!(under_way.take(0, begun + TRIP), Ok(None));
    (under_way, begun + TRIP)
}

/// One of which the first frame was taken as well.
fn running() -> (UnderWay, Instant) {
    let (mut under_way, now) = opened();
    under_way.send(10, true, now);
    under_way.take(1, now + TRIP).unwrap();
    (under_way, now + TRIP)
}

#[test]
fn frames_go_out_while_they_are_taken() {
    let (mut under_way, mut now) = running();
    for number in 1..1000 {
        assert_eq!(under_way.turn(None, 100_000, now), Turn::Send);
        assert_eq!(under_way.next_number(), number);
        under_way.send(10_000, number == 0, now);
        now += ms(16);
        if number >= 3 {
            let sample = under_way.take(number - 1, now).unwrap().unwrap();
            assert_eq!((sample.bytes, sample.queued), (10_000, number > 3));
        }
    }
}

#[test]
fn what_is_not_taken_is_waited_for_and_then_skipped_until_nearly_all_was_taken() {
    let (mut under_way, begun) = running();
    under_way.send(1000, false, begun);
    under_way.send(1000, false, begun + ms(100));
    assert_eq!(under_way.turn(None, 100_000, begun + TRIP + ms(99)), Turn::Send);
    let until = begun + TRIP + SKIP_AFTER;
    assert_eq!(
        under_way.turn(None, 100_000, begun + TRIP + WAIT_AFTER),
        Turn::Wait(until)
    );
    assert_eq!(under_way.turn(None, 100_000, until), Turn::Skip);
    assert_eq!(under_way.turn(None, 100_000, until + ms(5)), Turn::Skip);
    under_way.take(2, until + ms(10)).unwrap();
    assert_eq!(
        under_way.turn(None, 100_000, until + ms(10)),
        Turn::Skip,
        "the second is late as well"
    );
    under_way.take(3, until + ms(20)).unwrap();
    assert_eq!(under_way.turn(None, 100_000, until + ms(20)), Turn::Send);
}

#[test]
fn nothing_follows_the_first_frame_before_that_was_taken_or_for_a_moment() {
    let (mut under_way, begun) = opened();
    assert_eq!(under_way.turn(None, 100_000, begun), Turn::Send);
    under_way.send(20_000, true, begun);
    let held = Turn::Wait(begun + TRIP + HELD);
    assert_eq!(under_way.turn(None, 100_000, begun + ms(1)), held);
    assert_ne!(under_way.turn(None, 100_000, begun + TRIP + HELD), held);
    under_way.take(1, begun + ms(30)).unwrap();
    assert_eq!(under_way.turn(None, 100_000, begun + ms(30)), Turn::Send);
}

#[test]
fn a_line_that_has_a_queue_by_the_kernels_word_too_is_waited_for_before_a_slow_page_is() {
    let (mut under_way, begun) = running();
    under_way.send(1000, false, begun);
    let now = begun + TRIP + ms(120);
    assert_eq!(under_way.turn(Some(ms(10)), 100_000, now), Turn::Send);
    let wait = Turn::Wait(begun + TRIP + SKIP_AFTER);
    assert_eq!(under_way.turn(Some(ms(110)), 100_000, now), wait);
    assert_eq!(under_way.turn(None, 100_000, now), wait, "nobody says otherwise");
}

#[test]
fn no_more_is_under_way_than_the_line_carries_in_a_moment() {
    let (mut under_way, begun) = running();
    // 64 ms each, of 500 kbit/s.
    under_way.send(4000, false, begun);
    assert_eq!(under_way.turn(None, 500, begun), Turn::Send);
    under_way.send(4000, false, begun);
    let wait = Turn::Wait(begun + TRIP + SKIP_AFTER);
    assert_eq!(under_way.turn(None, 500, begun), wait);
    assert_eq!(
        under_way.turn(Some(ms(1)), 500, begun),
        Turn::Send,
        "the kernel knows better"
    );
    assert_eq!(under_way.turn(None, 2000, begun), Turn::Send);
}

#[test]
fn a_key_frame_has_more_time() {
    let (mut under_way, begun) = opened();
    under_way.send(60_000, true, begun);
    assert_eq!(
        under_way.turn(None, 100_000, begun + ms(1900)),
        Turn::Wait(begun + TRIP + SKIP_AFTER_KEY)
    );
    assert_eq!(under_way.turn(None, 100_000, begun + TRIP + SKIP_AFTER_KEY), Turn::Skip);
}

#[test]
fn no_more_bytes_and_frames_are_under_way_than_may_be() {
    let (mut large, begun) = running();
    large.send(MOST_BYTES, true, begun);
    assert_eq!(large.turn(None, 100_000, begun), Turn::Skip);
    let (mut many, begun) = running();
    for _ in 0..MOST_FRAMES {
        assert_eq!(many.turn(None, 100_000, begun), Turn::Send);
        many.send(1, false, begun);
    }
    assert_eq!(many.turn(None, 100_000, begun), Turn::Skip);
}

#[test]
fn who_takes_nothing_is_gone_and_who_is_sent_nothing_is_not() {
    let begun = Instant::now();
    let mut deaf = UnderWay::new(begun);
    assert!(!deaf.is_gone(begun + ms(9_999)));
    assert!(
        deaf.is_gone(begun + GONE_AFTER),
        "it has not even taken the opening message"
    );
    deaf.take(0, begun).unwrap();
    assert!(!deaf.is_gone(begun + Duration::from_secs(3600)));
    deaf.send(10, true, begun);
    assert!(deaf.is_gone(begun + GONE_AFTER));
}

#[test]
fn who_takes_what_was_never_sent_lies() {
    let (mut under_way, now) = opened();
    under_way.send(10, true, now);
    assert_eq!(under_way.take(2, now), Err(NeverSent));
    assert_eq!(under_way.take(u32::MAX, now), Err(NeverSent));
    assert!(under_way.take(1, now).unwrap().is_some());
    assert_eq!(under_way.take(0, now), Err(NeverSent), "nor is it given back");
}

#[test]
fn a_line_that_has_become_longer_is_not_taken_for_a_full_one_for_ever() {
    let (mut under_way, mut now) = opened();
    let mut last = None;
    for number in 1..=1500 {
        under_way.send(1000, false, now);
        now += ms(70);
        last = under_way.take(number, now).unwrap();
    }
    assert_eq!(last.map(|sample| (sample.delay, sample.time)), Some((ms(70), ms(0))));
}

proptest! {
    #[test]
    fn whatever_is_said_what_is_under_way_adds_up(steps in prop::collection::vec((0u8..4, 0u32..400, 0u64..400), 1..200)) {
        let (mut under_way, mut now) = opened();
        for (step, size, pause) in steps {
            now += ms(pause);
            match step {
                0 => drop(under_way.take(size, now)),
                1 => drop(under_way.take(under_way.next_number(), now)),
                _ => if under_way.turn(None, 100_000, now) == Turn::Send {
                    under_way.send(size as usize * 1000, step == 3, now);
                }
            }
            prop_assert_eq!(under_way.bytes, under_way.sent.iter().map(|s| s.bytes).sum::<usize>());
            prop_assert!(under_way.sent.len() <= MOST_FRAMES);
            prop_assert!(under_way.bytes < MOST_BYTES + 400_000);
            if under_way.sent.is_empty() {
                prop_assert_eq!(under_way.turn(None, 100_000, now), Turn::Send);
            }
        }
    }
}
