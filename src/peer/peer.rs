//! One peer as its owner sees it: made from an offer, told candidates, closed.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::LINES;
use super::candidate::{Intake, Verdict};
use super::channels::{Channels, InputSink};
use super::codec_choice;
use super::connection::{Connection, ConnectionFactory};
use super::error::PeerError;
use super::events::InputCounters;
use super::feeder::{FeedCounters, Feeder};
use super::operation::{OPERATION_WITHIN, Operation};
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
/// Candidates that may wait to be added.
const OPERATIONS: usize = 64;

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
    /// Bytes of them sent again.
    pub repeated: u64,
    /// What the line to the browser carries, in kbit/s, all headers included; 0 before it is known.
    pub estimate_kbps: u32,
    /// What of it the encoder was told that it may take.
    pub target_kbps: u32,
    /// From a packet to the browser's word about it, in ms.
    pub round_trip_ms: Option<u32>,
    /// Of a thousand packets, those lost of late.
    pub lost_permille: u32,
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
    candidates: Intake,
    operations: mpsc::Sender<Operation>,
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
    /// Begins a peer: chooses the codec and opens a connection, which then works on its answer. From here on the peer
    /// can be closed, also before the answer is there; candidates follow as events.
    ///
    /// May be called from any runtime; dropping the future leaves nothing behind.
    ///
    /// # Errors
    /// [`PeerError::BadSdp`], [`PeerError::NoCommonCodec`], [`PeerError::NoUdpPort`], [`PeerError::Timeout`],
    /// [`PeerError::Connection`].
    pub async fn open(options: PeerOptions) -> Result<(Self, PeerAnswer, PeerEvents), PeerError> {
        let runtime = options.runtime.clone();
        let id = options.peer_id;
        let made = runtime.spawn(async move { timeout(OPEN_WITHIN, Self::make(options)).await });
        let made = made.await.map_err(|e| PeerError::Connection(e.to_string()))?;
        let made = made.unwrap_or(Err(PeerError::Timeout("opening a connection")));
        if let Err(error) = &made {
            log::debug!("peer={id} refused code={} {error}", error.code());
        }
        made
    }

    /// Begins a peer and waits for its answer; of one that cannot answer nothing is left when this returns.
    ///
    /// # Errors
    /// Those of [`Peer::open`] and [`PeerAnswer::sdp`].
    pub async fn answer(options: PeerOptions) -> Result<(Self, String, PeerEvents), PeerError> {
        let (peer, answer, mut events) = Self::open(options).await?;
        match answer.sdp().await {
            Ok(sdp) => Ok((peer, sdp, events)),
            Err(error) => {
                peer.close(CloseReason::Fault);
                while events.next().await.is_some() {}
                Err(error)
            }
        }
    }

    async fn make(options: PeerOptions) -> Result<(Self, PeerAnswer, PeerEvents), PeerError> {
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
        let hidden = watch::Sender::new(false);
        let feeder = Feeder::new(
            peer_id,
            Arc::clone(&connection),
            subscription,
            hidden.subscribe(),
            Arc::clone(&fed),
        )
        .showing(sink.presses());
        let feeder = tokio::spawn(feeder.run(stop));
        let (status, status_rx) = watch::channel(None);
        let (close, close_rx) = watch::channel(None);
        // overflow: `add_candidate` answers `Busy`.
        let (operations, operations_rx) = mpsc::channel(OPERATIONS);
        let (done, answer) = oneshot::channel();
        // The first of them: there is room.
        let _ = operations.try_send(Operation::Answer { offer, done });
        // overflow: the task drops the event and says so.
        let (events_tx, events) = mpsc::channel(EVENTS);
        let (end_tx, end) = oneshot::channel();
        let peer = Self {
            id: peer_id,
            codec: choice.codec,
            candidates,
            operations,
            close,
            status,
            state: connection.state(),
            connection: Arc::downgrade(&connection),
            fed,
            input: Arc::clone(&input),
        };
        let channels = Channels::new(peer_id, sink, status_rx, hidden, input);
        channels.set_rtp_offset(connection.rtp_offset());
        let task = PeerTask {
            peer: peer_id,
            connection,
            connection_events,
            operations: operations_rx,
            close: close_rx,
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

    /// Takes the connection to new paths (RFC 8445, section 9): the browser's offer, and the answer to it when it is made.
    /// What is sent and received goes on, on the same keys and streams.
    ///
    /// # Errors
    /// [`PeerError::BadSdp`], [`PeerError::NoCommonCodec`], [`PeerError::Closing`], [`PeerError::Busy`],
    /// [`PeerError::Timeout`].
    pub fn restart(&self, offer: String) -> impl Future<Output = Result<String, PeerError>> + Send + 'static {
        // The same bounds as for the first offer; the picture stays the one that was agreed on.
        let read = codec_choice::choose(&offer, &[self.codec]);
        let offer = self.candidates.sift(&offer);
        let answer = read.map(|_| self.ask(|done| Operation::Restart { offer, done }));
        async move { answer?.await }
    }

    /// Adds a candidate of the browser. The queue is taken at once, the result comes when it was added.
    ///
    /// # Errors
    /// [`PeerError::BadCandidate`], [`PeerError::Closing`], [`PeerError::Busy`], [`PeerError::Timeout`].
    pub fn add_candidate(
        &self,
        candidate: IceCandidate,
    ) -> impl Future<Output = Result<(), PeerError>> + Send + 'static {
        let closing = self.close.borrow().is_some() || self.operations.is_closed();
        let verdict = if closing {
            Err(PeerError::Closing)
        } else {
            self.candidates.judge(&candidate.candidate)
        };
        let added =
            matches!(verdict, Ok(Verdict::Take)).then(|| self.ask(|done| Operation::AddCandidate { candidate, done }));
        async move {
            verdict?;
            match added {
                Some(added) => added.await,
                None => Ok(()),
            }
        }
    }

    /// Asks the task for an operation.
    fn ask<T: Send + 'static>(
        &self,
        operation: impl FnOnce(oneshot::Sender<Result<T, PeerError>>) -> Operation,
    ) -> impl Future<Output = Result<T, PeerError>> + Send + 'static {
        let (done, result) = oneshot::channel();
        let queued = self.operations.try_send(operation(done)).map_err(|error| match error {
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

    /// Ends the peer, whatever it is doing; returns at once, [`PeerEvent::Closed`] follows within 7 s. The first reason
    /// counts. May be called from anywhere, a callback included.
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
        let connection = self.connection.upgrade();
        let lost = connection.as_ref().map(|c| c.lost()).unwrap_or_default();
        let path = connection.map(|c| *c.path().borrow()).unwrap_or_default();
        PeerStats {
            frames: of(&self.fed.frames),
            packets: of(&self.fed.packets),
            bytes: of(&self.fed.bytes),
            congested: of(&self.fed.congested),
            key_requests: of(&self.fed.key_requests),
            nacked: lost.packets,
            repeated: lost.repeated,
            estimate_kbps: path.estimate_kbps,
            target_kbps: self.fed.told_kbps.load(Ordering::Relaxed),
            round_trip_ms: path
                .round_trip
                .map(|took| u32::try_from(took.as_millis()).unwrap_or(u32::MAX)),
            lost_permille: path.lost_permille,
            input_events: of(&self.input.events),
            input_dropped: of(&self.input.dropped),
            input_malformed: of(&self.input.malformed),
        }
    }
}
