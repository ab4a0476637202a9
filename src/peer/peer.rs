//! One peer as its owner sees it: made from an offer, told candidates, closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::channels::{Channels, InputCounters, InputSink};
use super::codec_choice;
use super::connection::{Connection, ConnectionFactory};
use super::error::PeerError;
use super::feeder::{FeedCounters, Feeder};
use super::state::{CLOSE_WITHIN, ConnectionState};
use super::task::{AddCandidate, PeerTask};
use crate::ids::PeerId;
use crate::media::{Codec, Hub};
use crate::protocol::signalling::{CloseReason, IceCandidate};

/// From the offer to the answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Events that may wait for the owner.
const EVENTS: usize = 128;
/// Events that may wait between the connection's driver and the peer's task.
const CONNECTION_EVENTS: usize = 64;
/// Candidates that may wait to be added.
const OPERATIONS: usize = 64;

/// What a peer is made of.
pub struct PeerOptions {
    /// Its name in logs and messages.
    pub peer_id: PeerId,
    /// The browser's offer.
    pub offer: String,
    /// Where its frames come from.
    pub hub: Arc<Hub>,
    /// The codecs the host can encode, the preferred first.
    pub available: Vec<Codec>,
    /// Where its input goes.
    pub sink: Arc<dyn InputSink>,
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

/// What went over a peer so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerStats {
    /// Frames sent.
    pub frames: u64,
    /// RTP packets sent, without retransmissions.
    pub packets: u64,
    /// Bytes of payload sent.
    pub bytes: u64,
    /// Times the viewer was too slow and skipped to a key frame.
    pub congested: u64,
    /// Key frames the browser asked for.
    pub key_requests: u64,
    /// Packets the browser reported as lost.
    pub nacked: u64,
    /// Input events handed on.
    pub input_events: u64,
    /// Input events dropped, being too many.
    pub input_dropped: u64,
    /// Messages on the data channels that were no events.
    pub input_malformed: u64,
}

/// One peer. Dropped without [`Peer::close`], its connection is closed all the same, with the reason `fault`.
pub struct Peer {
    id: PeerId,
    codec: Codec,
    operations: mpsc::Sender<AddCandidate>,
    close: watch::Sender<Option<CloseReason>>,
    status: watch::Sender<Option<String>>,
    state: watch::Receiver<ConnectionState>,
    connection: std::sync::Weak<dyn Connection>,
    fed: Arc<FeedCounters>,
    input: Arc<InputCounters>,
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("id", &self.id)
            .field("codec", &self.codec)
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// Answers an offer: chooses the codec, opens a connection and gives its answer; candidates follow as events.
    ///
    /// May be called from any runtime; dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// Every [`PeerError`] but `Closing`, `Busy` and `BadCandidate`.
    pub async fn answer(options: PeerOptions) -> Result<(Self, String, PeerEvents), PeerError> {
        let runtime = options.runtime.clone();
        let id = options.peer_id;
        let made = runtime.spawn(async move { timeout(ANSWER_WITHIN, Self::make(options)).await });
        let made = made.await.map_err(|e| PeerError::Connection(e.to_string()))?;
        let made = made.unwrap_or(Err(PeerError::Timeout("answering")));
        if let Err(error) = &made {
            log::warn!("peer={id} refused code={} {error}", error.code());
        }
        made
    }

    async fn make(options: PeerOptions) -> Result<(Self, String, PeerEvents), PeerError> {
        let PeerOptions {
            peer_id,
            offer,
            hub,
            available,
            sink,
            factory,
            runtime: _,
        } = options;
        let choice = codec_choice::choose(&offer, &available)?;
        // overflow: see the callbacks that fill it.
        let (connection_tx, connection_events) = mpsc::channel(CONNECTION_EVENTS);
        let connection = factory.open(&choice, connection_tx).await?;
        let answer = match connection.answer(&offer).await {
            Ok(answer) => answer,
            Err(error) => {
                if timeout(CLOSE_WITHIN, connection.close()).await.is_err() {
                    log::error!("peer={peer_id} a connection that could not answer did not close");
                }
                return Err(error);
            }
        };
        log::info!(
            "peer={peer_id} answered codec={} pt={} rtx={:?}",
            choice.codec,
            choice.payload_type,
            choice.rtx
        );
        // Subscribed before the connection is up, so that the encoder and the network start at the same time.
        let subscription = hub.subscribe(choice.codec);
        let fed = Arc::new(FeedCounters::default());
        let input = Arc::new(InputCounters::default());
        let (stop_feeder, stop) = watch::channel(false);
        let feeder = Feeder::new(peer_id, Arc::clone(&connection), subscription, Arc::clone(&fed));
        let feeder = tokio::spawn(feeder.run(stop));
        let (status, status_rx) = watch::channel(None);
        let (close, close_rx) = watch::channel(None);
        // overflow: `add_candidate` answers `Busy`.
        let (operations, operations_rx) = mpsc::channel(OPERATIONS);
        // overflow: the task drops the event and says so.
        let (events_tx, events) = mpsc::channel(EVENTS);
        let (end_tx, end) = oneshot::channel();
        let peer = Self {
            id: peer_id,
            codec: choice.codec,
            operations,
            close,
            status,
            state: connection.state(),
            connection: Arc::downgrade(&connection),
            fed,
            input: Arc::clone(&input),
        };
        let task = PeerTask {
            peer: peer_id,
            connection,
            connection_events,
            operations: operations_rx,
            close: close_rx,
            events: events_tx,
            channels: Channels::new(peer_id, sink, status_rx, input),
            feeder,
            stop_feeder,
        };
        tokio::spawn(async move {
            let reason = task.run().await;
            // The owner may have gone.
            let _ = end_tx.send(reason);
        });
        Ok((peer, answer, PeerEvents { events, end: Some(end) }))
    }

    /// Which peer this is.
    #[must_use]
    pub const fn id(&self) -> PeerId {
        self.id
    }

    /// The codec negotiated.
    #[must_use]
    pub const fn codec(&self) -> Codec {
        self.codec
    }

    /// The connection's state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        *self.state.borrow()
    }

    /// Adds a candidate of the browser. The queue is taken at once, the result comes when it was added.
    ///
    /// # Errors
    /// [`PeerError::BadCandidate`], [`PeerError::Closing`], [`PeerError::Busy`], [`PeerError::Timeout`].
    pub fn add_candidate(
        &self,
        candidate: IceCandidate,
    ) -> impl Future<Output = Result<(), PeerError>> + Send + 'static {
        let (done, result) = oneshot::channel();
        let queued = self
            .operations
            .try_send(AddCandidate { candidate, done })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => PeerError::Busy,
                mpsc::error::TrySendError::Closed(_) => PeerError::Closing,
            });
        async move {
            queued?;
            result.await.unwrap_or(Err(PeerError::Closing))
        }
    }

    /// Tells the browser the instance's state over the channel `input` (JSON, the `instance` message). Only the newest
    /// is kept until the channel is open.
    pub fn send_status(&self, json: &str) {
        self.status.send_replace(Some(json.to_owned()));
    }

    /// Ends the peer; returns at once, [`PeerEvent::Closed`] follows within 7 s. The first reason counts.
    pub fn close(&self, reason: CloseReason) {
        self.close.send_if_modified(|current| {
            let first = current.is_none();
            current.get_or_insert(reason);
            first
        });
    }

    /// What went over it so far.
    #[must_use]
    pub fn stats(&self) -> PeerStats {
        let of = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        PeerStats {
            frames: of(&self.fed.frames),
            packets: of(&self.fed.packets),
            bytes: of(&self.fed.bytes),
            congested: of(&self.fed.congested),
            key_requests: of(&self.fed.key_requests),
            nacked: self.connection.upgrade().map_or(0, |c| c.nacked()),
            input_events: of(&self.input.events),
            input_dropped: of(&self.input.dropped),
            input_malformed: of(&self.input.malformed),
        }
    }
}
