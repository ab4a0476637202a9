//! What an encoder may spend on its next picture, in time. Pure.

/// What is saved up for pictures that change: so long, at most, does a frame take on a line that has just the rate.
const CHANGE_US: u64 = 200_000;
/// What is saved up for key frames of a still screen, where nothing waits behind them. x264 takes the first of them for
/// half as large again as it gets.
const STILL_US: u64 = 1_500_000;
/// The same on a line that has just the rate: whoever acts meanwhile waits behind such a frame.
const STILL_LIMITED_US: u64 = 400_000;
/// On a line that has just the rate, a change is encoded when no more than this is still on its way. Only what cannot be encoded
/// for the rate at all gets that far: a change that is left out makes the next one larger.
const BEHIND_US: u64 = 1_000_000;
/// The same where a quantiser is chosen for each picture: fewer frames, which are not as old.
const BEHIND_STRICT_US: u64 = 200_000;
/// And a picture that stands still when no more than this is: it must not be in the way of a change.
const BEHIND_STILL_US: u64 = 30_000;
/// A change gets so much of what is saved for changes: on a line that has just the rate, whatever it takes is in its own way.
const CHANGE_LIMITED_PART: (u64, u64) = (1, 4);
const CHANGE_PART: (u64, u64) = (3, 4);
/// What a still picture gets of what is saved: it may take more than it gets.
const STILL_PART: (u64, u64) = (4, 5);
/// Pictures that came early have spent what those after them would have; not for longer than this many.
const AHEAD: i64 = 4;

/// What a rate control that counts frames is told, so that it holds its rate in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Share {
    /// For how many frames' time this picture stands.
    pub(super) frames: u32,
    /// For how long it may have saved, in ms.
    pub(super) window_ms: u32,
}

/// What a rate control of our own is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Allowance {
    /// What the picture should take at most.
    pub(super) bytes: u64,
    /// What it must not take, if that can be helped.
    pub(super) most: u64,
    /// To wait longer would save nothing more.
    pub(super) full: bool,
}

/// The rate of one encoder, and what it has saved.
///
/// Rate controls count frames: one that has encoded nothing for a minute has saved nothing, and owes what it owed then.
/// So time is counted here, and each picture stands for the time since the one before.
///
/// What cannot be encoded for what there is makes larger frames. Then there are fewer of them: the next one waits until the
/// line has carried what is before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    kbps: u32,
    /// Below this rate it is a line that limits it.
    full_kbps: u32,
    interval_us: u64,
    last_us: Option<u64>,
    /// Time that has passed and that no picture has stood for yet; below zero where they came early.
    carried_us: i64,
    /// What may be spent at once, as the time in which it is earned.
    saved_us: u64,
    /// The same for changes: no more than a change may spend.
    change_us: u64,
    /// So much of it a change bears.
    bearable_us: u64,
    /// What a line that has just the rate had not carried yet at the time of the last picture, as time.
    behind_us: u64,
}

impl Budget {
    /// Of an encoder that has encoded nothing yet.
    pub(super) const fn new(kbps: u32, full_kbps: u32, fps: u16) -> Self {
        let fps = if fps == 0 { 1 } else { fps };
        Self {
            kbps,
            full_kbps,
            interval_us: 1_000_000 / fps as u64,
            last_us: None,
            carried_us: 0,
            saved_us: CHANGE_US,
            change_us: CHANGE_US,
            bearable_us: BEHIND_US,
            behind_us: 0,
        }
    }

    /// Of one that is told what each picture may take.
    pub(super) const fn strict(mut self) -> Self {
        self.bearable_us = BEHIND_STRICT_US;
        self
    }

    /// The share of the first picture.
    pub(super) const fn first() -> Share {
        Share {
            frames: 1,
            window_ms: (CHANGE_US / 1000) as u32,
        }
    }

    /// Kilobits per second.
    pub(super) const fn kbps(&self) -> u32 {
        self.kbps
    }

    /// The rate has changed: what is on its way takes as much longer.
    pub(super) fn set_kbps(&mut self, kbps: u32) {
        let kbps = kbps.max(1);
        self.behind_us = self.behind_us.saturating_mul(self.kbps.into()) / u64::from(kbps);
        self.kbps = kbps;
    }

    /// Whether it is a line that limits the rate, so that whatever is spent takes its time there.
    const fn limited(&self) -> bool {
        self.kbps < self.full_kbps
    }

    const fn still_us(&self) -> u64 {
        if self.limited() { STILL_LIMITED_US } else { STILL_US }
    }

    /// When the next picture may be encoded, a `change` or one that stands still.
    pub(super) fn free_at(&self, change: bool) -> u64 {
        let bearable = match (self.limited(), change) {
            (false, _) => STILL_US,
            (true, true) => self.bearable_us,
            (true, false) => BEHIND_STILL_US,
        };
        self.last_us.unwrap_or(0) + self.behind_us.saturating_sub(bearable)
    }

    /// A picture of time `pts_us` is to be encoded, `still` if it is the last one once more and nothing is missing of that.
    /// x264 grants what it stands for when it has been encoded, to the one that follows.
    pub(super) fn next(&mut self, pts_us: u64, still: bool) -> Share {
        let passed = self
            .last_us
            .map_or(self.interval_us, |last| pts_us.saturating_sub(last));
        self.last_us = Some(pts_us);
        self.behind_us = self.behind_us.saturating_sub(passed);
        self.saved_us = (self.saved_us + passed).min(self.still_us());
        self.change_us = (self.change_us + passed).min(CHANGE_US);
        let interval = i64::try_from(self.interval_us).unwrap_or(i64::MAX);
        let most = i64::from(Self::frames(CHANGE_US, self.interval_us));
        self.carried_us = self
            .carried_us
            .saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
            .min(most * interval);
        let frames = (self.carried_us / interval).max(1);
        self.carried_us = (self.carried_us - frames * interval).max(-AHEAD * interval);
        if still && self.saved_us > CHANGE_US {
            return Share {
                frames: Self::frames(self.saved_us, self.interval_us),
                window_ms: u32::try_from(self.saved_us / 1000).unwrap_or(u32::MAX),
            };
        }
        Share {
            frames: u32::try_from(frames).unwrap_or(1),
            ..Self::first()
        }
    }

    /// What the picture may take that [`Self::next`] was called for. `still`: it is the last one once more, and a key frame
    /// of it may take all that is saved.
    pub(super) fn allowance(&self, change: bool, still: bool) -> Allowance {
        let (level, limit, part) = match (still, change) {
            (true, _) => (self.saved_us, self.still_us(), STILL_PART),
            (false, true) if self.limited() => (self.change_us, CHANGE_US, CHANGE_LIMITED_PART),
            (false, true) => (self.change_us, CHANGE_US, CHANGE_PART),
            (false, false) => (self.change_us, CHANGE_US, STILL_PART),
        };
        // Kilobits a second are bits a millisecond.
        let bytes = |us: u64| us.saturating_mul(self.kbps.into()) / 8000;
        let least = self.interval_us / 2;
        Allowance {
            bytes: bytes((level * part.0 / part.1).max(least)),
            most: bytes(level.max(CHANGE_US)),
            full: level + self.interval_us >= limit,
        }
    }

    /// A frame of `bytes` came out.
    pub(super) fn spent(&mut self, bytes: u64) {
        let took = bytes.saturating_mul(8000) / u64::from(self.kbps.max(1));
        self.saved_us = self.saved_us.saturating_sub(took);
        self.change_us = self.change_us.saturating_sub(took);
        self.behind_us = self.behind_us.saturating_add(took);
    }

    /// The frames that fit into a window. One less than that, or x264 takes the window for too small.
    fn frames(window_us: u64, interval_us: u64) -> u32 {
        u32::try_from((window_us / interval_us).saturating_sub(1).max(1)).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FRAME: u64 = 16_667;

    fn begun() -> Budget {
        let mut budget = Budget::new(4000, 4000, 60);
        budget.next(1_000_000, false);
        budget
    }

    #[test]
    fn at_the_full_rate_each_picture_stands_for_one_frame() {
        let mut budget = begun();
        for n in 1..600 {
            let share = budget.next(1_000_000 + n * FRAME, false);
            assert_eq!(share, Budget::first(), "picture {n}");
        }
    }

    #[test]
    fn a_change_after_a_pause_has_what_has_been_saved_and_not_more_than_its_window() {
        let mut budget = begun();
        budget.spent(1_000_000);
        let share = budget.next(61_000_000, false);
        assert_eq!((share.frames, share.window_ms), (11, 200));
    }

    #[test]
    fn a_still_picture_has_what_has_been_saved_and_not_without_end() {
        let mut budget = begun();
        let share = budget.next(61_000_000, true);
        assert_eq!((share.frames, share.window_ms), (90 - 1, 1500));
        // 250 kB at 4 Mbit/s are half a second.
        budget.spent(250_000);
        assert_eq!(budget.next(61_100_000, true).window_ms, 1100);
        budget.spent(750_000);
        assert_eq!(budget.next(61_133_000, true).window_ms, 200, "spent");
    }

    /// One whose rate is what a line carries.
    fn limited(kbps: u32) -> Budget {
        let mut budget = Budget::new(kbps, 4000, 60);
        budget.next(1_000_000, false);
        budget
    }

    #[test]
    fn behind_a_frame_that_is_too_large_for_the_line_the_next_one_waits() {
        let mut budget = limited(500);
        assert!(budget.free_at(true) <= 1_000_000);
        // 25 kB at 500 kbit/s are 400 ms.
        budget.spent(25_000);
        assert!(budget.free_at(true) <= 1_000_000, "a change is not left out for that");
        assert_eq!(
            budget.free_at(false),
            1_370_000,
            "one that stands still waits until the line is free"
        );
        budget.spent(75_000);
        assert_eq!(budget.free_at(true), 1_600_000);
    }

    #[test]
    fn where_no_line_limits_the_rate_a_change_never_waits_behind_a_key_frame() {
        let mut budget = begun();
        budget.spent(400_000);
        assert!(budget.free_at(true) <= 1_000_000);
        budget.spent(600_000);
        assert_eq!(budget.free_at(true), 1_500_000, "but the rate holds in the end");
    }

    #[test]
    fn a_rate_that_falls_makes_what_is_on_its_way_take_longer() {
        let mut budget = limited(1000);
        budget.spent(150_000);
        assert_eq!(budget.free_at(true), 1_200_000);
        budget.set_kbps(500);
        assert_eq!(budget.free_at(true), 2_400_000);
        budget.set_kbps(0);
        assert!(budget.free_at(true) < u64::MAX / 2);
    }

    proptest! {
        #[test]
        fn the_rate_holds_however_large_frames_are(
            sizes in prop::collection::vec(20u64..60_000, 50..300),
            kbps in 150u32..4000,
        ) {
            let mut budget = Budget::new(kbps, 4000, 60);
            let (mut now, mut bytes) = (1_000_000, 0);
            for size in &sizes {
                now = budget.free_at(true).max(now + FRAME);
                budget.next(now, false);
                budget.spent(*size);
                bytes += size;
            }
            let may = (now - 1_000_000 + BEHIND_US + 2 * FRAME) * u64::from(kbps) / 8000 + 60_000;
            prop_assert!(bytes <= may, "{bytes} of {may}");
        }

        #[test]
        fn pictures_stand_for_no_more_time_than_has_passed(
            gaps in prop::collection::vec(2_000u64..400_000, 1..300),
            fps in 1u16..=240,
        ) {
            let mut budget = Budget::new(4000, 4000, fps);
            let (mut now, mut granted) = (1_000_000, 0);
            budget.next(now, false);
            let interval = 1_000_000 / u64::from(fps);
            let begun = now;
            for gap in &gaps {
                // The limiter: early pictures are few.
                now += (*gap).max(interval);
                granted += u64::from(budget.next(now, false).frames) * interval;
            }
            prop_assert!(granted <= now - begun + 5 * interval);
        }
    }
}
