//! The actors of the sessions that have sockets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::actor::{STALL, SessionActor};
use super::book::Identity;
use super::roles::Roles;
use crate::ice::Handout;
use crate::ids::SessionId;
use crate::instance::Manager;
use crate::supervision::{ChildRef, ChildSpec, ControlError, Restart, SupervisorRef};

/// From the request to the actor's start.
const START_DEADLINE: Duration = Duration::from_secs(5);

/// The actors of the sessions that have sockets. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct Sessions {
    manager: Manager,
    roles: Roles,
    ice: Arc<Handout>,
    supervisor: SupervisorRef,
    live: Arc<Mutex<BTreeMap<SessionId, ChildRef<SessionActor>>>>,
}

impl Sessions {
    /// No session yet; `supervisor` will run them, and `ice` tells them of STUN and TURN servers.
    #[must_use]
    pub fn new(manager: Manager, roles: Roles, ice: Arc<Handout>, supervisor: SupervisorRef) -> Self {
        Self {
            manager,
            roles,
            ice,
            supervisor,
            live: Arc::default(),
        }
    }

    /// The actor of a session, started if it does not run.
    ///
    /// # Errors
    /// [`ControlError`] when it cannot be started now.
    pub async fn actor(&self, identity: Identity) -> Result<ChildRef<SessionActor>, ControlError> {
        // Noted before the start, so that of two sockets that come at once both find the same one.
        let reference = self.lock().entry(identity.session).or_default().clone();
        if reference.generation().is_some() {
            return Ok(reference);
        }
        let (manager, roles, ice) = (self.manager.clone(), self.roles.clone(), Arc::clone(&self.ice));
        let (live, ended) = (Arc::clone(&self.live), reference.clone());
        let spec = ChildSpec::actor(
            identity.session.to_string(),
            Restart::Temporary,
            reference.clone(),
            move |cx| SessionActor::new(identity, manager.clone(), roles.clone(), Arc::clone(&ice), cx),
        )
        .once()
        .stalled_after(STALL)
        .on_end(move || {
            let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
            if live.get(&identity.session).is_some_and(|now| now.is_same(&ended)) {
                live.remove(&identity.session);
            }
        });
        match self.supervisor.start_child(spec, START_DEADLINE).await {
            Ok(()) | Err(ControlError::AlreadyStarted) if reference.started_after(0, START_DEADLINE).await => {
                Ok(reference)
            }
            Ok(()) | Err(ControlError::AlreadyStarted) => Err(ControlError::Timeout),
            Err(error) => Err(error),
        }
    }

    /// How many sessions have sockets.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<SessionId, ChildRef<SessionActor>>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
