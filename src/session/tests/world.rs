//! The real thing: the host's actors with sockets that a test holds the other end of. Worse than any browser: they go on
//! saying things when they should have been closed.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures::FutureExt;
use serde_json::Value;
use tokio::task::unconstrained;

use super::super::actor::{Attach, Detach, FromBrowser, SessionActor};
use super::super::book::Identity;
use super::super::links::Wish;
use super::super::secret::Secret;
use super::super::testing::Bench;
use super::Step;
use super::model::Model;
use crate::clock::unix_ms;
use crate::ids::{LinkId, PeerId, SessionId, ViewerId};
use crate::instance::testing::Running;
use crate::instance::{Door, Outbound, OutboundTexts, outbound};
use crate::peer::ConnectionState;
use crate::policy::{Action, may};
use crate::protocol::signalling::ClientMessage;
use crate::protocol::words::Role;
use crate::supervision::ChildRef;

const SOON: Duration = Duration::from_secs(10);
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=recvonly\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n";
/// What only those are told who watch.
const PRIVATE: [&str; 6] = ["instance", "viewers", "control", "answer", "candidate", "resumed"];
/// Two who launch, two guests, and one who may launch and has launched nothing.
const SESSIONS: usize = 5;
const MEMBERS: [usize; 3] = [0, 1, 4];
const OWNERS: [usize; 2] = [0, 1];

type Judged = Result<(), String>;

/// A socket, as the browser has it.
struct Socket {
    id: u64,
    session_id: SessionId,
    actor: ChildRef<SessionActor>,
    out: Outbound,
    /// `None`: it is gone.
    texts: Option<OutboundTexts>,
    viewer: ViewerId,
    peer: Option<PeerId>,
}

/// What an instance knows at one moment.
struct Seen {
    holder: Option<ViewerId>,
    /// With the socket by which each is there.
    viewers: BTreeMap<ViewerId, (SessionId, Role, Option<PeerId>, usize)>,
}

pub(super) struct World {
    bench: Bench,
    people: Vec<(Identity, Secret)>,
    sockets: Vec<Socket>,
    links: Vec<(usize, LinkId)>,
    instances: Vec<Running>,
    /// Who was handed control, and by which socket.
    handed: Vec<Option<(ViewerId, usize)>>,
    /// Peers that were answered: of which instance and viewer.
    peers: Vec<(usize, ViewerId, PeerId)>,
    model: Model,
    pub(super) tally: Tally,
}

/// How often something happened that is worth judging.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) answers: usize,
    pub(super) handed: usize,
    pub(super) put_out: usize,
    pub(super) clicks: usize,
}

impl World {
    pub(super) async fn new(bare: bool) -> Self {
        let bare = bare.then_some(Role::Spectator);
        let bench = Bench::new(false, bare).await;
        let pass = bench.admins.pass(None, Some(&bench.token)).unwrap();
        let mut people = Vec::new();
        for session in 0..SESSIONS {
            let pass = MEMBERS.contains(&session).then_some(&pass);
            people.push(bench.book.create(pass).await.unwrap());
        }
        let mut instances = Vec::new();
        for owner in OWNERS {
            instances.push(bench.instance(people[owner].0.session).await);
        }
        Self {
            bench,
            people,
            sockets: Vec::new(),
            links: Vec::new(),
            handed: vec![None; instances.len()],
            instances,
            peers: Vec::new(),
            model: Model::new(SESSIONS, &MEMBERS, &OWNERS, bare),
            tally: Tally::default(),
        }
    }

    /// Carries a step out, and judges what has become of it.
    pub(super) async fn take(&mut self, step: Step) -> Judged {
        let before: Vec<Seen> = self.look()?;
        let speaker = self.carry_out(step).await;
        // Requests pass from actor to actor; nothing of it waits for anything.
        for _ in 0..60 {
            tokio::task::yield_now().await;
        }
        for connection in self.bench.factory.0.lock().unwrap().iter() {
            connection.state.send_if_modified(|state| {
                let fresh = *state == ConnectionState::New;
                *state = if fresh { ConnectionState::Connected } else { *state };
                fresh
            });
        }
        let after = self.look()?;
        self.judge_told(&before, &after)?;
        self.judge_welcome(step, speaker, &after)?;
        let all = before.iter().zip(&after).enumerate();
        for (instance, (before, after)) in all {
            self.judge_viewers(instance, after)?;
            self.judge_control(instance, step, speaker, before, after)?;
            self.judge_gone(instance, speaker, before, after)?;
        }
        self.judge_peers(&after)
    }

    async fn carry_out(&mut self, step: Step) -> Option<usize> {
        let at = |socket: usize| (!self.sockets.is_empty()).then(|| socket % self.sockets.len());
        match step {
            Step::Open { session, admin } => self.open(session, admin).await,
            Step::Close { socket } => {
                let socket = at(socket)?;
                let closed = &mut self.sockets[socket];
                closed.texts = None;
                let _ = closed.actor.tell(Detach(closed.id));
                return Some(socket);
            }
            Step::Promote { session } => self.promote(session).await,
            Step::Delete { session } => {
                let identity = self.people[session].0.clone();
                self.bench.book.delete(identity.session).await.unwrap();
                self.bench.roles.regrade_all();
                self.people[session] = self.bench.book.create(None).await.unwrap();
                self.model.replace(session);
            }
            Step::Rotate => {
                self.bench.rotate();
                self.model.rotate();
            }
            Step::Link {
                session,
                instance,
                controller,
            } => self.link(session, instance, controller).await,
            Step::Revoke { link } => {
                if let Some((instance, id)) = self.links.get(link).copied() {
                    let instance = self.instances[instance].handle.spec().id;
                    let _ = self.bench.roles.revoke(instance, id).await;
                    self.model.revoke(link);
                }
            }
            _ => {
                let (socket, whose) = match step {
                    Step::Hello { socket, whose }
                    | Step::Candidate { socket, whose }
                    | Step::RestartIce { socket, whose }
                    | Step::Grant { socket, whose } => (socket, Some(whose)),
                    Step::Watch { socket, whose, .. } => (socket, whose),
                    Step::Unwatch { socket }
                    | Step::Offer { socket }
                    | Step::Request { socket }
                    | Step::Release { socket } => (socket, None),
                    _ => return None,
                };
                let socket = at(socket)?;
                let message = self.message(step, whose.and_then(at));
                self.say(socket, message);
                return Some(socket);
            }
        }
        None
    }

    fn message(&self, step: Step, whose: Option<usize>) -> ClientMessage {
        let whose = whose.map(|whose| &self.sockets[whose]);
        let peer_id = whose.and_then(|whose| whose.peer);
        let viewer_id = whose.map_or_else(ViewerId::new, |whose| whose.viewer);
        match step {
            Step::Hello { .. } => ClientMessage::Hello {
                viewer_id: Some(viewer_id),
            },
            Step::Watch { instance, .. } => ClientMessage::Watch {
                instance_id: self.instances[instance].handle.spec().id,
                peer_id,
                claim: None,
            },
            Step::Unwatch { .. } => ClientMessage::Unwatch,
            Step::Offer { .. } => ClientMessage::Offer {
                sdp: OFFER.into(),
                beside: false,
            },
            Step::Candidate { .. } => ClientMessage::Candidate {
                peer_id: peer_id.unwrap_or_else(PeerId::new),
                candidate: None,
            },
            Step::RestartIce { .. } => ClientMessage::RestartIce {
                peer_id: peer_id.unwrap_or_else(PeerId::new),
                sdp: OFFER.into(),
            },
            Step::Request { .. } => ClientMessage::RequestControl,
            Step::Release { .. } => ClientMessage::ReleaseControl,
            Step::Grant { .. } => ClientMessage::GrantControl { viewer_id },
            _ => ClientMessage::Ping { t: 0.0 },
        }
    }

    fn say(&self, socket: usize, message: ClientMessage) {
        let socket = &self.sockets[socket];
        let message = FromBrowser {
            socket: socket.id,
            message,
        };
        let _ = socket.actor.tell(message);
    }

    async fn open(&mut self, session: usize, admin: bool) {
        // By its secret, as a request does.
        let identity = self.bench.book.find(&self.people[session].1).await.unwrap().unwrap();
        let pass = admin.then(|| self.bench.admins.pass(None, Some(&self.bench.token)).unwrap());
        let actor = self.bench.sessions.actor(identity.session).await.unwrap();
        let (out, texts) = outbound();
        let id = self.sockets.len() as u64;
        let attach = Attach {
            socket: id,
            out: out.clone(),
            from: HERE,
            tenure: identity.tenure(pass),
        };
        actor.ask(attach, SOON).await.unwrap();
        self.model.open(session, admin);
        self.sockets.push(Socket {
            id,
            session_id: identity.session,
            actor,
            out,
            texts: Some(texts),
            viewer: ViewerId::new(),
            peer: None,
        });
        self.say(self.sockets.len() - 1, ClientMessage::Hello { viewer_id: None });
    }

    /// As `POST /sessions` does for a guest that shows the token.
    async fn promote(&mut self, session: usize) {
        let identity = self.bench.book.find(&self.people[session].1).await.unwrap().unwrap();
        assert_eq!(identity.is_guest(), !self.model.is_member(session));
        if !identity.is_guest() {
            return;
        }
        let pass = self.bench.admins.pass(None, Some(&self.bench.token)).unwrap();
        self.people[session] = self.bench.book.promote(identity.session, &pass).await.unwrap();
        self.bench.roles.regrade_all();
        self.model.promote(session);
    }

    async fn link(&mut self, session: usize, instance: usize, controller: bool) {
        let role = if controller { Role::Controller } else { Role::Spectator };
        let wish = Wish {
            role,
            life: SOON * 100,
            uses: None,
        };
        let id = self.instances[instance].handle.spec().id;
        let (link, secret) = self.bench.roles.links().make(id, wish, unix_ms()).await.unwrap();
        let who = self.people[session].0.session;
        self.bench.roles.exchange(&secret, who).await.unwrap();
        self.links.push((instance, link.id));
        self.model.link(session, instance, role);
    }

    /// What the instances know; a viewer belongs to the socket by which it is there.
    fn look(&self) -> Result<Vec<Seen>, String> {
        let seen = |running: &Running| {
            let roster = running.roster();
            let all: Vec<_> = roster.with(|v| v.iter().map(|(id, v)| (id, v.clone())).collect());
            let mut viewers = BTreeMap::new();
            for (id, viewer) in all {
                let door = roster.door_of(id).ok_or("a viewer without a socket")?;
                let socket = self
                    .sockets
                    .iter()
                    .position(|s| Door::Socket(s.out.clone()).is_same(&door));
                let socket = socket.ok_or("a socket that nobody has opened")?;
                viewers.insert(id, (viewer.session, viewer.role, viewer.peer, socket));
            }
            Ok(Seen {
                holder: roster.with(|v| v.holder()),
                viewers,
            })
        };
        self.instances.iter().map(seen).collect()
    }

    /// Whoever watches may, as what it does; and is of the session of its socket.
    fn judge_viewers(&self, instance: usize, seen: &Seen) -> Judged {
        for (id, (session, role, _, socket)) in &seen.viewers {
            let may = self.model.role(*socket, instance);
            if may != Some(*role) || *session != self.sockets[*socket].session_id {
                return Err(format!("viewer {id} of socket {socket} is {role} and may be {may:?}"));
            }
            if ViewerId::of(*session, Some(*id)) != *id {
                return Err(format!("viewer {id} has another session's id"));
            }
        }
        Ok(())
    }

    /// Whoever asks to watch and may, does: nobody stands in its way with its id.
    fn judge_welcome(&self, step: Step, speaker: Option<usize>, after: &[Seen]) -> Judged {
        let (Step::Watch { instance, .. }, Some(speaker)) = (step, speaker) else {
            return Ok(());
        };
        let here = self.sockets[speaker].texts.is_some();
        let watches = |(.., socket): &(SessionId, Role, Option<PeerId>, usize)| *socket == speaker;
        if here && self.model.role(speaker, instance).is_some() && !after[instance].viewers.values().any(watches) {
            return Err(format!("socket {speaker} may watch and was not let in"));
        }
        Ok(())
    }

    /// Whoever steers may by itself, or was handed control by who may do that now; and nobody loses it to who may not
    /// take it.
    fn judge_control(
        &mut self,
        instance: usize,
        step: Step,
        speaker: Option<usize>,
        before: &Seen,
        after: &Seen,
    ) -> Judged {
        let may_now = |socket: usize, action| {
            let role = self.model.role(socket, instance);
            role.is_some_and(|role| may(role, action))
        };
        let handed_before = self.handed[instance];
        let speaks = speaker.filter(|s| before.viewers.values().any(|(_, _, _, socket)| socket == s));
        if let (Step::Grant { whose, .. }, Some(by)) = (step, speaks) {
            let may = may_now(by, Action::GiveControl);
            if after.holder != before.holder && !may {
                return Err(format!("socket {by} handed control on and may not"));
            }
            // Also to who has it already.
            let to = self.sockets[whose % self.sockets.len()].viewer;
            if may && after.holder == Some(to) {
                self.handed[instance] = Some((to, by));
                self.tally.handed += usize::from(after.holder != before.holder);
            }
        }
        let Some(holder) = after.holder else { return Ok(()) };
        let (.., socket) = after.viewers.get(&holder).ok_or("who steers is not there")?;
        let handed = self.handed[instance].filter(|(to, by)| *to == holder && may_now(*by, Action::GiveControl));
        if !may_now(*socket, Action::Control) && handed.is_none() {
            return Err(format!("socket {socket} steers and may not"));
        }
        let taken = before
            .holder
            .filter(|was| *was != holder && after.viewers.contains_key(was));
        let Some(was) = taken else { return Ok(()) };
        let from = after.viewers.get(&was).map(|(.., socket)| *socket);
        let by_itself = from.is_some_and(|from| may_now(from, Action::Control));
        let by_another = handed_before.is_some_and(|(to, by)| to == was && may_now(by, Action::GiveControl));
        if !by_itself && !by_another {
            return Ok(());
        }
        let Some(by) = speaker else {
            // Whose rights were lowered loses it to the owner, even if it was handed it.
            let to_owner = self.model.role(*socket, instance) == Some(Role::Owner);
            return to_owner.then_some(()).ok_or("control fell to somebody".to_owned());
        };
        // A viewer that comes back by another socket of its session has what that one has.
        let own = [before, after].map(|seen| seen.viewers.get(&was).is_some_and(|(.., socket)| *socket == by));
        if !own.contains(&true) && !may_now(by, Action::Control) {
            return Err(format!("socket {by} took control from {was} and may not"));
        }
        Ok(())
    }

    /// Whoever is gone went by itself, or may not watch any more.
    fn judge_gone(&mut self, instance: usize, speaker: Option<usize>, before: &Seen, after: &Seen) -> Judged {
        let gone = before.viewers.iter().filter(|(id, _)| !after.viewers.contains_key(id));
        for (id, (session, .., socket)) in gone {
            let itself = speaker.is_some_and(|s| self.sockets[s].session_id == *session);
            if !itself && self.model.role(*socket, instance).is_some() {
                return Err(format!("viewer {id} of socket {socket} was put out by {speaker:?}"));
            }
            self.tally.put_out += usize::from(!itself);
        }
        Ok(())
    }

    /// Nothing private is told to who does not watch, and answers only to who has asked.
    fn judge_told(&mut self, before: &[Seen], after: &[Seen]) -> Judged {
        for number in 0..self.sockets.len() {
            let there = |seen: &[Seen]| {
                let at = |s: &Seen| s.viewers.values().any(|(.., socket)| *socket == number);
                seen.iter().position(at)
            };
            let instance = there(after).or_else(|| there(before));
            let Some(texts) = self.sockets[number].texts.as_mut() else {
                continue;
            };
            let mut told: Vec<Value> = Vec::new();
            while let Some(Some(text)) = unconstrained(texts.next()).now_or_never() {
                told.push(serde_json::from_str(&text).unwrap());
            }
            for message in told {
                let kind = message["type"].as_str().unwrap_or_default();
                if kind == "welcome" {
                    self.sockets[number].viewer = message["viewer_id"].as_str().unwrap().parse().unwrap();
                }
                let private = PRIVATE.contains(&kind);
                let Some(instance) = instance else {
                    if private {
                        return Err(format!("socket {number} does not watch and was told {message}"));
                    }
                    continue;
                };
                if kind == "answer" {
                    let peer: PeerId = message["peer_id"].as_str().unwrap().parse().unwrap();
                    let viewer = self.sockets[number].viewer;
                    let living = self.instances[instance].peer(peer);
                    if living.is_some_and(|(of, _)| of != viewer) {
                        return Err(format!("socket {number} was told the answer of another"));
                    }
                    self.sockets[number].peer = Some(peer);
                    self.peers.push((instance, viewer, peer));
                    self.tally.answers += 1;
                }
            }
        }
        Ok(())
    }

    /// A peer is its viewer's only one, or is being closed; and steers only while its viewer does.
    fn judge_peers(&mut self, after: &[Seen]) -> Judged {
        for (instance, viewer, peer) in &self.peers {
            let (running, seen) = (&self.instances[*instance], &after[*instance]);
            let at = seen.viewers.get(viewer);
            let current = at.is_some_and(|(_, _, now, _)| now == &Some(*peer));
            if running.peer(*peer).is_some_and(|(_, closing)| !closing) && !current {
                return Err(format!("peer {peer} streams on and is nobody's"));
            }
            let role = at.and_then(|(.., socket)| self.model.role(*socket, *instance));
            let by_itself = role.is_some_and(|role| may(role, Action::SendInput));
            let handed = self.handed[*instance].is_some_and(|(to, _)| to == *viewer) && seen.holder == Some(*viewer);
            let clicks = running.clicks(*viewer, *peer);
            self.tally.clicks += usize::from(clicks);
            if clicks && !(current && (by_itself || handed)) {
                return Err(format!("peer {peer} steers, its viewer is {role:?}"));
            }
        }
        Ok(())
    }
}
