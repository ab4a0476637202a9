//! Test aids: ways to end or hang on demand, so that faults can be shown.

use std::time::{Duration, Instant};

use crate::args::Args;
use crate::keymap::{KEYSYM_F9, KEYSYM_F10, KEYSYM_F12};

/// How long `--hang-key` hangs.
const HANG: Duration = Duration::from_secs(15);
/// `--hunger-key` takes so much at a time, in bytes.
const BITE: usize = 64 << 20;

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
    hang_key: bool,
    hunger_key: bool,
}

impl Aids {
    /// Starts the time of `--exit-after`.
    pub fn new(args: &Args) -> Self {
        let exit_at = args.exit_after.map(|ms| Instant::now() + Duration::from_millis(ms));
        Self {
            exit_at,
            crash_key: args.crash_key,
            hang_key: args.hang_key,
            hunger_key: args.hunger_key,
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

    /// Aborts, hangs, or takes all memory when this is the key for it and the option was given.
    pub fn on_key(&self, keysym: u32) {
        if self.crash_key && keysym == KEYSYM_F12 {
            println!("crash key pressed, aborting");
            log::error!("aborting because F12 was pressed");
            std::process::abort();
        }
        if self.hang_key && keysym == KEYSYM_F9 {
            println!("hang key pressed");
            std::thread::sleep(HANG);
        }
        if self.hunger_key && keysym == KEYSYM_F10 {
            println!("hunger key pressed, taking memory");
            let mut taken: Vec<Vec<u8>> = Vec::new();
            // Ends when the allocator does: Rust aborts a program that runs out of memory.
            loop {
                taken.push(vec![1; BITE]);
            }
        }
    }
}
