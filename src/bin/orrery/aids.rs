//! Test aids: ways to end on demand, so that exits and crash loops can be shown.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::keymap::KEYSYM_F12;

/// Why a mode's loop ended in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The window was closed (`WM_DELETE_WINDOW`).
    Closed,
    /// The time of `--exit-after` is up.
    TimeUp,
}

/// The test aids asked for on the command line.
#[derive(Debug)]
pub struct Aids {
    exit_at: Option<Instant>,
    crash_key: bool,
}

impl Aids {
    /// Starts the time of `--exit-after`.
    pub fn new(args: &Args) -> Self {
        let exit_at = args.exit_after.map(|ms| Instant::now() + Duration::from_millis(ms));
        Self {
            exit_at,
            crash_key: args.crash_key,
        }
    }

    /// Whether the time is up.
    pub fn time_is_up(&self, now: Instant) -> bool {
        self.exit_at.is_some_and(|at| now >= at)
    }

    /// The sooner of `other` and the end; `None` when neither is set.
    pub fn sooner(&self, other: Option<Instant>) -> Option<Instant> {
        [self.exit_at, other].into_iter().flatten().min()
    }

    /// Aborts the process when this is the crash key and `--crash-key` was given.
    pub fn on_key(&self, keysym: u32) {
        if self.crash_key && keysym == KEYSYM_F12 {
            println!("crash key pressed, aborting");
            log::error!("aborting because F12 was pressed");
            std::process::abort();
        }
    }
}
