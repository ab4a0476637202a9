use super::*;
use proptest::prelude::*;

const START: u64 = 10_000_000;

fn still() -> Pacing {
    let mut pacing = Pacing::new(60);
    pacing.grabbed(START);
    pacing
}

#[test]
fn a_grab_for_others_is_shared_a_little_early_and_the_rate_holds() {
    let mut pacing = still();
    pacing.damaged();
    assert!(!pacing.joins(START + 5_000));
    let grabs = (1..=1000).filter(|ms| {
        let now = START + ms * 1000;
        pacing.damaged();
        let joins = pacing.joins(now);
        if joins {
            pacing.grabbed(now);
        }
        joins
    });
    assert!((58..=61).contains(&grabs.count()));
}

#[test]
fn the_first_picture_is_grabbed_unasked() {
    assert_eq!(Pacing::new(60).step(START), Step::Grab);
}

#[test]
fn a_change_of_a_still_screen_is_grabbed_at_once() {
    let mut pacing = still();
    pacing.damaged();
    assert_eq!(pacing.step(START + 1_000_000), Step::Grab);
}

#[test]
fn a_change_right_after_another_waits_for_the_frame_rate() {
    let mut pacing = still();
    pacing.damaged();
    let Step::Wait(at) = pacing.step(START + 3_000) else {
        panic!("grabbed too early")
    };
    assert!((START + 12_000..=START + 16_700).contains(&at), "{at}");
    assert_eq!(pacing.step(at), Step::Grab);
}

#[test]
fn an_expected_change_does_not_wait() {
    let mut pacing = still();
    pacing.expect_change(START + 3_000);
    pacing.damaged();
    assert_eq!(pacing.step(START + 5_000), Step::Grab);
    pacing.grabbed(START + 5_000);
    pacing.damaged();
    assert_eq!(
        pacing.step(START + 8_000),
        Step::Grab,
        "the first may be of something else"
    );
    pacing.grabbed(START + 8_000);
    pacing.damaged();
    assert!(
        matches!(pacing.step(START + 11_000), Step::Wait(_)),
        "no more than two pass"
    );
}

/// How long the answers to inputs wait to be grabbed, where something else moves `fps` times a second: the mean, and the
/// 95th percentile, in µs; and the grabs a second.
fn waits(fps: u64, answer_us: u64) -> (u64, u64, u64) {
    const INPUTS: u64 = 200;
    let mut pacing = still();
    let mut events = Vec::new();
    for n in 0..INPUTS {
        // At any moment between two movements.
        let at = START + n * 400_000 + n * 7919 % 50_000;
        events.extend([(at, 'i'), (at + answer_us, 'a')]);
    }
    let end = START + INPUTS * 400_000;
    events.extend((0..INPUTS * 400 * fps / 1000).map(|n| (START + n * 1_000_000 / fps, 'm')));
    events.sort_unstable();
    let (mut now, mut waiting, mut waits, mut grabs) = (START, None, Vec::new(), 0);
    for (at, what) in events.into_iter().chain([(end + 1_000_000, 'm')]) {
        while pacing.dirty() {
            let due = match pacing.step(now) {
                Step::Grab => now,
                Step::Wait(until) => until,
                Step::Settle => unreachable!("it is dirty"),
            };
            if due > at {
                break;
            }
            now = due;
            if pacing.step(now) == Step::Grab {
                pacing.grabbed(now);
                grabs += 1;
                waits.extend(waiting.take().map(|since| now - since));
            }
        }
        now = at;
        match what {
            'i' => pacing.expect_change(at),
            'a' => {
                pacing.damaged();
                waiting = Some(at);
            }
            _ => pacing.damaged(),
        }
    }
    waits.sort_unstable();
    let mean = waits.iter().sum::<u64>() / waits.len() as u64;
    (mean, waits[waits.len() * 95 / 100], grabs / (INPUTS * 400 / 1000))
}

#[test]
fn the_answer_to_an_input_does_not_wait_behind_what_moves_anyway() {
    for fps in [24, 30, 60] {
        for answer_us in [3_000, 8_000, 20_000, 40_000, 100_000] {
            let (mean, p95, grabs) = waits(fps, answer_us);
            let told = format!("{fps} fps, after {answer_us} µs: {mean} and {p95} µs, {grabs} a second");
            assert!(mean <= 500 && p95 <= 2_500, "{told}");
            assert!(grabs <= fps + 5, "{told}");
        }
    }
}

/// Encodes again until nothing is left but to keep the stream alive: how often, and when the last time was. The
/// picture is sharp after so many times, counted on from one call to the next.
fn settle(pacing: &mut Pacing, sharp_after: u64, from: u64) -> (u64, u64) {
    let (mut now, mut times) = (from, 0);
    let mut last = from;
    loop {
        pacing.judge(times >= sharp_after, false, 4000);
        match pacing.step(now) {
            Step::Wait(at) if at >= last + KEEP_US => return (times, last - from),
            Step::Wait(at) => now = at,
            Step::Settle => {
                pacing.settled(now);
                last = now;
                times += 1;
            }
            Step::Grab => panic!("nothing changed"),
        }
    }
}

#[test]
fn a_change_that_is_sharp_at_once_is_encoded_once_more() {
    assert_eq!(settle(&mut still(), 0, START), (1, SETTLE_SMALL_US));
}

#[test]
fn a_change_is_encoded_until_it_is_sharp() {
    // And once more, so that the encoders know.
    assert_eq!(settle(&mut still(), 20, START), (21, 21 * SETTLE_US));
}

#[test]
fn settling_ends_even_if_it_never_is_sharp() {
    let mut pacing = still();
    assert_eq!(settle(&mut pacing, u64::MAX, START).0, u64::from(SETTLE_TIMES.0));
    let later = START + 10_000_000;
    pacing.grabbed(later);
    assert_eq!(settle(&mut pacing, 10, later).0, 11, "the next change settles, too");
}

#[test]
fn a_key_frame_of_a_still_screen_settles_as_a_change_does() {
    let mut pacing = still();
    settle(&mut pacing, 5, START);
    let later = START + 60_000_000;
    pacing.judge(true, false, 4000);
    pacing.repeat();
    assert_eq!(pacing.step(later), Step::Settle);
    pacing.settled(later);
    assert_eq!(settle(&mut pacing, 12, later), (13, 13 * SETTLE_US));
}

#[test]
fn a_still_screen_is_encoded_again_before_a_browser_misses_anything() {
    let mut pacing = still();
    settle(&mut pacing, 0, START);
    pacing.judge(true, false, 4000);
    let mut now = START + SETTLE_SMALL_US;
    for _ in 0..100 {
        assert_eq!(pacing.step(now), Step::Wait(now + KEEP_US));
        now += KEEP_US;
        assert_eq!(pacing.step(now), Step::Settle);
        pacing.settled(now);
    }
}

#[test]
fn a_pointer_that_hovers_does_not_put_settling_off() {
    let mut pacing = still();
    pacing.judge(false, false, 4000);
    let mut settled = 0;
    for ms in 0..1000 {
        let now = START + ms * 1000;
        if ms % 8 == 0 {
            pacing.expect_change(now);
        }
        if pacing.step(now) == Step::Settle {
            assert!(ms >= 150, "a change may follow the first of it: {ms}");
            pacing.settled(now);
            settled += 1;
        }
    }
    assert!(settled >= 24, "{settled}");
    // After a pause, an input is waited for again.
    let later = START + 2_000_000;
    pacing.expect_change(later);
    assert_eq!(pacing.step(later), Step::Wait(later + EXPECT_US));
}

#[test]
fn movement_is_not_encoded_twice_and_settles_when_it_ends() {
    let mut pacing = still();
    pacing.judge(false, false, 4000);
    let mut now = START;
    for _ in 0..24 {
        now += 41_667;
        pacing.damaged();
        assert_eq!(pacing.step(now), Step::Grab);
        pacing.grabbed(now);
        assert_eq!(pacing.step(now), Step::Wait(now + MOVING_US));
    }
    assert_eq!(pacing.step(now + MOVING_US), Step::Settle);
}

#[test]
fn at_a_low_rate_a_picture_is_given_longer_to_become_sharp_in_larger_steps() {
    let mut pacing = still();
    for (kbps, step, times) in [
        (4000, 33_000, 120),
        (1000, 66_000, 240),
        (500, 99_000, 320),
        (0, 99_000, 3200),
    ] {
        pacing.judge(false, false, kbps);
        assert_eq!(pacing.step(START), Step::Wait(START + step), "{kbps}");
        assert_eq!(pacing.settle_times, times, "{kbps}");
    }
}

#[test]
fn an_encoder_that_earns_by_frames_is_given_all_of_them() {
    let mut pacing = still();
    pacing.judge(false, true, 4000);
    assert_eq!(pacing.step(START + 16_666), Step::Settle);
}

proptest! {
    #[test]
    fn the_frame_rate_holds_whatever_happens(
        events in prop::collection::vec((0u64..30_000, any::<bool>(), any::<bool>()), 100..800),
        fps in 1u16..=240,
    ) {
        let mut pacing = Pacing::new(fps);
        let mut now = START;
        let mut grabs = Vec::new();
        for (step, damage, input) in events {
            let until = now + step;
            // Wake when asked to, as the process does.
            while let Step::Wait(at) = pacing.step(now) {
                if at > until { break; }
                now = at;
                match pacing.step(now) {
                    Step::Grab => { grabs.push(now); pacing.grabbed(now); }
                    Step::Settle => pacing.settled(now),
                    _ => {}
                }
            }
            now = until;
            if damage { pacing.damaged(); }
            if input { pacing.expect_change(now); }
            if pacing.step(now) == Step::Grab { grabs.push(now); pacing.grabbed(now); }
        }
        for (i, from) in grabs.iter().enumerate() {
            let within = grabs[i..].iter().take_while(|at| **at < from + 1_000_000).count();
            prop_assert!(within <= usize::from(fps) + 10 + 4 + 2, "{within} grabs in a second at {fps} fps");
        }
    }
}
