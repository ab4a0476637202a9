//! One peer as everybody has it who has something to say to it, whatever carries it: told candidates, told how its
//! instance is, closed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use serde::Serialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::candidate::{Intake, Verdict};
use super::codec_choice;
use super::connection::Connection;
use super::error::PeerError;
use super::events::InputCounters;
use super::feeder::FeedCounters;
use super::operation::Operation;
use super::state::ConnectionState;
use crate::media::Codec;
use crate::protocol::signalling::{CloseReason, IceCandidate};

/// Operations that may wait for one peer.
const OPERATIONS: usize = 64;

/// What went over a peer so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
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

/// One peer. Cheap to clone; when all that there are of it are dropped without [`Peer::close`], it ends all the same, with
/// the reason `fault`.
#[derive(Clone)]
pub struct Peer {
    pub(super) operations: mpsc::Sender<Operation>,
    close: watch::Sender<Option<CloseReason>>,
    status: watch::Sender<Option<String>>,
    open: Arc<OnceLock<Open>>,
}

/// What is known of a peer whose connection is open.
pub(super) struct Open {
    pub(super) codec: Codec,
    pub(super) candidates: Intake,
    pub(super) state: watch::Receiver<ConnectionState>,
    pub(super) connection: Weak<dyn Connection>,
    pub(super) fed: Arc<FeedCounters>,
    pub(super) input: Arc<InputCounters>,
}

/// What is said to a peer, for what carries it.
#[derive(Debug)]
pub struct PeerOrders {
    /// What is asked of its connection.
    pub(super) operations: mpsc::Receiver<Operation>,
    /// That it has to end.
    pub end: EndAsked,
    /// How its instance is: the newest `instance` message.
    pub status: watch::Receiver<Option<String>>,
}

/// Whether a peer has to end.
#[derive(Clone, Debug)]
pub struct EndAsked(watch::Receiver<Option<CloseReason>>);

impl EndAsked {
    /// Waits until it has to. Cancel safe.
    pub async fn reason(&mut self) -> CloseReason {
        let reason = self.0.wait_for(Option::is_some).await;
        // Without a word nobody has the peer any more: its owner broke.
        reason.ok().and_then(|r| *r).unwrap_or(CloseReason::Fault)
    }
}

impl std::fmt::Debug for Peer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Peer")
            .field("codec", &self.codec())
            .finish_non_exhaustive()
    }
}

impl Peer {
    /// A peer that nothing carries yet, and what will be said to it.
    #[must_use]
    pub fn new() -> (Self, PeerOrders) {
        // overflow: `ask` answers `Busy`.
        let (operations, asked) = mpsc::channel(OPERATIONS);
        let (close, end) = watch::channel(None);
        let (status, told) = watch::channel(None);
        let peer = Self {
            operations,
            close,
            status,
            open: Arc::default(),
        };
        let orders = PeerOrders {
            operations: asked,
            end: EndAsked(end),
            status: told,
        };
        (peer, orders)
    }

    pub(super) fn opened(&self, open: Open) {
        // Its orders are there once: nobody has opened it before.
        let _ = self.open.set(open);
    }

    /// The codec negotiated, once it is.
    #[must_use]
    pub fn codec(&self) -> Option<Codec> {
        self.open.get().map(|open| open.codec)
    }

    /// The connection's state.
    #[must_use]
    pub fn state(&self) -> ConnectionState {
        self.open
            .get()
            .map_or(ConnectionState::New, |open| *open.state.borrow())
    }

    /// Tells how much waits to be done for it, for as long as it is there.
    pub fn depth(&self) -> impl Fn() -> Option<usize> + Clone + Send + Sync + 'static {
        let queue = self.operations.downgrade();
        move || queue.upgrade().map(|queue| queue.max_capacity() - queue.capacity())
    }

    /// Takes the connection to new paths (RFC 8445, section 9): the browser's offer, and the answer to it when it is made.
    /// What is sent and received goes on, on the same keys and streams.
    ///
    /// # Errors
    /// [`PeerError::BadSdp`], [`PeerError::NoCommonCodec`], [`PeerError::Closing`], [`PeerError::Busy`],
    /// [`PeerError::Timeout`].
    pub async fn restart(&self, offer: &str) -> Result<String, PeerError> {
        let open = self.open.get().ok_or(PeerError::Closing)?;
        // The same bounds as for the first offer; the picture stays the one that was agreed on.
        codec_choice::choose(offer, &[open.codec])?;
        let offer = open.candidates.sift(offer);
        self.ask(|done| Operation::Restart { offer, done }).await
    }

    /// Adds a candidate of the browser.
    ///
    /// # Errors
    /// [`PeerError::BadCandidate`], [`PeerError::Closing`], [`PeerError::Busy`], [`PeerError::Timeout`].
    pub async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), PeerError> {
        let open = self
            .open
            .get()
            .filter(|_| !self.is_closing())
            .ok_or(PeerError::Closing)?;
        match open.candidates.judge(&candidate.candidate)? {
            Verdict::Take => self.ask(|done| Operation::AddCandidate { candidate, done }).await,
            Verdict::Leave => Ok(()),
        }
    }

    /// Asks the task for an operation.
    async fn ask<T>(
        &self,
        operation: impl FnOnce(oneshot::Sender<Result<T, PeerError>>) -> Operation,
    ) -> Result<T, PeerError> {
        let (done, result) = oneshot::channel();
        self.operations.try_send(operation(done)).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => PeerError::Busy,
            mpsc::error::TrySendError::Closed(_) => PeerError::Closing,
        })?;
        result.await.unwrap_or(Err(PeerError::Closing))
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

    /// Whether its end was asked for, or it has ended.
    #[must_use]
    pub fn is_closing(&self) -> bool {
        self.close.borrow().is_some() || self.close.is_closed()
    }

    /// What went over it so far.
    #[must_use]
    pub fn stats(&self) -> PeerStats {
        let Some(open) = self.open.get() else {
            return PeerStats::default();
        };
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let connection = open.connection.upgrade();
        let lost = connection.as_ref().map(|c| c.lost()).unwrap_or_default();
        let path = connection.map(|c| *c.path().borrow()).unwrap_or_default();
        PeerStats {
            frames: of(&open.fed.frames),
            packets: of(&open.fed.packets),
            bytes: of(&open.fed.bytes),
            congested: of(&open.fed.congested),
            key_requests: of(&open.fed.key_requests),
            nacked: lost.packets,
            repeated: lost.repeated,
            estimate_kbps: path.estimate_kbps,
            target_kbps: open.fed.told_kbps.load(Ordering::Relaxed),
            round_trip_ms: path
                .round_trip
                .map(|took| u32::try_from(took.as_millis()).unwrap_or(u32::MAX)),
            lost_permille: path.lost_permille,
            input_events: of(&open.input.events),
            input_dropped: of(&open.input.dropped),
            input_malformed: of(&open.input.malformed),
        }
    }
}
