//! The tree as it stands: what the admin page shows and tests look at.

use std::collections::BTreeMap;

use serde::Serialize;

use super::child_spec::Restart;
use super::exit::ExitReason;
use super::strategy::Strategy;

/// What a child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildKind {
    /// Does the work.
    Worker,
    /// Has a fixed list of children.
    Supervisor,
    /// Has children that come and go.
    Dynamic,
}

/// Where a child is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildState {
    /// It has been started and has not run yet; a supervisor: not all of its children have been started.
    Starting,
    /// It runs.
    Running,
    /// Asked to stop.
    Stopping,
    /// Between two generations: it is started again, perhaps after a back-off.
    Restarting,
    /// It has ended for good.
    Ended,
    /// Its own budget is used up; somebody has to start it again.
    GivenUp,
    /// It was stopped on purpose.
    Stopped,
}

/// How often a child was restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize)]
pub struct Restarts {
    /// Those that were charged, within the period that counts now.
    pub in_period: usize,
    /// All, of every kind, over the restarts of its supervisor too.
    pub total: u64,
}

/// What is left of the restarts that are survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BudgetView {
    /// Whether it is the child's own; otherwise it is its supervisor's, shared with the siblings.
    pub own: bool,
    /// Restarts that are survived within the period.
    pub max: usize,
    /// The period, in ms.
    pub period_ms: u64,
    /// How many of them are left now.
    pub left: usize,
}

/// How a generation ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LastExit {
    /// Why.
    #[serde(flatten)]
    pub reason: ExitReason,
    /// When, ms since 1970.
    pub at_ms: i64,
}

/// When a child last made progress, for those that tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ProgressView {
    /// ms since then, or since its start.
    pub since_ms: u64,
    /// After so many ms without it counts as stalled.
    pub limit_ms: Option<u64>,
}

/// One child with everything below it.
#[derive(Clone, Debug, Serialize)]
pub struct ChildSnapshot {
    /// Its name among its siblings.
    pub id: String,
    /// Ids from the root down, joined by `/`: what [`super::TreeView::restart_child`] takes.
    pub path: String,
    /// What it is.
    pub kind: ChildKind,
    /// When it is restarted.
    pub restart: Restart,
    /// Whether its end may end its supervisor.
    pub significant: bool,
    /// Whether it lives once: who restarts it by hand ends it, and whoever needs it makes another.
    pub once: bool,
    /// Where it is in its life.
    pub state: ChildState,
    /// Its strategy, if it is a supervisor that runs.
    pub strategy: Option<Strategy>,
    /// Its starts so far.
    pub generation: u64,
    /// Its restarts so far.
    pub restarts: Restarts,
    /// What is left of the budget that its restarts are charged to; none for the root.
    pub budget: Option<BudgetView>,
    /// How it last ended.
    pub last_exit: Option<LastExit>,
    /// How long this generation has run, in ms.
    pub uptime_ms: Option<u64>,
    /// In how many ms it is started again, if that is due.
    pub restart_in_ms: Option<u64>,
    /// When it last made progress, if it tells or has to.
    pub progress: Option<ProgressView>,
    /// What waits to be dealt with. A supervisor: requests; an actor: messages; others as they say themselves.
    pub mailbox: Option<usize>,
    /// The process that it stands for, if there is one.
    pub pid: Option<u32>,
    /// What else it tells of itself.
    pub facts: BTreeMap<&'static str, String>,
    /// Its children in start order, if it is a supervisor.
    pub children: Vec<ChildSnapshot>,
}

impl ChildSnapshot {
    /// The child at a path of ids below this one, joined by `/`: `desktop/display`; the empty path is this one.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Self> {
        if path.is_empty() {
            return Some(self);
        }
        let (id, rest) = path.split_once('/').unwrap_or((path, ""));
        self.children.iter().find(|c| c.id == id)?.find(rest)
    }
}
