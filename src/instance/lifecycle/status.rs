//! What the facts about an instance's source mean: its status. Pure.
//!
//! ```text
//! INITIALIZING ──▶ RUNNING ◀──▶ RESTARTING        IDLE is a row whose host has not started it yet
//!      │              │             │
//!      └──────────────┴──────┬──────┘
//!                            ▼
//!           FAILED ──restart──▶ INITIALIZING
//!                            │
//!                            ▼
//!                     DEINITIALIZING ──▶ TERMINATED
//! ```
//!
//! There is no transition table: the status is derived anew from the facts whenever one changes, so that an actor that
//! was restarted arrives at the same answer as the one before it.

use std::time::{Duration, Instant};

use crate::protocol::words::InstanceStatus;
use crate::source::{Facts, Part};

/// The status of an instance with what people are told about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusReport {
    /// The status.
    pub status: InstanceStatus,
    /// A stable word why, where there is something to explain.
    pub reason: Option<String>,
    /// A sentence for people.
    pub message: Option<String>,
    /// The app's last lines, when it failed.
    pub output: Vec<String>,
    /// How long until the next try.
    pub retry_in: Option<Duration>,
}

/// Derives the status from what is known.
#[must_use]
pub fn derive(facts: &Facts, now: Instant) -> StatusReport {
    let plain = |status| StatusReport {
        status,
        reason: None,
        message: None,
        output: Vec::new(),
        retry_in: None,
    };
    if let Some(end) = facts.ending {
        let status = if facts.ended {
            InstanceStatus::Terminated
        } else {
            InstanceStatus::Deinitializing
        };
        return StatusReport {
            reason: Some(end.code().into()),
            message: Some(end.message(facts.ended_early).into()),
            ..plain(status)
        };
    }
    if let Some(failure) = &facts.failure {
        return StatusReport {
            reason: Some(failure.code.clone().into_owned()),
            message: Some(failure.message.clone()),
            output: failure.output.clone(),
            ..plain(InstanceStatus::Failed)
        };
    }
    let Some(awaited) = facts.awaited() else {
        if facts.hung {
            return StatusReport {
                reason: Some("not_responding".into()),
                message: Some("the app does not respond; it may be busy".into()),
                ..plain(InstanceStatus::Running)
            };
        }
        return plain(InstanceStatus::Running);
    };
    let lost = facts.needed().find_map(|(spec, part)| match part {
        Part::Lost { reason } => Some((format!("{}_lost", spec.name), reason.clone())),
        Part::Held { reason } => Some((format!("{}_held", spec.name), reason.clone())),
        _ => None,
    });
    let status = if facts.was_ready {
        InstanceStatus::Restarting
    } else {
        InstanceStatus::Initializing
    };
    let retry_in = lost
        .as_ref()
        .and(facts.retry_at)
        .map(|at| at.saturating_duration_since(now));
    let (reason, message) = match lost {
        Some(told) => told,
        None => {
            let (reason, message) = awaited.starting;
            let cause = facts
                .cause
                .as_ref()
                .map_or_else(String::new, |cause| format!("{cause}; "));
            (reason.into(), cause + message)
        }
    };
    StatusReport {
        reason: Some(reason),
        message: Some(message),
        retry_in,
        ..plain(status)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{EndReason, Failure, PartSpec};

    const SCREEN: PartSpec = PartSpec {
        name: "screen",
        starting: ("screen_starting", "the screen is starting"),
        needed: true,
    };
    const PROGRAM: PartSpec = PartSpec {
        name: "program",
        starting: ("program_starting", "the program is starting"),
        needed: true,
    };
    const INPUT: PartSpec = PartSpec {
        name: "input",
        starting: ("input_starting", "input is starting"),
        needed: false,
    };

    fn up() -> Facts {
        let mut facts = Facts {
            was_ready: true,
            ..Facts::of(&[SCREEN, PROGRAM, INPUT])
        };
        (facts[SCREEN], facts[PROGRAM]) = (Part::Up, Part::Up);
        facts
    }

    /// All is up, but this part of it.
    fn but(spec: PartSpec, part: Part) -> Facts {
        let mut facts = up();
        facts[spec] = part;
        facts
    }

    fn status(facts: &Facts) -> InstanceStatus {
        derive(facts, Instant::now()).status
    }

    #[test]
    fn it_runs_only_while_all_is_up_that_the_picture_needs() {
        assert_eq!(status(&up()), InstanceStatus::Running);
        let lost = Part::Lost {
            reason: "exit code 3".into(),
        };
        for spec in [SCREEN, PROGRAM] {
            for not_up in [Part::Down, Part::Starting, lost.clone()] {
                let mut facts = but(spec, not_up);
                assert_eq!(status(&facts), InstanceStatus::Restarting);
                facts.was_ready = false;
                assert_eq!(status(&facts), InstanceStatus::Initializing);
            }
        }
    }

    #[test]
    fn without_input_that_is_off_for_good_the_picture_is_shown_and_input_that_comes_is_waited_for() {
        for fine in [Part::Down, Part::Up] {
            assert_eq!(status(&but(INPUT, fine)), InstanceStatus::Running);
        }
        let lost = Part::Lost { reason: "?".into() };
        for to_come in [Part::Starting, lost] {
            let report = derive(&but(INPUT, to_come), Instant::now());
            assert_eq!(report.status, InstanceStatus::Restarting);
            assert_eq!(report.reason.as_deref(), Some("input_starting"));
        }
    }

    #[test]
    fn what_was_lost_is_told_with_the_time_of_the_next_try() {
        let now = Instant::now();
        let facts = Facts {
            retry_at: Some(now + Duration::from_secs(2)),
            ..but(
                PROGRAM,
                Part::Lost {
                    reason: "killed by signal 9".into(),
                },
            )
        };
        let report = derive(&facts, now);
        assert_eq!(report.reason.as_deref(), Some("program_lost"));
        assert_eq!(report.message.as_deref(), Some("killed by signal 9"));
        assert_eq!(report.retry_in, Some(Duration::from_secs(2)));
    }

    #[test]
    fn while_it_starts_again_it_is_still_told_why() {
        let facts = Facts {
            cause: Some("it was killed by signal 9".into()),
            ..but(PROGRAM, Part::Starting)
        };
        let report = derive(&facts, Instant::now());
        assert_eq!(report.reason.as_deref(), Some("program_starting"));
        assert_eq!(
            report.message.as_deref(),
            Some("it was killed by signal 9; the program is starting")
        );
    }

    #[test]
    fn what_is_held_up_is_told_apart_from_what_was_lost() {
        let facts = but(
            PROGRAM,
            Part::Held {
                reason: "the program was stopped".into(),
            },
        );
        let report = derive(&facts, Instant::now());
        assert_eq!(
            (report.status, report.reason.as_deref(), report.message.as_deref()),
            (
                InstanceStatus::Restarting,
                Some("program_held"),
                Some("the program was stopped")
            )
        );
    }

    #[test]
    fn an_app_that_does_not_respond_runs_and_says_so() {
        let mut facts = Facts { hung: true, ..up() };
        let report = derive(&facts, Instant::now());
        assert_eq!(
            (report.status, report.reason.as_deref()),
            (InstanceStatus::Running, Some("not_responding"))
        );
        facts[PROGRAM] = Part::Lost {
            reason: "exit code 3".into(),
        };
        assert_eq!(derive(&facts, Instant::now()).reason.as_deref(), Some("program_lost"));
    }

    #[test]
    fn an_app_that_ended_right_after_its_start_is_told_with_what_may_be_wrong_with_its_entry() {
        let says = |ended_early, ending| {
            let facts = Facts {
                ended_early,
                ending: Some(ending),
                ..up()
            };
            derive(&facts, Instant::now()).message.unwrap_or_default()
        };
        assert!(says(true, EndReason::AppExited).contains("launcher = true"));
        assert!(!says(false, EndReason::AppExited).contains("launcher"));
        assert!(!says(true, EndReason::Requested).contains("launcher"));
    }

    #[test]
    fn a_failure_outlasts_everything_but_the_end() {
        let failure = Failure {
            code: "crash_loop".into(),
            message: "it crashed 5 times".into(),
            output: vec!["boom".into()],
        };
        let mut facts = Facts {
            failure: Some(failure),
            ..up()
        };
        let report = derive(&facts, Instant::now());
        assert_eq!(
            (report.status, report.output),
            (InstanceStatus::Failed, vec!["boom".to_owned()])
        );
        facts.ending = Some(EndReason::Requested);
        assert_eq!(status(&facts), InstanceStatus::Deinitializing);
        facts.ended = true;
        assert_eq!(status(&facts), InstanceStatus::Terminated);
    }
}
