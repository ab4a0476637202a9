//! Types characters: those on the keys of the layout at once, those with a slot of their own as well, the others once a
//! slot was lent to them and the program has taken that in.
//!
//! ```text
//! wanted ─▶ has a key? ──yes──────────────────────────────────▶ typed
//!              │ no                                             ▲
//!              ▼                                                │ taken in
//!           slots free? ──yes─▶ written to the server ─▶ wait ──┘
//!              │ no: wait until the events before have been taken in; never, if the program hangs: reported
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ConnectionExt as _, Window};

use super::bindings::{Bindings, Plan};
use super::connect::Display;
use super::echo::Echo;
use super::keymap::{Keymap, Stroke};
use super::uptake::Uptake;
use super::xkb::ServerMap;
use super::{DisplayAddress, X11Error};

/// Between two changes of the keymap: every program on the display reads it anew each time.
const BETWEEN: Duration = Duration::from_millis(100);
/// How long a program that answers no pings has to read a change. It comes before the events that need it.
const CHANGE_REST: Duration = Duration::from_millis(50);
/// How often a program is asked after a change of the keymap. Chromium reads its keymap on a second connection, so one
/// answer does not say that it has.
const ROUNDS: u8 = 3;
/// How long after the last answer: for that second connection.
const AFTER_ROUNDS: Duration = Duration::from_millis(30);
/// How often the keymap is taken back from a program in this time; then what needs it cannot be typed for a while.
const MOST_RESTORED: usize = 5;
const FIGHT: Duration = Duration::from_secs(10);
/// Never woken sooner, whatever is due.
const SHORTEST: Duration = Duration::from_millis(1);
/// How many characters are typed between two marks.
const EVERY: u32 = 4;

/// Whether something can be typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// By this.
    Stroke(Stroke),
    /// Not yet: at this time, or when the program has answered.
    Later(Instant),
    /// Not any more.
    Never,
}

#[derive(Debug)]
enum Change {
    /// Asked for the n-th time, by this mark.
    Asked(u8, u64),
    /// Over then.
    Until(Instant),
}

/// Gives a display the keymap that everything is typed by, before any program reads it. Blocks.
///
/// # Errors
/// No display, no XKB, or too late.
pub fn prepare_keyboard(address: &DisplayAddress, deadline: Duration) -> Result<(), X11Error> {
    let display = Display::connect(address, deadline)?;
    display.within(deadline, |display| {
        Typist::new(display)?;
        // The server has done it when it answers what was asked behind it.
        let done = display.x.get_input_focus()?.reply();
        done.map_err(X11Error::reply("a round trip")).map(drop)
    })
}

/// What it takes to type any character on a display.
#[derive(Debug)]
pub(super) struct Typist {
    server: ServerMap,
    pub(super) bindings: Bindings,
    pub(super) keymap: Keymap,
    uptake: Uptake,
    echo: Echo,
    change: Option<Change>,
    /// The keycodes that it is about.
    changing: BTreeSet<u8>,
    changed_at: Option<Instant>,
    /// When the keymap was taken back from somebody last.
    restored: VecDeque<Instant>,
    since_mark: u32,
}

impl Typist {
    /// Gives the display our keymap, unless it has it already.
    pub(super) fn new(display: &Display) -> Result<Self, X11Error> {
        super::xkb::open(display)?;
        let server = ServerMap::read(display)?;
        let mut bindings = Bindings::new(server.free_codes(), server.levels());
        bindings.adopt(|code| server.meaning(code));
        let mut typist = Self {
            keymap: read_keymap(display, bindings.codes())?,
            server,
            bindings,
            uptake: Uptake::new(),
            echo: Echo::new(display)?,
            change: None,
            changing: BTreeSet::new(),
            changed_at: None,
            restored: VecDeque::new(),
            since_mark: 0,
        };
        typist.restore(display, Instant::now())?;
        Ok(typist)
    }

    /// The key of the third level.
    pub(super) fn level_three(&self) -> Option<u8> {
        self.server.level_three()
    }

    /// Somebody has changed the keymap, perhaps us.
    pub(super) fn reread(&mut self, display: &Display, now: Instant) -> Result<(), X11Error> {
        self.server = ServerMap::read(display)?;
        self.keymap = read_keymap(display, self.bindings.codes())?;
        self.restore(display, now)
    }

    /// Writes what is not as it has to be.
    fn restore(&mut self, display: &Display, now: Instant) -> Result<(), X11Error> {
        let differs = |code: &u8| self.server.meaning(*code) != Some(self.expected(*code));
        let codes: BTreeSet<u8> = self.bindings.codes().iter().copied().filter(differs).collect();
        if codes.is_empty() || !self.may_restore(now) {
            return Ok(());
        }
        self.restored.push_back(now);
        self.write(display, &codes, now)
    }

    /// Whether there was no fight about the keymap lately.
    fn may_restore(&mut self, now: Instant) -> bool {
        self.restored.retain(|at| now.saturating_duration_since(*at) < FIGHT);
        self.restored.len() < MOST_RESTORED
    }

    fn expected(&self, code: u8) -> super::bindings::Levels {
        let mut levels = self.bindings.levels(code);
        levels
            .iter_mut()
            .skip(usize::from(self.server.levels()))
            .for_each(|keysym| *keysym = 0);
        levels
    }

    fn write(&mut self, display: &Display, codes: &BTreeSet<u8>, now: Instant) -> Result<(), X11Error> {
        let Self { server, bindings, .. } = self;
        server.write(display, codes, |code| bindings.levels(code))?;
        self.changed_at = Some(now);
        self.changing.extend(codes);
        self.change = Some(match self.mark(display, now)? {
            (number, true) => Change::Asked(1, number),
            (_, false) => Change::Until(now + CHANGE_REST),
        });
        Ok(())
    }

    /// A pong.
    pub(super) fn answered(&mut self, protocol: u32, answer: u32, now: Instant) {
        if self.echo.is_ours(protocol, answer) {
            self.uptake.answered(self.uptake.nearest(answer), now);
        }
    }

    /// A window is gone.
    pub(super) fn gone(&mut self, window: Window) {
        self.uptake.gone(window);
    }

    /// The atom of messages like pongs.
    pub(super) const fn protocols(&self) -> u32 {
        self.echo.protocols()
    }

    /// How to type `keysym`, before the `ahead` that come after it.
    pub(super) fn reach(
        &mut self,
        display: &Display,
        keysym: u32,
        preferred: Option<u8>,
        ahead: impl Iterator<Item = u32>,
        held: &BTreeSet<u8>,
        now: Instant,
    ) -> Result<Reach, X11Error> {
        if let Some(stroke) = self.keymap.find(keysym, preferred) {
            return Ok(Reach::Stroke(stroke));
        }
        self.uptake.pass(now);
        let slot = self.bindings.find(keysym);
        if slot.is_some_and(|slot| self.server.meaning(slot.code) != Some(self.expected(slot.code))) {
            // Somebody else has the last word about the keymap.
            if !self.may_restore(now) {
                return Ok(Reach::Never);
            }
            self.restore(display, now)?;
        }
        if let Some(slot) = slot.filter(|slot| !self.changing.contains(&slot.code)) {
            return Ok(Reach::Stroke(Stroke::of(slot)));
        }
        if let Some(due) = self.changing(display, now)? {
            return self.later(display, due, now);
        }
        if let Some(slot) = slot {
            return Ok(Reach::Stroke(Stroke::of(slot)));
        }
        if let Some(next) = self.changed_at.map(|at| at + BETWEEN).filter(|next| now < *next) {
            return Ok(Reach::Later(next));
        }
        let rare = ahead.filter(|keysym| self.keymap.find(*keysym, None).is_none());
        let wanted: Vec<u32> = std::iter::once(keysym).chain(rare).collect();
        let (settled, mark) = (self.uptake.settled(), self.uptake.next());
        match self.bindings.plan(wanted.into_iter(), held, settled, mark) {
            Plan::Write(codes) => {
                self.write(display, &codes, now)?;
                self.later(display, now + CHANGE_REST, now)
            }
            Plan::Wait if self.uptake.settled() + 1 == self.uptake.next() => Ok(Reach::Never),
            Plan::Wait => self.later(display, now + BETWEEN, now),
        }
    }

    fn later(&mut self, display: &Display, due: Instant, now: Instant) -> Result<Reach, X11Error> {
        if self.uptake.is_stuck(now) && !self.uptake.give_up(self.echo.window(display)?) {
            return Ok(Reach::Never);
        }
        Ok(Reach::Later(
            self.uptake
                .due()
                .map_or(due, |other| due.min(other))
                .max(now + SHORTEST),
        ))
    }

    /// A change that has not been taken in: when to look again.
    fn changing(&mut self, display: &Display, now: Instant) -> Result<Option<Instant>, X11Error> {
        let next = match self.change {
            None => None,
            Some(Change::Until(until)) => (now < until).then_some(Change::Until(until)),
            Some(Change::Asked(round, number)) if self.uptake.settled() < number => Some(Change::Asked(round, number)),
            Some(Change::Asked(ROUNDS, _)) => Some(Change::Until(now + AFTER_ROUNDS)),
            Some(Change::Asked(round, _)) => match self.mark(display, now)? {
                (number, true) => Some(Change::Asked(round + 1, number)),
                (_, false) => Some(Change::Until(now + CHANGE_REST)),
            },
        };
        let due = next.as_ref().map(|change| match change {
            Change::Until(until) => *until,
            Change::Asked(..) => self.uptake.due().unwrap_or(now + BETWEEN),
        });
        if next.is_none() {
            self.changing.clear();
        }
        self.change = next;
        Ok(due)
    }

    /// A character was typed.
    pub(super) fn typed(&mut self, display: &Display, stroke: Stroke, now: Instant) -> Result<(), X11Error> {
        let lent = self.bindings.used(stroke.slot(), self.uptake.next());
        self.since_mark += 1;
        if (lent || self.since_mark >= EVERY) && self.uptake.has_room() {
            self.mark(display, now)?;
        }
        Ok(())
    }

    /// Sets a mark behind everything so far: its number, and whether it is one that is answered.
    fn mark(&mut self, display: &Display, now: Instant) -> Result<(u64, bool), X11Error> {
        self.since_mark = 0;
        let window = self
            .echo
            .window(display)?
            .filter(|window| self.uptake.may_answer(*window));
        let number = self.uptake.mark(now, window);
        if let Some(window) = window {
            self.echo.ask(display, window, number)?;
        }
        Ok((number, window.is_some()))
    }
}

fn read_keymap(display: &Display, without: &[u8]) -> Result<Keymap, X11Error> {
    let setup = display.x.setup();
    let (first, last) = (setup.min_keycode, setup.max_keycode);
    let reply = display.x.get_keyboard_mapping(first, last - first + 1)?.reply();
    let reply = reply.map_err(X11Error::reply("the keymap"))?;
    Ok(Keymap::new(first, reply.keysyms_per_keycode, reply.keysyms, without))
}

/// The keysyms of a text, and how many of its characters have none. A line's end is one key, however it is written.
pub(super) fn keysyms_of(text: &str) -> (VecDeque<u32>, u32) {
    let mut lost = 0;
    let mut keysyms = VecDeque::with_capacity(text.len());
    let mut before = None;
    for character in text.chars() {
        let goes_on = before == Some('\r') && character == '\n';
        before = Some(character);
        match super::keymap::keysym_of(character) {
            _ if goes_on => {}
            Some(keysym) => keysyms.push_back(keysym),
            None => lost += 1,
        }
    }
    (keysyms, lost)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_once_however_it_is_written() {
        assert_eq!(
            keysyms_of("a\r\nb\nc\rd"),
            ([0x61, 0xff0d, 0x62, 0xff0d, 0x63, 0xff0d, 0x64].into(), 0)
        );
        assert_eq!(keysyms_of("\u{1}é\u{85}"), ([0xe9].into(), 2));
    }
}
