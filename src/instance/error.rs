//! Why an instance refuses something.

use std::time::Duration;

use super::viewing::viewers::ControlError;
use crate::peer::PeerError;
use crate::source::NoVnc;

/// Why an instance refuses something.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// No such peer, or somebody else's.
    #[error("there is no such peer connection")]
    UnknownPeer,
    /// Too many connections.
    #[error("this instance has as many connections as it may have at once")]
    TooManyPeers,
    /// Too many offers of the same session that nothing has come of; another one may be made after a while.
    #[error("nothing has come yet of too many offers of this session")]
    TooManyOffers(Duration),
    /// The instance is ending or has ended.
    #[error("the instance is ending")]
    Ending,
    /// This way of the picture is not offered here.
    #[error("this host lets no picture come by {0}")]
    NotOffered(&'static str),
    /// The VNC server does not run.
    #[error(transparent)]
    NoVnc(#[from] NoVnc),
    /// It runs, so there is nothing to restart.
    #[error("the instance is being started already")]
    Busy,
    /// The connection could not be made.
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// About control.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl InstanceError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownPeer => "unknown_peer",
            Self::TooManyPeers => "too_many_peers",
            Self::TooManyOffers(_) => "too_many_offers",
            Self::Ending => "ending",
            Self::NotOffered(_) => "transport_not_offered",
            Self::NoVnc(_) => "no_vnc",
            Self::Busy => "busy",
            Self::Peer(error) => error.code(),
            Self::Control(error) => error.code(),
        }
    }

    /// Seconds after which it may be otherwise, where that is known.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            // Peers that were given up are gone within seconds.
            Self::TooManyPeers => Some(2),
            Self::NoVnc(_) => Some(5),
            Self::TooManyOffers(wait) => Some(wait.as_secs() + (wait.subsec_nanos() > 0) as u64),
            Self::Control(error) => error.retry_after(),
            _ => None,
        }
    }
}
