//! The actors of the sessions that have sockets.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::actor::{STALL, SessionActor};
use super::roles::Roles;
use crate::config::Transports;
use crate::ice::Handout;
use crate::ids::SessionId;
use crate::instance::Manager;
use crate::store::Journal;
use crate::supervision::{ChildRef, ChildSpec, ControlError, Restart, SupervisorRef};

/// From the request to the actor's start.
const START_DEADLINE: Duration = Duration::from_secs(5);

/// What every session uses.
#[derive(Debug)]
pub struct Around {
    /// The instances.
    pub manager: Manager,
    /// What somebody is there.
    pub roles: Roles,
    /// What browsers are told of STUN and TURN servers.
    pub ice: Arc<Handout>,
    /// The ways of the picture to browsers.
    pub transports: Transports,
    /// Where it is noted that a session is used.
    pub journal: Arc<Journal>,
}

/// The actors of the sessions that have sockets. Cheap to clone, usable from any thread.
#[derive(Clone, Debug)]
pub struct Sessions {
    around: Arc<Around>,
    supervisor: SupervisorRef,
    live: Arc<Mutex<BTreeMap<SessionId, ChildRef<SessionActor>>>>,
}

impl Sessions {
    /// No session yet; `supervisor` will run them.
    #[must_use]
    pub fn new(around: Around, supervisor: SupervisorRef) -> Self {
        Self {
            around: Arc::new(around),
            supervisor,
            live: Arc::default(),
        }
    }

    /// The actor of a session, started if it does not run.
    ///
    /// # Errors
    /// [`ControlError`] when it cannot be started now.
    pub async fn actor(&self, session: SessionId) -> Result<ChildRef<SessionActor>, ControlError> {
        // Noted before the start, so that of two sockets that come at once both find the same one.
        let reference = self.lock().entry(session).or_default().clone();
        if reference.generation().is_some() {
            return Ok(reference);
        }
        let around = Arc::clone(&self.around);
        let (live, ended) = (Arc::clone(&self.live), reference.clone());
        let spec = ChildSpec::actor(session.to_string(), Restart::Temporary, reference.clone(), move |cx| {
            SessionActor::new(session, Arc::clone(&around), cx)
        })
        .once()
        .stalled_after(STALL)
        .on_end(move || {
            let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
            if live.get(&session).is_some_and(|now| now.is_same(&ended)) {
                live.remove(&session);
            }
        });
        let error = match self.supervisor.start_child(spec, START_DEADLINE).await {
            Ok(()) | Err(ControlError::AlreadyStarted) if reference.started_after(0, START_DEADLINE).await => {
                return Ok(reference);
            }
            Ok(()) | Err(ControlError::AlreadyStarted) => ControlError::Timeout,
            Err(error) => error,
        };
        // Of one that never began nobody else would forget it.
        self.lock()
            .retain(|_, now| now.generation().is_some() || !now.is_same(&reference));
        Err(error)
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
