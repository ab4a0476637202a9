//! Peer: one peer connection of one viewer, as a child of the instance's tree.
//!
//! It is temporary: a dead connection needs a new offer from the browser. The connection itself lives in a guard on the
//! media runtime, so that even an abort of this child closes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::shared::InstanceShared;
use crate::clock::unix_ms;
use crate::ids::{PeerId, ViewerId};
use crate::peer::{ConnectionState, Peer, PeerError, PeerEvent, PeerOptions};
use crate::protocol::signalling::{CloseReason, IceCandidate, ServerMessage};
use crate::store::{NewPeer, PeerClosed};
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart, Shutdown};

/// Requests that may wait for one peer.
const QUEUE: usize = 64;
/// A peer drains for at most 5 s and closes within 2 s.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// How often it shows that it still looks at what comes.
const BEAT: Duration = Duration::from_secs(5);
/// An answer is made within 10 s, and after that it beats.
const STALL: Duration = Duration::from_secs(25);

/// What a peer can be asked for.
#[derive(Debug)]
pub enum PeerCommand {
    /// A candidate of the browser; `None` at their end.
    Candidate(Option<IceCandidate>),
    /// Tell the browser over the data channel.
    Status(String),
    /// Close it.
    Close(CloseReason),
}

/// The way to a living peer.
#[derive(Clone, Debug)]
pub struct PeerHandle {
    /// Whose it is.
    pub viewer: ViewerId,
    commands: mpsc::Sender<PeerCommand>,
}

impl PeerHandle {
    /// Asks for something. A peer that is asked for more than it can do ignores it: candidates can be lost, and whoever
    /// closes asks again or lets the supervisor stop it.
    pub fn send(&self, command: PeerCommand) {
        // overflow: the newest is dropped.
        let _ = self.commands.try_send(command);
    }
}

/// What one peer begins with; taken by its only start.
struct Start {
    options: PeerOptions,
    commands: mpsc::Receiver<PeerCommand>,
    answer: oneshot::Sender<Result<(), PeerError>>,
}

/// The child of a new peer, the way to it, and its answer to come.
pub fn peer_child(
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    options: PeerOptions,
) -> (ChildSpec, PeerHandle, oneshot::Receiver<Result<(), PeerError>>) {
    let (commands, queue) = mpsc::channel(QUEUE);
    let (answer, answered) = oneshot::channel();
    let id = options.peer_id;
    let waiting = commands.downgrade();
    let start = Arc::new(Mutex::new(Some(Start {
        options,
        commands: queue,
        answer,
    })));
    let spec = ChildSpec::task(id.to_string(), Restart::Temporary, move |cx| {
        let (shared, start) = (Arc::clone(&shared), Arc::clone(&start));
        let waiting = waiting.clone();
        cx.set_mailbox(move || waiting.upgrade().map(|queue| queue.max_capacity() - queue.capacity()));
        async move {
            let start = start.lock().unwrap_or_else(PoisonError::into_inner).take();
            match start {
                Some(start) => life(shared, viewer, start, cx).await,
                None => ExitReason::error("peer_restarted", "a peer is never started twice"),
            }
        }
    })
    .stalled_after(STALL)
    .shutdown(Shutdown::Timeout(SHUTDOWN));
    (spec, PeerHandle { viewer, commands }, answered)
}

async fn life(shared: Arc<InstanceShared>, viewer: ViewerId, start: Start, cx: ChildContext) -> ExitReason {
    let Start {
        options,
        mut commands,
        answer,
    } = start;
    let id = options.peer_id;
    let gone = Forget {
        shared: Arc::clone(&shared),
        viewer,
        peer: id,
    };
    let (peer, sdp, mut events) = match Peer::answer(options).await {
        Ok(made) => made,
        Err(error) => {
            let _ = answer.send(Err(error));
            return ExitReason::Normal;
        }
    };
    // Before the candidates, which go the same way.
    shared.roster.tell(viewer, &ServerMessage::Answer { peer_id: id, sdp });
    let _ = answer.send(Ok(()));
    peer.send_status(&shared.status_text());
    let mut connected = false;
    let mut closing = false;
    let mut beat = tokio::time::interval(BEAT);
    let reason = loop {
        tokio::select! {
            biased;
            () = cx.stopping(), if !closing => {
                closing = true;
                peer.close(shared.close_reason());
            }
            _ = beat.tick() => cx.progress(),
            command = commands.recv() => match command {
                Some(PeerCommand::Candidate(Some(candidate))) => {
                    refuse_later(&cx, &shared, viewer, id, peer.add_candidate(candidate));
                }
                // Their end is nothing that has to be known: checks go on until the deadline anyway.
                Some(PeerCommand::Candidate(None)) => {}
                Some(PeerCommand::Status(text)) => peer.send_status(&text),
                Some(PeerCommand::Close(reason)) => peer.close(reason),
                None => peer.close(CloseReason::Fault),
            },
            event = events.next() => match event {
                Some(PeerEvent::LocalCandidate(candidate)) => {
                    shared.roster.tell(viewer, &ServerMessage::Candidate { peer_id: id, candidate });
                }
                Some(PeerEvent::State(state)) => {
                    log::info!("instance={} peer={id} viewer={viewer} state={}", shared.spec.id, state.as_str());
                    if state == ConnectionState::Connected && !connected {
                        connected = true;
                        shared.services.journal.peer_connected(new_peer(&shared, viewer, id));
                    }
                }
                Some(PeerEvent::Closed(reason)) => break reason,
                None => break CloseReason::Fault,
            },
        }
    };
    log::info!("instance={} peer={id} viewer={viewer} closed={reason}", shared.spec.id);
    drop(gone);
    shared
        .roster
        .tell(viewer, &ServerMessage::Closed { peer_id: id, reason });
    if connected {
        shared.services.journal.peer_closed(
            id,
            PeerClosed {
                closed_at: unix_ms(),
                reason,
            },
        );
    }
    ExitReason::Normal
}

/// Adding a candidate takes its time; a refusal is told when it comes. The peer bounds how many are under way.
fn refuse_later(
    cx: &ChildContext,
    shared: &Arc<InstanceShared>,
    viewer: ViewerId,
    id: PeerId,
    added: impl Future<Output = Result<(), PeerError>> + 'static,
) {
    let shared = Arc::clone(shared);
    cx.link(async move {
        if let Err(error) = added.await {
            log::info!("instance={} peer={id} candidate refused: {error}", shared.spec.id);
            shared.roster.tell(
                viewer,
                &ServerMessage::Error {
                    code: error.code().into(),
                    message: error.to_string(),
                    retry_after: None,
                    peer_id: Some(id),
                },
            );
        }
    });
}

fn new_peer(shared: &InstanceShared, viewer: ViewerId, id: PeerId) -> NewPeer {
    let (session, role) = shared.roster.with(|v| (v.session_of(viewer), v.role(viewer)));
    NewPeer {
        peer_id: id,
        instance_id: shared.spec.id,
        session_id: session.unwrap_or(shared.spec.owner),
        viewer_id: viewer,
        role,
        transport: "webrtc".into(),
        candidate_type: None,
        connected_at: unix_ms(),
    }
}

/// Takes the peer out of the tables, even when its child is aborted or panics.
struct Forget {
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    peer: PeerId,
}

impl Drop for Forget {
    fn drop(&mut self) {
        self.shared.forget_peer(self.viewer, self.peer);
    }
}
