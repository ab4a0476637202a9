//! Why a peer could not be made, or an operation on it was refused.

use thiserror::Error;

/// Why a peer could not be made, or an operation on it was refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerError {
    /// The offer does not parse, is too large, or has no picture to send.
    #[error("bad sdp: {0}")]
    BadSdp(String),
    /// The browser decodes none of the codecs the host can encode.
    #[error("no codec in common: the browser decodes {offered}, the host encodes {available}")]
    NoCommonCodec {
        /// The video formats of the offer.
        offered: String,
        /// What the host has.
        available: String,
    },
    /// A candidate does not parse, or one too many came.
    #[error("bad candidate: {0}")]
    BadCandidate(String),
    /// Every UDP port of the range is taken on one of the addresses.
    #[error("no free udp port between {first} and {last}")]
    NoUdpPort {
        /// The first port of the range.
        first: u16,
        /// The last port of the range.
        last: u16,
    },
    /// None of the addresses for media can be bound.
    #[error("this machine has none of the addresses for media now")]
    NoAddress,
    /// The peer is closing or closed.
    #[error("the peer is closing")]
    Closing,
    /// More operations wait than are kept.
    #[error("too many operations at once")]
    Busy,
    /// An operation did not end within its deadline.
    #[error("{0} took too long")]
    Timeout(&'static str),
    /// The connection refused something it should not have.
    #[error("the connection failed: {0}")]
    Connection(String),
}

impl PeerError {
    /// The stable word, the same on the signalling socket and in logs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadSdp(_) => "bad_sdp",
            Self::NoCommonCodec { .. } => "no_common_codec",
            Self::BadCandidate(_) => "bad_candidate",
            Self::NoUdpPort { .. } => "no_udp_port",
            Self::NoAddress => "no_media_address",
            Self::Closing => "closing",
            Self::Busy => "rate_limited",
            Self::Timeout(_) | Self::Connection(_) => "internal",
        }
    }
}
