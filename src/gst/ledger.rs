//! Which picture comes out of an encoder, in spite of what the encoder does to its time.

use std::collections::VecDeque;

/// Pictures that went in and have not come out, with the host clock's time of each, and the time that the encoder was told.
///
/// Encoders shift time (x264 by 1000 hours, so that decoding times are never negative) but keep its differences, and
/// with these settings they keep the order. So the first picture that goes in, which is never dropped, fixes the shift
/// when it comes out.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    waiting: VecDeque<(u64, u64)>,
    shift_us: Option<i128>,
}

impl Ledger {
    /// A picture of time `pts_us` goes in; the encoder is told `told_us`. Times must rise.
    pub(super) fn pushed(&mut self, told_us: u64, pts_us: u64) {
        self.waiting.push_back((told_us, pts_us));
    }

    /// A frame that the encoder says is of time `out_us` comes out: its picture's time. Pictures before it were
    /// dropped on the way in. `None` if nothing went in.
    pub(super) fn came_out(&mut self, out_us: u64) -> Option<u64> {
        let (first, _) = *self.waiting.front()?;
        let shift = *self.shift_us.get_or_insert(i128::from(out_us) - i128::from(first));
        let pts = i128::from(out_us) - shift;
        // Half a tick of the coarsest time base (90 kHz) may have been rounded away.
        while self.waiting.len() > 1
            && self
                .waiting
                .get(1)
                .is_some_and(|(next, _)| i128::from(*next) <= pts + 6)
        {
            self.waiting.pop_front();
        }
        self.waiting.pop_front().map(|(_, pts_us)| pts_us)
    }

    /// How many went in and have not come out.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The time of the one that has waited longest.
    pub(super) fn oldest(&self) -> Option<u64> {
        self.waiting.front().map(|(_, pts_us)| *pts_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn times_come_back_whatever_the_shift_and_the_losses(
            steps in prop::collection::vec((20u64..100_000, any::<bool>()), 1..100),
            shift in 0u64..5_000_000_000_000,
        ) {
            let mut ledger = Ledger::default();
            let mut now = 1_000;
            let mut first = true;
            for (step, lost) in steps {
                now += step;
                ledger.pushed(now + 500, now);
                // The first one always comes out: the queue before the encoder has room for all that may be in flight.
                if first || !lost {
                    prop_assert_eq!(ledger.came_out(now + 500 + shift), Some(now));
                    prop_assert_eq!(ledger.len(), 0);
                    first = false;
                }
            }
        }
    }

    #[test]
    fn a_frame_that_nobody_pushed_has_no_time() {
        assert_eq!(Ledger::default().came_out(5), None);
    }

    #[test]
    fn pictures_that_wait_are_counted() {
        let mut ledger = Ledger::default();
        for pts in [10, 30, 50] {
            ledger.pushed(pts, pts);
        }
        assert_eq!((ledger.len(), ledger.oldest()), (3, Some(10)));
        assert_eq!(ledger.came_out(3_600_000_000_010), Some(10));
        assert_eq!(ledger.came_out(3_600_000_000_050), Some(50));
        assert_eq!(ledger.oldest(), None);
    }
}
