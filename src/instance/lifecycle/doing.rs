//! What an instance's actor is about, and what may be asked of it meanwhile: a pure table.
//!
//! ```text
//!               is FAILED    is DEINITIALIZING    a restart is asked for    the work is done
//!   Nothing     → Failing    → Ending             → Restarting
//!   Failing                                       → Restarting              → Nothing
//!   Restarting                                    busy                      → Nothing
//!   Ending                                        ending
//! ```
//!
//! An empty place leaves everything as it is: what has happened meanwhile is looked at again when the work is done. An end that
//! was asked for refuses a restart from then on, whatever is being done.

use crate::instance::error::InstanceError;
use crate::protocol::signalling::InstanceStatus;

/// What is being done about the last failure, the end, or somebody's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::instance) enum Doing {
    /// Nothing that takes time.
    Nothing,
    /// It has failed, and gives back what it had.
    Failing,
    /// Somebody wants it again.
    Restarting,
    /// It ends for good.
    Ending,
}

impl Doing {
    /// The work that begins where it has this status.
    pub(in crate::instance) const fn begins(self, status: InstanceStatus) -> Option<Self> {
        match (self, status) {
            (Self::Nothing, InstanceStatus::Failed) => Some(Self::Failing),
            (Self::Nothing, InstanceStatus::Deinitializing) => Some(Self::Ending),
            _ => None,
        }
    }

    /// Whether it may be started anew by hand. `ending`: its end was asked for. One that gives back what it had waits for that.
    ///
    /// # Errors
    /// [`InstanceError::Ending`], [`InstanceError::Busy`].
    pub(in crate::instance) const fn may_restart(self, ending: bool) -> Result<(), InstanceError> {
        match self {
            _ if ending => Err(InstanceError::Ending),
            Self::Ending => Err(InstanceError::Ending),
            Self::Restarting => Err(InstanceError::Busy),
            Self::Nothing | Self::Failing => Ok(()),
        }
    }

    /// What it is about once this work is done: other work may have begun meanwhile, which waits for the same.
    pub(in crate::instance) fn done(self, work: Self) -> Self {
        if self == work { Self::Nothing } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Doing; 4] = [Doing::Nothing, Doing::Failing, Doing::Restarting, Doing::Ending];

    #[test]
    fn work_begins_only_where_nothing_else_is_done() {
        for doing in ALL {
            for &status in InstanceStatus::ALL {
                let expected = match status {
                    InstanceStatus::Failed => Some(Doing::Failing),
                    InstanceStatus::Deinitializing => Some(Doing::Ending),
                    _ => None,
                };
                let expected = expected.filter(|_| doing == Doing::Nothing);
                assert_eq!(doing.begins(status), expected, "{doing:?} {status}");
            }
        }
    }

    #[test]
    fn a_restart_waits_for_what_is_given_back_and_for_nothing_else() {
        let code = |doing: Doing, ending| doing.may_restart(ending).err().map(|error| error.code());
        assert_eq!(
            ALL.map(|doing| code(doing, false)),
            [None, None, Some("busy"), Some("ending")]
        );
        assert_eq!(ALL.map(|doing| code(doing, true)), [Some("ending"); 4]);
    }

    #[test]
    fn work_that_is_done_ends_no_other() {
        for doing in ALL {
            for work in ALL {
                let after = if doing == work { Doing::Nothing } else { doing };
                assert_eq!(doing.done(work), after);
            }
        }
    }
}
