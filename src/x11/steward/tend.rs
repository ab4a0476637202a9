//! What is done about a window that is not where its user can reach it. Pure: `now` is an argument.
//!
//! ```text
//!            out of place                     8 times in 10 s
//!   tended ───────────────▶ mended (again) ───────────────────▶ left alone
//! ```
//!
//! A main window fills the display; what cannot fill it (a dialog, a window of one size) lies within it. A program that
//! insists on another place gets it.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// So often a window is put right within [`PERIOD`]; one that has to be more often is meant to be where it is.
const MAX_MENDS: usize = 8;
const PERIOD: Duration = Duration::from_secs(10);
/// A window that has just changed, or was just put right, may not be done with that yet.
const SETTLE: Duration = Duration::from_millis(150);
/// Each time that it was not enough, it gets twice as long; so often.
const MAX_DOUBLED: u32 = 3;
/// A window that is not maximised after so many tries cannot be.
const MAX_TRIES: u32 = 3;
/// As much of a dialog's title bar stays within the display, in pixels: enough to drag it back by.
const GRIP: i32 = 100;
/// How far in from the top that has to be.
const TITLE: i32 = 24;
/// A pointer so close to an edge of the display draws in what lies beyond: one that leaves the picture on the page is
/// seldom seen at the edge itself.
const EDGE: i32 = 8;
/// By so much at once.
const PAN: i32 = 40;

/// A rectangle of the display, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

/// What kind of window it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// The app itself, or one of its documents.
    Main,
    /// Beside a main window.
    Dialog,
    /// Splash screens, panels, and what else nobody has to reach.
    #[default]
    Other,
}

/// How a window is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) kind: Kind,
    /// Minimised.
    pub(super) hidden: bool,
    pub(super) maximized: bool,
    pub(super) fullscreen: bool,
    /// Whether it may have another size at all.
    pub(super) resizable: bool,
    /// With its frame.
    pub(super) area: Area,
    /// What the frame has at the left and at the top.
    pub(super) frame: (i32, i32),
    /// What the frame adds to width and height.
    pub(super) frame_size: (i32, i32),
}

/// What is to be done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    /// Let it fill the display.
    Maximize,
    /// Let it lie here.
    Place(Area),
    /// Bring it back.
    Restore,
}

/// One window that is tended.
#[derive(Clone, Debug, Default)]
pub(super) struct Tended {
    seen: Seen,
    mended: VecDeque<Instant>,
    alone: bool,
    /// When it may be put right.
    settled_at: Option<Instant>,
    /// Its size changed since it was found, or put, within the display.
    resized: bool,
    /// How often it was to fill the display, and did not.
    tries: u32,
    /// The size that it keeps although it was to shrink.
    refused: Option<(i32, i32)>,
}

impl Tended {
    /// It was looked at.
    pub(super) fn see(&mut self, seen: Seen, now: Instant) {
        let size = |seen: &Seen| (seen.area.width, seen.area.height);
        if self.settled_at.is_none() || size(&seen) != size(&self.seen) {
            self.resized = true;
        }
        if self.settled_at.is_none() || seen != self.seen {
            self.settled_at = Some(now + SETTLE);
        }
        if seen.maximized {
            self.tries = 0;
        }
        self.seen = seen;
    }

    pub(super) const fn seen(&self) -> Seen {
        self.seen
    }

    /// Whether it lies, or may come to lie, before the user's eyes.
    pub(super) fn shown(&self) -> bool {
        !self.seen.hidden && self.seen.kind != Kind::Other
    }

    /// What is wrong with it, if anything; `restore`: it is the one that has to come back.
    pub(super) fn wrong(&self, display: (i32, i32), restore: bool) -> Option<Mend> {
        let Seen { kind, area, .. } = self.seen;
        if self.alone || kind == Kind::Other {
            return None;
        }
        if self.seen.hidden {
            return restore.then_some(Mend::Restore);
        }
        if self.seen.fullscreen || self.seen.maximized {
            return None;
        }
        if kind == Kind::Main && self.seen.resizable && self.tries < MAX_TRIES {
            return Some(Mend::Maximize);
        }
        let shrinks = self.seen.resizable && self.refused != Some((area.width, area.height));
        let place = if kind == Kind::Main || self.resized || area.exceeds(display) {
            area.within(display, shrinks)
        } else {
            area.reachable(display)
        };
        (place != area).then_some(Mend::Place(place))
    }

    /// When to look at it again because of what is wrong with it.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.settled_at
    }

    /// It is put right now. `false`: that was tried too often, and it is left alone from now on.
    pub(super) fn mend(&mut self, mend: Mend, now: Instant) -> bool {
        while self.mended.front().is_some_and(|at| now.duration_since(*at) > PERIOD) {
            self.mended.pop_front();
        }
        if self.mended.len() >= MAX_MENDS {
            self.alone = true;
            return false;
        }
        // A machine that is busy takes its time over each.
        let patience = 1 << u32::try_from(self.mended.len()).unwrap_or(0).min(MAX_DOUBLED);
        self.settled_at = Some(now + SETTLE * patience);
        self.mended.push_back(now);
        if mend == Mend::Maximize {
            self.tries += 1;
        }
        if let Mend::Place(place) = mend {
            let Area { width, height, .. } = self.seen.area;
            if (place.width, place.height) != (width, height) {
                // If it has this size again when it is next looked at, it does not shrink.
                self.refused = Some((width, height));
            }
        }
        true
    }

    /// There is nothing wrong with it.
    pub(super) fn is_well(&mut self) {
        self.resized = false;
    }

    /// How far it has to move for what the pointer asks to see of it, where it is larger than the display.
    pub(super) fn pan(&self, display: (i32, i32), pointer: (i32, i32)) -> Option<Area> {
        let Seen { area, .. } = self.seen;
        if !self.shown() || self.seen.maximized || self.seen.fullscreen || !area.exceeds(display) {
            return None;
        }
        let along = |start: i32, length: i32, whole: i32, at: i32| {
            if length <= whole {
                start
            } else if at < EDGE {
                (start + PAN).min(0)
            } else if at >= whole - EDGE {
                (start - PAN).max(whole - length)
            } else {
                start
            }
        };
        let panned = Area {
            x: along(area.x, area.width, display.0, pointer.0),
            y: along(area.y, area.height, display.1, pointer.1),
            ..area
        };
        (panned != area).then_some(panned)
    }

    /// It was moved for the pointer's sake.
    pub(super) const fn panned(&mut self, area: Area) {
        self.seen.area = area;
    }

    /// Whether the pointer may ask to see more of it.
    pub(super) fn exceeds(&self, display: (i32, i32)) -> bool {
        self.shown() && !self.seen.maximized && !self.seen.fullscreen && self.seen.area.exceeds(display)
    }
}

impl Area {
    const fn exceeds(self, (width, height): (i32, i32)) -> bool {
        self.width > width || self.height > height
    }

    /// The nearest place within the display, smaller if that `shrinks` it and has to be. What stays larger begins at the
    /// upper left, unless it already shows another part of itself.
    fn within(self, display: (i32, i32), shrinks: bool) -> Self {
        let fit = |start: i32, length: i32, whole: i32| {
            let length = if shrinks { length.min(whole) } else { length };
            let (low, high) = if length <= whole {
                (0, whole - length)
            } else {
                (whole - length, 0)
            };
            (start.clamp(low, high), length)
        };
        let (x, width) = fit(self.x, self.width, display.0);
        let (y, height) = fit(self.y, self.height, display.1);
        Self { x, y, width, height }
    }

    /// The nearest place in which it can be dragged by its title.
    fn reachable(self, display: (i32, i32)) -> Self {
        let grip = GRIP.min(self.width);
        Self {
            x: self
                .x
                .clamp(grip - self.width, (display.0 - grip).max(grip - self.width)),
            y: self.y.clamp(0, (display.1 - TITLE).max(0)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const DISPLAY: (i32, i32) = (1280, 720);

    fn area(x: i32, y: i32, width: i32, height: i32) -> Area {
        Area { x, y, width, height }
    }

    fn main_window(area: Area) -> Seen {
        Seen {
            kind: Kind::Main,
            resizable: true,
            area,
            ..Seen::default()
        }
    }

    fn dialog(area: Area) -> Seen {
        Seen {
            kind: Kind::Dialog,
            ..main_window(area)
        }
    }

    fn seen(seen: Seen) -> Tended {
        let mut tended = Tended::default();
        tended.see(seen, Instant::now());
        tended
    }

    #[test]
    fn a_main_window_fills_the_display() {
        let strip = main_window(area(201, 644, 1024, 768));
        assert_eq!(seen(strip).wrong(DISPLAY, false), Some(Mend::Maximize));
        let maximized = Seen {
            maximized: true,
            ..strip
        };
        assert_eq!(seen(maximized).wrong(DISPLAY, false), None);
        let fullscreen = Seen {
            fullscreen: true,
            ..strip
        };
        assert_eq!(seen(fullscreen).wrong(DISPLAY, false), None);
        let other = Seen {
            kind: Kind::Other,
            ..strip
        };
        assert_eq!(seen(other).wrong(DISPLAY, false), None);
    }

    #[test]
    fn a_main_window_of_one_size_lies_within_the_display() {
        let fixed = |area| Seen {
            resizable: false,
            ..main_window(area)
        };
        let whole = seen(fixed(area(100, 100, 400, 300)));
        assert_eq!(whole.wrong(DISPLAY, false), None);
        let beyond = seen(fixed(area(1200, -50, 400, 300)));
        assert_eq!(beyond.wrong(DISPLAY, false), Some(Mend::Place(area(880, 0, 400, 300))));
        let large = seen(fixed(area(30, 40, 1400, 300)));
        assert_eq!(
            large.wrong(DISPLAY, false),
            Some(Mend::Place(area(0, 40, 1400, 300))),
            "not shrunk"
        );
    }

    #[test]
    fn a_dialog_that_is_too_large_is_moved_and_shrunk_and_where_it_refuses_to_shrink_moved_only() {
        let now = Instant::now();
        let mut tended = seen(dialog(area(300, 52, 700, 900)));
        let mend = tended.wrong(DISPLAY, false).unwrap();
        assert_eq!(mend, Mend::Place(area(300, 0, 700, 720)));
        assert!(tended.mend(mend, now));
        tended.see(dialog(area(300, 0, 700, 900)), now);
        assert_eq!(tended.wrong(DISPLAY, false), None, "it stays as large as it was");
        tended.see(dialog(area(300, 100, 700, 900)), now);
        assert_eq!(tended.wrong(DISPLAY, false), Some(Mend::Place(area(300, 0, 700, 900))));
        tended.see(dialog(area(300, -180, 700, 900)), now);
        assert_eq!(tended.wrong(DISPLAY, false), None, "the lower part may be looked at");
    }

    #[test]
    fn a_dialog_may_be_dragged_aside_as_long_as_it_can_be_dragged_back() {
        let now = Instant::now();
        let mut tended = seen(dialog(area(300, 100, 400, 300)));
        assert_eq!(tended.wrong(DISPLAY, false), None);
        tended.is_well();
        tended.see(dialog(area(1100, 500, 400, 300)), now);
        assert_eq!(tended.wrong(DISPLAY, false), None);
        tended.see(dialog(area(1270, -30, 400, 300)), now);
        assert_eq!(tended.wrong(DISPLAY, false), Some(Mend::Place(area(1180, 0, 400, 300))));
        tended.see(dialog(area(1100, 500, 500, 300)), now);
        assert_eq!(
            tended.wrong(DISPLAY, false),
            Some(Mend::Place(area(780, 420, 500, 300))),
            "one that grows is brought into view"
        );
    }

    #[test]
    fn a_minimised_window_comes_back_where_it_is_the_one_to() {
        let hidden = Seen {
            hidden: true,
            ..main_window(area(0, 0, 10, 10))
        };
        assert_eq!(seen(hidden).wrong(DISPLAY, false), None);
        assert_eq!(seen(hidden).wrong(DISPLAY, true), Some(Mend::Restore));
    }

    #[test]
    fn a_program_that_insists_is_left_alone_and_a_slow_one_is_not() {
        let begun = Instant::now();
        let run = |every: Duration| {
            let mut tended = seen(main_window(area(5, 5, 100, 100)));
            (0..20).all(|n| tended.mend(Mend::Restore, begun + every * n))
        };
        assert!(!run(Duration::from_millis(200)));
        assert!(run(Duration::from_secs(3)));
        let mut tended = seen(main_window(area(5, 5, 100, 100)));
        while tended.mend(Mend::Restore, begun) {}
        assert_eq!(tended.wrong(DISPLAY, false), None);
    }

    #[test]
    fn a_main_window_that_cannot_be_maximised_lies_within_the_display() {
        let now = Instant::now();
        let mut tended = seen(main_window(area(800, 500, 600, 400)));
        for _ in 0..3 {
            assert_eq!(tended.wrong(DISPLAY, false), Some(Mend::Maximize));
            assert!(tended.mend(Mend::Maximize, now));
        }
        let within = Mend::Place(area(680, 320, 600, 400));
        assert_eq!(tended.wrong(DISPLAY, false), Some(within));
        tended.see(main_window(area(680, 320, 600, 400)), now);
        assert_eq!(tended.wrong(DISPLAY, false), None);
    }

    #[test]
    fn a_window_is_left_to_settle_before_it_is_put_right() {
        let begun = Instant::now();
        let mut tended = Tended::default();
        let first = main_window(area(5, 5, 100, 100));
        tended.see(first, begun);
        assert_eq!(tended.due(), Some(begun + SETTLE));
        tended.see(first, begun + SETTLE / 2);
        assert_eq!(tended.due(), Some(begun + SETTLE), "nothing has changed");
        tended.see(main_window(area(6, 5, 100, 100)), begun + SETTLE / 2);
        assert_eq!(tended.due(), Some(begun + SETTLE / 2 + SETTLE));
    }

    #[test]
    fn the_pointer_at_an_edge_draws_in_what_lies_beyond() {
        let mut tended = seen(dialog(area(300, 0, 700, 800)));
        assert_eq!(tended.pan(DISPLAY, (500, 500)), None);
        assert_eq!(tended.pan(DISPLAY, (1279, 500)), None, "it is not too wide");
        let mut steps = 0;
        while let Some(next) = tended.pan(DISPLAY, (500, 719)) {
            tended.panned(next);
            steps += 1;
        }
        assert_eq!((steps, tended.seen().area.y), (2, -80));
        while let Some(next) = tended.pan(DISPLAY, (500, 0)) {
            tended.panned(next);
        }
        assert_eq!(tended.seen().area.y, 0);
        assert_eq!(seen(dialog(area(1, 1, 10, 10))).pan(DISPLAY, (0, 0)), None);
    }

    proptest! {
        #[test]
        fn what_fits_ends_up_whole_and_what_is_right_stays(
            x in -3000..3000, y in -3000..3000, width in 1..3000, height in 1..3000, shrinks: bool,
        ) {
            let before = area(x, y, width, height);
            let after = before.within(DISPLAY, shrinks);
            prop_assert_eq!(after.within(DISPLAY, shrinks), after);
            if shrinks || !before.exceeds(DISPLAY) {
                prop_assert!(after.x >= 0 && after.y >= 0);
                prop_assert!(after.x + after.width <= DISPLAY.0 && after.y + after.height <= DISPLAY.1);
            }
            let near = before.reachable(DISPLAY);
            prop_assert_eq!(near.reachable(DISPLAY), near);
            prop_assert!(near.x + near.width >= GRIP.min(width) && near.x <= DISPLAY.0 && near.y >= 0);
        }
    }
}
