//! Peer: one peer connection of one viewer, as a child of the instance's tree.
//!
//! It is temporary: a dead connection needs a new offer from the browser. The connection itself lives in a guard on the
//! media runtime, so that even an abort of this child closes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::FusedFuture;
use tokio::sync::{mpsc, oneshot, watch};

use super::offer_book::Pending;
use super::peer_end::{End, Transport};
use super::shared::InstanceShared;
use crate::ids::{PeerId, ViewerId};
use crate::peer::{ConnectionState, Peer, PeerError, PeerEvent, PeerOptions};
use crate::protocol::signalling::{CloseReason, IceCandidate, ServerMessage};
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart, Shutdown};

/// Requests that may wait for one peer.
const QUEUE: usize = 64;
/// A peer drains for at most 5 s and closes within 2 s.
const SHUTDOWN: Duration = Duration::from_secs(8);

/// How often it shows that it still looks at what comes.
pub(super) const BEAT: Duration = Duration::from_secs(5);
/// An answer is made within 10 s, and after that it beats.
pub(super) const STALL: Duration = Duration::from_secs(25);

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
    /// The way to a peer of `viewer`, and the peer's ends of it.
    pub(super) fn new(viewer: ViewerId) -> (Self, mpsc::Receiver<PeerCommand>, watch::Receiver<Option<CloseReason>>) {
        // overflow: what comes then is dropped, see `send`.
        let (commands, queue) = mpsc::channel(QUEUE);
        let (close, asked) = watch::channel(None);
        let handle = Self {
            viewer,
            commands,
            close,
        };
        (handle, queue, asked)
    }

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
    let (handle, queue, asked) = PeerHandle::new(viewer);
    let (answer, answered) = oneshot::channel();
    let id = options.peer_id;
    let waiting = handle.commands.downgrade();
    let end = End::new(&shared, viewer, id, Transport::Webrtc, Some(pending));
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
                    if state == ConnectionState::Connected {
                        end.connected();
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
pub(super) async fn asked(mut close: watch::Receiver<Option<CloseReason>>) -> CloseReason {
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

#[cfg(test)]
mod tests;
