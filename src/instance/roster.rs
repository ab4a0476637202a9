//! Viewers with their sockets, and the one question the input path asks. Shared by `Arc`, outlives every actor.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::outbound::Outbound;
use super::viewers::{ControlError, Regraded, Viewers};
use crate::ids::{PeerId, SessionId, ViewerId};
use crate::protocol::rights::{Action, may};
use crate::protocol::signalling::{ServerMessage, ViewerEntry};
use crate::protocol::words::Role;

/// What somebody is at an instance when it is asked: what lets them in may end while their request is under way.
#[derive(Clone)]
pub struct RoleNow(Arc<dyn Fn() -> Option<Role> + Send + Sync>);

impl RoleNow {
    /// `decide` is called under the lock of the viewers; it must not wait.
    pub fn new(decide: impl Fn() -> Option<Role> + Send + Sync + 'static) -> Self {
        Self(Arc::new(decide))
    }

    /// The role at this moment; `None`: they may not even watch.
    #[must_use]
    pub fn get(&self) -> Option<Role> {
        (self.0)()
    }
}

impl fmt::Debug for RoleNow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RoleNow({:?})", self.get())
    }
}

/// The viewers of one instance and the ways to their sockets.
#[derive(Debug)]
pub struct Roster {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    viewers: Viewers,
    sockets: BTreeMap<ViewerId, Socket>,
}

#[derive(Debug)]
struct Socket {
    out: Outbound,
    /// Since when the socket is known to be gone.
    lost_at: Option<Instant>,
}

impl Roster {
    /// Nobody yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self {
            inner: Mutex::new(Inner {
                viewers: Viewers::new(now),
                sockets: BTreeMap::new(),
            }),
        }
    }

    /// A viewer comes, or comes back on a new socket. Gives its living peer and the socket it had before, if another.
    ///
    /// # Errors
    /// [`ControlError`] when nothing lets them in, or the id is another session's.
    pub fn join(
        &self,
        id: ViewerId,
        session: SessionId,
        role: &RoleNow,
        out: Outbound,
    ) -> Result<(Option<PeerId>, Option<Outbound>), ControlError> {
        let mut inner = self.lock();
        // Under the lock: a role that ends now ends before this, or finds this viewer.
        let role = role.get().filter(|role| may(*role, Action::Watch));
        inner.viewers.join(id, session, role.ok_or(ControlError::NoAccess)?)?;
        let peer = inner.viewers.iter().find(|(v, _)| *v == id).and_then(|(_, v)| v.peer);
        let before = inner.sockets.insert(
            id,
            Socket {
                out: out.clone(),
                lost_at: None,
            },
        );
        Ok((peer, before.map(|s| s.out).filter(|o| !o.same_socket(&out))))
    }

    /// A viewer goes; gives its peer. `from`: only if it is still on this socket.
    pub fn leave(&self, id: ViewerId, from: Option<&Outbound>, now: Instant) -> Option<Option<PeerId>> {
        let mut inner = self.lock();
        if let Some(from) = from
            && !inner.sockets.get(&id).is_some_and(|s| s.out.same_socket(from))
        {
            return None;
        }
        inner.sockets.remove(&id);
        inner.viewers.leave(id, now).map(|v| v.peer)
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

    /// Tells every viewer something.
    pub fn tell_all(&self, message: &ServerMessage) {
        for socket in self.lock().sockets.values() {
            socket.out.send(message);
        }
    }

    /// Tells everybody who is there and who steers.
    pub fn announce(&self) {
        let inner = self.lock();
        let viewers: Vec<_> = inner
            .viewers
            .iter()
            .map(|(id, _)| ViewerEntry {
                viewer_id: id,
                role: inner.viewers.role(id),
            })
            .collect();
        let list = ServerMessage::Viewers {
            count: viewers.len(),
            viewers,
        };
        for (id, socket) in &inner.sockets {
            socket.out.send(&list);
            socket.out.send(&ServerMessage::Control {
                holder: inner.viewers.holder(),
                role: inner.viewers.role(*id),
            });
        }
    }

    /// What a viewer is; `None` when it is not here.
    #[must_use]
    pub fn role(&self, id: ViewerId) -> Option<Role> {
        let inner = self.lock();
        inner.viewers.session_of(id).map(|_| inner.viewers.role(id))
    }

    /// Decides everybody's role anew, see [`Viewers::regrade`].
    pub fn regrade(&self, decide: &dyn Fn(SessionId, Role) -> Option<Role>) -> Regraded {
        self.lock().viewers.regrade(decide)
    }

    /// Whether input that comes by this peer of a viewer is applied.
    #[must_use]
    pub fn may_steer_by(&self, id: ViewerId, peer: PeerId) -> bool {
        self.lock().viewers.may_steer_by(id, peer)
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

#[cfg(test)]
mod tests {
    use super::super::outbound::outbound;
    use super::*;

    fn as_role(role: Role) -> RoleNow {
        RoleNow::new(move || Some(role))
    }

    #[test]
    fn who_is_let_in_by_nothing_does_not_come_in() {
        let roster = Roster::new(Instant::now());
        let (id, (out, _socket)) = (ViewerId::new(), outbound());
        let refused = roster.join(id, SessionId::new(), &RoleNow::new(|| None), out);
        assert_eq!(refused.err().map(ControlError::code), Some("not_allowed"));
        assert_eq!(roster.role(id), None);
    }

    #[test]
    fn a_viewer_that_comes_back_in_time_finds_its_peer() {
        let owner = SessionId::new();
        let now = Instant::now();
        let roster = Roster::new(now);
        let (id, peer) = (ViewerId::new(), PeerId::new());
        let (out, socket) = outbound();
        assert_eq!(roster.join(id, owner, &as_role(Role::Owner), out).unwrap().0, None);
        roster.with(|v| v.set_peer(id, Some(peer)));
        drop(socket);
        let grace = Duration::from_secs(8);
        assert!(roster.expired(grace, now).is_empty());
        assert!(roster.expired(grace, now + Duration::from_secs(7)).is_empty());
        let (out, _socket) = outbound();
        assert_eq!(
            roster.join(id, owner, &as_role(Role::Owner), out).unwrap().0,
            Some(peer)
        );
        assert!(roster.expired(grace, now + Duration::from_secs(60)).is_empty());
    }

    #[test]
    fn a_viewer_that_stays_away_expires() {
        let now = Instant::now();
        let roster = Roster::new(now);
        let id = ViewerId::new();
        let (out, socket) = outbound();
        roster
            .join(id, SessionId::new(), &as_role(Role::Spectator), out)
            .unwrap();
        drop(socket);
        roster.expired(Duration::from_secs(8), now);
        assert_eq!(
            roster.expired(Duration::from_secs(8), now + Duration::from_secs(8)),
            [id]
        );
    }

    #[test]
    fn an_old_sockets_end_does_not_take_away_a_viewer_that_moved_to_a_new_one() {
        let now = Instant::now();
        let owner = SessionId::new();
        let roster = Roster::new(now);
        let id = ViewerId::new();
        let ((old, _old_socket), (new, _new_socket)) = (outbound(), outbound());
        roster.join(id, owner, &as_role(Role::Owner), old.clone()).unwrap();
        assert!(
            roster
                .join(id, owner, &as_role(Role::Owner), new)
                .unwrap()
                .1
                .is_some_and(|before| before.same_socket(&old))
        );
        assert_eq!(roster.leave(id, Some(&old), now), None);
        assert!(roster.with(|v| v.may_steer(id)));
    }
}
