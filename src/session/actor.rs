//! SessionActor: the sockets of one user, and what they ask for.
//!
//! It keeps nothing that could be lost: viewers belong to the instances, which notice by themselves when a socket is
//! gone. A session that panics costs its sockets; pages come back on new ones and find their connections alive.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::fut::wrap_future;
use actix::{Actor, ActorContext, ActorFutureExt, AsyncContext, Context, Handler, Message, StreamHandler, WrapFuture};
use futures::stream;
use tokio::sync::broadcast::error::RecvError;

use super::admins::Pass;
use super::book::Identity;
use super::roles::Roles;
use crate::clock::unix_ms;
use crate::ice::Handout;
use crate::ids::{InstanceId, PeerId, SessionId, ViewerId};
use crate::instance::actor::{Control, ControlWish, Join, Leave};
use crate::instance::offers::Offer;
use crate::instance::paths::{Candidate, RestartIce};
use crate::instance::{InstanceHandle, Manager, Outbound, RequestError};
use crate::observe::Lines;
use crate::protocol::rights::{Action, Standing, may};
use crate::protocol::signalling::{ClientMessage, CloseReason, InstanceStatus, ServerMessage};
use crate::protocol::words::Role;
use crate::supervision::ChildContext;

/// How often it looks whether anybody is left.
const TICK: Duration = Duration::from_secs(5);
/// A session that has been without sockets at so many looks ends; the next socket starts it again.
const QUIET_TICKS: u32 = 12;
/// A session that does not look any more waits for something that never comes.
pub(super) const STALL: Duration = Duration::from_secs(20);
/// When an instance's actor was away.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// An instance answers an offer within 10 s.
const REQUEST_DEADLINE: Duration = Duration::from_secs(15);

/// What is written down a minute of what its sockets are refused.
const LINES: u32 = 60;

/// Tells sockets apart.
pub type SocketId = u64;

/// The actor.
#[derive(Debug)]
pub struct SessionActor {
    identity: Identity,
    manager: Manager,
    roles: Roles,
    ice: Arc<Handout>,
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
    /// Whether it is an administrator's.
    pass: Option<Pass>,
    /// Whether it was welcomed: who was not has no credentials that could run out.
    greeted: bool,
    viewer: ViewerId,
    watching: Option<InstanceHandle>,
    /// An instance whose actor is not there yet (a failed one is only a row until it is started again), and the peer that
    /// is to be taken over then.
    waiting: Option<(InstanceId, Option<PeerId>)>,
}

impl SessionActor {
    /// The actor of a session.
    #[must_use]
    pub fn new(identity: Identity, manager: Manager, roles: Roles, ice: Arc<Handout>, context: &ChildContext) -> Self {
        Self {
            identity,
            manager,
            roles,
            ice,
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
        match message {
            ClientMessage::Hello { viewer_id } => {
                if viewer_id.is_some_and(|id| id != socket.viewer) {
                    // Nobody is two viewers by one socket.
                    leave(socket);
                }
                socket.viewer = viewer_id.unwrap_or(socket.viewer);
                socket.out.send(&ServerMessage::Welcome {
                    session_id: self.identity.session,
                    viewer_id: socket.viewer,
                    ice: self.ice.of(self.identity.session, unix_ms()),
                });
                socket.greeted = true;
            }
            ClientMessage::Ping { t } => socket.out.send(&ServerMessage::Pong { t }),
            ClientMessage::Stats { digest } => {
                log::debug!(
                    "session={} viewer={} stats={digest}",
                    self.identity.session,
                    socket.viewer
                );
            }
            ClientMessage::Watch {
                instance_id, peer_id, ..
            } => {
                // Who asks anew about what it watches already keeps its connection.
                if peer_id.is_none() || socket.watching.as_ref().is_none_or(|w| w.spec().id != instance_id) {
                    leave(socket);
                }
                match self.manager.get(instance_id) {
                    Some(handle) => {
                        if !watch(socket, self.identity.session, &self.roles, handle, peer_id) {
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
                // Whoever is not there any more is told so by the instance.
                let refused = message
                    .needs()
                    .filter(|action| handle.role_of(socket.viewer).is_some_and(|role| !may(role, *action)));
                if let Some(action) = refused {
                    log::log!(
                        self.lines.level(),
                        "instance={} viewer={} not allowed: {action:?}",
                        handle.spec().id,
                        socket.viewer
                    );
                    return socket.out.send(&ServerMessage::error("not_allowed", action.refusal()));
                }
                request(handle, socket, message, Arc::clone(&self.lines), ctx);
            }
        }
    }

    /// Everybody's credentials run out sooner or later; nobody's before the next time.
    fn refresh_ice(&self) {
        let told: Vec<&Socket> = self.sockets.values().filter(|socket| socket.greeted).collect();
        if told.is_empty() {
            return;
        }
        let fresh = ServerMessage::IceServers(self.ice.of(self.identity.session, unix_ms()));
        log::debug!(
            "session={} fresh ice credentials for {} sockets",
            self.identity.session,
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
            let now = self.manager.get(id);
            if let Some(handle) = now.filter(|now| !watched.is_some_and(|w| w.is_same(now))) {
                away |= !watch(socket, self.identity.session, &self.roles, handle, peer);
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
        let manager = self.manager.clone();
        let work = async move { manager.row(instance).await };
        ctx.spawn(work.into_actor(self).map(move |found, act, ctx| {
            let Some(socket) = act.sockets.get_mut(&id) else { return };
            match found {
                Ok(Some(row)) => {
                    let who = Standing {
                        session: Some(act.identity.session),
                        member: !act.identity.guest,
                        admin: socket.pass.as_ref().is_some_and(Pass::holds),
                    };
                    let role = act.roles.at(who, instance, row.session_id);
                    if !role.is_some_and(|role| may(role, Action::Watch)) {
                        log::log!(
                            act.lines.level(),
                            "session={} may not watch instance={instance}",
                            act.identity.session
                        );
                        let refusal = ServerMessage::error("not_allowed", Action::Watch.refusal());
                        return socket.out.send(&refusal);
                    }
                    let message = act.manager.ended_message(row, role.unwrap_or(Role::Spectator));
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
                        act.identity.session
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

/// A viewer of this socket begins to watch; or waits, where the instance's actor is being started. Says whether it
/// watches.
fn watch(socket: &mut Socket, session: SessionId, roles: &Roles, handle: InstanceHandle, peer: Option<PeerId>) -> bool {
    let join = Join {
        viewer: socket.viewer,
        session,
        role: roles.from_now_on(session, socket.pass.as_ref(), &handle),
        out: socket.out.clone(),
        peer,
    };
    let joined = handle.actor().tell(join).is_ok();
    socket.waiting = (!joined).then_some((handle.spec().id, peer));
    socket.watching = joined.then_some(handle);
    joined
}

fn leave(socket: &mut Socket) {
    socket.waiting = None;
    if let Some(handle) = socket.watching.take() {
        // An instance whose actor is away notices the socket's absence itself.
        let _ = handle.actor().tell(Leave {
            viewer: socket.viewer,
            from: socket.out.clone(),
        });
    }
}

/// Passes a request on; only a refusal is told, success tells itself.
fn request(
    handle: InstanceHandle,
    socket: &Socket,
    message: ClientMessage,
    lines: Arc<Lines>,
    ctx: &mut Context<SessionActor>,
) {
    let (viewer, out, from) = (socket.viewer, socket.out.clone(), socket.from);
    let work = async move {
        let actor = handle.actor();
        let result: Result<(), RequestError> = async {
            match message {
                ClientMessage::Offer { sdp } => {
                    actor.ask(Offer { viewer, sdp, from }, REQUEST_DEADLINE).await??;
                }
                ClientMessage::Candidate { peer_id, candidate } => {
                    actor
                        .ask(
                            Candidate {
                                viewer,
                                peer: peer_id,
                                candidate,
                            },
                            REQUEST_DEADLINE,
                        )
                        .await??;
                }
                ClientMessage::RestartIce { peer_id, sdp } => {
                    let restart = RestartIce {
                        viewer,
                        peer: peer_id,
                        offer: sdp,
                    };
                    actor.ask(restart, REQUEST_DEADLINE).await??;
                }
                ClientMessage::RequestControl => {
                    actor
                        .ask(
                            Control {
                                viewer,
                                wish: ControlWish::Request,
                            },
                            REQUEST_DEADLINE,
                        )
                        .await??;
                }
                ClientMessage::ReleaseControl => {
                    actor
                        .ask(
                            Control {
                                viewer,
                                wish: ControlWish::Release,
                            },
                            REQUEST_DEADLINE,
                        )
                        .await??;
                }
                ClientMessage::GrantControl { viewer_id } => {
                    actor
                        .ask(
                            Control {
                                viewer,
                                wish: ControlWish::Grant(viewer_id),
                            },
                            REQUEST_DEADLINE,
                        )
                        .await??;
                }
                _ => {}
            }
            Ok(())
        }
        .await;
        if let Err(error) = result {
            let id = handle.spec().id;
            log::log!(
                lines.level(),
                "instance={id} viewer={viewer} refused={}: {error}",
                error.code()
            );
            out.send(&ServerMessage::refusal(
                error.code(),
                error.to_string(),
                error.retry_after(),
            ));
        }
    };
    ctx.spawn(wrap_future::<_, SessionActor>(work));
}

impl Actor for SessionActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.add_stream(stream::unfold(self.manager.revivals(), |mut revivals| async move {
            match revivals.recv().await {
                // Whichever it was, or however many were missed: all that is waited for is looked at.
                Ok(_) | Err(RecvError::Lagged(_)) => Some((Revival, revivals)),
                Err(RecvError::Closed) => None,
            }
        }));
        if let Some(every) = self.ice.refresh_after() {
            ctx.run_interval(every, |act, _| act.refresh_ice());
        }
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
    /// Whether it is an administrator's.
    pub pass: Option<Pass>,
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
                pass: msg.pass,
                greeted: false,
                viewer: ViewerId::new(),
                watching: None,
                waiting: None,
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
