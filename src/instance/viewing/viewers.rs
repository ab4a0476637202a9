//! Who looks at an instance, and who steers it. Pure.
//!
//! One viewer holds control at a time. Owner, admins and those with a controller's link take it when they want it; the
//! owner and admins may hand it to a spectator, too. Among the owner's own tabs it goes to the one that acts.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::ids::{PeerId, SessionId, ViewerId};
use crate::policy::{Action, may};
use crate::protocol::words::Role;

/// One browser tab at this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Whose tab it is.
    pub session: SessionId,
    /// What it is by itself, whoever holds control.
    pub role: Role,
    /// Its living peer connection.
    pub peer: Option<PeerId>,
}

/// Why somebody does not come in, or a change of control is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Neither a link nor the address lets them in.
    #[error("{}", Action::Watch.refusal())]
    NoAccess,
    /// What they came with, a session or the token, has ended.
    #[error("the session of this socket has ended, or its rights have changed: open another one")]
    Ended,
    /// The viewer id is another session's.
    #[error("this viewer id belongs to another session")]
    OthersId,
    /// Who says something is not here, or no longer by the socket that says it.
    #[error("watch an instance first")]
    NotWatching,
    /// A spectator wants to steer.
    #[error("{}", Action::Control.refusal())]
    MayNotSteer,
    /// Who does not hold control wants to let go of it.
    #[error("control is not held by this viewer")]
    NotHeld,
    /// Somebody wants to give control who may not.
    #[error("{}", Action::GiveControl.refusal())]
    MayNotGive,
    /// There is no such viewer here.
    #[error("there is no such viewer at this instance")]
    UnknownViewer,
    /// No room is left for one that is neither the owner's nor an administrator's.
    #[error("as many watch this instance as may at once")]
    Full,
}

impl ControlError {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoAccess | Self::OthersId | Self::MayNotSteer | Self::NotHeld | Self::MayNotGive => "not_allowed",
            Self::Ended => "signed_out",
            Self::NotWatching => "not_watching",
            Self::UnknownViewer => "unknown_viewer",
            Self::Full => "too_many_viewers",
        }
    }

    /// Seconds after which it may be otherwise, where that is known.
    #[must_use]
    pub const fn retry_after(self) -> Option<u64> {
        match self {
            Self::Full => Some(10),
            _ => None,
        }
    }
}

/// What a viewer wants about control.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlWish {
    /// To steer.
    Request,
    /// Not to steer any more.
    Release,
    /// That another steers.
    Grant(ViewerId),
}

/// What became of the viewers when their roles were decided anew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regraded {
    /// Whether any role has changed.
    pub changed: bool,
    /// Those who may not watch any more, and why; they are still here.
    pub out: Vec<(ViewerId, ControlError)>,
}

/// The viewers of one instance.
#[derive(Clone, Debug)]
pub struct Viewers {
    all: BTreeMap<ViewerId, Viewer>,
    most: usize,
    holder: Option<ViewerId>,
    empty_since: Option<Instant>,
}

impl Viewers {
    /// Nobody yet, since `now`; at most so many spectators, and as many controllers.
    #[must_use]
    pub const fn new(most: usize, now: Instant) -> Self {
        Self {
            all: BTreeMap::new(),
            most,
            holder: None,
            empty_since: Some(now),
        }
    }

    /// A viewer comes (or comes back) as `role`. An owner's tab takes control unless somebody else has it; a controller
    /// takes it where nobody has. Owner and administrators are let in however many there are, and controllers however many
    /// spectators: nobody keeps out who may more.
    ///
    /// # Errors
    /// [`ControlError::OthersId`] when the id is another session's: everybody is told the ids, so they open nothing.
    /// [`ControlError::Full`].
    pub fn join(&mut self, id: ViewerId, session: SessionId, role: Role) -> Result<Role, ControlError> {
        let equals = self.all.values().filter(|v| v.role == role).count();
        let full = equals >= self.most && !may(role, Action::GiveControl);
        if full && !self.all.contains_key(&id) {
            return Err(ControlError::Full);
        }
        let fresh = Viewer {
            session,
            role,
            peer: None,
        };
        let viewer = self.all.entry(id).or_insert(fresh);
        if viewer.session != session {
            return Err(ControlError::OthersId);
        }
        let lowered = may(viewer.role, Action::Control) && !may(role, Action::Control);
        viewer.role = role;
        self.empty_since = None;
        if lowered && self.holder == Some(id) {
            // What it had by itself it has no longer; what it was handed it keeps.
            self.holder = self.owners_tab(id);
        }
        let takes = match role {
            Role::Owner => self.holder.is_none_or(|holder| self.is_owner(holder)),
            Role::Controller => self.holder.is_none(),
            Role::Admin | Role::Spectator => false,
        };
        if takes {
            self.holder = Some(id);
        }
        Ok(self.role(id))
    }

    /// A viewer goes. Its control falls back to a tab of the owner's, if one is there.
    pub fn leave(&mut self, id: ViewerId, now: Instant) -> Option<Viewer> {
        let gone = self.all.remove(&id)?;
        if self.holder == Some(id) {
            self.holder = self.owners_tab(id);
        }
        if self.all.is_empty() {
            self.empty_since = Some(now);
        }
        Some(gone)
    }

    /// Decides everybody's role anew. Who may steer no longer loses control to the owner; who was handed it as a spectator
    /// keeps it.
    pub fn regrade(&mut self, decide: &dyn Fn(ViewerId) -> Result<Role, ControlError>) -> Regraded {
        let mut regraded = Regraded::default();
        let mut lowered = false;
        for (id, viewer) in &mut self.all {
            match decide(*id) {
                Err(why) => regraded.out.push((*id, why)),
                Ok(role) if role != viewer.role => {
                    lowered |= self.holder == Some(*id) && !may(role, Action::Control);
                    viewer.role = role;
                    regraded.changed = true;
                }
                Ok(_) => {}
            }
        }
        if lowered && let Some(holder) = self.holder {
            self.holder = self.owners_tab(holder);
        }
        regraded
    }

    /// Notes (or forgets) a viewer's peer connection; gives the one it had before.
    pub fn set_peer(&mut self, id: ViewerId, peer: Option<PeerId>) -> Option<PeerId> {
        let viewer = self.all.get_mut(&id)?;
        std::mem::replace(&mut viewer.peer, peer)
    }

    /// Forgets a viewer's peer connection, if it still is this one.
    pub fn clear_peer(&mut self, id: ViewerId, peer: PeerId) {
        if let Some(viewer) = self.all.get_mut(&id)
            && viewer.peer == Some(peer)
        {
            viewer.peer = None;
        }
    }

    /// A viewer's living peer connection.
    #[must_use]
    pub fn peer_of(&self, id: ViewerId) -> Option<PeerId> {
        self.all.get(&id).and_then(|v| v.peer)
    }

    /// Whose tab a viewer is.
    #[must_use]
    pub fn session_of(&self, id: ViewerId) -> Option<SessionId> {
        self.all.get(&id).map(|v| v.session)
    }

    /// What a viewer is: by itself, or at least a controller while it holds control.
    #[must_use]
    pub fn role(&self, id: ViewerId) -> Role {
        let own = self.all.get(&id).map_or(Role::Spectator, |v| v.role);
        if self.holder == Some(id) {
            own.max(Role::Controller)
        } else {
            own
        }
    }

    /// Who steers.
    #[must_use]
    pub const fn holder(&self) -> Option<ViewerId> {
        self.holder
    }

    /// `by` wants to steer, and does from now on.
    ///
    /// # Errors
    /// [`ControlError::MayNotSteer`] for spectators, who have to be given it.
    pub fn request(&mut self, by: ViewerId) -> Result<(), ControlError> {
        if !self.all.contains_key(&by) {
            return Err(ControlError::UnknownViewer);
        }
        if !may(self.role(by), Action::Control) {
            return Err(ControlError::MayNotSteer);
        }
        self.holder = Some(by);
        Ok(())
    }

    /// `by` no longer wants to steer: control goes back to the owner, if there.
    ///
    /// # Errors
    /// [`ControlError::NotHeld`] when `by` does not hold it.
    pub fn release(&mut self, by: ViewerId) -> Result<(), ControlError> {
        if self.holder != Some(by) {
            return Err(ControlError::NotHeld);
        }
        self.holder = self.owners_tab(by);
        Ok(())
    }

    /// Hands control to another viewer.
    ///
    /// # Errors
    /// [`ControlError`] when `by` may not, or `to` is not here.
    pub fn grant(&mut self, by: ViewerId, to: ViewerId) -> Result<(), ControlError> {
        if !may(self.role(by), Action::GiveControl) {
            return Err(ControlError::MayNotGive);
        }
        if !self.all.contains_key(&to) {
            return Err(ControlError::UnknownViewer);
        }
        self.holder = Some(to);
        Ok(())
    }

    /// Control that `from` was handed falls back to the owner, if `from` holds it and may not by itself. Says whether.
    pub fn take_back(&mut self, from: ViewerId) -> bool {
        let by_itself = self.all.get(&from).is_some_and(|v| may(v.role, Action::Control));
        let taken = self.holder == Some(from) && !by_itself;
        if taken {
            self.holder = self.owners_tab(from);
        }
        taken
    }

    /// Whether the viewer's input is applied: the holder's, and that of the owner's other tabs while the owner steers.
    #[must_use]
    pub fn may_steer(&self, id: ViewerId) -> bool {
        let turn = self.holder == Some(id) || (self.is_owner(id) && self.holder.is_none_or(|h| self.is_owner(h)));
        turn && may(self.role(id), Action::SendInput)
    }

    /// Whether input that comes by this peer is applied: its viewer may steer and has no newer peer.
    #[must_use]
    pub fn may_steer_by(&self, id: ViewerId, peer: PeerId) -> bool {
        self.may_steer(id) && self.all.get(&id).is_some_and(|v| v.peer == Some(peer))
    }

    /// Since when nobody is here.
    #[must_use]
    pub const fn empty_since(&self) -> Option<Instant> {
        self.empty_since
    }

    /// Everybody.
    pub fn iter(&self) -> impl Iterator<Item = (ViewerId, &Viewer)> {
        self.all.iter().map(|(id, v)| (*id, v))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nobody is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn is_owner(&self, id: ViewerId) -> bool {
        self.all.get(&id).is_some_and(|v| v.role == Role::Owner)
    }

    /// A tab of the owner's, other than this viewer.
    fn owners_tab(&self, but: ViewerId) -> Option<ViewerId> {
        let mut others = self.all.iter().filter(|(id, _)| **id != but);
        others.find(|(_, v)| v.role == Role::Owner).map(|(id, _)| *id)
    }
}

#[cfg(test)]
#[path = "viewers_tests.rs"]
mod tests;
