//! The identifiers of the domain, each a type of its own so that none can be taken for another.
//!
//! All are UUIDs (RFC 9562). Those that are keys of stored rows are version 7, so that they sort by time; an
//! [`InstanceId`] is version 4, because its URL is a spectator's capability and must not be guessable from the
//! time of its launch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $new:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier that no other has.
            #[allow(clippy::new_without_default, reason = "an identifier has no default value")]
            #[must_use]
            pub fn new() -> Self {
                Self($new)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

id!(
    /// One running app with its display, capture and viewers; part of its URL.
    InstanceId,
    Uuid::new_v4()
);
id!(
    /// One user's stay. Public: it names a session, its secret opens it.
    SessionId,
    Uuid::new_v4()
);
id!(
    /// One browser tab looking at one instance. Public; it belongs to a session, see [`ViewerId::of`].
    ViewerId,
    Uuid::new_v4()
);
id!(
    /// What a page makes up to have a socket for its picture go to the viewer that it will be: worth something once, to its
    /// session alone.
    Claim,
    Uuid::new_v4()
);
id!(
    /// One WebRTC peer connection.
    PeerId,
    Uuid::now_v7()
);
id!(
    /// One machine running Heliostat.
    ServerId,
    Uuid::now_v7()
);
id!(
    /// One link that an instance is shared by. Public: it names a link, its secret opens it.
    LinkId,
    Uuid::now_v7()
);

impl ViewerId {
    /// As whom a tab of `session` is known: by the id that it `told`, if that is one of this session's, and otherwise by
    /// another one, always the same for the same two.
    ///
    /// The second half of an id follows from its session and its first half (UUID version 8, RFC 9562 section 5.8), so that
    /// no session can be known by another one's id: everybody is told the ids, and they open nothing.
    #[must_use]
    pub fn of(session: SessionId, told: Option<Self>) -> Self {
        let told = told.unwrap_or_else(Self::new);
        let own = Self::with_first_half(session, &told.0.as_bytes()[..8]);
        if own == told {
            return told;
        }
        let digest = Sha256::new()
            .chain_update("heliostat viewer id")
            .chain_update(session.0)
            .chain_update(told.0)
            .finalize();
        Self::with_first_half(session, &digest[..8])
    }

    fn with_first_half(session: SessionId, half: &[u8]) -> Self {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(half);
        bytes[6] = 0x80 | (bytes[6] & 0x0f);
        let digest = Sha256::new()
            .chain_update("heliostat viewer")
            .chain_update(session.0)
            .chain_update(&bytes[..8])
            .finalize();
        bytes[8..].copy_from_slice(&digest[..8]);
        bytes[8] = 0x80 | (bytes[8] & 0x3f);
        Self(Uuid::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_viewer_id_belongs_to_one_session_and_another_that_tells_it_is_known_by_its_own() {
        let (mine, other) = (SessionId::new(), SessionId::new());
        let id = ViewerId::of(mine, None);
        assert_eq!(ViewerId::of(mine, Some(id)), id, "what the host gave is kept");
        let taken = ViewerId::of(other, Some(id));
        assert_ne!(taken, id);
        assert_eq!(ViewerId::of(other, Some(id)), taken, "who tells it again finds itself");
        assert_eq!(ViewerId::of(other, Some(taken)), taken);
        assert_ne!(ViewerId::of(mine, Some(taken)), taken);
        let made_up = ViewerId::new();
        let known_as = ViewerId::of(mine, Some(made_up));
        assert_ne!(known_as, made_up, "nobody chooses what they are known by");
        assert_eq!(ViewerId::of(mine, Some(made_up)), known_as);
        assert_eq!(known_as.0.get_version_num(), 8);
        assert_eq!(known_as.to_string().parse::<ViewerId>().unwrap(), known_as);
    }

    #[test]
    fn an_identifier_survives_being_written_and_read() {
        let id = InstanceId::new();
        assert_eq!(id.to_string().parse::<InstanceId>().unwrap(), id);
    }

    #[test]
    fn what_is_no_uuid_is_refused() {
        assert!("../../etc/passwd".parse::<InstanceId>().is_err());
    }
}
