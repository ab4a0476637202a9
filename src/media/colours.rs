//! Whether a picture has its colours in full size, for those who take that, or at half of it both ways. Pure: `now` is an
//! argument.
//!
//! ```text
//!              it hardly moves for seconds            a sharp key frame is there
//!   Half ──────────────────────────────────▶ Coming ──────────────────────────────▶ Full
//!     ▲ ▲                                       │                                      │
//!     │ └────────────── it moves ───────────────┘                                      │ it moves
//!     └────────────── a key frame is there ──────────────── Going ◀────────────────────┘
//! ```
//!
//! Colours in full cost half as much again for each picture, which is nothing where there are few of them. So what counts is
//! how many pictures there are, and of how much, not whether there are any: typing, a caret, and a page that is turned
//! leave the colours as they are.

use std::time::Duration;

use tokio::time::Instant;

/// What stands in the place of rung 0 for those who get its colours in full.
pub(super) const FULL: u8 = u8::MAX;

/// A picture with a change is to be paid for with so much calm, and with [`EACH_KIB`] for what there is of it.
const EACH: Duration = Duration::from_millis(60);
/// What is typed is a few hundred bytes, or some thousand where the line is drawn anew.
const EACH_KIB: Duration = Duration::from_millis(40);
/// No more than this in all, so that 30 pictures a second are movement after two thirds of a second, and 60 after a third.
const MOST_EACH: Duration = Duration::from_millis(240);
/// More than this is owed: the picture moves.
const MOVING: Duration = Duration::from_secs(4);
/// Less than this: it hardly does.
const CALM: Duration = Duration::from_secs(2);
/// No more than this is ever owed, so that calm comes back within four seconds.
const MOST: Duration = Duration::from_secs(6);
/// Encoding in full has gone on for so long when its key frame is asked for: by then it can be a sharp one.
const SHARPEN: Duration = Duration::from_secs(1);
/// The key frame of a change is asked for again after this time.
const KEY_AGAIN: Duration = Duration::from_secs(3);

/// How much a picture moves.
#[derive(Debug)]
struct Movement {
    /// Owed at `since`; it is paid back by time that passes.
    owed: Duration,
    since: Option<Instant>,
    /// When the last picture that counted was grabbed: it comes in several forms, and again and again until it is sharp.
    grabbed_us: u64,
}

impl Movement {
    /// What is not known yet is about to be drawn for the first time.
    const fn new() -> Self {
        Self {
            owed: MOVING,
            since: None,
            grabbed_us: 0,
        }
    }

    fn owes(&self, now: Instant) -> Duration {
        let passed = self.since.map_or(Duration::ZERO, |since| now.duration_since(since));
        self.owed.saturating_sub(passed)
    }

    fn picture(&mut self, grabbed_us: u64, bytes: usize, now: Instant) {
        let counts = std::mem::replace(&mut self.grabbed_us, grabbed_us) != grabbed_us;
        if counts || self.since.is_none() {
            let kib = u32::try_from(bytes >> 10).unwrap_or(u32::MAX);
            let price = (EACH + EACH_KIB.saturating_mul(kib)).min(MOST_EACH);
            self.owed = (self.owes(now) + price).min(MOST);
            self.since = Some(now);
        }
    }
}

/// Where the picture is between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// At half size.
    Half,
    /// Those in full are encoded and become sharp; those at half size are what is watched.
    Coming {
        since: Instant,
        /// When their key frame was asked for last.
        asked: Option<Instant>,
    },
    /// In full.
    Full,
    /// Those at half size are encoded as well, until their key frame is there.
    Going {
        /// When it was asked for last.
        asked: Option<Instant>,
    },
}

/// Who would get the colours in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takers {
    /// Nobody is there.
    None,
    /// Nobody is looking at the whole picture.
    Away,
    /// Somebody is. Whose line does not bear that is moved to a smaller one, and at rest there is room for colours.
    There,
}

/// The colours of a track.
#[derive(Debug)]
pub(super) struct Colours {
    stage: Stage,
    movement: Movement,
    off: bool,
}

impl Default for Colours {
    fn default() -> Self {
        Self {
            stage: Stage::Half,
            movement: Movement::new(),
            off: false,
        }
    }
}

impl Colours {
    /// Whether those who take them in full get them so now.
    pub(super) const fn full(&self) -> bool {
        matches!(self.stage, Stage::Full | Stage::Going { .. })
    }

    /// What is encoded beside what they watch.
    pub(super) const fn beside(&self) -> Option<u8> {
        match self.stage {
            Stage::Half | Stage::Full => None,
            Stage::Coming { .. } => Some(FULL),
            Stage::Going { .. } => Some(0),
        }
    }

    /// A frame of this grab came, in any form. Whether [`Self::decide`] would change something.
    pub(super) fn picture(&mut self, grabbed_us: u64, bytes: usize, now: Instant) -> bool {
        self.movement.picture(grabbed_us, bytes, now);
        matches!(self.stage, Stage::Coming { .. } | Stage::Full) && self.movement.owes(now) > MOVING
    }

    /// There is nobody who encodes in full any more.
    pub(super) const fn end(&mut self) {
        self.off = true;
        self.stage = Stage::Half;
    }

    /// Looks whether it is time to change. Gives of what a key frame has to be asked for, and when to look again.
    pub(super) fn decide(&mut self, takers: Takers, now: Instant) -> (Option<u8>, Option<Instant>) {
        if self.off || takers == Takers::None {
            self.stage = Stage::Half;
            return (None, None);
        }
        let owes = self.movement.owes(now);
        self.stage = match self.stage {
            Stage::Half if takers == Takers::There && owes < CALM && self.movement.since.is_some() => Stage::Coming {
                since: now,
                asked: None,
            },
            Stage::Coming { .. } if owes > MOVING || takers == Takers::Away => Stage::Half,
            Stage::Full if owes > MOVING => Stage::Going { asked: None },
            same => same,
        };
        let again = |asked: Option<Instant>| asked.is_none_or(|at| now.duration_since(at) >= KEY_AGAIN);
        match &mut self.stage {
            Stage::Half if takers == Takers::There && self.movement.since.is_some() => {
                (None, Some(now + owes.saturating_sub(CALM) + EACH))
            }
            Stage::Half | Stage::Full => (None, None),
            // Nothing is encoded of which there could be a key frame.
            _ if takers == Takers::Away => (None, None),
            Stage::Coming { since, .. } if now.duration_since(*since) < SHARPEN => (None, Some(*since + SHARPEN)),
            Stage::Coming { asked, .. } if again(*asked) => {
                *asked = Some(now);
                (Some(FULL), Some(now + KEY_AGAIN))
            }
            Stage::Going { asked } if again(*asked) => {
                *asked = Some(now);
                (Some(0), Some(now + KEY_AGAIN))
            }
            Stage::Coming { asked, .. } | Stage::Going { asked } => (None, asked.map(|at| at + KEY_AGAIN)),
        }
    }

    /// A key frame of a rung is there. Whether those who take the colours in full go on with it.
    pub(super) fn key(&mut self, rung: u8) -> bool {
        let next = match (self.stage, rung) {
            // The first that an encoder makes, which nobody asked for, is coarse.
            (Stage::Coming { asked: Some(_), .. }, FULL) => Stage::Full,
            (Stage::Going { .. }, 0) => Stage::Half,
            _ => return false,
        };
        self.stage = next;
        true
    }
}

#[cfg(test)]
mod tests;
