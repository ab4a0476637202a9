//! What is known of an instance's processes: each child of the Desktop keeps its own part true.
//!
//! The facts belong to the instance and outlive every actor, so that one that is restarted reads them instead of
//! asking around. They say what is; what it means (the instance's status) is decided in `instance::status`.

use std::borrow::Cow;
use std::time::Instant;

use tokio::sync::watch;

/// Where one process of the instance stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// Not running, and not yet asked for.
    #[default]
    Down,
    /// Being started, or running and not yet ready.
    Starting,
    /// Doing its work.
    Up,
    /// It lives and does nothing now: a signal has stopped it, or it does not answer.
    Held {
        /// Why, for people.
        reason: String,
    },
    /// It ended; its supervisor starts it again.
    Lost {
        /// Why, for people.
        reason: String,
    },
}

/// Why an instance has failed: it stays so until somebody restarts or terminates it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// A stable word: `crash_loop`, `not_ready`, `command_not_found`, `keeper_gone`, …
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub message: String,
    /// The last lines that the app wrote, at most 200.
    pub output: Vec<String>,
}

/// Why an instance ends or has ended; stored as its exit reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The app ended by itself with exit code 0.
    AppExited,
    /// Its owner, or an administrator, terminated it.
    Requested,
    /// Nobody watched it for longer than allowed.
    Idle,
    /// The host was shut down.
    HostShutdown,
}

impl EndReason {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AppExited => "app_exited",
            Self::Requested => "terminated",
            Self::Idle => "idle",
            Self::HostShutdown => "host_shutdown",
        }
    }

    /// The reason that a stable word stands for.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let all = [Self::AppExited, Self::Requested, Self::Idle, Self::HostShutdown];
        all.into_iter().find(|reason| reason.code() == code)
    }

    /// A sentence for people.
    #[must_use]
    pub const fn message(self) -> &'static str {
        match self {
            Self::AppExited => "the app has ended",
            Self::Requested => "the instance was terminated",
            Self::Idle => "nobody watched the instance for a while",
            Self::HostShutdown => "the host was shut down",
        }
    }
}

/// All that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The keeper, parent of all the others.
    pub keeper: Part,
    /// The X server.
    pub display: Part,
    /// The app; `Up` once it is ready.
    pub render: Part,
    /// The capture process; `Up` once it is connected.
    pub capture: Part,
    /// The connection that injects input; `Down` also where it is off for good.
    pub input: Part,
    /// The app runs and shows its picture, but leaves pings unanswered.
    pub hung: bool,
    /// The instance has been usable at least once since it was launched or restarted.
    pub was_ready: bool,
    /// What was lost last, for people; until all is up again.
    pub cause: Option<String>,
    /// How often a process of it was started again since the launch.
    pub restarts: u32,
    /// How many characters could not be typed since the launch.
    pub text_not_typed: u32,
    /// When the next try of something lost is due.
    pub retry_at: Option<Instant>,
    /// It has failed.
    pub failure: Option<Failure>,
    /// It is ending.
    pub ending: Option<EndReason>,
    /// No process of it is left.
    pub ended: bool,
}

impl Facts {
    /// Why something was lost is still worth knowing while it starts again.
    fn keep_cause(&mut self) {
        let parts = [&self.display, &self.render, &self.capture];
        let lost = parts.iter().find_map(|part| match part {
            Part::Lost { reason } => Some(reason.clone()),
            _ => None,
        });
        if lost.is_some() {
            self.cause = lost;
        } else if parts.iter().all(|part| **part == Part::Up) {
            self.cause = None;
        }
    }
}

/// The cell that holds the [`Facts`] of one instance: written by its children, watched by its actor.
#[derive(Clone, Debug)]
pub struct FactsCell {
    sender: watch::Sender<Facts>,
}

impl Default for FactsCell {
    fn default() -> Self {
        Self {
            sender: watch::Sender::new(Facts::default()),
        }
    }
}

impl FactsCell {
    /// Changes the facts; watchers wake only if something is different.
    pub fn update(&self, change: impl FnOnce(&mut Facts)) {
        self.sender.send_if_modified(|facts| {
            let before = facts.clone();
            change(facts);
            facts.keep_cause();
            *facts != before
        });
    }

    /// A copy of what is known now.
    #[must_use]
    pub fn get(&self) -> Facts {
        self.sender.borrow().clone()
    }

    /// Follows the changes.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Facts> {
        self.sender.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_something_was_lost_is_kept_until_all_is_up_again() {
        let cell = FactsCell::default();
        let set = |display: Part, render: Part| {
            cell.update(|f| (f.display, f.render, f.capture) = (display, render, Part::Up));
            cell.get().cause
        };
        let lost = |reason: &str| Part::Lost { reason: reason.into() };
        assert_eq!(set(Part::Up, Part::Up), None);
        assert_eq!(set(Part::Up, lost("exit code 3")).as_deref(), Some("exit code 3"));
        assert_eq!(set(Part::Up, Part::Starting).as_deref(), Some("exit code 3"));
        assert_eq!(set(Part::Up, Part::Up), None);
        assert_eq!(
            set(lost("killed"), lost("the display is gone")).as_deref(),
            Some("killed")
        );
        assert_eq!(set(Part::Starting, Part::Down).as_deref(), Some("killed"));
    }
}
