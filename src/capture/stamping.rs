//! When what was done to the pictures that are in an encoder. Pure.

use std::collections::VecDeque;

use crate::media::Stamps;

/// More than are ever in an encoder at once.
const MOST: usize = 8;

/// The pictures that are in one encoder, by their time.
#[derive(Debug, Default)]
pub(super) struct Stamping {
    // overflow: the oldest goes; what comes out of it has no stamps.
    inside: VecDeque<(u64, Stamps)>,
}

impl Stamping {
    /// A picture goes in.
    pub(super) fn pushed(&mut self, pts_us: u64, stamps: Stamps) {
        if self.inside.len() >= MOST {
            self.inside.pop_front();
        }
        self.inside.push_back((pts_us, stamps));
    }

    /// A frame comes out. What is older was dropped on the way.
    pub(super) fn came_out(&mut self, pts_us: u64, now_us: u64) -> Stamps {
        while let Some((pts, stamps)) = self.inside.front().copied() {
            if pts > pts_us {
                break;
            }
            self.inside.pop_front();
            if pts == pts_us {
                return Stamps {
                    encoded_us: now_us,
                    ..stamps
                };
            }
        }
        Stamps::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(changed_us: u64) -> Stamps {
        Stamps {
            changed_us,
            ..Stamps::default()
        }
    }

    #[test]
    fn what_comes_out_has_the_stamps_of_what_went_in_whatever_was_dropped() {
        let mut stamping = Stamping::default();
        for pts in [10, 20, 30] {
            stamping.pushed(pts, changed(pts - 5));
        }
        let out = stamping.came_out(20, 25);
        assert_eq!((out.changed_us, out.encoded_us), (15, 25));
        assert_eq!(stamping.came_out(20, 26), Stamps::default(), "only once");
        assert_eq!(stamping.came_out(30, 35).changed_us, 25);
    }

    #[test]
    fn an_encoder_that_swallows_everything_costs_no_memory() {
        let mut stamping = Stamping::default();
        for pts in 0..1000 {
            stamping.pushed(pts, changed(pts));
        }
        assert_eq!(stamping.inside.len(), MOST);
    }
}
