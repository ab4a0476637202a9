//! What is written down of what others do.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use log::Level;

/// The time that lines are counted in.
const MINUTE: Duration = Duration::from_secs(60);

/// Lines of the log that somebody outside can cause at will: so many a minute at level `info`, the rest at `debug`, so
/// that nobody fills a disk from outside, or hides what they do behind what they do.
#[derive(Debug)]
pub struct Lines {
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    most: u32,
    begun: Option<Instant>,
    written: u32,
}

/// What becomes of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Written,
    /// The first that is not written since the minute began.
    FirstLeftOut,
    LeftOut,
}

impl Lines {
    /// So many a minute.
    #[must_use]
    pub const fn a_minute(most: u32) -> Self {
        Self {
            window: Mutex::new(Window {
                most,
                begun: None,
                written: 0,
            }),
        }
    }

    /// The level of one more line.
    pub fn level(&self) -> Level {
        // Nothing in there is left half done by a panic.
        let fate = self
            .window
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(Instant::now());
        if fate == Fate::FirstLeftOut {
            log::warn!("too much of this to write it all down: the rest of this minute is at level debug");
        }
        if fate == Fate::Written {
            Level::Info
        } else {
            Level::Debug
        }
    }
}

impl Window {
    fn take(&mut self, now: Instant) -> Fate {
        if self.begun.is_none_or(|begun| now.duration_since(begun) >= MINUTE) {
            self.begun = Some(now);
            self.written = 0;
        }
        self.written = self.written.saturating_add(1);
        match self.written.saturating_sub(self.most) {
            0 => Fate::Written,
            1 => Fate::FirstLeftOut,
            _ => Fate::LeftOut,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_a_minute_are_written_and_the_first_left_out_is_told_apart() {
        let mut window = Window {
            most: 2,
            begun: None,
            written: 0,
        };
        let begun = Instant::now();
        for minute in 0..3 {
            let now = begun + MINUTE * minute;
            let fates = [0, 1, 2, 59].map(|second| window.take(now + Duration::from_secs(second)));
            assert_eq!(fates, [Fate::Written, Fate::Written, Fate::FirstLeftOut, Fate::LeftOut]);
        }
    }

    #[test]
    fn lines_beyond_are_at_another_level() {
        let lines = Lines::a_minute(1);
        assert_eq!([lines.level(), lines.level()], [Level::Info, Level::Debug]);
    }
}
