//! What to do about a process that a signal has stopped (SIGSTOP). Pure.
//!
//! ```text
//! running ── stopped ──▶ stopped ── 1 s ──▶ continued by us ── it goes on ──▶ running
//!                                               └─ 2 s, or for the 4th time in 60 s ──▶ given up: kill it
//! ```
//!
//! A stopped process never comes back by itself, and continuing it costs nothing of what it had in memory.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Whoever stopped it may be about to continue it.
const PATIENCE: Duration = Duration::from_secs(1);
/// A process that was continued runs at once.
const GOES_ON: Duration = Duration::from_secs(2);
/// So often it is continued within [`PERIOD`]; somebody who stops it once more means it.
const MAX_CONTINUED: usize = 3;
const PERIOD: Duration = Duration::from_secs(60);

/// What to do when its time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::desktop) enum Act {
    /// Send it SIGCONT.
    Continue,
    /// It stalls: kill it.
    GiveUp,
}

/// What is known of one process.
#[derive(Clone, Debug, Default)]
pub(in crate::desktop) struct Standstill {
    due: Option<Instant>,
    asked: bool,
    continued: VecDeque<Instant>,
}

impl Standstill {
    /// It was stopped.
    pub(in crate::desktop) fn stopped(&mut self, now: Instant) {
        self.asked = false;
        self.due.get_or_insert(now + PATIENCE);
    }

    /// It goes on.
    pub(in crate::desktop) fn continued(&mut self) {
        self.due = None;
    }

    /// When [`Self::act`] wants to be called.
    pub(in crate::desktop) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Its time has come.
    pub(in crate::desktop) fn act(&mut self, now: Instant) -> Act {
        while self
            .continued
            .front()
            .is_some_and(|at| now.duration_since(*at) > PERIOD)
        {
            self.continued.pop_front();
        }
        if self.asked || self.continued.len() >= MAX_CONTINUED {
            self.due = None;
            return Act::GiveUp;
        }
        self.asked = true;
        self.continued.push_back(now);
        self.due = Some(now + GOES_ON);
        Act::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(seconds: u64) -> Instant {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        *START.get_or_init(Instant::now) + Duration::from_secs(seconds)
    }

    #[test]
    fn a_stopped_process_is_continued_after_a_moment() {
        let mut process = Standstill::default();
        assert_eq!(process.due(), None);
        process.stopped(later(0));
        assert_eq!(process.due(), Some(later(1)));
        assert_eq!(process.act(later(1)), Act::Continue);
        process.continued();
        assert_eq!(process.due(), None);
    }

    #[test]
    fn one_that_does_not_go_on_is_given_up() {
        let mut process = Standstill::default();
        process.stopped(later(0));
        assert_eq!(process.act(later(1)), Act::Continue);
        assert_eq!(process.due(), Some(later(3)));
        assert_eq!(process.act(later(3)), Act::GiveUp);
        assert_eq!(process.due(), None);
    }

    #[test]
    fn one_that_is_stopped_again_and_again_is_given_up_but_not_if_it_is_rare() {
        let stop_every = |seconds: u64| {
            let mut process = Standstill::default();
            (0..6)
                .map(|i| {
                    process.stopped(later(i * seconds));
                    let act = process.act(later(i * seconds + 1));
                    process.continued();
                    act
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            stop_every(5)[..4],
            [Act::Continue, Act::Continue, Act::Continue, Act::GiveUp]
        );
        assert_eq!(stop_every(30), [Act::Continue; 6]);
    }
}
