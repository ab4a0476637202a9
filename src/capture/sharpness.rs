//! Whether what an encoder has sent of the picture is as good as it gets. Pure.

/// A frame is plain when it takes no more than this part of what it might: what stopped the encoder was not its rate,
/// but that there is nothing more to say.
const PLAIN: u64 = 3;
/// And no more than a byte for so many pixels.
const PIXELS: u64 = 160;
/// So many of them in a row: VP8 makes a few of a coarse picture before it goes on with a better one.
const IN_A_ROW: u8 = 6;
/// A frame might take what is earned in this time, at least.
const SPAN_US: u64 = 33_000;
/// And what is earned since the one before, up to this time.
const LONGEST_SPAN_US: u64 = 100_000;
/// After a large change, the picture is as good as it gets after this time.
const CALM_US: u64 = 1_000_000;

/// Judges by the sizes of frames.
///
/// A frame that takes much of the rate is coarse, and what comes after it is small as long as the rate is paid back, and
/// says nothing then. Once nothing is owed any more, frames hold the detail that is still missing. When they no longer
/// need what they may take, the picture is sharp: the encoder is at the best quality that it is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sharpness {
    kbps: u32,
    interval_us: u64,
    pixels: u64,
    /// The encoder earns by frames, not by time.
    by_frames: bool,
    owed: u64,
    at_us: Option<u64>,
    plain: u8,
    /// What is being encoded is a change of the screen.
    change: bool,
    /// When a change last took much.
    rough_us: Option<u64>,
}

impl Sharpness {
    /// Of an encoder that has sent nothing.
    pub(super) fn new(kbps: u32, fps: u16, size: (u16, u16), by_frames: bool) -> Self {
        Self {
            kbps,
            pixels: u64::from(size.0) * u64::from(size.1),
            interval_us: 1_000_000 / u64::from(fps.max(1)),
            by_frames,
            owed: 0,
            at_us: None,
            plain: 0,
            change: true,
            rough_us: None,
        }
    }

    /// The rate has changed.
    pub(super) const fn set_rate(&mut self, kbps: u32) {
        self.kbps = kbps;
    }

    /// A picture is to be encoded, a `change` or the last one once more.
    pub(super) const fn begins(&mut self, change: bool) {
        self.change = change;
    }

    /// A picture of time `pts_us` came out as a frame of `bytes`.
    pub(super) fn encoded(&mut self, pts_us: u64, bytes: u64) {
        let passed = self.at_us.map_or(0, |at| pts_us.saturating_sub(at));
        self.at_us = Some(pts_us);
        let earning = if self.by_frames { self.interval_us } else { passed };
        self.owed = self.owed.saturating_sub(self.earned(earning));
        let span = passed.clamp(SPAN_US, LONGEST_SPAN_US);
        let might = self.earned(if self.by_frames { self.interval_us } else { span });
        let plain = bytes <= (might / PLAIN).min(self.pixels / PIXELS);
        if self.owed == 0 && plain {
            self.plain = self.plain.saturating_add(1);
        } else {
            self.plain = 0;
        }
        if self.change && !plain {
            self.rough_us = Some(pts_us);
        }
        self.owed += bytes;
    }

    /// Whether another frame would not make the picture better.
    pub(super) const fn sharp(&self) -> bool {
        self.plain >= IN_A_ROW
    }

    /// Whether nothing large has changed for so long that the picture has become sharp, if it can.
    pub(super) fn calm(&self, now: u64) -> bool {
        self.rough_us.is_none_or(|at| now.saturating_sub(at) > CALM_US)
    }

    fn earned(&self, us: u64) -> u64 {
        // Kilobits a second are bits a millisecond.
        us.saturating_mul(u64::from(self.kbps)) / 8000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: u64 = 33_333;
    const SIZE: (u16, u16) = (1280, 720);

    /// Encodes at 30 a second until sharp: how often.
    fn frames_until_sharp(sharpness: &mut Sharpness, from: u64, sizes: impl Fn(u64) -> u64) -> u64 {
        (0..200)
            .find(|n| {
                sharpness.encoded(from + n * STEP, sizes(*n));
                sharpness.sharp()
            })
            .expect("never sharp")
    }

    #[test]
    fn small_frames_while_a_large_one_is_paid_back_are_no_sign_of_sharpness() {
        let mut sharpness = Sharpness::new(4000, 60, SIZE, false);
        // 100 kB are 200 ms of the rate: six frames.
        let times = frames_until_sharp(&mut sharpness, 1_000_000, |n| if n == 0 { 100_000 } else { 20 });
        assert!((11..=13).contains(&times), "{times}");
    }

    #[test]
    fn a_picture_is_sharp_when_its_frames_no_longer_take_what_they_may() {
        let mut sharpness = Sharpness::new(4000, 60, SIZE, false);
        let sizes = |n| if n < 20 { 14_000 } else { 900 };
        assert_eq!(frames_until_sharp(&mut sharpness, 1_000_000, sizes), 25);
        sharpness.encoded(5_000_000, 300);
        assert!(sharpness.sharp(), "a small change, as of a caret, is sharp at once");
        sharpness.encoded(6_000_000, 60_000);
        assert!(!sharpness.sharp(), "a large one, or a key frame, is not");
    }

    #[test]
    fn key_frames_and_carets_leave_a_still_screen_calm_and_a_new_page_does_not() {
        let mut sharpness = Sharpness::new(4000, 60, SIZE, false);
        sharpness.begins(false);
        sharpness.encoded(5_000_000, 300_000);
        sharpness.begins(true);
        sharpness.encoded(5_100_000, 200);
        assert!(sharpness.calm(5_200_000));
        sharpness.encoded(6_000_000, 80_000);
        assert!(!sharpness.calm(6_900_000));
        assert!(sharpness.calm(7_100_000));
    }

    #[test]
    fn an_encoder_that_earns_by_frames_owes_until_it_has_made_them() {
        let mut sharpness = Sharpness::new(4000, 60, SIZE, true);
        sharpness.encoded(1_000_000, 83_333);
        for n in 0..9 {
            sharpness.encoded(10_000_000 + n * STEP, 20);
        }
        assert!(!sharpness.sharp(), "a pause earns it nothing");
        let times = frames_until_sharp(&mut sharpness, 20_000_000, |_| 20);
        assert!(times <= 7, "{times}");
    }
}
