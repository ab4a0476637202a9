//! Who says something to an instance, and what lets them.

use std::fmt;
use std::sync::Arc;

use crate::ids::{SessionId, ViewerId};
use crate::instance::viewing::door::Door;
use crate::instance::viewing::viewers::ControlError;
use crate::protocol::words::Role;

/// Who says something to an instance: a viewer, of a session, by a door. Whether that is so, and what it may do, is
/// decided by the instance, where it takes effect; what layers above believe decides nothing.
#[derive(Clone, Debug)]
pub struct Speaker {
    /// As whom it is known.
    pub viewer: ViewerId,
    /// Whose tab it is.
    pub session: SessionId,
    /// By what it came.
    pub door: Door,
}

/// What somebody is at an instance when it is asked: what lets them in may end at any time.
#[derive(Clone)]
pub struct RoleNow(Arc<dyn Fn() -> Result<Role, ControlError> + Send + Sync>);

impl RoleNow {
    /// `decide` is called under the lock of the viewers; it must not wait.
    pub fn new(decide: impl Fn() -> Result<Role, ControlError> + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// The role at this moment.
    ///
    /// # Errors
    /// [`ControlError::NoAccess`], [`ControlError::Ended`]: they may not even watch.
    pub fn get(&self) -> Result<Role, ControlError> {
        (self.0)()
    }

    /// One that stays the same.
    #[cfg(test)]
    pub(crate) fn always(role: Role) -> Self {
        Self::new(move || Ok(role))
    }
}

impl fmt::Debug for RoleNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleNow({:?})", self.get())
    }
}
