//! Viewers with their sockets, and the one question the input path asks. Shared by `Arc`, outlives every actor.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::time::sleep_until;

use super::announcing::Announcing;
use super::outbound::{Outbound, written};
use super::viewers::{ControlError, Regraded, Viewers};
use crate::ids::{PeerId, SessionId, ViewerId};
use crate::protocol::rights::{Action, may};
use crate::protocol::signalling::{ServerMessage, ViewerEntry};
use crate::protocol::words::Role;

/// So many viewers are told by name.
const MOST_NAMED: usize = 100;

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
    /// Everybody is due to be told who is there.
    due: Notify,
}

#[derive(Debug)]
struct Inner {
    viewers: Viewers,
    sockets: BTreeMap<ViewerId, Socket>,
    announcing: Announcing,
}

#[derive(Debug)]
struct Socket {
    out: Outbound,
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
                announcing: Announcing::default(),
            }),
            due: Notify::new(),
        }
    }

    /// A viewer comes, or comes back on a new socket. Gives its living peer and the socket it had before, if another.
    ///
    /// # Errors
    /// [`ControlError`] when nothing lets them in, the id is another session's, or there are too many.
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

impl Inner {
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
mod tests {
    use futures::FutureExt;
    use tokio::task::unconstrained;

    use super::super::outbound::{OutboundTexts, outbound};
    use super::*;

    fn as_role(role: Role) -> RoleNow {
        RoleNow::new(move || Some(role))
    }

    #[test]
    fn who_is_let_in_by_nothing_does_not_come_in() {
        let roster = Roster::new(8, Instant::now());
        let (id, (out, _socket)) = (ViewerId::new(), outbound());
        let refused = roster.join(id, SessionId::new(), &RoleNow::new(|| None), out);
        assert_eq!(refused.err().map(ControlError::code), Some("not_allowed"));
        assert_eq!(roster.role(id), None);
    }

    #[test]
    fn a_viewer_that_comes_back_in_time_finds_its_peer() {
        let owner = SessionId::new();
        let now = Instant::now();
        let roster = Roster::new(8, now);
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
        let roster = Roster::new(8, now);
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
        let roster = Roster::new(8, now);
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

    /// What a socket has been told, without waiting for more.
    async fn told(socket: &mut OutboundTexts) -> Vec<serde_json::Value> {
        let mut told = Vec::new();
        while let Some(Some(text)) = unconstrained(socket.next()).now_or_never() {
            told.push(serde_json::from_str(&text).unwrap());
        }
        told
    }

    #[tokio::test(start_paused = true)]
    async fn of_hundreds_who_come_at_once_everybody_is_told_a_few_times_and_the_last_time_of_all() {
        const MANY: usize = 300;
        // Tokio's clock is the one that is paused, so it is asked here.
        let now = || tokio::time::Instant::now().into_std();
        let roster = Arc::new(Roster::new(MANY, now()));
        let announcer = Arc::clone(&roster);
        let announcing = tokio::spawn(async move { announcer.keep_announcing().await });
        let mut sockets = Vec::new();
        for number in 0..MANY {
            let role = if number == MANY / 2 {
                Role::Owner
            } else {
                Role::Spectator
            };
            let (out, socket) = outbound();
            roster
                .join(ViewerId::new(), SessionId::new(), &as_role(role), out)
                .unwrap();
            sockets.push(socket);
            roster.announce(now());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut messages = 0;
        for socket in &mut sockets {
            let told = told(socket).await;
            messages += told.len();
            let list = told.iter().rfind(|m| m["type"] == "viewers").unwrap();
            assert_eq!(list["count"], MANY);
            let named = list["viewers"].as_array().unwrap();
            assert_eq!(named.len(), MOST_NAMED);
            assert_eq!(named[0]["role"], "owner", "the one that matters is named first");
        }
        assert!(messages < MANY * 10, "{messages} messages to {MANY}");
        announcing.abort();
    }
}
