//! The closed sets of words of the domain, spelt alike on the wire and in the database.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is not of the set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no {set}")]
pub struct UnknownWord {
    /// The word.
    pub word: String,
    /// The set.
    pub set: &'static str,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$word_doc])* #[serde(rename = $text)] $word,)* }

        impl $name {
            /// Every word of the set.
            pub const ALL: &'static [Self] = &[$(Self::$word,)*];

            /// The word as it is stored and sent.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$word => $text,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|word| word.as_str() == text).ok_or_else(|| UnknownWord {
                    word: text.chars().take(40).collect(),
                    set: stringify!($name),
                })
            }
        }
    };
}

words! {
    /// The status of an instance.
    InstanceStatus {
        /// A place for an instance, without one.
        Idle = "IDLE",
        /// It starts.
        Initializing = "INITIALIZING",
        /// It is ready.
        Running = "RUNNING",
        /// It is being ended.
        Deinitializing = "DEINITIALIZING",
        /// It has ended as it should.
        Terminated = "TERMINATED",
        /// Its app is started again.
        Restarting = "RESTARTING",
        /// It has ended as it should not.
        Failed = "FAILED",
    }
}

impl InstanceStatus {
    /// Whether processes of the instance may live.
    #[must_use]
    pub fn is_alive(self) -> bool {
        !matches!(self, Self::Idle | Self::Terminated | Self::Failed)
    }
}

words! {
    /// What somebody is, at an instance or at the host; [`super::rights`] says what that allows. The greater may all that
    /// the lesser may.
    Role {
        /// Looks.
        Spectator = "spectator",
        /// Looks and steers.
        Controller = "controller",
        /// Launched it: it is their instance.
        Owner = "owner",
        /// Has shown the token of the host: everybody's instances, and the host itself.
        Admin = "admin",
    }
}

impl Role {
    const fn rank(self) -> u8 {
        match self {
            Self::Spectator => 0,
            Self::Controller => 1,
            Self::Owner => 2,
            Self::Admin => 3,
        }
    }
}

impl Ord for Role {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Role {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

words! {
    /// Why a peer connection was closed.
    CloseReason {
        /// Somebody asked for it.
        Requested = "requested",
        /// Its instance was ended.
        InstanceEnded = "instance_ended",
        /// The app ended by itself.
        AppExited = "app_exited",
        /// No network path was found, or the last was lost.
        IceFailed = "ice_failed",
        /// The same viewer made another.
        Superseded = "superseded",
        /// Its viewer did not come back in time.
        ResumeExpired = "resume_expired",
        /// The host stops.
        HostShutdown = "host_shutdown",
        /// What let its viewer in was revoked or has expired.
        AccessEnded = "access_ended",
        /// The session or the token that it came with has ended, or its rights have changed.
        SignedOut = "signed_out",
        /// Its place was needed for somebody who comes before it.
        GaveWay = "gave_way",
        /// An error of the host.
        Fault = "fault",
    }
}

words! {
    /// What an event of the history is about. Nothing of one class takes the room of another.
    EventClass {
        /// What was done by who may: launches and ends, links, sign-ins, restarts by hand.
        Audit = "audit",
        /// Who came by a link.
        Entry = "entry",
        /// Restarts and faults of the host's own parts.
        Supervision = "supervision",
        /// Who came to watch, went, and steered: whatever anybody can bring about who knows an address.
        Visits = "visits",
    }
}

words! {
    /// The status of a server.
    ServerStatus {
        /// It takes launches.
        Online = "ONLINE",
        /// It keeps its instances and takes no launches.
        Draining = "DRAINING",
        /// It is stopped.
        Offline = "OFFLINE",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written_and_no_other() {
        for status in InstanceStatus::ALL {
            assert_eq!(status.to_string().parse(), Ok(*status));
        }
        for reason in CloseReason::ALL {
            assert_eq!(reason.to_string().parse(), Ok(*reason));
        }
        assert!("running".parse::<InstanceStatus>().is_err());
        assert_eq!("x".parse::<Role>().unwrap_err().to_string(), "`x` is no Role");
    }

    #[test]
    fn what_has_ended_is_not_alive() {
        let dead: Vec<&str> = InstanceStatus::ALL
            .iter()
            .filter(|status| !status.is_alive())
            .map(|status| status.as_str())
            .collect();
        assert_eq!(dead, ["IDLE", "TERMINATED", "FAILED"]);
    }
}
