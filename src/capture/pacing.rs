//! When to grab. Pure: `now` is an argument, microseconds of any one clock.

/// Something was expected for this long: a program that takes longer to answer an input gains nothing from it.
const EXPECT_US: u64 = 150_000;
/// Early grabs for one input: where something else moves, the first may be of that, and the second is of the answer.
const EARLY_EACH: u8 = 2;
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

/// Decides when a change is grabbed: at once if the last grab is a frame's time ago, and at once if it may be the effect of
/// an input, also after other changes; else when the frame's time is over.
#[derive(Debug)]
pub(super) struct Pacing {
    interval_us: u64,
    dirty: bool,
    repeat: bool,
    /// When the limiter lets the next change pass.
    next_us: u64,
    last_grab_us: Option<u64>,
    expecting_until_us: u64,
    /// Early grabs that are left for the last input.
    early_each: u8,
    /// Until then an old picture does not take the encoder's time: nothing was grabbed since an input.
    hold_until_us: u64,
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
            early_each: 0,
            hold_until_us: 0,
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
        self.early_each = EARLY_EACH;
        self.hold_until_us = now + EXPECT_US;
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
        let hold = self.hold_until_us.min(self.input_since_us + EXPECT_US);
        (self.encoded_us + wait).max(hold)
    }

    fn grab_at(&self, now: u64) -> u64 {
        if now < self.expecting_until_us && self.early_each > 0 && self.early(now) > 0 {
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
            self.early_left = self.early(now).saturating_sub(1);
            self.early_each = self.early_each.saturating_sub(1);
            self.early_since_us = now;
            self.next_us = now + self.interval_us;
        } else {
            // A change that comes a little late does not delay those after it: the rate holds on average.
            self.next_us = (self.next_us + self.interval_us).max(now + self.interval_us - self.interval_us / 4);
        }
        self.dirty = false;
        self.repeat = false;
        self.hold_until_us = 0;
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
mod tests;
