//! When to grab. Pure: `now` is an argument, microseconds of any one clock.

/// Something was expected for this long: a program that takes longer to answer an input gains nothing from it.
const EXPECT_US: u64 = 150_000;
/// Early grabs that may come at once.
const EARLY_BURST: u64 = 4;
/// A further early grab is earned in this time: at most ten a second beyond the frame rate.
const EARLY_REFILL_US: u64 = 100_000;
/// Two grabs are never closer than this, so that an early one does not follow on one that shows the same.
const EARLY_GAP_US: u64 = 2_000;
/// A change that came out sharp is encoded once more this long after it was made.
const SETTLE_SMALL_US: u64 = 500_000;
/// A picture that is not sharp is encoded again and again at this interval.
const SETTLE_US: u64 = 33_000;
/// Changes that are no further apart than this are movement: each holds what the rate allows of the rest of the screen,
/// so that only after a longer pause something is left to do.
const MOVING_US: u64 = 100_000;
/// At a rate below this, a picture that is not sharp is encoded less often, so that more goes into each, in kbit/s.
const SETTLE_KBPS: u32 = 2000;
/// So much less often at most.
const SETTLE_SLOWER: u32 = 3;
/// A picture is encoded again so often at most, at this rate in kbit/s: what is not sharp then never will be.
const SETTLE_TIMES: (u32, u32) = (120, 4000);
/// No rate is taken for less than this.
const LEAST_KBPS: u32 = 50;
/// The last picture is encoded again this long after the last frame, whatever it is: a browser that is sent nothing for
/// 3 s asks for a key frame. Such a frame holds next to nothing.
const KEEP_US: u64 = 2_000_000;
/// A picture that is to be repeated waits this long for a change that is due.
const REPEAT_US: u64 = 20_000;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Grab and encode what changed.
    Grab,
    /// Encode the last picture again.
    Settle,
    /// Nothing before this time, unless something happens.
    Wait(u64),
}

/// Decides when a change is grabbed: at once if the last grab is a frame's time ago, and at once if it probably is
/// the effect of an input; else when the frame's time is over.
#[derive(Debug)]
pub(super) struct Pacing {
    interval_us: u64,
    dirty: bool,
    repeat: bool,
    /// When the limiter lets the next change pass.
    next_us: u64,
    last_grab_us: Option<u64>,
    expecting_until_us: u64,
    /// Since when input has come without a pause, and the last of it.
    input_since_us: u64,
    input_us: Option<u64>,
    early_left: u64,
    early_since_us: u64,
    /// The last change came soon after the one before.
    moving: bool,
    /// How often the last change, or key frame, was encoded again.
    settled: u32,
    settle_times: u32,
    encoded_us: u64,
    sharp: bool,
    /// It was so when the last picture was encoded again.
    closed: bool,
    settle_us: u64,
}

impl Pacing {
    /// For at most `fps` changes a second.
    pub(super) fn new(fps: u16) -> Self {
        Self {
            interval_us: 1_000_000 / u64::from(fps.max(1)),
            dirty: true,
            repeat: false,
            next_us: 0,
            last_grab_us: None,
            expecting_until_us: 0,
            input_since_us: 0,
            input_us: None,
            early_left: EARLY_BURST,
            early_since_us: 0,
            moving: false,
            settled: 0,
            settle_times: SETTLE_TIMES.0,
            encoded_us: 0,
            sharp: false,
            closed: false,
            settle_us: SETTLE_US,
        }
    }

    /// The screen changed.
    pub(super) const fn damaged(&mut self) {
        self.dirty = true;
    }

    /// The last picture has to be encoded once more, now: somebody waits for a key frame.
    pub(super) const fn repeat(&mut self) {
        self.repeat = true;
        self.settled = 0;
    }

    /// An input was injected.
    pub(super) fn expect_change(&mut self, now: u64) {
        if self.input_us.is_none_or(|last| now.saturating_sub(last) > EXPECT_US) {
            self.input_since_us = now;
        }
        self.input_us = Some(now);
        self.expecting_until_us = now + EXPECT_US;
    }

    /// Whether the encoder has sent the last picture as well as it can, and whether it earns by frames what
    /// it may spend, so that frames have to be made for it. A picture takes longer at a lower rate.
    pub(super) fn judge(&mut self, sharp: bool, by_frames: bool, kbps: u32) {
        self.sharp = sharp;
        let kbps = kbps.max(LEAST_KBPS);
        let slower = if by_frames {
            1
        } else {
            (SETTLE_KBPS / kbps).clamp(1, SETTLE_SLOWER)
        };
        self.settle_us = if by_frames {
            self.interval_us
        } else {
            self.interval_us.max(SETTLE_US * u64::from(slower))
        };
        let (times, at_kbps) = SETTLE_TIMES;
        self.settle_times = times * (at_kbps / kbps).max(1) / slower;
    }

    /// Whether the screen has changed since the last grab.
    pub(super) const fn dirty(&self) -> bool {
        self.dirty
    }

    /// What to do at `now`.
    pub(super) fn step(&self, now: u64) -> Step {
        if self.dirty {
            let at = self.grab_at(now);
            return match at {
                _ if at <= now => Step::Grab,
                // Not if the change itself follows at once.
                _ if self.repeat && at > now + REPEAT_US => Step::Settle,
                _ => Step::Wait(at),
            };
        }
        if self.repeat {
            return Step::Settle;
        }
        match self.settle_at() {
            at if at <= now => Step::Settle,
            at => Step::Wait(at),
        }
    }

    /// Whether the encoders were given the last picture once more when it was sharp, and so know that it is still.
    pub(super) const fn closed(&self) -> bool {
        self.closed
    }

    fn settle_at(&self) -> u64 {
        let wait = if self.sharp && self.settled == 0 {
            SETTLE_SMALL_US
        } else if (self.sharp && self.closed) || self.settled >= self.settle_times {
            KEEP_US
        } else if self.moving && self.settled == 0 {
            MOVING_US
        } else {
            self.settle_us
        };
        // A picture that an input is about to cause must not wait for the encoder behind an old one. But a pointer that
        // moves over a still picture, or a key that is held, must not keep it coarse.
        let hold = self.expecting_until_us.min(self.input_since_us + EXPECT_US);
        (self.encoded_us + wait).max(hold)
    }

    fn grab_at(&self, now: u64) -> u64 {
        if now < self.expecting_until_us && self.early(now) > 0 {
            let gap = self.last_grab_us.map_or(0, |at| at + EARLY_GAP_US);
            return gap.min(self.next_us);
        }
        self.next_us
    }

    /// Whether a change may be taken from a grab that is made for others, a little early.
    pub(super) const fn joins(&self, now: u64) -> bool {
        self.dirty && self.next_us <= now + self.interval_us / 4
    }

    /// The change was grabbed.
    pub(super) fn grabbed(&mut self, now: u64) {
        if now < self.next_us && !self.joins(now) {
            self.early_left = self.early(now) - 1;
            self.early_since_us = now;
            self.next_us = now + self.interval_us;
        } else {
            // A change that comes a little late does not delay those after it: the rate holds on average.
            self.next_us = (self.next_us + self.interval_us).max(now + self.interval_us - self.interval_us / 4);
        }
        self.dirty = false;
        self.repeat = false;
        self.expecting_until_us = 0;
        self.moving = self
            .last_grab_us
            .is_some_and(|last| now.saturating_sub(last) <= MOVING_US);
        self.last_grab_us = Some(now);
        self.settled = 0;
        self.encoded_us = now;
        self.closed = false;
    }

    /// The last picture was encoded again.
    pub(super) const fn settled(&mut self, now: u64) {
        self.repeat = false;
        self.closed = self.sharp;
        self.settled = self.settled.saturating_add(1);
        self.encoded_us = now;
    }

    fn early(&self, now: u64) -> u64 {
        (self.early_left + now.saturating_sub(self.early_since_us) / EARLY_REFILL_US).min(EARLY_BURST)
    }
}

#[cfg(test)]
mod tests {
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
        assert!(
            matches!(pacing.step(START + 8_000), Step::Wait(_)),
            "only the first one passes"
        );
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
}
