//! When to grab. Pure: `now` is an argument, microseconds of any one clock.

/// Something was expected for this long: a program that takes longer to answer an input gains nothing from it.
const EXPECT_US: u64 = 150_000;
/// Early grabs that may come at once.
const EARLY_BURST: u64 = 4;
/// A further early grab is earned in this time: at most ten a second beyond the frame rate.
const EARLY_REFILL_US: u64 = 100_000;
/// Two grabs are never closer than this, so that an early one does not follow on one that shows the same.
const EARLY_GAP_US: u64 = 2_000;
/// A small change is encoded once more this long after it was made.
const SETTLE_SMALL_US: u64 = 500_000;
/// After a large change the picture is encoded again and again at this interval, until its quality has settled.
const SETTLE_US: u64 = 33_000;
/// So often after the encoder has paid its debt: that is when it spends bytes on what is missing.
const SHARPEN_TIMES: u8 = 10;
/// But never more often than this altogether.
const SETTLE_TIMES: u8 = 45;
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
    /// How often the last change was encoded again.
    settled: u8,
    settled_at_us: u64,
    /// How often it still has to be, after the debt is paid; `None` after a small change.
    sharpen_left: Option<u8>,
    debt: u64,
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
            settled: SETTLE_TIMES,
            settled_at_us: 0,
            sharpen_left: None,
            debt: 0,
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
        // A picture that an input is about to cause must not wait for the encoder behind an old one.
        match self.settle_at().map(|at| at.max(self.expecting_until_us)) {
            Some(at) if at <= now => Step::Settle,
            Some(at) => Step::Wait(at),
            None => Step::Idle,
        }
    }

    fn settle_at(&self) -> Option<u64> {
        let wait = match self.sharpen_left {
            _ if self.settled >= SETTLE_TIMES => return None,
            _ if self.debt > 0 => SETTLE_US,
            Some(0) => return None,
            Some(_) => SETTLE_US,
            None if self.settled == 0 => SETTLE_SMALL_US,
            None => return None,
        };
        Some(self.settled_at_us + wait)
    }

    /// How many frames the encoders need to pay back what they have spent ahead.
    pub(super) const fn owe(&mut self, frames: u64) {
        self.debt = frames;
        if frames > 0 {
            self.sharpen_left = Some(SHARPEN_TIMES);
        }
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
        self.settled = 0;
        self.settled_at_us = now;
        // A change within another's settling goes on with it.
        self.sharpen_left = self.sharpen_left.filter(|left| *left > 0);
    }

    /// The last picture was encoded again.
    pub(super) fn settled(&mut self, now: u64) {
        self.repeat = false;
        self.settled = self.settled.saturating_add(1);
        self.settled_at_us = now;
        if self.debt == 0 {
            self.sharpen_left = self.sharpen_left.map(|left| left.saturating_sub(1));
        }
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

    /// Encodes again until it rests: how often, and when the last time was.
    fn settle(pacing: &mut Pacing, mut owed: u64) -> (u64, u64) {
        let (mut now, mut times) = (START, 0);
        loop {
            pacing.owe(owed);
            match pacing.step(now) {
                Step::Wait(at) => now = at,
                Step::Settle => {
                    pacing.settled(now);
                    owed = owed.saturating_sub(1);
                    times += 1;
                }
                Step::Idle => return (times, now - START),
                Step::Grab => panic!("nothing changed"),
            }
        }
    }

    #[test]
    fn a_small_change_is_encoded_once_more_and_then_the_screen_rests() {
        assert_eq!(settle(&mut still(), 0), (1, SETTLE_SMALL_US));
    }

    #[test]
    fn a_large_change_is_encoded_until_it_is_sharp() {
        let (times, took) = settle(&mut still(), 9);
        assert_eq!(times, 9 + u64::from(SHARPEN_TIMES));
        assert!(took < 700_000, "{took}");
    }

    #[test]
    fn settling_ends_even_if_the_debt_is_never_paid() {
        let mut pacing = still();
        let times = settle(&mut pacing, 1_000_000).0;
        assert_eq!(times, u64::from(SETTLE_TIMES));
        pacing.grabbed(START + 10_000_000);
        assert!(
            matches!(pacing.step(START + 10_000_000), Step::Wait(_)),
            "the next change settles, too"
        );
    }

    #[test]
    fn a_wish_for_a_key_frame_repeats_the_picture_even_when_still() {
        let mut pacing = still();
        settle(&mut pacing, 0);
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
