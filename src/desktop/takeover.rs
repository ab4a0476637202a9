//! Takeover: what a child stood for goes on without it, and its successor takes it over.
//!
//! The processes are the keeper's, so the panic or the abort of a child ends none of them. Its supervisor restarts the
//! children after it, too, which depend on what it told them; as long as a successor is on its way they let go of their
//! processes without ending them, and find them again.

use super::shared::DesktopShared;
use crate::supervision::ChildContext;

/// Held by a child while it stands for something that others depend on. Dropped before [`Tenure::over`], which only a
/// panic or an abort brings about, it says that all this goes on.
pub(super) struct Tenure<'a> {
    shared: &'a DesktopShared,
    context: &'a ChildContext,
    withdraw: fn(&DesktopShared),
    over: bool,
}

impl<'a> Tenure<'a> {
    /// Begins. `withdraw` takes away what the child has told its siblings: its successor tells it anew.
    pub(super) fn begin(shared: &'a DesktopShared, context: &'a ChildContext, withdraw: fn(&DesktopShared)) -> Self {
        Self {
            shared,
            context,
            withdraw,
            over: false,
        }
    }

    /// The child has come to an end that it says itself.
    pub(super) fn over(mut self) {
        self.over = true;
    }
}

impl Drop for Tenure<'_> {
    fn drop(&mut self) {
        // One that did not stop in its time leaves nothing that anybody wants.
        if !self.over && !self.context.is_stopping() {
            self.shared.expect_successor(true);
            (self.withdraw)(self.shared);
        }
    }
}
