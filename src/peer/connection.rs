//! What a peer needs from a WebRTC implementation, and nothing more: the rest of this folder knows only these traits.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::codec_choice::Choice;
use super::error::PeerError;
use super::state::ConnectionState;
use crate::protocol::signalling::IceCandidate;

/// One RTP packet of the picture, before the connection adds its SSRC, payload type and extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaPacket {
    /// Sequence number (RFC 3550).
    pub sequence: u16,
    /// 90 kHz.
    pub timestamp: u32,
    /// Whether this is the last packet of its frame.
    pub marker: bool,
    /// In the payload format of the codec chosen.
    pub payload: Bytes,
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
    /// Sends one packet; waits while the connection is busy.
    async fn write(&self, packet: MediaPacket) -> Result<(), PeerError>;
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
