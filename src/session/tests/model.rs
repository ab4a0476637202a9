//! What everybody may, by the table of docs/security.md and nothing else: told what happens, and never the host's state.

use crate::protocol::words::Role;

/// The host as it should be.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// Counts the tokens that there were.
    token: usize,
    sessions: Vec<Session>,
    sockets: Vec<Socket>,
    links: Vec<Link>,
    owners: Vec<usize>,
    /// What everybody is who knows the address.
    bare: Option<Role>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Session {
    /// Counts its secrets, and those of the sessions that took its place.
    secret: usize,
    /// Counts the sessions in this place.
    life: usize,
    /// The token that was shown for it.
    shown: Option<usize>,
}

/// What a socket was opened with.
#[derive(Clone, Copy, Debug)]
struct Socket {
    session: usize,
    secret: usize,
    life: usize,
    /// The token by which its session could launch then.
    member: Option<usize>,
    /// The token that it came with itself.
    admin: Option<usize>,
}

#[derive(Debug)]
struct Link {
    instance: usize,
    role: Role,
    /// A session, and which of those in its place.
    holder: (usize, usize),
    living: bool,
}

impl Model {
    /// Sessions of which those in `members` have shown the token, and instances of `owners`.
    pub(super) fn new(sessions: usize, members: &[usize], owners: &[usize], bare: Option<Role>) -> Self {
        let mut model = Self {
            sessions: vec![Session::default(); sessions],
            owners: owners.to_vec(),
            bare,
            ..Self::default()
        };
        for member in members {
            model.sessions[*member].shown = Some(0);
        }
        model
    }

    pub(super) fn is_member(&self, session: usize) -> bool {
        self.sessions[session].shown == Some(self.token)
    }

    pub(super) fn open(&mut self, session: usize, admin: bool) {
        let now = self.sessions[session];
        self.sockets.push(Socket {
            session,
            secret: now.secret,
            life: now.life,
            member: now.shown.filter(|shown| *shown == self.token),
            admin: admin.then_some(self.token),
        });
    }

    pub(super) fn promote(&mut self, session: usize) {
        self.sessions[session].secret += 1;
        self.sessions[session].shown = Some(self.token);
    }

    pub(super) fn replace(&mut self, session: usize) {
        self.sessions[session].secret += 1;
        self.sessions[session].life += 1;
        self.sessions[session].shown = None;
    }

    pub(super) fn rotate(&mut self) {
        self.token += 1;
        for link in &mut self.links {
            link.living = false;
        }
    }

    pub(super) fn link(&mut self, session: usize, instance: usize, role: Role) {
        self.links.push(Link {
            instance,
            role,
            holder: (session, self.sessions[session].life),
            living: true,
        });
    }

    pub(super) fn revoke(&mut self, link: usize) {
        self.links[link].living = false;
    }

    /// What who came by this socket is at an instance now; `None`: nothing.
    pub(super) fn role(&self, socket: usize, instance: usize) -> Option<Role> {
        let socket = self.sockets[socket];
        let now = self.sessions[socket.session];
        let unchanged = socket.secret == now.secret
            && socket.member.is_none_or(|token| token == self.token)
            && socket.admin.is_none_or(|token| token == self.token);
        if !unchanged {
            return None;
        }
        // The owner is the first session in its place: the next ones are others.
        if self.owners[instance] == socket.session && socket.life == 0 && socket.member.is_some() {
            return Some(Role::Owner);
        }
        if socket.admin.is_some() {
            return Some(Role::Admin);
        }
        let linked = self
            .links
            .iter()
            .filter(|link| link.living && link.instance == instance && link.holder == (socket.session, socket.life));
        linked.map(|link| link.role).max().max(self.bare)
    }
}
