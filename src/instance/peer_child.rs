//! Peer: one peer connection of one viewer, as a child of the instance's tree.
//!
//! It is temporary: a dead connection needs a new offer from the browser. The connection itself lives in a guard on the
//! media runtime, so that even an abort of this child closes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::FutureExt;
use futures::future::FusedFuture;
use tokio::sync::{mpsc, oneshot, watch};

use super::offer_book::{End as Ended, Pending};
use super::places::PATIENCE;
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
    /// The browser's offer of new paths.
    RestartIce(String),
    /// Tell the browser over the data channel.
    Status(String),
}

/// The way to a living peer.
#[derive(Clone, Debug)]
pub struct PeerHandle {
    /// Whose it is.
    pub viewer: ViewerId,
    commands: mpsc::Sender<PeerCommand>,
    close: watch::Sender<Option<CloseReason>>,
}

impl PeerHandle {
    /// Asks for something. A peer that is asked for more than it can do ignores it: candidates can be lost, and a newer
    /// status follows.
    pub fn send(&self, command: PeerCommand) {
        // overflow: the newest is dropped.
        let _ = self.commands.try_send(command);
    }

    /// Whether its end was asked for.
    #[cfg(test)]
    pub(crate) fn is_closing(&self) -> bool {
        self.close.borrow().is_some()
    }

    /// Ends the peer, past everything else that it was asked for. The first reason counts.
    pub fn close(&self, reason: CloseReason) {
        self.close.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        });
    }
}

/// What one peer begins with; taken by its only start.
struct Start {
    options: PeerOptions,
    /// From here on whatever becomes of it is told, a start that never happens included.
    end: End,
    commands: mpsc::Receiver<PeerCommand>,
    close: watch::Receiver<Option<CloseReason>>,
    answer: oneshot::Sender<Result<(), PeerError>>,
}

/// The child of a new peer, the way to it, and its answer to come. `pending` is given back when it is connected, or gone.
pub fn peer_child(
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    options: PeerOptions,
    pending: Pending,
) -> (ChildSpec, PeerHandle, oneshot::Receiver<Result<(), PeerError>>) {
    // overflow: what comes then is dropped, see `PeerHandle::send`.
    let (commands, queue) = mpsc::channel(QUEUE);
    let (close, asked) = watch::channel(None);
    let (answer, answered) = oneshot::channel();
    let id = options.peer_id;
    let waiting = commands.downgrade();
    let end = End {
        shared: Arc::clone(&shared),
        viewer,
        peer: id,
        begun: Instant::now(),
        answered: false,
        connected: false,
        pending: Some(pending),
        reason: CloseReason::Fault,
    };
    let start = Arc::new(Mutex::new(Some(Start {
        options,
        end,
        commands: queue,
        close: asked,
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
    .once()
    .stalled_after(STALL)
    .shutdown(Shutdown::Timeout(SHUTDOWN));
    let handle = PeerHandle {
        viewer,
        commands,
        close,
    };
    (spec, handle, answered)
}

async fn life(shared: Arc<InstanceShared>, viewer: ViewerId, start: Start, cx: ChildContext) -> ExitReason {
    let Start {
        options,
        mut end,
        mut commands,
        close,
        answer,
    } = start;
    let id = options.peer_id;
    let opened = tokio::select! {
        biased;
        () = cx.stopping() => Err(PeerError::Closing),
        opened = Peer::open(options) => opened,
    };
    let (peer, sdp, mut events) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let _ = answer.send(Err(error));
            return ExitReason::Normal;
        }
    };
    let (sdp, asked) = (sdp.sdp().fuse(), asked(close).fuse());
    let stopping = cx.stopping().fuse();
    tokio::pin!(sdp, asked, stopping);
    let mut answer = Some(answer);
    let mut beat = tokio::time::interval(BEAT);
    end.reason = loop {
        tokio::select! {
            biased;
            () = &mut stopping, if !stopping.is_terminated() => peer.close(shared.close_reason()),
            reason = &mut asked, if !asked.is_terminated() => peer.close(reason),
            _ = beat.tick() => cx.progress(),
            answered = &mut sdp, if !sdp.is_terminated() => {
                let answered = answered.map(|sdp| {
                    // Before the candidates, which go the same way.
                    shared.roster.tell(viewer, &ServerMessage::Answer { peer_id: id, sdp });
                    peer.send_status(&shared.status_text(viewer));
                });
                end.answered = answered.is_ok();
                if answered.is_err() {
                    peer.close(CloseReason::Fault);
                }
                if let Some(answer) = answer.take() {
                    let _ = answer.send(answered);
                }
            }
            // Its candidates mean nothing to a browser that does not know the peer yet. The answer is settled before the
            // peer ends, so nothing waits for ever.
            event = events.next(), if sdp.is_terminated() => match event {
                Some(PeerEvent::LocalCandidate(candidate)) => {
                    shared.roster.tell(viewer, &ServerMessage::Candidate { peer_id: id, candidate });
                }
                Some(PeerEvent::State(state)) => {
                    let level = shared.lines.level();
                    log::log!(level, "instance={} peer={id} viewer={viewer} state={}", shared.spec.id, state.as_str());
                    if state == ConnectionState::Connected && !end.connected {
                        end.connected();
                        shared.services.journal.peer_connected(new_peer(&shared, viewer, id));
                    }
                    if state == ConnectionState::Disconnected {
                        // The way back may be the only one that is lost: then the browser does not notice by itself.
                        shared.roster.tell(viewer, &ServerMessage::RestartIce { peer_id: id });
                    }
                }
                Some(PeerEvent::Closed(reason)) => break reason,
                None => break CloseReason::Fault,
            },
            Some(command) = commands.recv() => match command {
                PeerCommand::Candidate(Some(candidate)) => {
                    refuse_later(&cx, &shared, viewer, id, peer.add_candidate(candidate));
                }
                // Their end is nothing that has to be known: checks go on until the deadline anyway.
                PeerCommand::Candidate(None) => {}
                PeerCommand::RestartIce(offer) => answer_later(&cx, &shared, viewer, id, peer.restart(offer)),
                PeerCommand::Status(text) => peer.send_status(&text),
            },
        }
    };
    ExitReason::Normal
}

/// Waits until the end is asked for.
async fn asked(mut close: watch::Receiver<Option<CloseReason>>) -> CloseReason {
    let reason = close.wait_for(Option::is_some).await;
    // Without a word nobody knows this peer any more.
    reason.ok().and_then(|r| *r).unwrap_or(CloseReason::Fault)
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
            let level = shared.lines.level();
            log::log!(
                level,
                "instance={} peer={id} candidate refused: {error}",
                shared.spec.id
            );
            refuse(&shared, viewer, id, &error);
        }
    });
}

/// A restart takes its time, too, and its answer goes where candidates go.
fn answer_later(
    cx: &ChildContext,
    shared: &Arc<InstanceShared>,
    viewer: ViewerId,
    peer_id: PeerId,
    answered: impl Future<Output = Result<String, PeerError>> + 'static,
) {
    let shared = Arc::clone(shared);
    cx.link(async move {
        match answered.await {
            Ok(sdp) => shared.roster.tell(viewer, &ServerMessage::Answer { peer_id, sdp }),
            Err(error) => {
                let level = shared.lines.level();
                log::log!(
                    level,
                    "instance={} peer={peer_id} restart refused: {error}",
                    shared.spec.id
                );
                refuse(&shared, viewer, peer_id, &error);
            }
        }
    });
}

fn refuse(shared: &InstanceShared, viewer: ViewerId, id: PeerId, error: &PeerError) {
    let refusal = ServerMessage::Error {
        code: error.code().into(),
        message: error.to_string(),
        retry_after: None,
        peer_id: Some(id),
    };
    shared.roster.tell(viewer, &refusal);
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

/// Takes the peer out of the tables and says why it ended, even when its child is aborted or panics.
struct End {
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    peer: PeerId,
    begun: Instant,
    /// Whether the browser knows its id.
    answered: bool,
    connected: bool,
    /// Its place among the offers that nothing has come of yet.
    pending: Option<Pending>,
    reason: CloseReason,
}

impl End {
    fn connected(&mut self) {
        self.connected = true;
        self.shared.places().connected(self.peer);
        if let Some(pending) = self.pending.take() {
            pending.end(Ended::Connected);
        }
    }

    /// What became of its offer, when no connection did.
    fn without_connection(&self) -> Ended {
        let late = self.begun.elapsed() >= PATIENCE;
        match self.reason {
            _ if !self.answered => Ended::Excused,
            CloseReason::IceFailed | CloseReason::Superseded | CloseReason::Requested | CloseReason::ResumeExpired => {
                Ended::Failed
            }
            CloseReason::GaveWay if late => Ended::Failed,
            _ => Ended::Excused,
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (peer_id, reason) = (self.peer, self.reason);
        if let Some(pending) = self.pending.take() {
            pending.end(self.without_connection());
        }
        log::log!(
            self.shared.lines.level(),
            "instance={} peer={peer_id} viewer={} closed={reason}",
            self.shared.spec.id,
            self.viewer
        );
        self.shared.forget_peer(self.viewer, peer_id);
        if self.answered {
            self.shared
                .roster
                .tell(self.viewer, &ServerMessage::Closed { peer_id, reason });
        }
        if self.connected {
            let closed_at = unix_ms();
            self.shared
                .services
                .journal
                .peer_closed(peer_id, PeerClosed { closed_at, reason });
        }
    }
}

#[cfg(test)]
mod tests;
