//! What the facts about an instance's processes mean: its status. Pure.
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

use crate::desktop::{Facts, Part};
use crate::protocol::words::InstanceStatus;

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
    let parts = [
        ("display", &facts.display),
        ("render", &facts.render),
        ("capture", &facts.capture),
    ];
    // What was typed before would be lost. Without any input the picture is still worth showing.
    let takes_input = matches!(facts.input, Part::Up | Part::Down);
    if takes_input && parts.iter().all(|(_, part)| **part == Part::Up) {
        if facts.hung {
            return StatusReport {
                reason: Some("not_responding".into()),
                message: Some("the app does not respond; it may be busy".into()),
                ..plain(InstanceStatus::Running)
            };
        }
        return plain(InstanceStatus::Running);
    }
    let lost = parts.iter().find_map(|(name, part)| match part {
        Part::Lost { reason } => Some((format!("{name}_lost"), reason.clone())),
        Part::Held { reason } => Some((format!("{name}_held"), reason.clone())),
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
        None => explain_start(facts),
    };
    StatusReport {
        reason: Some(reason),
        message: Some(message),
        retry_in,
        ..plain(status)
    }
}

/// What is being waited for.
fn explain_start(facts: &Facts) -> (String, String) {
    let (reason, message) = if facts.display != Part::Up {
        ("display_starting", "the display is starting")
    } else if facts.render != Part::Up {
        ("app_starting", "the app is starting")
    } else if facts.capture != Part::Up {
        ("capture_starting", "the picture is coming")
    } else {
        ("input_starting", "mouse and keyboard are being connected")
    };
    let message = match &facts.cause {
        Some(cause) => format!("{cause}; {message}"),
        None => message.into(),
    };
    (reason.into(), message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desktop::{EndReason, Failure};

    fn up() -> Facts {
        Facts {
            keeper: Part::Up,
            display: Part::Up,
            render: Part::Up,
            capture: Part::Up,
            was_ready: true,
            ..Facts::default()
        }
    }

    fn status(facts: &Facts) -> InstanceStatus {
        derive(facts, Instant::now()).status
    }

    #[test]
    fn it_runs_only_while_display_app_and_capture_are_up() {
        assert_eq!(status(&up()), InstanceStatus::Running);
        let parts: [fn(&mut Facts) -> &mut Part; 3] = [|f| &mut f.display, |f| &mut f.render, |f| &mut f.capture];
        for part in parts {
            for not_up in [
                Part::Down,
                Part::Starting,
                Part::Lost {
                    reason: "exit code 3".into(),
                },
            ] {
                let mut facts = up();
                *part(&mut facts) = not_up;
                assert_eq!(status(&facts), InstanceStatus::Restarting);
                facts.was_ready = false;
                assert_eq!(status(&facts), InstanceStatus::Initializing);
            }
        }
    }

    #[test]
    fn what_was_lost_is_told_with_the_time_of_the_next_try() {
        let now = Instant::now();
        let facts = Facts {
            render: Part::Lost {
                reason: "killed by signal 9".into(),
            },
            retry_at: Some(now + Duration::from_secs(2)),
            ..up()
        };
        let report = derive(&facts, now);
        assert_eq!(report.reason.as_deref(), Some("render_lost"));
        assert_eq!(report.message.as_deref(), Some("killed by signal 9"));
        assert_eq!(report.retry_in, Some(Duration::from_secs(2)));
    }

    #[test]
    fn while_it_starts_again_it_is_still_told_why() {
        let facts = Facts {
            render: Part::Starting,
            cause: Some("the app was killed by signal 9".into()),
            ..up()
        };
        let report = derive(&facts, Instant::now());
        assert_eq!(report.reason.as_deref(), Some("app_starting"));
        assert_eq!(
            report.message.as_deref(),
            Some("the app was killed by signal 9; the app is starting")
        );
    }

    #[test]
    fn what_is_held_up_is_told_apart_from_what_was_lost() {
        let facts = Facts {
            render: Part::Held {
                reason: "the app was stopped".into(),
            },
            ..up()
        };
        let report = derive(&facts, Instant::now());
        assert_eq!(
            (report.status, report.reason.as_deref(), report.message.as_deref()),
            (
                InstanceStatus::Restarting,
                Some("render_held"),
                Some("the app was stopped")
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
        facts.render = Part::Lost {
            reason: "exit code 3".into(),
        };
        assert_eq!(derive(&facts, Instant::now()).reason.as_deref(), Some("render_lost"));
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
