//! A viewer whose picture comes by a WebSocket: a peer like any other, whose frames the socket itself pulls.
//!
//! ```text
//!   Hub ──▶ Subscription ──▶ socket ──▶ TCP            socket ──▶ ViewerInput
//!             └── MediaPeer, the socket's ──┘ its end ──▶ child ◀── asked to end
//! ```
//!
//! The child of the instance's tree holds its place and says why it ended. The socket may hang for as long as its client
//! does not read: nobody waits for it.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use actix::{Handler, Message, ResponseActFuture, WrapFuture};
use futures::FutureExt;
use futures::future::FusedFuture;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};

use super::actor::InstanceActor;
use super::error::InstanceError;
use super::input_gate::ViewerInput;
use super::offers::Seat;
use super::peer_child::{BEAT, STALL};
use super::peer_end::{End, Transport};
use super::shared::InstanceShared;
use super::speaker::RoleNow;
use crate::ids::{PeerId, SessionId, ViewerId};
use crate::media::{Codec, Subscription};
use crate::peer::{EndAsked, InputSink, Peer, PeerError, PeerOrders};
use crate::protocol::signalling::CloseReason;
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart, Shutdown};

/// A socket that was asked to end and is heard of no more is not waited for.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// The same, and the rest.
const SHUTDOWN: Duration = Duration::from_secs(4);

/// A viewer wants its picture by a WebSocket.
#[derive(Debug, Message)]
#[rtype(result = "Result<MediaPeer, InstanceError>")]
pub struct OpenMedia {
    /// Who: a viewer that watches by another socket.
    pub viewer: ViewerId,
    /// The session that asks.
    pub session: SessionId,
    /// What the session may by what it asks with.
    pub role: RoleNow,
    /// Where its requests come from.
    pub from: IpAddr,
    /// What it decodes.
    pub codecs: Vec<Codec>,
}

/// The socket's end of a peer. When it is dropped the peer ends.
pub struct MediaPeer {
    /// Which.
    pub peer: PeerId,
    /// How its frames are encoded.
    pub codec: Codec,
    /// Its frames, until they are taken out.
    frames: Option<Subscription>,
    /// Where its input goes.
    pub input: Arc<dyn InputSink>,
    /// How the instance is, as the `instance` message.
    pub status: watch::Receiver<Option<String>>,
    end: EndAsked,
    gone: Option<oneshot::Sender<CloseReason>>,
}

impl std::fmt::Debug for MediaPeer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MediaPeer")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

impl MediaPeer {
    /// Waits until the peer has to end.
    pub fn asked(&self) -> impl Future<Output = CloseReason> + 'static {
        let mut end = self.end.clone();
        async move { end.reason().await }
    }

    /// Takes its frames out.
    pub fn with_frames(mut self) -> (Self, Option<Subscription>) {
        let frames = self.frames.take();
        (self, frames)
    }

    /// Why it ends. Without a word its path was lost.
    pub fn ends(&mut self, reason: CloseReason) {
        if let Some(gone) = self.gone.take() {
            // The child may have ended before.
            let _ = gone.send(reason);
        }
    }
}

impl Handler<OpenMedia> for InstanceActor {
    type Result = ResponseActFuture<Self, Result<MediaPeer, InstanceError>>;

    fn handle(&mut self, msg: OpenMedia, _: &mut Self::Context) -> Self::Result {
        let work = opened(Arc::clone(&self.shared), msg);
        Box::pin(work.into_actor(self))
    }
}

/// Makes the peer. What is refused leaves the viewer's living peer as it is.
///
/// # Errors
/// [`InstanceError`].
pub async fn opened(shared: Arc<InstanceShared>, ask: OpenMedia) -> Result<MediaPeer, InstanceError> {
    let who = shared.roster.speaker(ask.viewer, ask.session, &ask.role)?;
    let available = &shared.services.codecs;
    let codec = available.iter().copied().find(|codec| ask.codecs.contains(codec));
    let codec = codec.ok_or_else(|| PeerError::NoCommonCodec {
        offered: names(&ask.codecs),
        available: names(available),
    })?;
    let seat = Seat::take(&shared, &who, ask.from, false)?;
    let peer = seat.peer;
    // Its orders about paths are dropped: it has one.
    let (new, PeerOrders { end, status, .. }) = Peer::new();
    new.send_status(&shared.status_text(who.viewer));
    let (gone, is_gone) = oneshot::channel();
    let start = Start {
        end: End::new(&shared, who.viewer, peer, Transport::Websocket, None),
        peer: new.clone(),
        asked: end.clone(),
        gone: is_gone,
    };
    seat.begin(&shared, &who, child(peer, start), new).await?;
    log::log!(
        shared.lines.level(),
        "instance={} peer={peer} viewer={} by websocket codec={codec}",
        shared.spec.id,
        who.viewer
    );
    let input = ViewerInput::new(who.viewer, peer, Arc::clone(&shared.roster), Arc::clone(&shared.input));
    Ok(MediaPeer {
        peer,
        codec,
        frames: Some(shared.hub.subscribe(codec)),
        input: Arc::new(input),
        status,
        end,
        gone: Some(gone),
    })
}

fn names(codecs: &[Codec]) -> String {
    codecs.iter().map(|codec| codec.name()).collect::<Vec<_>>().join(", ")
}

/// What the child begins with; taken by its only start.
struct Start {
    end: End,
    peer: Peer,
    /// The socket hears the same.
    asked: EndAsked,
    gone: oneshot::Receiver<CloseReason>,
}

fn child(peer: PeerId, start: Start) -> ChildSpec {
    let start = Arc::new(Mutex::new(Some(start)));
    ChildSpec::task(peer.to_string(), Restart::Temporary, move |cx| {
        let start = start.lock().unwrap_or_else(PoisonError::into_inner).take();
        async move {
            match start {
                Some(start) => life(start, cx).await,
                None => ExitReason::error("peer_restarted", "a peer is never started twice"),
            }
        }
    })
    .once()
    .stalled_after(STALL)
    .shutdown(Shutdown::Timeout(SHUTDOWN))
}

async fn life(start: Start, cx: ChildContext) -> ExitReason {
    let Start {
        mut end,
        peer,
        mut asked,
        mut gone,
    } = start;
    // Its socket is there: there is nothing that it could be waiting for.
    end.answered = true;
    end.connected();
    let stopping = cx.stopping().fuse();
    tokio::pin!(stopping);
    let mut beat = tokio::time::interval(BEAT);
    let mut ending: Option<(CloseReason, Instant)> = None;
    end.reason = loop {
        let until = ending.map_or_else(Instant::now, |(_, until)| until);
        tokio::select! {
            biased;
            () = &mut stopping, if !stopping.is_terminated() => peer.close(end.shared.close_reason()),
            reason = asked.reason(), if ending.is_none() => ending = Some((reason, Instant::now() + CLOSE_WITHIN)),
            said = &mut gone => break ending.map_or_else(|| said.unwrap_or(CloseReason::IceFailed), |(reason, _)| reason),
            () = sleep_until(until), if ending.is_some() => break ending.map_or(CloseReason::Fault, |(reason, _)| reason),
            _ = beat.tick() => cx.progress(),
        }
    };
    ExitReason::Normal
}

#[cfg(test)]
#[path = "media_peer_tests.rs"]
mod tests;
