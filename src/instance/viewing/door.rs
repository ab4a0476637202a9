//! By what a viewer is at an instance: how it is told apart, what it is told by, and how long it is here.
//!
//! | door | it is told things | it is here |
//! |---|---|---|
//! | a socket | by the socket | while that is open |
//! | requests, each answered by itself | nothing | while it has a peer |
//!
//! When it is no longer here, it has a while to come back before it goes.

use std::sync::Arc;

use crate::instance::viewing::outbound::Outbound;
use crate::protocol::signalling::ServerMessage;

/// By what a viewer is at an instance.
#[derive(Clone, Debug)]
pub enum Door {
    /// A socket for signalling.
    Socket(Outbound),
    /// Requests; those of one viewer have the same mark.
    Requests(Mark),
}

/// Tells the requests of one viewer from those of another.
#[derive(Clone, Debug, Default)]
pub struct Mark(Arc<()>);

impl Door {
    /// One of requests, that no other is the same as.
    #[must_use]
    pub fn of_requests() -> Self {
        Self::Requests(Mark(Arc::new(())))
    }

    /// Tells its viewer something, if there is a way and room.
    pub fn tell(&self, message: &ServerMessage) {
        if let Self::Socket(out) = self {
            out.send(message);
        }
    }

    /// The same for a text that was written once for many.
    pub fn tell_text(&self, text: Arc<str>) {
        if let Self::Socket(out) = self {
            out.send_text(text);
        }
    }

    /// Whether a viewer that came by it is still here; `has_peer`: whether a peer of its lives.
    #[must_use]
    pub fn is_open(&self, has_peer: bool) -> bool {
        match self {
            Self::Socket(out) => !out.is_closed(),
            Self::Requests(_) => has_peer,
        }
    }

    /// Whether both are the same.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Socket(one), Self::Socket(other)) => one.same_socket(other),
            (Self::Requests(one), Self::Requests(other)) => Arc::ptr_eq(&one.0, &other.0),
            _ => false,
        }
    }
}

#[cfg(test)]
#[path = "door_tests.rs"]
mod tests;
