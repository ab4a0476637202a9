//! Whether the program in a sandbox is stopped. It is not our child, and only its parent, which is in there, would be told.

use std::fs::File;

use super::super::proc::{Identity, Process};

/// Between two looks. With hundreds of instances they are most of what keepers do.
const EVERY_US: u64 = 500_000;

/// At one program, whose line of the process table is kept open: finding it costs more than reading it.
#[derive(Debug)]
pub(super) struct Look {
    due_us: u64,
    stat: File,
}

impl Look {
    /// The first is due at once. None for a program that has ended.
    pub(super) fn at(program: Identity, now_us: u64) -> Option<Self> {
        let stat = File::open(format!("/proc/{}/stat", program.pid)).ok()?;
        let process = Process::again(&stat)?;
        (process.identity == program).then_some(Self { due_us: now_us, stat })
    }

    /// When the next one is due.
    pub(super) const fn due_us(&self) -> u64 {
        self.due_us
    }

    /// Looks. None where it has ended.
    pub(super) fn is_stopped(&mut self, now_us: u64) -> Option<bool> {
        // All that are looked at are looked at together: the keeper wakes once for them.
        self.due_us = (now_us / EVERY_US + 1) * EVERY_US;
        Process::again(&self.stat).map(|process| process.stopped)
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};
    use std::time::Duration;

    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;

    use super::*;

    fn becomes(look: &mut Look, wanted: Option<bool>) -> bool {
        (0..1000).any(|_| {
            std::thread::sleep(Duration::from_millis(10));
            look.is_stopped(0) == wanted
        })
    }

    fn signal(child: &Child, signal: Signal) {
        kill(Pid::from_raw(child.id() as i32), signal).expect("it lives");
    }

    #[test]
    fn a_program_is_seen_to_be_stopped_and_to_go_on_and_after_its_end_nothing_is_seen() {
        let mut child = Command::new("sleep").arg("60").spawn().expect("sleep");
        let program = Identity::of(child.id() as i32).expect("it lives");
        let mut look = Look::at(program, 7).expect("it lives");
        assert_eq!(look.due_us(), 7);
        assert_eq!(look.is_stopped(EVERY_US + 1), Some(false));
        assert_eq!(look.due_us(), 2 * EVERY_US);
        signal(&child, Signal::SIGSTOP);
        assert!(becomes(&mut look, Some(true)));
        signal(&child, Signal::SIGCONT);
        assert!(becomes(&mut look, Some(false)));
        child.kill().expect("it lives");
        child.wait().expect("it was ours");
        assert_eq!(look.is_stopped(0), None);
        assert!(Look::at(program, 0).is_none());
    }
}
