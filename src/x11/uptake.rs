//! What of the input a program has taken in. Pure.
//!
//! Marks are set between events. Where the program answers pings (EWMH `_NET_WM_PING`), a mark is a ping: it travels
//! behind the events, so its answer comes when those have been read. Where it does not, a mark passes by itself after
//! a rest.

use std::collections::{BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use x11rb::protocol::xproto::Window;

/// How long a program that answers no pings has to read what was sent to it.
const REST: Duration = Duration::from_secs(2);
/// A program that reads nothing for this long hangs: one that is slow has answered the mark of a single character.
const PATIENCE: Duration = Duration::from_secs(30);
/// Marks that may be on their way. overflow: further ones are not set, which only makes the next one cover more.
const CAPACITY: usize = 4096;

/// Windows that are remembered.
const MAX_WINDOWS: usize = 256;
/// What of a mark's number travels with a ping.
pub(super) const LOW_BITS: u32 = 0x3fff_ffff;

#[derive(Debug)]
struct Mark {
    number: u64,
    /// Who has to answer; `None` if time alone decides.
    window: Option<Window>,
    at: Instant,
}

/// The marks on their way.
#[derive(Debug)]
pub(super) struct Uptake {
    last: u64,
    marks: VecDeque<Mark>,
    settled: u64,
    progress: Option<Instant>,
    /// Windows that have answered. overflow: forgotten when there are many, and answer again soon.
    answering: BTreeSet<Window>,
    /// Windows that say they answer and never have: only time tells of them. overflow: as above.
    deaf: BTreeSet<Window>,
}

impl Uptake {
    pub(super) const fn new() -> Self {
        Self {
            last: 0,
            marks: VecDeque::new(),
            settled: 0,
            progress: None,
            answering: BTreeSet::new(),
            deaf: BTreeSet::new(),
        }
    }

    /// The number of the next mark.
    pub(super) const fn next(&self) -> u64 {
        self.last + 1
    }

    /// All events before this mark have been taken in.
    pub(super) const fn settled(&self) -> u64 {
        self.settled
    }

    /// Whether one more may be set.
    pub(super) fn has_room(&self) -> bool {
        self.marks.len() < CAPACITY
    }

    /// Whether it is worth asking a window.
    pub(super) fn may_answer(&self, window: Window) -> bool {
        !self.deaf.contains(&window)
    }

    /// Sets a mark that `window` is asked to answer.
    pub(super) fn mark(&mut self, now: Instant, window: Option<Window>) -> u64 {
        self.last += 1;
        self.marks.push_back(Mark {
            number: self.last,
            window: window.filter(|window| !self.deaf.contains(window)),
            at: now,
        });
        self.last
    }

    /// The number of the mark whose low bits these are.
    pub(super) fn nearest(&self, low: u32) -> u64 {
        let same = |mark: &&Mark| mark.number & u64::from(LOW_BITS) == u64::from(low & LOW_BITS);
        self.marks.iter().find(same).map_or(0, |mark| mark.number)
    }

    /// A mark was answered, and with it all of the same window before it.
    pub(super) fn answered(&mut self, number: u64, now: Instant) {
        let Some(window) = self.marks.iter().find(|m| m.number == number).map(|m| m.window) else {
            return;
        };
        self.marks.retain(|m| m.number > number || m.window != window);
        if let Some(window) = window {
            remember(&mut self.answering, window);
        }
        self.passed(now);
    }

    /// A window is gone. Its number may be given to the next one.
    pub(super) fn gone(&mut self, window: Window) {
        self.answering.remove(&window);
        self.deaf.remove(&window);
        self.leave_to_time(window);
    }

    /// Nothing is read any more, while the window with the focus is `focus`. If the one that does not answer is another
    /// one, or has never answered, only time tells of it from now on. Says whether it goes on.
    pub(super) fn give_up(&mut self, focus: Option<Window>) -> bool {
        let Some(window) = self.marks.front().and_then(|mark| mark.window) else {
            return true;
        };
        let never = !self.answering.contains(&window);
        if never {
            remember(&mut self.deaf, window);
        }
        let goes_on = never || focus != Some(window);
        if goes_on {
            self.leave_to_time(window);
        }
        goes_on
    }

    fn leave_to_time(&mut self, window: Window) {
        for mark in self.marks.iter_mut().filter(|mark| mark.window == Some(window)) {
            mark.window = None;
        }
    }

    /// Lets the marks go whose time is over.
    pub(super) fn pass(&mut self, now: Instant) {
        let before = self.marks.len();
        self.marks.retain(|mark| mark.window.is_some() || now < mark.at + REST);
        if self.marks.len() != before {
            self.passed(now);
        }
    }

    fn passed(&mut self, now: Instant) {
        self.settled = self.marks.front().map_or(self.last, |first| first.number - 1);
        self.progress = Some(now);
    }

    /// When [`Self::pass`] or [`Self::is_stuck`] changes by time alone.
    pub(super) fn due(&self) -> Option<Instant> {
        let rest = self
            .marks
            .iter()
            .find(|mark| mark.window.is_none())
            .map(|mark| mark.at + REST);
        rest.into_iter().chain(self.patience_ends()).min()
    }

    /// Whether nothing is read any more.
    pub(super) fn is_stuck(&self, now: Instant) -> bool {
        self.patience_ends().is_some_and(|end| now >= end)
    }

    fn patience_ends(&self) -> Option<Instant> {
        let first = self.marks.front()?;
        Some(self.progress.map_or(first.at, |at| at.max(first.at)) + PATIENCE)
    }
}

fn remember(windows: &mut BTreeSet<Window>, window: Window) {
    if windows.len() >= MAX_WINDOWS {
        windows.clear();
    }
    windows.insert(window);
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRAM: Option<Window> = Some(7);

    #[test]
    fn an_answer_settles_everything_before_it() {
        let (mut uptake, now) = (Uptake::new(), Instant::now());
        let marks: Vec<u64> = (0..3).map(|_| uptake.mark(now, PROGRAM)).collect();
        assert_eq!(uptake.settled(), 0);
        uptake.answered(marks[1], now);
        assert_eq!(uptake.settled(), marks[1]);
        uptake.answered(marks[2], now);
        assert_eq!(uptake.settled() + 1, uptake.next());
        uptake.answered(99, now);
        assert_eq!(uptake.settled() + 1, uptake.next());
    }

    #[test]
    fn a_program_without_pings_is_given_time() {
        let (mut uptake, now) = (Uptake::new(), Instant::now());
        let mark = uptake.mark(now, None);
        uptake.pass(now + REST / 2);
        assert_eq!(uptake.settled(), 0);
        assert_eq!(uptake.due(), Some(now + REST));
        uptake.pass(now + REST);
        assert_eq!(uptake.settled(), mark);
        assert_eq!(uptake.due(), None);
    }

    #[test]
    fn a_window_that_closes_leaves_it_to_time() {
        let (mut uptake, now) = (Uptake::new(), Instant::now());
        let mark = uptake.mark(now, PROGRAM);
        uptake.pass(now + 2 * REST);
        assert_eq!(uptake.settled(), 0);
        uptake.gone(7);
        uptake.pass(now + 2 * REST);
        assert_eq!(uptake.settled(), mark);
    }

    #[test]
    fn a_slow_program_is_waited_for_and_one_that_hangs_is_not() {
        let (mut uptake, now) = (Uptake::new(), Instant::now());
        let marks: Vec<u64> = (0..100).map(|_| uptake.mark(now, PROGRAM)).collect();
        for (second, mark) in (1..).zip(&marks[..99]) {
            let now = now + Duration::from_secs(second);
            uptake.answered(*mark, now);
            assert!(!uptake.is_stuck(now + PATIENCE / 2), "{second} s");
        }
        assert!(uptake.is_stuck(now + Duration::from_secs(99) + PATIENCE));
        uptake.answered(marks[99], now + Duration::from_secs(500));
        assert!(!uptake.is_stuck(now + Duration::from_secs(5000)));
    }

    #[test]
    fn a_program_that_hangs_holds_up_no_other_and_one_that_never_answers_not_even_itself() {
        let (mut uptake, now) = (Uptake::new(), Instant::now());
        let first = uptake.mark(now, PROGRAM);
        uptake.answered(first, now);
        uptake.mark(now, PROGRAM);
        assert!(!uptake.give_up(PROGRAM), "it has answered before: it hangs");
        assert!(uptake.give_up(Some(8)));
        uptake.pass(now + REST);
        assert_eq!(uptake.settled() + 1, uptake.next());
        uptake.mark(now, Some(9));
        assert!(uptake.give_up(Some(9)));
        assert!(!uptake.may_answer(9));
        uptake.gone(9);
        assert!(uptake.may_answer(9), "another window by the same number");
    }
}
