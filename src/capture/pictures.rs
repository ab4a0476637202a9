//! The last picture of the screen, in each layout and size that somebody watches.

use std::collections::{BTreeMap, BTreeSet};

use crate::clock::monotonic_us;
use crate::media::{Changes, Layout, Planar, PlanarPicture, Scaler, Stamps, Tiles};

/// One size below the whole.
#[derive(Debug)]
struct Smaller {
    scaler: Scaler,
    picture: Option<PlanarPicture>,
}

/// The whole picture in one layout.
#[derive(Debug)]
struct Whole {
    planar: Planar,
    picture: Option<PlanarPicture>,
    /// What of it was converted for it.
    converted: Tiles,
}

/// What was grabbed last: converted once to each layout that is asked for, and scaled once to each size.
#[derive(Debug)]
pub(super) struct Pictures {
    size: (u16, u16),
    whole: BTreeMap<Layout, Whole>,
    smaller: BTreeMap<(u16, u16), Smaller>,
    /// Where each picture that was grabbed differs from those before.
    changes: Changes,
    stamps: Stamps,
}

impl Pictures {
    /// Of a screen of this size; none yet.
    pub(super) fn new(size: (u16, u16)) -> Self {
        Self {
            size,
            whole: BTreeMap::new(),
            smaller: BTreeMap::new(),
            changes: Changes::new(size),
            stamps: Stamps::default(),
        }
    }

    /// What there is is no longer what is on the screen, and nobody needs it.
    pub(super) fn forget(&mut self) {
        self.whole.clear();
        self.smaller.clear();
    }

    /// Whether the last picture is there in all of these layouts.
    pub(super) fn has(&self, layouts: &BTreeSet<Layout>) -> bool {
        let has = |layout| self.whole.get(layout).is_some_and(|whole| whole.picture.is_some());
        layouts.iter().all(has)
    }

    /// Takes on a picture of 4 bytes a pixel, that has just been grabbed, in these layouts. `changed`: where it differs from the
    /// one before, and `changed_us`: when its last change was heard of.
    pub(super) fn grabbed(&mut self, bgrx: &[u8], changed: Tiles, layouts: &BTreeSet<Layout>, changed_us: u64) {
        let grabbed_us = monotonic_us();
        self.changes.next(changed);
        // What nobody takes any more would be out of date.
        self.whole.retain(|layout, _| layouts.contains(layout));
        for layout in layouts {
            let whole = self.whole.entry(*layout).or_insert_with(|| Whole {
                planar: Planar::new(self.size.0, self.size.1, *layout),
                picture: None,
                converted: Tiles::all(self.size),
            });
            // Let go first: if no encoder reads it, the next is written over it. Always of this size.
            whole.picture = None;
            if let Some((picture, converted)) = whole.planar.convert_changed(bgrx, &self.changes) {
                (whole.picture, whole.converted) = (Some(picture), converted);
            }
        }
        self.stamps = Stamps {
            changed_us,
            grabbed_us,
            converted_us: monotonic_us(),
            ..Stamps::default()
        };
        for smaller in self.smaller.values_mut() {
            smaller.picture = None;
        }
    }

    /// The number of the last picture.
    pub(super) const fn number(&self) -> u64 {
        self.changes.number()
    }

    /// Where the last picture in this layout may differ from that of this number. More than where the screen has changed: what is
    /// grabbed around that may be newer than what has been told of it, and so may then be what is converted from there.
    pub(super) fn changed(&self, layout: Layout, since: u64) -> Tiles {
        let mut changed = self.changes.since(since);
        match self.whole.get(&layout) {
            Some(whole) => changed.union(&whole.converted),
            None => changed = Tiles::all(self.size),
        }
        changed
    }

    /// When the last picture was made.
    pub(super) const fn stamps(&self) -> Stamps {
        self.stamps
    }

    /// The last picture in this layout and size; in I420 alone it is had in other sizes than the screen's.
    pub(super) fn of(&mut self, layout: Layout, size: (u16, u16)) -> Option<PlanarPicture> {
        let whole = self.whole.get(&layout)?.picture.as_ref()?;
        if size == self.size {
            return Some(whole.clone());
        }
        if layout != Layout::I420 {
            return None;
        }
        let smaller = self.smaller.entry(size).or_insert_with(|| Smaller {
            scaler: Scaler::new(self.size, size),
            picture: None,
        });
        if smaller.picture.is_none() {
            smaller.picture = smaller.scaler.scale(whole);
        }
        smaller.picture.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HALF: Layout = Layout::I420;

    fn bytes(picture: Option<&PlanarPicture>) -> Option<(usize, *const u8)> {
        picture.map(|picture| (picture.as_ref().len(), picture.as_ref().as_ptr()))
    }

    #[test]
    fn each_size_is_scaled_once_a_picture() {
        let (mut pictures, layouts) = (Pictures::new((64, 32)), BTreeSet::from([HALF]));
        assert!(pictures.of(HALF, (32, 16)).is_none());
        pictures.grabbed(&[90; 64 * 32 * 4], Tiles::all((64, 32)), &layouts, 7);
        let Stamps {
            changed_us,
            grabbed_us,
            converted_us,
            ..
        } = pictures.stamps();
        assert!(changed_us == 7 && 7 < grabbed_us && grabbed_us <= converted_us);
        let first = bytes(pictures.of(HALF, (32, 16)).as_ref());
        assert_eq!(first.map(|(len, _)| len), Some(32 * 16 * 3 / 2));
        assert_eq!(bytes(pictures.of(HALF, (32, 16)).as_ref()), first);
        assert_eq!(pictures.of(HALF, (64, 32)).unwrap().as_ref().len(), 64 * 32 * 3 / 2);
        let held = pictures.of(HALF, (32, 16));
        pictures.grabbed(&[10; 64 * 32 * 4], Tiles::all((64, 32)), &layouts, 8);
        assert_ne!(bytes(pictures.of(HALF, (32, 16)).as_ref()), bytes(held.as_ref()));
        pictures.forget();
        assert!(pictures.of(HALF, (32, 16)).is_none());
    }

    #[test]
    fn a_picture_is_converted_to_the_layouts_that_somebody_takes_and_to_no_other() {
        let (mut pictures, size) = (Pictures::new((64, 32)), (64, 32));
        let (half, full) = (BTreeSet::from([HALF]), BTreeSet::from([Layout::I444]));
        let both = half.union(&full).copied().collect();
        let grey = [90; 64 * 32 * 4];
        pictures.grabbed(&grey, Tiles::none(size), &half, 1);
        assert!(pictures.has(&half) && !pictures.has(&full) && pictures.of(Layout::I444, size).is_none());
        pictures.grabbed(&grey, Tiles::none(size), &both, 2);
        assert!(pictures.has(&both));
        assert_eq!(pictures.of(Layout::I444, size).unwrap().as_ref().len(), 64 * 32 * 3);
        assert!(
            pictures.of(Layout::I444, (32, 16)).is_none(),
            "it is scaled in one layout"
        );
        pictures.grabbed(&grey, Tiles::none(size), &full, 3);
        assert!(pictures.of(HALF, size).is_none(), "an old one is not kept");
    }

    proptest! {
        /// Each step: a pixel of the screen changes, and is told of at the next grab or, where it came during this one, at the one
        /// after; which pictures an encoder takes.
        #[test]
        fn wherever_a_picture_differs_from_one_before_that_is_known_however_late_the_screen_tells(
            steps in prop::collection::vec((0_usize..4, any::<bool>(), any::<bool>(), any::<bool>()), 1..60),
        ) {
            let size = (64, 16);
            let layouts = BTreeSet::from([HALF]);
            let mut pictures = Pictures::new(size);
            let mut screen = vec![0_u8; 64 * 16 * 4];
            let (mut told, mut held): (Tiles, Option<(PlanarPicture, u64)>) = (Tiles::all(size), None);
            let tile = |column: usize| {
                let mut tiles = Tiles::none(size);
                tiles.add((column as i16 * 16, 0), (16, 16));
                tiles
            };
            for (n, (column, during, takes, keeps)) in steps.into_iter().enumerate() {
                for y in 0..16 {
                    screen[(y * 64 + column * 16) * 4..][..64].fill(n as u8 * 4 + 8);
                }
                if !during {
                    told.union(&tile(column));
                }
                pictures.grabbed(&screen, std::mem::replace(&mut told, Tiles::none(size)), &layouts, 1);
                if during {
                    told.union(&tile(column));
                }
                if !takes {
                    continue;
                }
                let now = pictures.of(HALF, size).unwrap();
                if let Some((before, number)) = &held {
                    let changed = pictures.changed(HALF, *number);
                    for column in (0..4).filter(|column| !changed.has(*column, 0)) {
                        let same = (0..16).all(|y| {
                            let at = y * 64 + column * 16;
                            now.as_ref()[at..at + 16] == before.as_ref()[at..at + 16]
                        });
                        prop_assert!(same, "column {column} of picture {n}");
                    }
                }
                held = keeps.then(|| (now, pictures.number())).or(held);
            }
        }
    }

    #[test]
    fn a_layout_that_comes_later_and_one_that_comes_again_are_whole() {
        let size = (64, 32);
        let mut pictures = Pictures::new(size);
        let (half, full) = (BTreeSet::from([HALF]), BTreeSet::from([Layout::I444]));
        let mut changed = Tiles::none(size);
        changed.add((0, 0), (1, 1));
        for (n, layouts) in [&half, &full, &half, &full].into_iter().enumerate() {
            let grey = 40 * n as u8;
            pictures.grabbed(&[grey; 64 * 32 * 4], changed.clone(), layouts, 1);
            let layout = *layouts.first().unwrap();
            let wanted = Planar::new(64, 32, layout).convert(&[grey; 64 * 32 * 4]).unwrap();
            let picture = pictures.of(layout, size).unwrap();
            assert_eq!(picture.as_ref(), wanted.as_ref(), "{n}");
        }
        // And so is the first one after nobody has looked.
        pictures.forget();
        pictures.grabbed(&[7; 64 * 32 * 4], changed, &half, 1);
        let wanted = Planar::new(64, 32, HALF).convert(&[7; 64 * 32 * 4]).unwrap();
        assert_eq!(pictures.of(HALF, size).unwrap().as_ref(), wanted.as_ref());
    }
}
