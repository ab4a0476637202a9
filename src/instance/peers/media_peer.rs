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

use crate::ids::{PeerId, SessionId, ViewerId};
use crate::instance::actor::InstanceActor;
use crate::instance::error::InstanceError;
use crate::instance::peers::input_gate::ViewerInput;
use crate::instance::peers::offers::Seat;
use crate::instance::peers::peer_child::{BEAT, STALL};
use crate::instance::peers::peer_end::{End, Transport};
use crate::instance::shared::InstanceShared;
use crate::instance::viewing::speaker::RoleNow;
use crate::media::{Codec, Subscription};
use crate::peer::{EndAsked, InputSink, Peer, PeerError, PeerOrders};
use crate::protocol::signalling::CloseReason;
use crate::source::VncLine;
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart, Shutdown};

/// A socket that was asked to end and is heard of no more is not waited for.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);
/// The same, and the rest.
const SHUTDOWN: Duration = Duration::from_secs(4);
/// The form of a picture from a VNC server (RFC 6143).
const RFB: &str = "rfb";

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
    /// By which way.
    pub way: Way,
}

/// What a viewer's page can show.
#[derive(Debug)]
pub enum Way {
    /// Frames of one of these codecs.
    Frames(Vec<Codec>),
    /// What a VNC server sends.
    Vnc,
}

/// What a viewer's picture comes of.
#[derive(Debug)]
pub enum Picture {
    /// Its frames, and how they are encoded.
    Frames(Codec, Subscription),
    /// A line to the VNC server.
    Vnc(VncLine),
}

/// The socket's end of a peer. When it is dropped the peer ends.
pub struct MediaPeer {
    /// Which.
    pub peer: PeerId,
    /// What its picture comes of, until that is taken out.
    picture: Option<Picture>,
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

impl Picture {
    /// What the page is told of its form.
    #[must_use]
    pub const fn format(&self) -> &'static str {
        match self {
            Self::Frames(codec, _) => codec.name(),
            Self::Vnc(_) => RFB,
        }
    }
}

impl MediaPeer {
    /// What its picture comes of, before that is taken out.
    #[must_use]
    pub const fn picture(&self) -> Option<&Picture> {
        self.picture.as_ref()
    }

    /// Waits until the peer has to end.
    pub fn asked(&self) -> impl Future<Output = CloseReason> + 'static {
        let mut end = self.end.clone();
        async move { end.reason().await }
    }

    /// Takes out what its picture comes of.
    pub fn with_picture(mut self) -> (Self, Option<Picture>) {
        let picture = self.picture.take();
        (self, picture)
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
    let chosen = choose(&shared, &ask.way).await?;
    let seat = Seat::take(&shared, &who, ask.from, false)?;
    let peer = seat.peer;
    // Its orders about paths are dropped: it has one.
    let (new, PeerOrders { end, status, .. }) = Peer::new();
    new.send_status(&shared.status_text(who.viewer));
    let (gone, is_gone) = oneshot::channel();
    let start = Start {
        end: End::new(&shared, who.viewer, peer, chosen.transport(), None),
        peer: new.clone(),
        asked: end.clone(),
        gone: is_gone,
    };
    seat.begin(&shared, &who, child(peer, start), new).await?.go();
    log::log!(
        shared.lines.level(),
        "instance={} peer={peer} viewer={} by {} codec={}",
        shared.spec.id,
        who.viewer,
        chosen.transport().as_str(),
        chosen.format()
    );
    let input = ViewerInput::new(who.viewer, peer, Arc::clone(&shared.roster), Arc::clone(&shared.input));
    Ok(MediaPeer {
        peer,
        picture: Some(match chosen {
            Chosen::Codec(codec) => Picture::Frames(codec, shared.hub.subscribe(codec)),
            Chosen::Vnc(line) => Picture::Vnc(line),
        }),
        input: Arc::new(input),
        status,
        end,
        gone: Some(gone),
    })
}

/// What the picture is to come of.
enum Chosen {
    Codec(Codec),
    Vnc(VncLine),
}

impl Chosen {
    const fn transport(&self) -> Transport {
        match self {
            Self::Codec(_) => Transport::Websocket,
            Self::Vnc(_) => Transport::Vnc,
        }
    }

    const fn format(&self) -> &'static str {
        match self {
            Self::Codec(codec) => codec.name(),
            Self::Vnc(_) => RFB,
        }
    }
}

async fn choose(shared: &InstanceShared, way: &Way) -> Result<Chosen, InstanceError> {
    let offered = shared.services.transports;
    match way {
        Way::Frames(codecs) if offered.websocket => {
            let available = &shared.services.codecs;
            let codec = available.iter().copied().find(|codec| codecs.contains(codec));
            let none = || PeerError::NoCommonCodec {
                offered: names(codecs),
                available: names(available),
            };
            Ok(Chosen::Codec(codec.ok_or_else(none)?))
        }
        Way::Vnc if offered.vnc => Ok(Chosen::Vnc(shared.source.vnc_line().await?)),
        Way::Frames(_) => Err(InstanceError::NotOffered("websocket")),
        Way::Vnc => Err(InstanceError::NotOffered("vnc")),
    }
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
