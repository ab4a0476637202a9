//! Why a peer could not be made, or an operation on it was refused.

use thiserror::Error;

use crate::protocol::signalling::ErrorCode;

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
    /// The word for it on the signalling socket.
    #[must_use]
    pub const fn error_code(&self) -> ErrorCode {
        match self {
            Self::BadSdp(_) => ErrorCode::BadSdp,
            Self::NoCommonCodec { .. } => ErrorCode::NoCommonCodec,
            Self::BadCandidate(_) => ErrorCode::BadCandidate,
            Self::NoUdpPort { .. } => ErrorCode::NoUdpPort,
            Self::Closing => ErrorCode::Closing,
            Self::Busy => ErrorCode::RateLimited,
            Self::Timeout(_) | Self::Connection(_) => ErrorCode::Internal,
        }
    }

    /// A stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        self.error_code().as_str()
    }
}
