//! Peer: one peer connection of one viewer, as a child of the instance's tree.
//!
//! It is temporary: a dead connection needs a new offer from the browser. The connection itself lives in a task on the
//! media runtime, so that even an abort of this child closes it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::FusedFuture;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::ids::{PeerId, ViewerId};
use crate::instance::peers::offer_book::Pending;
use crate::instance::peers::peer_end::{End, Transport};
use crate::instance::shared::InstanceShared;
use crate::peer::{ConnectionState, Peer, PeerError, PeerEvent, PeerOptions, PeerOrders};
use crate::protocol::signalling::{CloseReason, ServerMessage};
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart, Shutdown};

/// A peer drains for at most 5 s and closes within 2 s.
const SHUTDOWN: Duration = Duration::from_secs(8);
/// An answer is made within 10 s; whoever was to tell the browser of it has done so by then, or never will.
const TOLD_WITHIN: Duration = Duration::from_secs(15);

/// How often it shows that it still looks at what comes.
pub(in crate::instance) const BEAT: Duration = Duration::from_secs(5);
/// An answer is made within 10 s, and after that it beats.
pub(in crate::instance) const STALL: Duration = Duration::from_secs(25);

/// The answer to an offer. What the peer itself has to tell its browser (candidates, its end) waits until this is
/// dropped: the answer is to be told first.
#[derive(Debug)]
pub struct Answer {
    /// The peer's id.
    pub peer: PeerId,
    /// The description.
    pub sdp: String,
    _untold: oneshot::Sender<()>,
}

/// What one peer begins with; taken by its only start.
struct Start {
    peer: Peer,
    orders: PeerOrders,
    options: PeerOptions,
    /// From here on whatever becomes of it is told, a start that never happens included.
    end: End,
    answer: oneshot::Sender<Result<Answer, PeerError>>,
}

/// The child of a new peer, the peer, and its answer to come. `pending` is given back when it is connected, or gone.
pub fn peer_child(
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    options: PeerOptions,
    pending: Pending,
) -> (ChildSpec, Peer, oneshot::Receiver<Result<Answer, PeerError>>) {
    let (peer, orders) = Peer::new();
    let (answer, answered) = oneshot::channel();
    let id = options.peer_id;
    let end = End::new(&shared, viewer, id, Transport::Webrtc, Some(pending));
    let start = Arc::new(Mutex::new(Some(Start {
        peer: peer.clone(),
        orders,
        options,
        end,
        answer,
    })));
    let depth = peer.depth();
    let spec = ChildSpec::task(id.to_string(), Restart::Temporary, move |cx| {
        let (shared, start) = (Arc::clone(&shared), Arc::clone(&start));
        cx.set_mailbox(depth.clone());
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
    (spec, peer, answered)
}

async fn life(shared: Arc<InstanceShared>, viewer: ViewerId, start: Start, cx: ChildContext) -> ExitReason {
    let Start {
        peer,
        orders,
        options,
        mut end,
        answer,
    } = start;
    let id = options.peer_id;
    let opened = tokio::select! {
        biased;
        () = cx.stopping() => Err(PeerError::Closing),
        opened = peer.open(options, orders) => opened,
    };
    let (sdp, mut events) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            let _ = answer.send(Err(error));
            return ExitReason::Normal;
        }
    };
    let (untold, told) = oneshot::channel();
    let (sdp, told, stopping) = (
        sdp.sdp().fuse(),
        timeout(TOLD_WITHIN, told).fuse(),
        cx.stopping().fuse(),
    );
    tokio::pin!(sdp, told, stopping);
    let mut answer = Some((answer, untold));
    let mut beat = tokio::time::interval(BEAT);
    end.reason = loop {
        tokio::select! {
            biased;
            () = &mut stopping, if !stopping.is_terminated() => peer.close(shared.close_reason()),
            _ = beat.tick() => cx.progress(),
            answered = &mut sdp, if !sdp.is_terminated() => {
                let Some((answer, untold)) = answer.take() else { continue };
                let answered = answered.map(|sdp| Answer { peer: id, sdp, _untold: untold });
                if answered.is_ok() {
                    peer.send_status(&shared.status_text(viewer));
                }
                let made = answered.is_ok();
                // Without who asked for it nobody tells the browser.
                end.answered = answer.send(answered).is_ok() && made;
                if !end.answered {
                    peer.close(CloseReason::Fault);
                }
            }
            _ = &mut told, if !told.is_terminated() => {}
            // Candidates mean nothing to a browser that does not know the peer yet.
            event = events.next(), if told.is_terminated() => match event {
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
        }
    };
    ExitReason::Normal
}

#[cfg(test)]
mod tests;
