//! The identifiers of the domain, each a type of its own so that none can be taken for another.
//!
//! All are UUIDs (RFC 9562). Those that are keys of stored rows are version 7, so that they sort by time; an
//! [`InstanceId`] is version 4, because its URL is a spectator's capability and must not be guessable from the
//! time of its launch.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
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
    /// One browser tab looking at one instance; chosen by the tab.
    ViewerId,
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

#[cfg(test)]
mod tests {
    use super::*;

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
