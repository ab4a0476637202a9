//! When to grab. Pure: `now` is an argument, microseconds of any one clock.

/// Something was expected for this long: a program that takes longer to answer an input gains nothing from it.
const EXPECT_US: u64 = 150_000;
/// Early grabs that may come at once.
const EARLY_BURST: u64 = 4;
/// A further early grab is earned in this time: at most ten a second beyond the frame rate.
const EARLY_REFILL_US: u64 = 100_000;
/// Two grabs are never closer than this, so that an early one does not follow on one that shows the same.
const EARLY_GAP_US: u64 = 2_000;
/// The picture is encoded again this long after it last changed, so that its quality settles.
const SETTLE_US: u64 = 500_000;
/// A picture that is to be repeated waits this long for a change that is due.
const REPEAT_US: u64 = 20_000;
/// How often.
const SETTLE_TIMES: u8 = 3;

/// What is to be done now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Grab and encode what changed.
    Grab,
    /// Encode the last picture again.
    Settle,
    /// Nothing before this time, unless something happens.
    Wait(u64),
    /// Nothing until something happens.
    Idle,
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
    early_left: u64,
    early_since_us: u64,
    settle_left: u8,
    settle_at_us: u64,
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
            early_left: EARLY_BURST,
            early_since_us: 0,
            settle_left: 0,
            settle_at_us: 0,
        }
    }

    /// The screen changed.
    pub(super) const fn damaged(&mut self) {
        self.dirty = true;
    }

    /// The last picture has to be encoded once more, now: somebody waits for a key frame.
    pub(super) const fn repeat(&mut self) {
        self.repeat = true;
    }

    /// An input was injected.
    pub(super) const fn expect_change(&mut self, now: u64) {
        self.expecting_until_us = now + EXPECT_US;
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
        if self.settle_left > 0 {
            return if self.settle_at_us <= now {
                Step::Settle
            } else {
                Step::Wait(self.settle_at_us)
            };
        }
        Step::Idle
    }

    fn grab_at(&self, now: u64) -> u64 {
        if now < self.expecting_until_us && self.early(now) > 0 {
            let gap = self.last_grab_us.map_or(0, |at| at + EARLY_GAP_US);
            return gap.min(self.next_us);
        }
        self.next_us
    }

    /// The change was grabbed.
    pub(super) fn grabbed(&mut self, now: u64) {
        if now < self.next_us {
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
        self.last_grab_us = Some(now);
        self.settle_left = SETTLE_TIMES;
        self.settle_at_us = now + SETTLE_US;
    }

    /// The last picture was encoded again.
    pub(super) const fn settled(&mut self, now: u64) {
        self.repeat = false;
        self.settle_left = self.settle_left.saturating_sub(1);
        self.settle_at_us = now + SETTLE_US;
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

    #[test]
    fn a_still_screen_settles_and_then_rests() {
        let mut pacing = still();
        let mut now = START;
        for _ in 0..SETTLE_TIMES {
            assert_eq!(pacing.step(now), Step::Wait(now + SETTLE_US));
            now += SETTLE_US;
            assert_eq!(pacing.step(now), Step::Settle);
            pacing.settled(now);
        }
        assert_eq!(pacing.step(now), Step::Idle);
        assert_eq!(pacing.step(now + 3_600_000_000), Step::Idle);
    }

    #[test]
    fn a_wish_for_a_key_frame_repeats_the_picture_even_when_still() {
        let mut pacing = still();
        for _ in 0..SETTLE_TIMES {
            pacing.settled(START);
        }
        pacing.repeat();
        assert_eq!(pacing.step(START + 60_000_000), Step::Settle);
        pacing.settled(START + 60_000_000);
        assert_eq!(pacing.step(START + 60_000_000), Step::Idle);
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
