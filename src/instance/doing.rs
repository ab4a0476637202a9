//! What an instance's actor is about.

/// What is being done about the last failure, the end, or somebody's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing that takes time.
    Nothing,
    /// It has failed, and gives back what it had.
    Failing,
    /// Somebody wants it again.
    Restarting,
    /// It ends for good.
    Ending,
}
