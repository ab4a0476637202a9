//! Viewers with their sockets, and the one question the input path asks. Shared by `Arc`, outlives every actor.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::announcing::Announcing;
use super::latencies::Latencies;
use super::outbound::{Outbound, written};
use super::speaker::{RoleNow, Speaker};
use super::viewers::{ControlError, ControlWish, Regraded, Viewers};
use crate::ids::{PeerId, SessionId, ViewerId};
use crate::protocol::rights::{Action, may};
use crate::protocol::signalling::{ServerMessage, ViewerEntry};
use crate::protocol::words::Role;

/// So many viewers are told by name.
const MOST_NAMED: usize = 100;

/// The viewers of one instance and the ways to their sockets.
#[derive(Debug)]
pub struct Roster {
    inner: Mutex<Inner>,
    /// Everybody is due to be told who is there.
    due: Notify,
    latencies: Latencies,
}

#[derive(Debug)]
struct Inner {
    viewers: Viewers,
    /// One for each viewer.
    sockets: BTreeMap<ViewerId, Socket>,
    /// Who was handed control, and what those are who did that.
    handed: Option<(ViewerId, RoleNow)>,
    announcing: Announcing,
}

#[derive(Debug)]
struct Socket {
    out: Outbound,
    /// What its viewer is.
    role: RoleNow,
    /// Since when the socket is known to be gone.
    lost_at: Option<Instant>,
}

impl Roster {
    /// Nobody yet; at most so many.
    #[must_use]
    pub fn new(most: usize, now: Instant) -> Self {
        Self {
            inner: Mutex::new(Inner {
                viewers: Viewers::new(most, now),
                sockets: BTreeMap::new(),
                handed: None,
                announcing: Announcing::default(),
            }),
            due: Notify::new(),
            latencies: Latencies::default(),
        }
    }

    /// How long the picture takes, as the pages of its viewers say.
    pub const fn latencies(&self) -> &Latencies {
        &self.latencies
    }

    /// A viewer comes, or comes back on a new socket. Gives its living peer and the socket it had before, if another.
    ///
    /// # Errors
    /// [`ControlError`] when nothing lets them in, the id is another session's, or there are too many.
    pub fn join(&self, who: &Speaker, role: &RoleNow) -> Result<(Option<PeerId>, Option<Outbound>), ControlError> {
        let mut inner = self.lock();
        // Under the lock: a role that ends now ends before this, or finds this viewer.
        let now = watching(role)?;
        inner.viewers.join(who.viewer, who.session, now)?;
        let peer = inner.viewers.peer_of(who.viewer);
        let socket = Socket {
            out: who.out.clone(),
            role: role.clone(),
            lost_at: None,
        };
        let before = inner.sockets.insert(who.viewer, socket);
        Ok((peer, before.map(|s| s.out).filter(|o| !o.same_socket(&who.out))))
    }

    /// A viewer says that it goes; gives its peer. Nothing where it is not here, or came back by another socket.
    pub fn leave(&self, who: &Speaker, now: Instant) -> Option<Option<PeerId>> {
        let mut inner = self.lock();
        inner.knows(who)?;
        inner.remove(who.viewer, now)
    }

    /// A viewer is put out; gives its peer.
    pub fn remove(&self, id: ViewerId, now: Instant) -> Option<Option<PeerId>> {
        self.lock().remove(id, now)
    }

    /// Whether who says something is here, by this socket, and may still watch.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn heard(&self, who: &Speaker) -> Result<(), ControlError> {
        self.lock().heard(who)
    }

    /// Whether who says something is here, by this socket, and steers.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn steers(&self, who: &Speaker) -> Result<(), ControlError> {
        let inner = self.lock();
        inner.heard(who)?;
        let steers = inner.viewers.may_steer(who.viewer);
        steers.then_some(()).ok_or(ControlError::MayNotSteer)
    }

    /// Notes a viewer's new peer; gives the one it had before, and whether it steers.
    ///
    /// # Errors
    /// [`ControlError`] where it may not have one: decided under the lock, so that who is put out meanwhile has none.
    pub fn set_peer(&self, who: &Speaker, peer: PeerId) -> Result<(Option<PeerId>, bool), ControlError> {
        let mut inner = self.lock();
        inner.heard(who)?;
        let before = inner.viewers.set_peer(who.viewer, Some(peer));
        Ok((before, inner.viewers.may_steer(who.viewer)))
    }

    /// As whom a viewer is here that a further socket of its session asks for. `role`: what that socket gives, which has to
    /// be no less than what the viewer is by itself: nobody comes by it into what they could not have by their own.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn speaker(&self, viewer: ViewerId, session: SessionId, role: &RoleNow) -> Result<Speaker, ControlError> {
        let inner = self.lock();
        let given = watching(role)?;
        let here = inner
            .sockets
            .get(&viewer)
            .filter(|_| inner.viewers.session_of(viewer) == Some(session));
        let socket = here.ok_or(ControlError::NotWatching)?;
        if watching(&socket.role)? > given {
            return Err(ControlError::NoAccess);
        }
        Ok(Speaker {
            viewer,
            session,
            out: socket.out.clone(),
        })
    }

    /// A viewer has another peer now; gives the one it had before, and whether it steers. Nothing where it is not here.
    pub(super) fn replace_peer(&self, viewer: ViewerId, peer: PeerId) -> Option<(Option<PeerId>, bool)> {
        let mut inner = self.lock();
        inner.viewers.session_of(viewer)?;
        let before = inner.viewers.set_peer(viewer, Some(peer));
        Some((before, inner.viewers.may_steer(viewer)))
    }

    /// Somebody wants something about control; gives who had it before.
    ///
    /// # Errors
    /// [`ControlError`].
    pub fn control(&self, who: &Speaker, wish: ControlWish) -> Result<Option<ViewerId>, ControlError> {
        let mut inner = self.lock();
        inner.heard(who)?;
        let before = inner.viewers.holder();
        match wish {
            ControlWish::Request => inner.viewers.request(who.viewer)?,
            ControlWish::Release => inner.viewers.release(who.viewer)?,
            ControlWish::Grant(to) => {
                inner.viewers.grant(who.viewer, to)?;
                inner.handed = inner.sockets.get(&who.viewer).map(|s| (to, s.role.clone()));
            }
        }
        Ok(before)
    }

    /// Viewers whose sockets have been gone for `grace`; notes those that are newly gone.
    pub fn expired(&self, grace: Duration, now: Instant) -> Vec<ViewerId> {
        let mut inner = self.lock();
        let mut expired = Vec::new();
        for (id, socket) in &mut inner.sockets {
            if socket.out.is_closed() {
                let lost_at = *socket.lost_at.get_or_insert(now);
                if now.duration_since(lost_at) >= grace {
                    expired.push(*id);
                }
            }
        }
        expired
    }

    /// Tells one viewer something.
    pub fn tell(&self, id: ViewerId, message: &ServerMessage) {
        if let Some(socket) = self.lock().sockets.get(&id) {
            socket.out.send(message);
        }
    }

    /// Tells every viewer what is for its role.
    pub fn tell_all(&self, text: &dyn Fn(Role) -> Option<Arc<str>>) {
        let inner = self.lock();
        for (id, socket) in &inner.sockets {
            if let Some(text) = text(inner.viewers.role(*id)) {
                socket.out.send_text(text);
            }
        }
    }

    /// Tells one viewer who steers and what it is itself, without waiting for the others.
    pub fn tell_control(&self, id: ViewerId) {
        let inner = self.lock();
        if let Some(socket) = inner.sockets.get(&id) {
            socket.out.send(&inner.control(id));
        }
    }

    /// Tells everybody who is there and who steers: now, or soon where they were told just before.
    pub fn announce(&self, now: Instant) {
        let mut inner = self.lock();
        let told = inner.sockets.len();
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
        let mut inner = self.lock();
        let Inner { viewers, sockets, .. } = &mut *inner;
        let decide = |id| watching(&sockets.get(&id).ok_or(ControlError::NotWatching)?.role);
        let mut regraded = viewers.regrade(&decide);
        let void = |(_, by): &(ViewerId, RoleNow)| !by.get().is_ok_and(|role| may(role, Action::GiveControl));
        if let Some((to, _)) = inner.handed.take_if(|handed| void(handed)) {
            regraded.changed |= inner.viewers.take_back(to);
        }
        regraded
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

    /// The socket of a viewer.
    #[cfg(test)]
    pub(crate) fn socket_of(&self, id: ViewerId) -> Option<Outbound> {
        self.lock().sockets.get(&id).map(|s| s.out.clone())
    }

    /// Reads or changes the viewers under the lock.
    pub fn with<T>(&self, f: impl FnOnce(&mut Viewers) -> T) -> T {
        f(&mut self.lock().viewers)
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
    /// The socket of who says something, if it is the one that its viewer has now.
    fn knows(&self, who: &Speaker) -> Option<&Socket> {
        let socket = self.sockets.get(&who.viewer).filter(|s| s.out.same_socket(&who.out));
        socket.filter(|_| self.viewers.session_of(who.viewer) == Some(who.session))
    }

    fn heard(&self, who: &Speaker) -> Result<(), ControlError> {
        let socket = self.knows(who).ok_or(ControlError::NotWatching)?;
        watching(&socket.role).map(|_| ())
    }

    fn remove(&mut self, id: ViewerId, now: Instant) -> Option<Option<PeerId>> {
        self.sockets.remove(&id);
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
        for (id, socket) in &self.sockets {
            if let Some(list) = &list {
                socket.out.send_text(Arc::clone(list));
            }
            socket.out.send(&self.control(*id));
        }
    }
}

#[cfg(test)]
#[path = "roster_tests.rs"]
mod tests;
