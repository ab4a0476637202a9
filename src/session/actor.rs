//! SessionActor: the sockets of one user, and what they ask for.
//!
//! It keeps nothing that could be lost: viewers belong to the instances, which notice by themselves when a socket is
//! gone. A session that panics costs its sockets; pages come back on new ones and find their connections alive.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, StreamHandler, WrapFuture};
use futures::stream;
use tokio::sync::broadcast::error::RecvError;

use super::requests::request;
use super::roles::Roles;
use super::sessions::Around;
use super::tenure::Tenure;
use crate::clock::unix_ms;
use crate::ids::{Claim, InstanceId, PeerId, SessionId, ViewerId};
use crate::instance::actor::{Join, Leave};
use crate::instance::{ControlError, Door, InstanceHandle, Outbound, Speaker};
use crate::observe::Lines;
use crate::policy::{Action, may};
use crate::protocol::signalling::{ClientMessage, CloseReason, InstanceStatus, ServerMessage};
use crate::protocol::words::Role;
use crate::supervision::ChildContext;

/// How often it looks whether anybody is left.
const TICK: Duration = Duration::from_secs(5);
/// How often it is noted that it is used.
const IN_USE: Duration = Duration::from_secs(60);
/// A session that has been without sockets at so many looks ends; the next socket starts it again.
const QUIET_TICKS: u32 = 12;
/// A session that does not look any more waits for something that never comes.
pub(super) const STALL: Duration = Duration::from_secs(20);
/// When an instance's actor was away.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// What is written down a minute of what its sockets are refused.
const LINES: u32 = 60;

/// Tells sockets apart.
pub type SocketId = u64;

/// The actor.
#[derive(Debug)]
pub struct SessionActor {
    session: SessionId,
    around: Arc<Around>,
    context: ChildContext,
    sockets: BTreeMap<SocketId, Socket>,
    quiet_ticks: u32,
    /// Whether it is about to look again for actors that were away.
    looking: bool,
    lines: Arc<Lines>,
}

#[derive(Debug)]
struct Socket {
    out: Outbound,
    /// Where it comes from.
    from: IpAddr,
    /// What it was opened with. Once that has ended nothing is heard of it.
    tenure: Tenure,
    /// Whether it was welcomed: who was not has no credentials that could run out.
    greeted: bool,
    /// One of its session's, whatever the browser says.
    viewer: ViewerId,
    /// What it has asked to watch. Whether it may, and what else, that instance knows.
    watching: Option<InstanceHandle>,
    /// An instance whose actor is not there yet (a failed one is only a row until it is started again), and the peer that
    /// is to be taken over then.
    waiting: Option<(InstanceId, Option<PeerId>)>,
    /// By what it will have a media socket, until the instance knows.
    claim: Option<Claim>,
}

impl SessionActor {
    /// The actor of a session.
    #[must_use]
    pub fn new(session: SessionId, around: Arc<Around>, context: &ChildContext) -> Self {
        Self {
            session,
            around,
            context: context.clone(),
            sockets: BTreeMap::new(),
            quiet_ticks: 0,
            looking: false,
            lines: Arc::new(Lines::a_minute(LINES)),
        }
    }

    fn handle_message(&mut self, id: SocketId, message: ClientMessage, ctx: &mut Context<Self>) {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        if !socket.tenure.holds() {
            // It is being closed, and may say things until then.
            let error = ControlError::Ended;
            return socket.out.send(&ServerMessage::error(error.code(), error.to_string()));
        }
        match message {
            ClientMessage::Hello { viewer_id } => {
                let viewer = viewer_id.map_or(socket.viewer, |id| ViewerId::of(self.session, Some(id)));
                if viewer != socket.viewer {
                    // Nobody is two viewers by one socket.
                    leave(socket);
                }
                socket.viewer = viewer;
                socket.out.send(&ServerMessage::Welcome {
                    session_id: self.session,
                    viewer_id: socket.viewer,
                    transports: self.around.transports.names(),
                    ice: self.around.ice.of(self.session, unix_ms()),
                });
                socket.greeted = true;
            }
            ClientMessage::Ping { t } => socket.out.send(&ServerMessage::Pong { t }),
            ClientMessage::Stats { digest } => {
                log::debug!("session={} viewer={} stats={digest}", self.session, socket.viewer);
            }
            ClientMessage::Watch {
                instance_id,
                peer_id,
                claim,
            } => {
                socket.claim = claim;
                // Who asks anew about what it watches already keeps its connection.
                if peer_id.is_none() || socket.watching.as_ref().is_none_or(|w| w.spec().id != instance_id) {
                    leave(socket);
                }
                match self.around.manager.get(instance_id) {
                    Some(handle) => {
                        if !watch(socket, &self.around.roles, handle, peer_id) {
                            self.look_again(ctx);
                        }
                    }
                    None => {
                        leave(socket);
                        if let Some(peer_id) = peer_id {
                            // Nothing of it lives.
                            let reason = CloseReason::ResumeExpired;
                            socket.out.send(&ServerMessage::Closed { peer_id, reason });
                        }
                        self.tell_ended(id, instance_id, ctx);
                    }
                }
            }
            ClientMessage::Unwatch => leave(socket),
            message => {
                let Some(handle) = socket.watching.clone() else {
                    socket
                        .out
                        .send(&ServerMessage::error("not_watching", "watch an instance first"));
                    return;
                };
                let (who, from, lines) = (speaker(socket), socket.from, Arc::clone(&self.lines));
                ctx.spawn(request(handle, who, from, message, lines).into_actor(self));
            }
        }
    }

    /// Everybody's credentials run out sooner or later; nobody's before the next time.
    fn refresh_ice(&self) {
        let told: Vec<&Socket> = self.sockets.values().filter(|socket| socket.greeted).collect();
        if told.is_empty() {
            return;
        }
        let fresh = ServerMessage::IceServers(self.around.ice.of(self.session, unix_ms()));
        log::debug!(
            "session={} fresh ice credentials for {} sockets",
            self.session,
            told.len()
        );
        for socket in told {
            socket.out.send(&fresh);
        }
    }

    /// Who was told of a failed row, or came while the instance's actor was away, watches it as soon as it is there; so
    /// does who watched it before it was taken up again.
    fn rejoin(&mut self, ctx: &mut Context<Self>) {
        let mut away = false;
        for socket in self.sockets.values_mut() {
            let watched = socket.watching.as_ref();
            let Some((id, peer)) = socket.waiting.or(watched.map(|w| (w.spec().id, None))) else {
                continue;
            };
            let now = self.around.manager.get(id);
            if let Some(handle) = now.filter(|now| !watched.is_some_and(|w| w.is_same(now))) {
                away |= !watch(socket, &self.around.roles, handle, peer);
            }
        }
        if away {
            self.look_again(ctx);
        }
    }

    /// Rejoins after a while. One look at a time, however often a browser asks.
    fn look_again(&mut self, ctx: &mut Context<Self>) {
        if self.looking {
            return;
        }
        self.looking = true;
        ctx.run_later(LOOK_AGAIN, |act, ctx| {
            act.looking = false;
            act.rejoin(ctx);
        });
    }

    /// What is no longer here may have left a row that says how it ended.
    fn tell_ended(&self, id: SocketId, instance: InstanceId, ctx: &mut Context<Self>) {
        let manager = self.around.manager.clone();
        let work = async move { manager.row(instance).await };
        ctx.spawn(work.into_actor(self).map(move |found, act, ctx| {
            let Some(socket) = act.sockets.get_mut(&id) else { return };
            match found {
                Ok(Some(row)) => {
                    let holds = socket.tenure.holds();
                    let role = act.around.roles.at(socket.tenure.standing(), instance, row.session_id);
                    let role = role.filter(|_| holds);
                    if !role.is_some_and(|role| may(role, Action::Watch)) {
                        log::log!(
                            act.lines.level(),
                            "session={} may not watch instance={instance}",
                            act.session
                        );
                        let refusal = ServerMessage::error("not_allowed", Action::Watch.refusal());
                        return socket.out.send(&refusal);
                    }
                    let role = role.unwrap_or(Role::Spectator);
                    let message = act.around.manager.ended_message(row, role);
                    if message.status == InstanceStatus::Failed && socket.watching.is_none() {
                        socket.waiting = Some((instance, None));
                    }
                    socket.out.send(&ServerMessage::Instance(message));
                    // It may have been started again while the row was read.
                    act.rejoin(ctx);
                }
                Ok(None) => {
                    log::log!(
                        act.lines.level(),
                        "session={} asked for unknown instance={instance}",
                        act.session
                    );
                    socket
                        .out
                        .send(&ServerMessage::error("unknown_instance", "there is no such instance"));
                }
                Err(error) => socket.out.send(&ServerMessage::error(error.code(), error.to_string())),
            }
        }));
    }
}

fn speaker(socket: &Socket) -> Speaker {
    Speaker {
        viewer: socket.viewer,
        session: socket.tenure.session,
        door: Door::Socket(socket.out.clone()),
    }
}

/// A viewer of this socket asks to watch; or waits, where the instance's actor is being started. Says whether it asked.
fn watch(socket: &mut Socket, roles: &Roles, handle: InstanceHandle, peer: Option<PeerId>) -> bool {
    let join = Join {
        who: speaker(socket),
        role: roles.from_now_on(&socket.tenure, &handle),
        peer,
        claim: socket.claim,
    };
    let asked = handle.actor().tell(join).is_ok();
    socket.claim = socket.claim.filter(|_| !asked);
    socket.waiting = (!asked).then_some((handle.spec().id, peer));
    socket.watching = asked.then_some(handle);
    asked
}

fn leave(socket: &mut Socket) {
    socket.waiting = None;
    if let Some(handle) = socket.watching.take() {
        // An instance whose actor is away notices the socket's absence itself.
        let _ = handle.actor().tell(Leave(speaker(socket)));
    }
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.add_stream(stream::unfold(
            self.around.manager.revivals(),
            |mut revivals| async move {
                match revivals.recv().await {
                    // Whichever it was, or however many were missed: all that is waited for is looked at.
                    Ok(_) | Err(RecvError::Lagged(_)) => Some((Revival, revivals)),
                    Err(RecvError::Closed) => None,
                }
            },
        ));
        if let Some(every) = self.around.ice.refresh_after() {
            ctx.run_interval(every, |act, _| act.refresh_ice());
        }
        ctx.run_interval(IN_USE, |act, _| {
            // One that is only watched by does not become old meanwhile.
            if !act.sockets.is_empty() {
                act.around.journal.session_used(act.session, unix_ms());
            }
        });
        ctx.run_interval(TICK, |act, ctx| {
            act.context.progress();
            act.quiet_ticks = if act.sockets.is_empty() { act.quiet_ticks + 1 } else { 0 };
            if act.quiet_ticks > QUIET_TICKS {
                log::debug!("{} is quiet", act.context.path());
                ctx.stop();
            }
        });
    }
}

/// A failed row was started again, or an instance was taken up again.
struct Revival;

impl StreamHandler<Revival> for SessionActor {
    fn handle(&mut self, _: Revival, ctx: &mut Self::Context) {
        self.rejoin(ctx);
    }

    // The manager outlives every session; without it there is nothing to be told.
    fn finished(&mut self, _: &mut Self::Context) {}
}

/// A socket of this session opened.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Attach {
    /// Which.
    pub socket: SocketId,
    /// The way to it.
    pub out: Outbound,
    /// Where it comes from.
    pub from: IpAddr,
    /// What it was opened with.
    pub tenure: Tenure,
}

impl Handler<Attach> for SessionActor {
    type Result = ();

    fn handle(&mut self, msg: Attach, _: &mut Self::Context) {
        self.quiet_ticks = 0;
        self.sockets.insert(
            msg.socket,
            Socket {
                out: msg.out,
                from: msg.from,
                viewer: ViewerId::of(self.session, None),
                tenure: msg.tenure,
                greeted: false,
                watching: None,
                waiting: None,
                claim: None,
            },
        );
    }
}

/// A socket of this session is gone. Its viewers have their grace.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct Detach(pub SocketId);

impl Handler<Detach> for SessionActor {
    type Result = ();

    fn handle(&mut self, msg: Detach, _: &mut Self::Context) {
        self.sockets.remove(&msg.0);
    }
}

/// A browser said something.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FromBrowser {
    /// On which socket.
    pub socket: SocketId,
    /// What.
    pub message: ClientMessage,
}

impl Handler<FromBrowser> for SessionActor {
    type Result = ();

    fn handle(&mut self, msg: FromBrowser, ctx: &mut Self::Context) {
        self.handle_message(msg.socket, msg.message, ctx);
    }
}
