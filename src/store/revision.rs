//! Which of two changes of an instance is the later one: counted, since a clock can be put back.
//!
//! One count for all instances of a process, so that nobody who changes one has to know what it was changed to before. It goes
//! on where the database ended ([`go_on_after`]), so that a next host's changes are later than this one's.

use std::sync::atomic::{AtomicI64, Ordering};

use super::instances::StatusChange;

/// The greatest number that was given.
static LAST: AtomicI64 = AtomicI64::new(0);

/// A change of status with its place among all others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revised {
    /// The greater one is the later one.
    pub revision: i64,
    /// What it says.
    pub change: StatusChange,
}

impl Revised {
    /// A change that is later than all before.
    #[must_use]
    pub fn now(change: StatusChange) -> Self {
        let revision = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        Self { revision, change }
    }
}

/// All that is counted from here on is later than `revision`, which a database has.
pub(super) fn go_on_after(revision: i64) {
    LAST.fetch_max(revision, Ordering::Relaxed);
}
