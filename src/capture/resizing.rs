//! When pictures take on another size, because the screen has (RandR). Pure.
//!
//! ```text
//!  same ── the screen has another size ──▶ waiting ── it has kept it for a moment ──▶ taken on ──▶ same
//! ```
//!
//! Each other size costs an encoder's start and a key frame. A program that changes it again and again is followed once a
//! second.

/// A program that changes the size may do so in steps.
const SETTLE_US: u64 = 150_000;
/// Between two changes of the pictures' size, and until one that goes on changing is followed.
const GAP_US: u64 = 1_000_000;
/// What encoders take at least.
const MIN_SIDE: u16 = 16;

/// Width and height in pixels.
pub(super) type Size = (u16, u16);

/// What to do about the size of the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follow {
    /// Nothing.
    Same,
    /// No picture until then; `None`: until it changes again.
    Wait(Option<u64>),
    /// Pictures are of this size from now on.
    Take(Size),
}

/// A change that is being waited for.
#[derive(Clone, Copy, Debug)]
struct Pending {
    size: Size,
    since_us: u64,
    changed_us: u64,
}

/// The changes so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Resizing {
    pending: Option<Pending>,
    taken_us: Option<u64>,
}

impl Resizing {
    /// What to do, with the screen's size as it can be encoded, and the pictures'.
    pub(super) fn follow(&mut self, screen: Size, pictures: Size, now_us: u64) -> Follow {
        if screen == pictures {
            self.pending = None;
            return Follow::Same;
        }
        let pending = match self.pending {
            Some(pending) if pending.size == screen => pending,
            before => Pending {
                size: screen,
                since_us: before.map_or(now_us, |before| before.since_us),
                changed_us: now_us,
            },
        };
        self.pending = Some(pending);
        if screen.0.min(screen.1) < MIN_SIDE {
            return Follow::Wait(None);
        }
        let settled = (pending.changed_us + SETTLE_US).min(pending.since_us + GAP_US);
        let due = settled.max(self.taken_us.map_or(0, |taken| taken + GAP_US));
        if now_us < due {
            return Follow::Wait(Some(due));
        }
        self.pending = None;
        self.taken_us = Some(now_us);
        Follow::Take(screen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LARGE: Size = (1280, 720);
    const SMALL: Size = (640, 480);
    const MS: u64 = 1000;

    #[test]
    fn a_size_that_stays_is_taken_on_after_a_moment() {
        let mut resizing = Resizing::default();
        assert_eq!(resizing.follow(LARGE, LARGE, 0), Follow::Same);
        assert_eq!(resizing.follow(SMALL, LARGE, 10), Follow::Wait(Some(10 + SETTLE_US)));
        assert_eq!(resizing.follow(SMALL, LARGE, 10 + SETTLE_US), Follow::Take(SMALL));
        assert_eq!(resizing.follow(SMALL, SMALL, 10 + SETTLE_US), Follow::Same);
    }

    #[test]
    fn one_that_is_restored_at_once_changes_nothing() {
        let mut resizing = Resizing::default();
        resizing.follow(SMALL, LARGE, 0);
        assert_eq!(resizing.follow(LARGE, LARGE, 50 * MS), Follow::Same);
        assert_eq!(
            resizing.follow(SMALL, LARGE, 60 * MS),
            Follow::Wait(Some(60 * MS + SETTLE_US)),
            "it begins anew"
        );
    }

    #[test]
    fn nothing_is_encoded_of_a_screen_of_a_few_pixels() {
        let mut resizing = Resizing::default();
        assert_eq!(resizing.follow((8, 720), LARGE, 0), Follow::Wait(None));
        assert_eq!(resizing.follow((8, 720), LARGE, GAP_US * 9), Follow::Wait(None));
        assert_eq!(resizing.follow(LARGE, LARGE, GAP_US * 9), Follow::Same);
    }

    proptest! {
        #[test]
        fn a_screen_that_changes_without_end_is_followed_once_a_second(
            steps in prop::collection::vec((10_u64..200, 0_u16..4), 1..400),
        ) {
            let (mut resizing, mut pictures, mut now) = (Resizing::default(), LARGE, 0);
            let (mut taken, mut differs_since) = (Vec::new(), None);
            for (pause, n) in steps {
                now += pause * MS;
                let screen = (400 + 200 * n, 300);
                match resizing.follow(screen, pictures, now) {
                    Follow::Take(size) => {
                        prop_assert_eq!(size, screen);
                        pictures = size;
                        taken.push(now);
                        differs_since = None;
                    }
                    Follow::Wait(at) => {
                        prop_assert!(at.is_some_and(|at| at > now));
                        let since = *differs_since.get_or_insert(now);
                        prop_assert!(now - since < 2 * GAP_US, "it is followed in the end");
                    }
                    Follow::Same => differs_since = None,
                }
            }
            prop_assert!(taken.windows(2).all(|two| two[1] - two[0] >= GAP_US));
        }
    }
}
