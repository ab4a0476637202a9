//! How a peer begins: a browser's offer becomes a connection, with a task that owns it.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::LINES;
use super::candidate::Intake;
use super::channels::{Channels, InputSink, View};
use super::codec_choice;
use super::connection::ConnectionFactory;
use super::error::PeerError;
use super::events::InputCounters;
use super::feeder::{FeedCounters, Feeder};
use super::operation::{OPERATION_WITHIN, Operation};
use super::peer::{Open, Peer, PeerOrders};
use super::state::ConnectionState;
use super::task::PeerTask;
use crate::ids::PeerId;
use crate::media::{Codec, Hub};
use crate::protocol::signalling::{CloseReason, IceCandidate};

/// Binding its ports and making the connection.
const OPEN_WITHIN: Duration = Duration::from_secs(2);
/// Events that may wait for the owner.
const EVENTS: usize = 128;
/// Events that may wait between the connection's driver and the peer's task.
const CONNECTION_EVENTS: usize = 64;

/// What a peer is made of.
pub struct PeerOptions {
    /// Its name in logs and messages.
    pub peer_id: PeerId,
    /// The browser's offer.
    pub offer: String,
    /// Which of its candidates are taken.
    pub candidates: Intake,
    /// Where its frames come from.
    pub hub: Arc<Hub>,
    /// The codecs the host can encode, the preferred first.
    pub available: Vec<Codec>,
    /// Where its input goes.
    pub sink: Arc<dyn InputSink>,
    /// Whether its viewer may steer: some of the host's ports are kept for those.
    pub steers: bool,
    /// Makes the connection.
    pub factory: Arc<dyn ConnectionFactory>,
    /// The media runtime, on which everything of the peer runs.
    pub runtime: Handle,
}

impl std::fmt::Debug for PeerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PeerOptions")
            .field("peer_id", &self.peer_id)
            .field("available", &self.available)
            .finish_non_exhaustive()
    }
}

/// What a peer tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PeerEvent {
    /// A candidate for the browser, `None` after the last.
    LocalCandidate(Option<IceCandidate>),
    /// The connection's state changed.
    State(ConnectionState),
    /// The peer ended. Told exactly once, and nothing after it.
    Closed(CloseReason),
}

/// The events of one peer, in their order.
#[derive(Debug)]
pub struct PeerEvents {
    events: mpsc::Receiver<PeerEvent>,
    end: Option<oneshot::Receiver<CloseReason>>,
}

impl PeerEvents {
    /// The next event; `None` after [`PeerEvent::Closed`]. Cancel safe.
    pub async fn next(&mut self) -> Option<PeerEvent> {
        if let Some(event) = self.events.recv().await {
            return Some(event);
        }
        let end = self.end.as_mut()?;
        // Without a word the task broke; its connection is closed by its guard.
        let reason = end.await.unwrap_or(CloseReason::Fault);
        self.end = None;
        Some(PeerEvent::Closed(reason))
    }
}

/// The answer of a peer to come. A peer that cannot answer goes on until it is closed, or never connected.
#[derive(Debug)]
pub struct PeerAnswer {
    peer: PeerId,
    sdp: oneshot::Receiver<Result<String, PeerError>>,
}

impl PeerAnswer {
    /// Waits for the answer, for at most 5 s.
    ///
    /// # Errors
    /// [`PeerError::BadSdp`], [`PeerError::Connection`], [`PeerError::Timeout`]; [`PeerError::Closing`] when the peer's
    /// end was asked for first.
    pub async fn sdp(self) -> Result<String, PeerError> {
        // The operation has the same deadline: this one is for a task that is stuck before it.
        let answered = timeout(OPERATION_WITHIN * 2, self.sdp).await;
        let sdp = answered.map_or(Err(PeerError::Timeout("answering")), |sdp| {
            sdp.unwrap_or(Err(PeerError::Closing))
        });
        if let Err(error) = &sdp {
            // Whoever asked says so; a browser can ask for this as often as it likes.
            log::debug!("peer={} not answered code={} {error}", self.peer, error.code());
        }
        sdp
    }
}

impl Peer {
    /// Opens the peer's connection: chooses the codec, binds ports, and begins to work on the answer. What was said to
    /// the peer before, its end among it, counts as soon as there is a connection; candidates follow as events.
    ///
    /// May be called from any runtime; dropping the future, and the peer, leaves nothing behind.
    ///
    /// # Errors
    /// [`PeerError::BadSdp`], [`PeerError::NoCommonCodec`], [`PeerError::NoUdpPort`], [`PeerError::Timeout`],
    /// [`PeerError::Connection`].
    pub async fn open(&self, options: PeerOptions, orders: PeerOrders) -> Result<(PeerAnswer, PeerEvents), PeerError> {
        let (runtime, id, peer) = (options.runtime.clone(), options.peer_id, self.clone());
        let made = runtime.spawn(async move { timeout(OPEN_WITHIN, make(&peer, options, orders)).await });
        let made = made.await.map_err(|e| PeerError::Connection(e.to_string()))?;
        let made = made.unwrap_or(Err(PeerError::Timeout("opening a connection")));
        if let Err(error) = &made {
            log::debug!("peer={id} refused code={} {error}", error.code());
        }
        made
    }

    /// Begins a peer and waits for its answer; of one that cannot answer nothing is left when this returns.
    #[cfg(test)]
    pub(super) async fn answer(options: PeerOptions) -> Result<(Self, String, PeerEvents), PeerError> {
        let (peer, orders) = Self::new();
        let (answer, mut events) = peer.open(options, orders).await?;
        match answer.sdp().await {
            Ok(sdp) => Ok((peer, sdp, events)),
            Err(error) => {
                peer.close(CloseReason::Fault);
                while events.next().await.is_some() {}
                Err(error)
            }
        }
    }
}

async fn make(peer: &Peer, options: PeerOptions, orders: PeerOrders) -> Result<(PeerAnswer, PeerEvents), PeerError> {
    let PeerOptions {
        peer_id,
        offer,
        candidates,
        hub,
        available,
        sink,
        steers,
        factory,
        runtime: _,
    } = options;
    let choice = codec_choice::choose(&offer, &available)?;
    let offer = candidates.sift(&offer);
    // overflow: see the callbacks that fill it.
    let (connection_tx, connection_events) = mpsc::channel(CONNECTION_EVENTS);
    let connection = factory.open(&choice, steers, connection_tx).await?;
    log::log!(
        LINES.level(),
        "peer={peer_id} opened codec={} pt={} rtx={:?}",
        choice.codec,
        choice.payload_type,
        choice.rtx
    );
    // Subscribed before the connection is up, so that the encoder and the network start at the same time.
    let subscription = hub.subscribe(choice.codec);
    let fed = Arc::new(FeedCounters::default());
    let input = Arc::new(InputCounters::default());
    let (stop_feeder, stop) = watch::channel(false);
    let view = watch::Sender::new(View::default());
    let feeder = Feeder::new(
        peer_id,
        Arc::clone(&connection),
        subscription,
        view.subscribe(),
        Arc::clone(&fed),
    )
    .showing(sink.presses());
    let feeder = tokio::spawn(feeder.run(stop));
    let (done, answer) = oneshot::channel();
    // The first of them: nobody else knows this peer yet, so there is room.
    let _ = peer.operations.try_send(Operation::Answer { offer, done });
    // overflow: the task drops the event and says so.
    let (events_tx, events) = mpsc::channel(EVENTS);
    let (end_tx, end) = oneshot::channel();
    peer.opened(Open {
        codec: choice.codec,
        candidates,
        state: connection.state(),
        connection: Arc::downgrade(&connection),
        fed,
        input: Arc::clone(&input),
    });
    let channels = Channels::new(peer_id, sink, orders.status, view, input);
    channels.set_rtp_offset(connection.rtp_offset());
    let task = PeerTask {
        peer: peer_id,
        connection,
        connection_events,
        operations: orders.operations,
        end: orders.end,
        events: events_tx,
        channels,
        feeder,
        stop_feeder,
    };
    tokio::spawn(async move {
        let reason = task.run().await;
        // The owner may have gone.
        let _ = end_tx.send(reason);
    });
    let answer = PeerAnswer {
        peer: peer_id,
        sdp: answer,
    };
    Ok((answer, PeerEvents { events, end: Some(end) }))
}
