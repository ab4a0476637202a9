//! What a peer needs from a WebRTC implementation, and nothing more: the rest of this folder knows only these traits.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::codec_choice::Choice;
use super::error::PeerError;
use super::state::ConnectionState;
use crate::media::Frame;
use crate::protocol::signalling::IceCandidate;

/// What became of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was handed to the network, whole.
    Sent {
        /// Packets that it took.
        packets: u64,
        /// Bytes of payload in them.
        bytes: u64,
    },
    /// The line does not carry it: none of it left, or not all of it. The stream goes on with a key frame.
    Congested,
}

/// What is known of the way to the browser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Path {
    /// What the line carries, all headers included.
    pub estimate_kbps: u32,
    /// What of it is left for encoded pictures: less headers and repeats, and a little in reserve.
    pub media_kbps: u32,
    /// From a packet to the browser's word about it.
    pub round_trip: Option<Duration>,
    /// Of a thousand packets, those lost of late.
    pub lost_permille: u32,
}

/// Packets that did not arrive, as the browser says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How often one was asked for.
    pub packets: u64,
    /// Bytes sent again, of what was asked for: headers and payload.
    pub repeated: u64,
}

/// What a connection reports by itself. Its state is told apart, by a watch, so that it is never lost.
pub enum ConnectionEvent {
    /// A local candidate, `None` when there are no more.
    Candidate(Option<IceCandidate>),
    /// The browser opened a data channel.
    Channel(Arc<dyn Channel>),
}

impl std::fmt::Debug for ConnectionEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Candidate(candidate) => f.debug_tuple("Candidate").field(candidate).finish(),
            Self::Channel(_) => f.write_str("Channel"),
        }
    }
}

/// What comes from a data channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelEvent {
    /// One message.
    Message {
        /// Its bytes.
        data: Bytes,
        /// Whether it was sent as text.
        text: bool,
    },
    /// The channel is closed; nothing follows.
    Closed,
}

/// One data channel.
#[async_trait]
pub trait Channel: Send + Sync {
    /// The name the browser gave it.
    async fn label(&self) -> String;
    /// The next event; one reader at a time. Cancel safe.
    async fn next(&self) -> ChannelEvent;
    /// Sends one binary message; a channel whose buffer is full drops it, and says false.
    async fn send(&self, data: &[u8]) -> bool;
    /// Waits until the browser has acknowledged everything that was sent. Cancel safe.
    async fn flushed(&self);
    /// Closes the channel. Dropping the last reference does so in the background, if nobody has.
    async fn close(&self);
}

/// One peer connection in the role of the answerer, with one video track.
///
/// Dropping the last reference closes it in the background, if nobody has.
#[async_trait]
pub trait Connection: Send + Sync {
    /// Applies the browser's offer and gives the answer, without waiting for candidates.
    async fn answer(&self, offer: &str) -> Result<String, PeerError>;
    /// Applies an offer of the browser that restarts ICE, and gives the answer. Until a new path is found, what is written
    /// waits.
    async fn restart(&self, offer: &str) -> Result<String, PeerError>;
    /// Adds a candidate of the browser.
    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), PeerError>;
    /// The state, as it changes.
    fn state(&self) -> watch::Receiver<ConnectionState>;
    /// Waits until the browser asked for a key frame (PLI or FIR) since the last call. Cancel safe.
    async fn key_request(&self);
    /// Sends one frame, as fast as the line takes it. Whoever drops the future before it is ready leaves part of a frame
    /// behind: the stream has to go on with a key frame then.
    async fn send(&self, frame: Arc<Frame>) -> Result<Delivery, PeerError>;
    /// The RTP time of a frame that was grabbed when the host's clock was 0.
    fn rtp_offset(&self) -> u32;
    /// What the line carries, as that changes.
    fn path(&self) -> watch::Receiver<Path>;
    /// What the browser reported as lost so far (NACK).
    fn lost(&self) -> Lost;
    /// Closes the connection; legal in every state and more than once.
    async fn close(&self);
}

/// Makes connections.
#[async_trait]
pub trait ConnectionFactory: Send + Sync {
    /// A new connection for the codec chosen, which reports to `events`. Called on the media runtime. `steers`: whether it
    /// may have what is kept for viewers who may steer.
    async fn open(
        &self,
        choice: &Choice,
        steers: bool,
        events: mpsc::Sender<ConnectionEvent>,
    ) -> Result<Arc<dyn Connection>, PeerError>;
}
