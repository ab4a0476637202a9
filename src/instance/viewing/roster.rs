//! Viewers with their doors, and the one question the input path asks. Shared by `Arc`, outlives every actor.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;

use crate::ids::{Claim, PeerId, SessionId, ViewerId};
use crate::instance::peers::latencies::Latencies;
use crate::instance::viewing::announcing::Announcing;
use crate::instance::viewing::door::Door;
use crate::instance::viewing::outbound::written;
use crate::instance::viewing::speaker::{RoleNow, Speaker};
use crate::instance::viewing::steering::{Becomes, Steering};
use crate::instance::viewing::viewers::{ControlError, ControlWish, Regraded, Viewers};
use crate::policy::{Action, may};
use crate::protocol::signalling::{ServerMessage, ViewerEntry};
use crate::protocol::words::Role;
use crate::x11::InputQueue;

/// So many viewers are told by name.
const MOST_NAMED: usize = 100;

/// The viewers of one instance and by what they are here.
#[derive(Debug)]
pub struct Roster {
    inner: Mutex<Inner>,
    /// What they steer.
    input: Arc<InputQueue>,
    /// Everybody is due to be told who is there.
    due: Notify,
    /// Somebody has made a claim.
    claims: Notify,
    latencies: Latencies,
}

#[derive(Debug)]
struct Inner {
    viewers: Viewers,
    /// One for each viewer.
    doors: BTreeMap<ViewerId, Attendance>,
    /// Who was handed control, and what those are who did that.
    handed: Option<(ViewerId, RoleNow)>,
    /// Who steered when it was last asked whether that is another.
    steered: Option<ViewerId>,
    announcing: Announcing,
}

#[derive(Debug)]
struct Attendance {
    door: Door,
    /// What its viewer is.
    role: RoleNow,
    /// Since when its viewer is known not to be here.
    lost_at: Option<Instant>,
    /// By what a media socket is its viewer's; until one is.
    claim: Option<Claim>,
}

impl Roster {
    /// Nobody yet; at most so many. They steer what reads `input`.
    #[must_use]
    pub fn new(most: usize, input: Arc<InputQueue>, now: Instant) -> Self {
        Self {
            inner: Mutex::new(Inner {
                viewers: Viewers::new(most, now),
                doors: BTreeMap::new(),
                handed: None,
                steered: None,
                announcing: Announcing::default(),
            }),
            input,
            due: Notify::new(),
            claims: Notify::new(),
            latencies: Latencies::default(),
        }
    }

    /// How long the picture takes, as the pages of its viewers say.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// A viewer comes, or comes back by a new door. Gives its living peer and the door it had before, if another.
    ///
    /// # Errors
    /// [`ControlError`] when nothing lets them in, the id is another session's, or there are too many.
    pub fn join(&self, who: &Speaker, role: &RoleNow) -> Result<(Option<PeerId>, Option<Door>), ControlError> {
        self.change(|inner| {
            // Under the lock: a role that ends now ends before this, or finds this viewer.
            let now = watching(role)?;
            inner.viewers.join(who.viewer, who.session, now)?;
            let peer = inner.viewers.peer_of(who.viewer);
            let attendance = Attendance {
                door: who.door.clone(),
                role: role.clone(),
                lost_at: None,
                claim: None,
            };
            let before = inner.doors.insert(who.viewer, attendance);
            Ok((peer, before.map(|a| a.door).filter(|door| !door.is_same(&who.door))))
        })
    }

    /// A viewer that is here says what its media socket came with; from now on that is the only one.
    pub fn claim(&self, who: &Speaker, claim: Claim) {
        let mut inner = self.lock();
        if inner.knows(who).is_none() {
            return;
        }
        if let Some(here) = inner.doors.get_mut(&who.viewer) {
            here.claim = Some(claim);
        }
        drop(inner);
        self.claims.notify_waiters();
    }

    /// Waits for the viewer of this session that makes this claim, which is worth nothing afterwards.
    pub async fn claimed(&self, claim: Claim, session: SessionId) -> ViewerId {
        loop {
            // Before it is looked: a claim that is made meanwhile is not missed.
            let mut made = pin!(self.claims.notified());
            made.as_mut().enable();
            if let Some(viewer) = self.lock().take_claim(claim, session) {
                return viewer;
            }
            made.await;
        }
    }

    /// A viewer says that it goes; gives its peer. Nothing where it is not here, or came back by another door.
    pub fn leave(&self, who: &Speaker, now: Instant) -> Option<Option<PeerId>> {
        self.change(|inner| {
            inner.knows(who)?;
            inner.remove(who.viewer, now)
        })
    }

    /// A viewer is put out; gives its peer.
    pub fn remove(&self, id: ViewerId, now: Instant) -> Option<Option<PeerId>> {
        self.change(|inner| inner.remove(id, now))
    }

    /// Whether who says something is here, by this door, and may still watch.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn heard(&self, who: &Speaker) -> Result<(), ControlError> {
        self.lock().heard(who)
    }

    /// Whether who says something is here, by this door, and steers.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn steers(&self, who: &Speaker) -> Result<(), ControlError> {
        let inner = self.lock();
        inner.heard(who)?;
        let steers = inner.viewers.may_steer(who.viewer);
        steers.then_some(()).ok_or(ControlError::MayNotSteer)
    }

    /// Notes a viewer's new peer.
    ///
    /// # Errors
    /// [`ControlError`] where it may not have one: decided under the lock, so that who is put out meanwhile has none.
    pub fn set_peer(&self, who: &Speaker, peer: PeerId) -> Result<(), ControlError> {
        self.change(|inner| {
            inner.heard(who)?;
            inner.viewers.set_peer(who.viewer, Some(peer));
            Ok(())
        })
    }

    /// As whom a viewer is here that something else of its session asks for. `role`: what that gives, which has to
    /// be no less than what the viewer is by itself: nobody comes by it into what they could not have by their own.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn speaker(&self, viewer: ViewerId, session: SessionId, role: &RoleNow) -> Result<Speaker, ControlError> {
        let inner = self.lock();
        let given = watching(role)?;
        let here = inner
            .doors
            .get(&viewer)
            .filter(|_| inner.viewers.session_of(viewer) == Some(session));
        let here = here.ok_or(ControlError::NotWatching)?;
        if watching(&here.role)? > given {
            return Err(ControlError::NoAccess);
        }
        Ok(Speaker {
            viewer,
            session,
            door: here.door.clone(),
        })
    }

    /// A viewer has another peer now; gives the one it had before. Nothing where it is not here.
    pub(in crate::instance) fn replace_peer(&self, viewer: ViewerId, peer: PeerId) -> Option<Option<PeerId>> {
        self.change(|inner| {
            inner.viewers.session_of(viewer)?;
            Some(inner.viewers.set_peer(viewer, Some(peer)))
        })
    }

    /// A peer is gone: its viewer has none, unless it has a newer one by now.
    pub(in crate::instance) fn clear_peer(&self, viewer: ViewerId, peer: PeerId) {
        self.change(|inner| inner.viewers.clear_peer(viewer, peer));
    }

    /// Somebody wants something about control.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn control(&self, who: &Speaker, wish: ControlWish) -> Result<(), ControlError> {
        let (outcome, becomes) = self.changed(|inner| {
            inner.heard(who)?;
            match wish {
                ControlWish::Request => inner.viewers.request(who.viewer)?,
                ControlWish::Release => inner.viewers.release(who.viewer)?,
                ControlWish::Grant(to) => {
                    inner.viewers.grant(who.viewer, to)?;
                    inner.handed = inner.doors.get(&who.viewer).map(|a| (to, a.role.clone()));
                }
            }
            Ok(())
        });
        if outcome.is_ok() && becomes == Becomes::Kept {
            // What one believes to be stuck is let go by asking for control again.
            Becomes::Released.apply(&self.input);
        }
        outcome
    }

    /// Who steers, if it is another one than when this was asked last.
    pub(in crate::instance) fn newly_steers(&self) -> Option<Option<ViewerId>> {
        let mut inner = self.lock();
        let holder = inner.viewers.holder();
        (std::mem::replace(&mut inner.steered, holder) != holder).then_some(holder)
    }

    /// Viewers that have not been here for `grace`; notes those that are newly gone.
    pub fn expired(&self, grace: Duration, now: Instant) -> Vec<ViewerId> {
        let mut inner = self.lock();
        let Inner { viewers, doors, .. } = &mut *inner;
        let mut expired = Vec::new();
        for (id, here) in doors {
            if here.door.is_open(viewers.peer_of(*id).is_some()) {
                here.lost_at = None;
            } else if now.duration_since(*here.lost_at.get_or_insert(now)) >= grace {
                expired.push(*id);
            }
        }
        expired
    }

    /// Tells one viewer something.
    pub fn tell(&self, id: ViewerId, message: &ServerMessage) {
        if let Some(here) = self.lock().doors.get(&id) {
            here.door.tell(message);
        }
    }

    /// Tells every viewer what is for its role.
    pub fn tell_all(&self, text: &dyn Fn(Role) -> Option<Arc<str>>) {
        let inner = self.lock();
        for (id, here) in &inner.doors {
            if let Some(text) = text(inner.viewers.role(*id)) {
                here.door.tell_text(text);
            }
        }
    }

    /// Tells one viewer who steers and what it is itself, without waiting for the others.
    pub fn tell_control(&self, id: ViewerId) {
        let inner = self.lock();
        if let Some(here) = inner.doors.get(&id) {
            here.door.tell(&inner.control(id));
        }
    }

    /// Tells everybody who is there and who steers: now, or soon where they were told just before.
    pub fn announce(&self, now: Instant) {
        let mut inner = self.lock();
        let told = inner.doors.len();
        if inner.announcing.changed(told, now) {
            inner.announce();
        } else {
            self.due.notify_one();
        }
    }

    /// Tells everybody what they are due to be told, for as long as it is polled.
    pub async fn keep_announcing(&self) {
        loop {
            let due = self.lock().announcing.due();
            match due {
                // A permit is kept for who begins to wait only now.
                None => self.due.notified().await,
                Some(due) => {
                    sleep_until(due.into()).await;
                    let mut inner = self.lock();
                    if inner.announcing.come(due) {
                        inner.announce();
                    }
                }
            }
        }
    }

    /// What a viewer is; `None` when it is not here.
    #[must_use]
    pub fn role(&self, id: ViewerId) -> Option<Role> {
        let inner = self.lock();
        inner.viewers.session_of(id).map(|_| inner.viewers.role(id))
    }

    /// Decides everybody's role anew, see [`Viewers::regrade`]. What was handed on by who may do that no longer falls back.
    pub fn regrade(&self) -> Regraded {
        self.change(|inner| {
            let Inner { viewers, doors, .. } = &mut *inner;
            let decide = |id| watching(&doors.get(&id).ok_or(ControlError::NotWatching)?.role);
            let mut regraded = viewers.regrade(&decide);
            let void = |(_, by): &(ViewerId, RoleNow)| !by.get().is_ok_and(|role| may(role, Action::GiveControl));
            if let Some((to, _)) = inner.handed.take_if(|handed| void(handed)) {
                regraded.changed |= inner.viewers.take_back(to);
            }
            regraded
        })
    }

    /// Applies input that came by this peer of a viewer, if that may steer; says whether. Under the lock, so that whoever
    /// takes control away, and then has everything released, has the last word. `apply` must not wait.
    pub fn steer(&self, id: ViewerId, peer: PeerId, apply: impl FnOnce()) -> bool {
        let inner = self.lock();
        let may = inner.viewers.may_steer_by(id, peer);
        if may {
            apply();
        }
        may
    }

    /// By what a viewer is here.
    #[cfg(test)]
    pub(crate) fn door_of(&self, id: ViewerId) -> Option<Door> {
        self.lock().doors.get(&id).map(|here| here.door.clone())
    }

    /// Reads the viewers under the lock.
    pub fn with<T>(&self, f: impl FnOnce(&Viewers) -> T) -> T {
        f(&self.lock().viewers)
    }

    /// The one place where anything changes of who is here and who steers: what follows from it for input has happened before
    /// anybody else may steer.
    fn changed<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> (T, Becomes) {
        let mut inner = self.lock();
        let before = Steering::of(&inner.viewers);
        let outcome = change(&mut inner);
        let becomes = before.becomes(&Steering::of(&inner.viewers));
        becomes.apply(&self.input);
        (outcome, becomes)
    }

    fn change<T>(&self, change: impl FnOnce(&mut Inner) -> T) -> T {
        self.changed(change).0
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in here is left half done by a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The role, if it lets them watch.
fn watching(role: &RoleNow) -> Result<Role, ControlError> {
    let role = role.get()?;
    may(role, Action::Watch).then_some(role).ok_or(ControlError::NoAccess)
}

impl Inner {
    /// By what who says something is here, if it is that by which it was said.
    fn knows(&self, who: &Speaker) -> Option<&Attendance> {
        let here = self.doors.get(&who.viewer).filter(|a| a.door.is_same(&who.door));
        here.filter(|_| self.viewers.session_of(who.viewer) == Some(who.session))
    }

    fn heard(&self, who: &Speaker) -> Result<(), ControlError> {
        let here = self.knows(who).ok_or(ControlError::NotWatching)?;
        watching(&here.role).map(|_| ())
    }

    fn take_claim(&mut self, claim: Claim, session: SessionId) -> Option<ViewerId> {
        let Self { viewers, doors, .. } = self;
        let (id, here) = doors
            .iter_mut()
            .find(|(id, here)| here.claim == Some(claim) && viewers.session_of(**id) == Some(session))?;
        here.claim = None;
        Some(*id)
    }

    fn remove(&mut self, id: ViewerId, now: Instant) -> Option<Option<PeerId>> {
        self.doors.remove(&id);
        self.viewers.leave(id, now).map(|v| v.peer)
    }

    fn control(&self, told: ViewerId) -> ServerMessage {
        ServerMessage::Control {
            holder: self.viewers.holder(),
            role: self.viewers.role(told),
        }
    }

    fn announce(&self) {
        let entry = |id| ViewerEntry {
            viewer_id: id,
            role: self.viewers.role(id),
        };
        let mut viewers: Vec<_> = self.viewers.iter().map(|(id, _)| entry(id)).collect();
        let count = viewers.len();
        // Who is left out is one spectator of very many.
        viewers.sort_by_key(|viewer| Reverse(viewer.role));
        viewers.truncate(MOST_NAMED);
        let list = written(&ServerMessage::Viewers { count, viewers });
        for (id, here) in &self.doors {
            if let Some(list) = &list {
                here.door.tell_text(Arc::clone(list));
            }
            here.door.tell(&self.control(*id));
        }
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
