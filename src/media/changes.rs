//! What has changed from each of the last pictures to the newest. Pure.

use std::collections::VecDeque;

use super::tiles::Tiles;

/// So far back it is known: a rung of 5 frames a second beside one of 60 takes each twelfth.
const KNOWN: usize = 16;

/// The pictures of a screen of one size, numbered from 1 in the order in which they were grabbed.
#[derive(Debug)]
pub struct Changes {
    size: (u16, u16),
    number: u64,
    /// The newest first: what changed from the picture before to that one.
    // overflow: the oldest goes; a picture from before it counts as changed everywhere.
    steps: VecDeque<Tiles>,
}

impl Changes {
    /// Of pictures of this size; none yet.
    #[must_use]
    pub const fn new(size: (u16, u16)) -> Self {
        Self {
            size,
            number: 0,
            steps: VecDeque::new(),
        }
    }

    /// There is a further picture, and this is where it differs from the one before.
    pub fn next(&mut self, changed: Tiles) {
        self.number += 1;
        self.steps.truncate(KNOWN - 1);
        self.steps.push_front(changed);
    }

    /// The number of the newest picture; 0: there is none.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Where the newest picture may differ from that of this number: everywhere, where that is not known, and from none (0).
    #[must_use]
    pub fn since(&self, number: u64) -> Tiles {
        let age = self.number.checked_sub(number).filter(|_| number > 0);
        let age = age.and_then(|age| usize::try_from(age).ok());
        let Some(steps) = age.filter(|age| *age <= self.steps.len()) else {
            return Tiles::all(self.size);
        };
        let mut changed = Tiles::none(self.size);
        self.steps.iter().take(steps).for_each(|step| changed.union(step));
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SIZE: (u16, u16) = (64, 32);

    fn tile(column: i16) -> Tiles {
        let mut tiles = Tiles::none(SIZE);
        tiles.add((column * 16, 0), (1, 1));
        tiles
    }

    #[test]
    fn what_nobody_has_seen_has_changed_everywhere() {
        let mut changes = Changes::new(SIZE);
        assert_eq!((changes.number(), changes.since(0)), (0, Tiles::all(SIZE)));
        changes.next(tile(0));
        assert_eq!(changes.since(0), Tiles::all(SIZE), "no picture");
        assert_eq!(changes.since(9), Tiles::all(SIZE), "one that is to come");
        assert!(changes.since(1).is_empty(), "the newest itself");
    }

    proptest! {
        #[test]
        fn who_skips_pictures_gets_all_that_changed_meanwhile(columns in prop::collection::vec(0_i16..4, 1..40), back in 0_usize..40) {
            let mut changes = Changes::new(SIZE);
            columns.iter().for_each(|column| changes.next(tile(*column)));
            prop_assert_eq!(changes.number(), columns.len() as u64);
            let since = changes.since((columns.len() - back.min(columns.len())) as u64);
            if back < columns.len() && back <= KNOWN {
                let mut wanted = Tiles::none(SIZE);
                columns[columns.len() - back..].iter().for_each(|column| wanted.union(&tile(*column)));
                prop_assert_eq!(since, wanted);
            } else {
                prop_assert_eq!(since, Tiles::all(SIZE));
            }
            prop_assert!(changes.steps.len() <= KNOWN);
        }
    }
}
