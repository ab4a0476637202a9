//! Who looks at an instance, and who steers it. Pure.
//!
//! The owner's viewers may steer; the owner may hand control to one other viewer and take it back. Everybody else
//! watches. One viewer holds control at a time; among the owner's own tabs it goes to the one that acts.

use std::collections::BTreeMap;
use std::time::Instant;

use crate::ids::{PeerId, SessionId, ViewerId};
use crate::protocol::words::Role;

/// One browser tab at this instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Whose tab it is.
    pub session: SessionId,
    /// Its living peer connection.
    pub peer: Option<PeerId>,
}

/// Why a change of control is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// Only the owner, or who holds control, may do that.
    #[error("only the owner of this instance may give control")]
    NotAllowed,
    /// There is no such viewer here.
    #[error("there is no such viewer at this instance")]
    UnknownViewer,
}

impl ControlError {
    /// The stable word.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::UnknownViewer => "unknown_viewer",
        }
    }
}

/// The viewers of one instance.
#[derive(Clone, Debug)]
pub struct Viewers {
    owner: SessionId,
    all: BTreeMap<ViewerId, Viewer>,
    holder: Option<ViewerId>,
    empty_since: Option<Instant>,
}

impl Viewers {
    /// Nobody yet, since `now`.
    #[must_use]
    pub const fn new(owner: SessionId, now: Instant) -> Self {
        Self {
            owner,
            all: BTreeMap::new(),
            holder: None,
            empty_since: Some(now),
        }
    }

    /// A viewer comes (or comes back). An owner's tab takes control unless somebody else was given it.
    ///
    /// # Errors
    /// [`ControlError::NotAllowed`] when the id is another session's: everybody is told the ids, so they open nothing.
    pub fn join(&mut self, id: ViewerId, session: SessionId) -> Result<Role, ControlError> {
        if self.all.entry(id).or_insert(Viewer { session, peer: None }).session != session {
            return Err(ControlError::NotAllowed);
        }
        self.empty_since = None;
        if session == self.owner && self.holder.is_none_or(|holder| self.is_owner(holder)) {
            self.holder = Some(id);
        }
        Ok(self.role(id))
    }

    /// A viewer goes. Its control falls back to a tab of the owner's, if one is there.
    pub fn leave(&mut self, id: ViewerId, now: Instant) -> Option<Viewer> {
        let gone = self.all.remove(&id)?;
        if self.holder == Some(id) {
            self.holder = self
                .all
                .iter()
                .find(|(_, v)| v.session == self.owner)
                .map(|(id, _)| *id);
        }
        if self.all.is_empty() {
            self.empty_since = Some(now);
        }
        Some(gone)
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

    /// Whose tab a viewer is.
    #[must_use]
    pub fn session_of(&self, id: ViewerId) -> Option<SessionId> {
        self.all.get(&id).map(|v| v.session)
    }

    /// What a viewer may do.
    #[must_use]
    pub fn role(&self, id: ViewerId) -> Role {
        if self.is_owner(id) {
            Role::Owner
        } else if self.holder == Some(id) {
            Role::Controller
        } else {
            Role::Spectator
        }
    }

    /// Who steers.
    #[must_use]
    pub const fn holder(&self) -> Option<ViewerId> {
        self.holder
    }

    /// `by` wants to steer: the owner takes control at once, others have to be given it.
    ///
    /// # Errors
    /// [`ControlError`] for everybody but the owner.
    pub fn request(&mut self, by: ViewerId) -> Result<(), ControlError> {
        if !self.all.contains_key(&by) {
            return Err(ControlError::UnknownViewer);
        }
        if !self.is_owner(by) && self.holder != Some(by) {
            return Err(ControlError::NotAllowed);
        }
        self.holder = Some(by);
        Ok(())
    }

    /// `by` no longer wants to steer: control goes back to the owner, if there.
    ///
    /// # Errors
    /// [`ControlError::NotAllowed`] when `by` does not hold it.
    pub fn release(&mut self, by: ViewerId) -> Result<(), ControlError> {
        if self.holder != Some(by) {
            return Err(ControlError::NotAllowed);
        }
        self.holder = self
            .all
            .iter()
            .find(|(id, v)| **id != by && v.session == self.owner)
            .map(|(id, _)| *id);
        Ok(())
    }

    /// The owner hands control to another viewer.
    ///
    /// # Errors
    /// [`ControlError`] when `by` is not the owner, or `to` is not here.
    pub fn grant(&mut self, by: ViewerId, to: ViewerId) -> Result<(), ControlError> {
        if !self.is_owner(by) {
            return Err(ControlError::NotAllowed);
        }
        if !self.all.contains_key(&to) {
            return Err(ControlError::UnknownViewer);
        }
        self.holder = Some(to);
        Ok(())
    }

    /// Whether the viewer's input is applied: the holder's, and that of the owner's other tabs while the owner steers.
    #[must_use]
    pub fn may_steer(&self, id: ViewerId) -> bool {
        self.holder == Some(id) || (self.is_owner(id) && self.holder.is_none_or(|h| self.is_owner(h)))
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
        self.all.get(&id).is_some_and(|v| v.session == self.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn two() -> (Viewers, ViewerId, ViewerId) {
        let owner = SessionId::new();
        let mut viewers = Viewers::new(owner, Instant::now());
        let (mine, other) = (ViewerId::new(), ViewerId::new());
        assert_eq!(viewers.join(mine, owner), Ok(Role::Owner));
        assert_eq!(viewers.join(other, SessionId::new()), Ok(Role::Spectator));
        (viewers, mine, other)
    }

    #[test]
    fn the_owner_steers_and_others_watch() {
        let (mut viewers, mine, other) = two();
        assert!(viewers.may_steer(mine) && !viewers.may_steer(other));
        assert_eq!(viewers.request(other), Err(ControlError::NotAllowed));
        assert_eq!(viewers.grant(other, other), Err(ControlError::NotAllowed));
    }

    #[test]
    fn a_viewer_id_that_was_overheard_opens_nothing() {
        let (mut viewers, mine, _) = two();
        assert_eq!(viewers.join(mine, SessionId::new()), Err(ControlError::NotAllowed));
        assert_eq!(viewers.role(mine), Role::Owner);
    }

    #[test]
    fn control_can_be_given_and_taken_back() {
        let (mut viewers, mine, other) = two();
        viewers.grant(mine, other).unwrap();
        assert_eq!(viewers.role(other), Role::Controller);
        assert!(viewers.may_steer(other) && !viewers.may_steer(mine));
        viewers.request(mine).unwrap();
        assert!(viewers.may_steer(mine) && !viewers.may_steer(other));
    }

    #[test]
    fn control_falls_back_to_the_owner_when_its_holder_leaves() {
        let (mut viewers, mine, other) = two();
        viewers.grant(mine, other).unwrap();
        viewers.leave(other, Instant::now());
        assert_eq!(viewers.holder(), Some(mine));
    }

    #[test]
    fn the_time_without_viewers_is_counted_from_the_last_ones_leaving() {
        let (mut viewers, mine, other) = two();
        let now = Instant::now();
        assert_eq!(viewers.empty_since(), None);
        viewers.leave(mine, now);
        assert_eq!(viewers.empty_since(), None);
        viewers.leave(other, now);
        assert_eq!(viewers.empty_since(), Some(now));
    }

    proptest! {
        #[test]
        fn at_most_one_other_viewer_ever_steers(steps in prop::collection::vec((0u8..6, 0usize..4, 0usize..4), 0..60)) {
            let owner = SessionId::new();
            let sessions = [owner, owner, SessionId::new(), SessionId::new()];
            let ids = [ViewerId::new(), ViewerId::new(), ViewerId::new(), ViewerId::new()];
            let now = Instant::now();
            let mut viewers = Viewers::new(owner, now);
            for (step, a, b) in steps {
                match step {
                    0 | 1 => { let _ = viewers.join(ids[a], sessions[b]); }
                    2 => { viewers.leave(ids[a], now); }
                    3 => { let _ = viewers.request(ids[a]); }
                    4 => { let _ = viewers.release(ids[a]); }
                    _ => { let _ = viewers.grant(ids[a], ids[b]); }
                }
                let steering: Vec<_> = viewers.iter().filter(|(id, _)| viewers.may_steer(*id)).collect();
                let foreign = steering.iter().filter(|(_, v)| v.session != owner).count();
                prop_assert!(foreign <= 1);
                prop_assert!(foreign == 0 || steering.len() == 1);
                prop_assert!(viewers.holder().is_none_or(|h| viewers.iter().any(|(id, _)| id == h)));
            }
        }
    }
}
