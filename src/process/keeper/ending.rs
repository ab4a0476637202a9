//! How processes are ended: TERM to each, KILL after the grace, until none is left. Pure: the caller looks and signals.

use std::collections::HashSet;

use super::super::proc::Identity;

/// How long a process may outlive its KILL before it is called unkillable.
const UNKILLABLE_AFTER_US: u64 = 5_000_000;
const FIRST_PAUSE_US: u64 = 5_000;
const LONGEST_PAUSE_US: u64 = 100_000;

/// Processes that are being ended.
#[derive(Debug)]
pub(super) struct Ending {
    kill_at_us: u64,
    give_up_at_us: u64,
    asked: HashSet<Identity>,
    pause_us: u64,
    /// The last look found somebody: one empty look does not prove that they did not fork past it.
    was_populated: bool,
}

/// What to do now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// None is left.
    Done,
    /// Some outlived their KILL.
    Unkillable,
    /// Send these and look again at that time at the latest.
    Wait {
        /// To be asked to end.
        term: Vec<Identity>,
        /// To be killed.
        kill: Vec<Identity>,
        /// By the host clock.
        again_at_us: u64,
    },
}

impl Ending {
    pub(super) fn new(now_us: u64, grace_us: u64) -> Self {
        let kill_at_us = now_us.saturating_add(grace_us);
        Self {
            kill_at_us,
            give_up_at_us: kill_at_us.saturating_add(UNKILLABLE_AFTER_US),
            asked: HashSet::new(),
            pause_us: FIRST_PAUSE_US,
            was_populated: false,
        }
    }

    /// A later wish may end the grace earlier, never prolong it.
    pub(super) fn hasten(&mut self, now_us: u64, grace_us: u64) {
        self.kill_at_us = self.kill_at_us.min(now_us.saturating_add(grace_us));
        self.give_up_at_us = self
            .give_up_at_us
            .min(self.kill_at_us.saturating_add(UNKILLABLE_AFTER_US));
    }

    /// `left`: those that live at this moment.
    pub(super) fn step(&mut self, now_us: u64, left: &[Identity]) -> Step {
        if left.is_empty() && !self.was_populated {
            return Step::Done;
        }
        self.was_populated = !left.is_empty();
        if left.is_empty() {
            return Step::Wait {
                term: Vec::new(),
                kill: Vec::new(),
                again_at_us: now_us,
            };
        }
        if now_us >= self.give_up_at_us {
            return Step::Unkillable;
        }
        // Everybody is asked once, also where there is no grace: an X server then removes its lock.
        let term = left
            .iter()
            .copied()
            .filter(|&identity| self.asked.insert(identity))
            .collect();
        let mut again_at_us = now_us + self.pause_us;
        self.pause_us = (self.pause_us * 2).min(LONGEST_PAUSE_US);
        let mut kill = Vec::new();
        if now_us >= self.kill_at_us {
            kill.extend_from_slice(left);
        } else {
            again_at_us = again_at_us.min(self.kill_at_us);
        }
        Step::Wait {
            term,
            kill,
            again_at_us,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Identity = Identity { pid: 1, start_time: 1 };
    const B: Identity = Identity { pid: 2, start_time: 2 };

    #[test]
    fn nobody_there_is_done_at_once() {
        assert_eq!(Ending::new(0, 1000).step(0, &[]), Step::Done);
    }

    #[test]
    fn each_is_asked_once_and_killed_after_the_grace() {
        let mut ending = Ending::new(0, 50_000);
        let Step::Wait { term, kill, .. } = ending.step(0, &[A]) else {
            panic!()
        };
        assert_eq!((term, kill), (vec![A], vec![]));
        let Step::Wait { term, kill, .. } = ending.step(10_000, &[A, B]) else {
            panic!()
        };
        assert_eq!((term, kill), (vec![B], vec![]));
        let Step::Wait { term, kill, .. } = ending.step(50_000, &[A, B]) else {
            panic!()
        };
        assert_eq!((term, kill), (vec![], vec![A, B]));
    }

    #[test]
    fn the_end_of_the_grace_is_never_slept_over() {
        let mut ending = Ending::new(0, 7_000);
        let mut now = 0;
        for _ in 0..10 {
            let Step::Wait { again_at_us, kill, .. } = ending.step(now, &[A]) else {
                panic!()
            };
            if now < 7_000 {
                assert!(again_at_us <= 7_000);
            } else {
                assert_eq!(kill, [A]);
            }
            now = again_at_us;
        }
    }

    #[test]
    fn one_empty_look_after_a_populated_one_is_looked_at_again() {
        let mut ending = Ending::new(0, 1000);
        ending.step(0, &[A]);
        assert!(matches!(ending.step(10, &[]), Step::Wait { .. }));
        assert_eq!(ending.step(11, &[]), Step::Done);
    }

    #[test]
    fn who_outlives_its_kill_is_given_up() {
        let mut ending = Ending::new(0, 1000);
        ending.step(0, &[A]);
        assert_eq!(ending.step(1000 + UNKILLABLE_AFTER_US, &[A]), Step::Unkillable);
    }

    #[test]
    fn a_second_wish_only_shortens_the_grace() {
        let mut ending = Ending::new(0, 10_000);
        ending.hasten(0, 50_000);
        ending.hasten(0, 3_000);
        let Step::Wait { kill, .. } = ending.step(3_000, &[A]) else {
            panic!()
        };
        assert_eq!(kill, [A]);
    }
}
