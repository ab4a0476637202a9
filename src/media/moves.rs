//! Who watches which rendition of a track, and what rate each gets. Pure: `now` is an argument.
//!
//! ```text
//!             too much for its line, for a moment; or it stalls again and again
//!   better ──────────────────────────────────────────────────────────────────────▶ worse
//!     ▲        (a move: both are encoded until the key frame of the new one)         │
//!     └────── its line has carried more for a while, which doubles when that failed ─┘
//! ```
//!
//! A rendition is encoded once, at the rate of the least of those who watch it. So that nobody's picture suffers from
//! another's line, a viewer whose line carries far less than another's goes to a rendition below, where there is one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use super::capacity::rate;
use super::colours::{Colours, FULL, Takers};
use super::ladder::Ladder;

/// What a viewer watches has been too much for its line for so long when it is moved down.
const DOWN_AFTER: Duration = Duration::from_millis(500);
/// The same, where it is more than twice what its line carries.
const DOWN_SOON: Duration = Duration::from_millis(100);
/// A viewer's line has carried what a better rendition needs for so long when it is moved up.
const UP_AFTER: Duration = Duration::from_secs(1);
/// That doubles with each upgrade that failed, up to this.
const UP_AFTER_MOST: Duration = Duration::from_secs(64);
/// An upgrade has failed when the viewer is moved down within this time.
const FAILED_WITHIN: Duration = Duration::from_secs(20);
/// A failure is forgotten after this time without another.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(120);
/// A viewer that stalls so often within [`STALLS_WITHIN`] is moved down, whatever it says of its line.
const STALLS: u8 = 3;
/// See [`STALLS`].
const STALLS_WITHIN: Duration = Duration::from_secs(10);
/// The key frame that a move waits for is asked for again after this time.
const KEY_AGAIN: Duration = Duration::from_secs(3);
/// A line must carry so much more than a rendition's floor for a viewer to be moved up to it, in percent.
const UP_MARGIN: u64 = 115;
/// Who carries less than so much of what the best line of a rendition does does not stay there, in percent.
const SHARE_TO_STAY: u64 = 70;
/// Nor is moved there below this.
const SHARE_TO_COME: u64 = 85;

/// One viewer.
#[derive(Debug)]
struct Viewer {
    /// What its line carries, in kbit/s; `None` until it has told.
    capacity: Option<u32>,
    /// It takes colours in full.
    full: bool,
    /// The rung that it has chosen.
    pinned: Option<u8>,
    paused: bool,
    /// It has been given a picture since it came, or came back.
    begun: bool,
    /// The rung that it watches.
    rung: u8,
    /// Where it is moved to, and when a key frame of that was asked for last.
    next: Option<(u8, Option<Instant>)>,
    /// A key frame of where it is has to be asked for.
    key: bool,
    down_since: Option<Instant>,
    up_since: Option<Instant>,
    up_after: Duration,
    raised: Option<Instant>,
    failed: Option<Instant>,
    stalls: u8,
    stalled: Option<Instant>,
}

impl Viewer {
    const fn new(full: bool) -> Self {
        Self {
            capacity: None,
            full,
            pinned: None,
            paused: false,
            begun: false,
            rung: 0,
            next: None,
            key: true,
            down_since: None,
            up_since: None,
            up_after: UP_AFTER,
            raised: None,
            failed: None,
            stalls: 0,
            stalled: None,
        }
    }

    /// Where it is, or is on its way to.
    fn goal(&self) -> u8 {
        self.next.map_or(self.rung, |(rung, _)| rung)
    }

    /// What stands for a rung where it takes colours in full, and they are had so.
    const fn form(&self, rung: u8, full: bool) -> u8 {
        if full && self.full && rung == 0 { FULL } else { rung }
    }

    fn carries(&self) -> u32 {
        self.capacity.unwrap_or(u32::MAX)
    }

    fn go(&mut self, rung: u8) {
        self.next = (rung != self.rung).then_some((rung, None));
        if !self.begun {
            // It has nothing yet that it could go on with meanwhile.
            (self.rung, self.next, self.key) = (rung, None, true);
        }
        (self.down_since, self.up_since) = (None, None);
    }

    /// A picture was too much for it that it was thought to bear.
    fn fail(&mut self, now: Instant) {
        self.up_after = (self.patience(now) * 2).min(UP_AFTER_MOST);
        self.failed = Some(now);
    }

    /// For how long more must be possible before it gets more.
    fn patience(&self, now: Instant) -> Duration {
        let fresh = self.failed.is_some_and(|at| now.duration_since(at) < FORGOTTEN_AFTER);
        if fresh { self.up_after } else { UP_AFTER }
    }

    /// Whether the floor of a rung is within its line.
    fn bears(&self, ladder: &Ladder, rung: u8) -> bool {
        let margin = if self.begun && self.goal() > rung {
            UP_MARGIN
        } else {
            100
        };
        u64::from(self.carries()) * 100 >= u64::from(ladder.floor(rung)) * margin
    }
}

/// What came of a look at all viewers.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Decided {
    /// Rungs of which a key frame has to be asked for, since somebody is moved there.
    pub(super) keys: BTreeSet<u8>,
    /// When to look again, if nothing happens before.
    pub(super) due: Option<Instant>,
}

/// The viewers of one track. To the outside, [`FULL`] stands in the place of rung 0 for those who get its colours in full.
#[derive(Debug, Default)]
pub(super) struct Moves {
    viewers: BTreeMap<u64, Viewer>,
    colours: Colours,
}

impl Moves {
    /// Somebody comes, who takes colours in full or not.
    pub(super) fn join(&mut self, id: u64, full: bool) {
        self.viewers.insert(id, Viewer::new(full));
    }

    /// A frame of this grab came. Whether it is time to look who has to be moved.
    pub(super) fn picture(&mut self, grabbed_us: u64, bytes: usize, now: Instant) -> bool {
        self.colours.picture(grabbed_us, bytes, now)
    }

    /// Nobody encodes colours in full any more.
    pub(super) fn end_full(&mut self) {
        self.colours.end();
    }

    /// Somebody goes.
    pub(super) fn leave(&mut self, id: u64) {
        self.viewers.remove(&id);
    }

    /// What its line carries.
    pub(super) fn told(&mut self, id: u64, kbps: u32) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.capacity = Some(kbps);
        }
    }

    /// It wants this rung from now on; `None`: what fits.
    pub(super) fn pin(&mut self, id: u64, rung: Option<u8>) {
        if let Some(viewer) = self.viewers.get_mut(&id) {
            viewer.pinned = rung;
        }
    }

    /// Nobody looks at its picture, or somebody does again. Whether that is news.
    pub(super) fn pause(&mut self, id: u64, paused: bool) -> bool {
        let Some(viewer) = self.viewers.get_mut(&id).filter(|v| v.paused != paused) else {
            return false;
        };
        viewer.paused = paused;
        viewer.begun = false;
        viewer.go(viewer.goal());
        true
    }

    /// It could not keep up.
    pub(super) fn stalled(&mut self, id: u64, ladder: &Ladder, now: Instant) {
        let Some(viewer) = self.viewers.get_mut(&id) else {
            return;
        };
        if viewer.stalled.is_none_or(|at| now.duration_since(at) > STALLS_WITHIN) {
            (viewer.stalls, viewer.stalled) = (0, Some(now));
        }
        viewer.stalls += 1;
        if viewer.stalls >= STALLS && viewer.pinned.is_none() {
            (viewer.stalls, viewer.stalled) = (0, None);
            viewer.fail(now);
            viewer.go((viewer.goal() + 1).min(ladder.last()));
        }
    }

    /// A key frame of a rung is there. Those who were waiting for it watch that rung from now on. Whether that
    /// changes what others are to watch.
    pub(super) fn key(&mut self, rung: u8) -> bool {
        let mut moved = self.colours.key(rung);
        let full = self.colours.full();
        for viewer in self.viewers.values_mut() {
            if let Some((next, _)) = viewer.next
                && viewer.form(next, full) == rung
            {
                (viewer.rung, viewer.next) = (next, None);
                moved = true;
            }
            if !viewer.begun && !viewer.paused && viewer.form(viewer.rung, full) == rung {
                viewer.begun = true;
                // It counts from now on where it is asked who takes colours in full.
                moved |= viewer.full;
            }
        }
        moved
    }

    /// The rung that somebody watches; `None` while nobody looks at its picture.
    pub(super) fn watches(&self, id: u64) -> Option<u8> {
        let viewer = self.viewers.get(&id).filter(|v| !v.paused)?;
        Some(viewer.form(viewer.rung, self.colours.full()))
    }

    /// Whether it watches this rung, or will.
    fn on(&self, viewer: &Viewer, rung: u8) -> bool {
        let full = self.colours.full();
        let beside = viewer.full && viewer.rung == 0 && self.colours.beside() == Some(rung);
        let there = [viewer.rung, viewer.goal()].map(|its| viewer.form(its, full));
        !viewer.paused && (beside || there.contains(&rung))
    }

    /// Who would get colours in full.
    fn takers(&self) -> Takers {
        let mut all = self.viewers.values().filter(|v| v.full).peekable();
        if all.peek().is_none() {
            Takers::None
        } else if all.any(|v| v.begun && !v.paused && v.goal() == 0) {
            Takers::There
        } else {
            Takers::Away
        }
    }

    /// The rungs that have to be encoded, each with its rate in kbit/s.
    pub(super) fn rates(&self, ladder: &Ladder) -> BTreeMap<u8, u32> {
        let wishes = self.wishes(ladder);
        let rungs = (0..=ladder.last()).chain([FULL]);
        let rungs = rungs.filter(|rung| self.viewers.values().any(|v| self.on(v, *rung)));
        let rated = rungs.map(|form| {
            let rung = if form == FULL { 0 } else { form };
            let top = ladder.top(rung);
            let there = || self.viewers.iter().filter(move |(_, v)| self.on(v, form));
            let best = there().map(|(_, v)| v.carries().min(top)).max().unwrap_or(top);
            // Who carries far less is about to leave, or has chosen this. On the lowest rung there is nowhere to go.
            let counts = |(id, v): &(&u64, &Viewer)| {
                rung == ladder.last()
                    || (v.pinned.is_none() && wishes.get(*id) == Some(&rung))
                    || shares(v, top, best, SHARE_TO_STAY)
            };
            let carried = there().filter(counts).filter_map(|(_, v)| v.capacity);
            (form, rate(carried, top))
        });
        rated.collect()
    }

    /// Looks who has to be moved.
    pub(super) fn decide(&mut self, ladder: &Ladder, now: Instant) -> Decided {
        let (wishes, rates) = (self.wishes(ladder), self.rates(ladder));
        let (key, due) = self.colours.decide(self.takers(), now);
        let full = self.colours.full();
        let mut decided = Decided {
            keys: key.into_iter().collect(),
            due,
        };
        for (id, viewer) in &mut self.viewers {
            let Some(wish) = wishes.get(id).copied() else { continue };
            let due = viewer.follow(wish, ladder, &rates, now);
            decided.due = decided.due.into_iter().chain(due).min();
            if std::mem::take(&mut viewer.key) {
                decided.keys.insert(viewer.form(viewer.rung, full));
            }
            let Some(next) = viewer.next.map(|(rung, _)| viewer.form(rung, full)) else {
                continue;
            };
            let Some((_, asked)) = &mut viewer.next else {
                continue;
            };
            let at = asked
                .filter(|at| now.duration_since(*at) < KEY_AGAIN)
                .unwrap_or_else(|| {
                    decided.keys.insert(next);
                    now
                });
            *asked = Some(at);
            decided.due = decided.due.into_iter().chain([at + KEY_AGAIN]).min();
        }
        decided
    }

    /// The rung that each viewer should watch, from the top: those whose line bears it, and does not carry far less than
    /// what the best of those there does.
    fn wishes(&self, ladder: &Ladder) -> BTreeMap<u64, u8> {
        let mut wishes = BTreeMap::new();
        let mut left: Vec<_> = self.viewers.iter().filter(|(_, v)| !v.paused).collect();
        for rung in 0..=ladder.last() {
            let top = ladder.top(rung);
            let pinned_here = |v: &Viewer| v.pinned.is_some_and(|pin| pin.min(ladder.last()) == rung);
            let there = left.iter().filter(|(_, v)| match v.pinned {
                Some(_) => pinned_here(v),
                None => v.goal() <= rung && v.bears(ladder, rung),
            });
            let best = there.map(|(_, v)| v.carries().min(top)).max().unwrap_or(0);
            left.retain(|(id, v)| {
                let comes = v.begun && v.goal() > rung;
                let share = if comes || !v.begun {
                    SHARE_TO_COME
                } else {
                    SHARE_TO_STAY
                };
                let here = match v.pinned {
                    Some(_) => pinned_here(v),
                    None => rung == ladder.last() || (v.bears(ladder, rung) && shares(v, top, best, share)),
                };
                if here {
                    wishes.insert(**id, rung);
                }
                !here
            });
        }
        wishes
    }
}

impl Viewer {
    /// Moves it where it should be, once that has been so for long enough. When to look again.
    fn follow(&mut self, wish: u8, ladder: &Ladder, rates: &BTreeMap<u8, u32>, now: Instant) -> Option<Instant> {
        let goal = self.goal();
        if wish == goal {
            (self.down_since, self.up_since) = (None, None);
            return None;
        }
        if !self.begun || self.pinned.is_some() {
            self.go(wish);
            return None;
        }
        if wish > goal {
            self.up_since = None;
            let rate = rates.get(&goal).copied().unwrap_or(0);
            let after = if rate / 2 > self.carries() {
                DOWN_SOON
            } else {
                DOWN_AFTER
            };
            let due = *self.down_since.get_or_insert(now) + after;
            if now < due {
                return Some(due);
            }
            let raised = self.raised.is_some_and(|at| now.duration_since(at) < FAILED_WITHIN);
            if raised && !self.bears(ladder, goal) {
                self.fail(now);
            }
            self.go(wish);
            return None;
        }
        self.down_since = None;
        let patience = self.patience(now);
        let due = *self.up_since.get_or_insert(now) + patience;
        if now < due {
            return Some(due);
        }
        // One at a time: what fails then costs less.
        self.go(goal - 1);
        self.raised = Some(now);
        // For the next one, if it is not the last.
        (wish < goal - 1).then(|| *self.up_since.insert(now) + patience)
    }
}

/// Whether a viewer's line carries so many percent of the best.
fn shares(viewer: &Viewer, top: u32, best: u32, percent: u64) -> bool {
    u64::from(viewer.carries().min(top)) * 100 >= u64::from(best) * percent
}

#[cfg(test)]
mod tests;
