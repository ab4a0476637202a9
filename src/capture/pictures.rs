//! The last picture of the screen, in each size that somebody watches.

use std::collections::BTreeMap;

use crate::clock::monotonic_us;
use crate::media::{Planar, PlanarPicture, Scaler, Stamps};

/// One size below the whole.
#[derive(Debug)]
struct Smaller {
    scaler: Scaler,
    picture: Option<PlanarPicture>,
}

/// What was grabbed last: converted once, and scaled once to each size that is asked for.
#[derive(Debug)]
pub(super) struct Pictures {
    size: (u16, u16),
    planar: Planar,
    whole: Option<PlanarPicture>,
    smaller: BTreeMap<(u16, u16), Smaller>,
    stamps: Stamps,
}

impl Pictures {
    /// Of a screen of this size; none yet.
    pub(super) fn new(size: (u16, u16)) -> Self {
        Self {
            size,
            planar: Planar::new(size.0, size.1),
            whole: None,
            smaller: BTreeMap::new(),
            stamps: Stamps::default(),
        }
    }

    /// What there is is no longer what is on the screen, and nobody needs it.
    pub(super) fn forget(&mut self) {
        self.whole = None;
        self.smaller.clear();
    }

    /// Takes on a picture of 4 bytes a pixel, that has just been grabbed. `changed_us`: when its last change was heard of.
    pub(super) fn grabbed(&mut self, bgrx: &[u8], changed_us: u64) {
        let grabbed_us = monotonic_us();
        // Always of this size.
        self.whole = self.planar.convert(bgrx);
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

    /// When the last picture was made.
    pub(super) const fn stamps(&self) -> Stamps {
        self.stamps
    }

    /// The last picture in this size.
    pub(super) fn of(&mut self, size: (u16, u16)) -> Option<PlanarPicture> {
        let whole = self.whole.as_ref()?;
        if size == self.size {
            return Some(whole.clone());
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

    #[test]
    fn each_size_is_scaled_once_a_picture() {
        let mut pictures = Pictures::new((64, 32));
        assert!(pictures.of((32, 16)).is_none());
        pictures.grabbed(&[90; 64 * 32 * 4], 7);
        let Stamps {
            changed_us,
            grabbed_us,
            converted_us,
            ..
        } = pictures.stamps();
        assert!(changed_us == 7 && 7 < grabbed_us && grabbed_us <= converted_us);
        let bytes = |p: Option<PlanarPicture>| p.map(|p| (p.as_ref().len(), p.as_ref().as_ptr()));
        let first = bytes(pictures.of((32, 16)));
        assert_eq!(first.map(|(len, _)| len), Some(32 * 16 * 3 / 2));
        assert_eq!(bytes(pictures.of((32, 16))), first);
        assert_eq!(pictures.of((64, 32)).unwrap().as_ref().len(), 64 * 32 * 3 / 2);
        let held = pictures.of((32, 16));
        pictures.grabbed(&[10; 64 * 32 * 4], 8);
        assert_ne!(bytes(pictures.of((32, 16))), bytes(held));
        pictures.forget();
        assert!(pictures.of((32, 16)).is_none());
    }
}
