//! The renditions that a track can be had in. Pure.

use super::capacity::LEAST_KBPS;
use crate::config::RungConfig;

/// Rungs that a ladder has at most: each that is watched is an encoder.
pub const MOST_RUNGS: usize = 4;

/// One form of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rung {
    /// Its width and height, in percent of the screen's.
    pub percent: u8,
    /// Frames a second at most.
    pub fps: u16,
    /// The rate from which on it is worth having, in kbit/s.
    pub kbps: u32,
}

/// The whole picture, at every rate.
const WHOLE: Rung = Rung {
    percent: 100,
    fps: 240,
    kbps: 0,
};

/// The renditions of a track, the best first, and the rate that none goes beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    rungs: Vec<Rung>,
    max_kbps: u32,
}

impl Ladder {
    /// A ladder of these rungs, the best first. Those beyond [`MOST_RUNGS`] are left out; without any it is
    /// [`Self::single`].
    #[must_use]
    pub fn new(mut rungs: Vec<Rung>, max_kbps: u32) -> Self {
        rungs.truncate(MOST_RUNGS);
        if rungs.is_empty() {
            rungs.push(WHOLE);
        }
        Self { rungs, max_kbps }
    }

    /// The ladder that is configured.
    #[must_use]
    pub fn configured(rungs: &[RungConfig], max_kbps: u32) -> Self {
        let rung = |RungConfig { percent, fps, kbps }: &RungConfig| Rung {
            percent: *percent,
            fps: *fps,
            kbps: *kbps,
        };
        Self::new(rungs.iter().map(rung).collect(), max_kbps)
    }

    /// The whole picture alone, whatever the lines carry.
    #[must_use]
    pub fn single(max_kbps: u32) -> Self {
        Self::new(Vec::new(), max_kbps)
    }

    /// The form of a rung; of the last one, where there are not so many.
    #[must_use]
    pub fn rung(&self, rung: u8) -> Rung {
        let at = usize::from(rung).min(self.rungs.len() - 1);
        self.rungs[at]
    }

    /// The lowest.
    #[must_use]
    pub fn last(&self) -> u8 {
        // There are at most four.
        u8::try_from(self.rungs.len() - 1).unwrap_or(u8::MAX)
    }

    /// The capacity below which a viewer is better off with less, in kbit/s.
    pub(super) fn floor(&self, rung: u8) -> u32 {
        if rung >= self.last() {
            return 0;
        }
        // Where little is configured at all, half of that is little enough.
        self.rung(rung).kbps.min(self.max_kbps / 2)
    }

    /// The rate beyond which a rung is not encoded, in kbit/s: it would only come close to the one above.
    pub(super) fn top(&self, rung: u8) -> u32 {
        let above = rung.checked_sub(1).map(|above| self.floor(above).saturating_mul(2));
        above.map_or(self.max_kbps, |kbps| {
            kbps.min(self.max_kbps).max(LEAST_KBPS.min(self.max_kbps))
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// As configured where nothing is.
    pub(in super::super) fn usual() -> Ladder {
        let rung = |percent, fps, kbps| Rung { percent, fps, kbps };
        Ladder::new(vec![rung(100, 240, 1200), rung(67, 30, 400), rung(50, 15, 0)], 4000)
    }

    #[test]
    fn each_rung_has_a_band_of_rates() {
        let ladder = usual();
        let bands = [0, 1, 2].map(|rung| (ladder.floor(rung), ladder.top(rung)));
        assert_eq!(bands, [(1200, 4000), (400, 2400), (0, 800)]);
        let small = Ladder::new(ladder.rungs, 500);
        let bands = [0, 1, 2].map(|rung| (small.floor(rung), small.top(rung)));
        assert_eq!(bands, [(250, 500), (250, 500), (0, 500)]);
    }

    #[test]
    fn a_ladder_has_a_rung_and_not_too_many() {
        assert_eq!(Ladder::single(900).rung(7), WHOLE);
        assert_eq!((Ladder::single(900).floor(0), Ladder::single(900).top(0)), (0, 900));
        assert_eq!(usize::from(Ladder::new(vec![WHOLE; 99], 900).last()), MOST_RUNGS - 1);
    }
}
