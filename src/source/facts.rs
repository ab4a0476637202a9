//! What is known of an instance's source: each of its children keeps its own part true.
//!
//! The facts belong to the instance and outlive every actor, so that one that is restarted reads them instead of
//! asking around. They say what is; what it means (the instance's status) is decided in `instance::status`.

use std::borrow::Cow;
use std::ops::{Index, IndexMut};
use std::time::Instant;

use tokio::sync::watch;

/// A part of a source, as people are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartSpec {
    /// Its name, of which stable words are made: `display` of `display_lost` and `display_held`.
    pub name: &'static str,
    /// The stable word, and a sentence, while it starts.
    pub starting: (&'static str, &'static str),
    /// Whether there is no picture without it. Without another that is off for good there is one.
    pub needed: bool,
}

/// Where one part of a source stands.
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

    /// A sentence for people; `early`: right after the app's start.
    #[must_use]
    pub const fn message(self, early: bool) -> &'static str {
        match self {
            Self::AppExited if early => {
                "the app has ended right after its start; where its command only starts another program and returns, \
                 its entry needs `launcher = true`"
            }
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
    /// The parts of the source, in the order in which they come up.
    pub parts: Vec<(PartSpec, Part)>,
    /// The app runs and shows its picture, but leaves pings unanswered.
    pub hung: bool,
    /// The instance has been usable at least once since it was launched or restarted.
    pub was_ready: bool,
    /// What was lost last, for people; until all is up again.
    pub cause: Option<String>,
    /// How often a part of it was started again since the launch.
    pub restarts: u32,
    /// How many characters could not be typed since the launch.
    pub text_not_typed: u32,
    /// When the next try of something lost is due.
    pub retry_at: Option<Instant>,
    /// It has failed.
    pub failure: Option<Failure>,
    /// It is ending.
    pub ending: Option<EndReason>,
    /// The app ended by itself right after its start.
    pub ended_early: bool,
    /// Nothing of it is left.
    pub ended: bool,
}

impl Facts {
    /// Nothing is known yet of a source with these parts.
    #[must_use]
    pub fn of(parts: &[PartSpec]) -> Self {
        Self {
            parts: parts.iter().map(|spec| (*spec, Part::Down)).collect(),
            ..Self::default()
        }
    }

    /// Nothing of before holds any more, but a wish that it ends.
    pub fn begin_again(&mut self) {
        let specs: Vec<_> = self.parts.iter().map(|(spec, _)| *spec).collect();
        *self = Self {
            ending: self.ending,
            ..Self::of(&specs)
        };
    }

    /// The first part that the picture, or the input, waits for.
    #[must_use]
    pub fn awaited(&self) -> Option<&PartSpec> {
        let suffices = |spec: &PartSpec, part: &Part| *part == Part::Up || (!spec.needed && *part == Part::Down);
        let awaited = self.parts.iter().find(|(spec, part)| !suffices(spec, part));
        awaited.map(|(spec, _)| spec)
    }

    /// The parts without which there is no picture.
    pub fn needed(&self) -> impl Iterator<Item = (&PartSpec, &Part)> {
        let needed = self.parts.iter().filter(|(spec, _)| spec.needed);
        needed.map(|(spec, part)| (spec, part))
    }

    /// Why something was lost is still worth knowing while it starts again.
    fn keep_cause(&mut self) {
        let lost = self.needed().find_map(|(_, part)| match part {
            Part::Lost { reason } => Some(reason.clone()),
            _ => None,
        });
        if lost.is_some() {
            self.cause = lost;
        } else if self.needed().all(|(_, part)| *part == Part::Up) {
            self.cause = None;
        }
    }
}

impl Index<PartSpec> for Facts {
    type Output = Part;

    fn index(&self, spec: PartSpec) -> &Part {
        let part = self.parts.iter().find(|(of, _)| *of == spec);
        // One that nobody has said anything of.
        part.map_or(&Part::Down, |(_, part)| part)
    }
}

impl IndexMut<PartSpec> for Facts {
    fn index_mut(&mut self, spec: PartSpec) -> &mut Part {
        let at = self.parts.iter().position(|(of, _)| *of == spec).unwrap_or_else(|| {
            self.parts.push((spec, Part::Down));
            self.parts.len() - 1
        });
        &mut self.parts[at].1
    }
}

/// The cell that holds the [`Facts`] of one instance: written by its children, watched by its actor.
#[derive(Clone, Debug)]
pub struct FactsCell {
    sender: watch::Sender<Facts>,
}

impl FactsCell {
    /// Nothing is known yet of a source with these parts.
    #[must_use]
    pub fn of(parts: &[PartSpec]) -> Self {
        Self {
            sender: watch::Sender::new(Facts::of(parts)),
        }
    }

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
        let part = |name, needed| PartSpec {
            name,
            starting: ("starting", "it starts"),
            needed,
        };
        let [screen, program, extra] = [part("screen", true), part("program", true), part("extra", false)];
        let cell = FactsCell::of(&[screen, program, extra]);
        let set = |on_screen: Part, of_program: Part| {
            cell.update(|f| (f[screen], f[program]) = (on_screen, of_program));
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
