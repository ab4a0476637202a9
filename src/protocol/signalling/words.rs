//! The closed sets of words that messages and stored rows share.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every word of this set.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)*
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    /// Where an instance is in its life.
    InstanceStatus {
        /// Asked for, nothing started yet.
        Idle = "IDLE",
        /// Starting up to its first drawn window.
        Initializing = "INITIALIZING",
        /// The app is there.
        Running = "RUNNING",
        /// Being ended.
        Deinitializing = "DEINITIALIZING",
        /// Ended as it should.
        Terminated = "TERMINATED",
        /// The app or its display is being started again.
        Restarting = "RESTARTING",
        /// Ended because it could not go on.
        Failed = "FAILED",
    }
);

words!(
    /// What a viewer may do.
    Role {
        /// Launched the instance; gives control and takes it back.
        Owner = "owner",
        /// Has the mouse and the keyboard for now.
        Controller = "controller",
        /// Watches.
        Spectator = "spectator",
    }
);

words!(
    /// Why a peer ended.
    CloseReason {
        /// Its viewer or an administrator asked for it.
        Requested = "requested",
        /// The instance was ended.
        InstanceEnded = "instance_ended",
        /// The app ended by itself.
        AppExited = "app_exited",
        /// No network path was found, or the one there was is gone.
        IceFailed = "ice_failed",
        /// The same viewer made a new peer.
        Superseded = "superseded",
        /// Its viewer's socket went and did not come back in time.
        ResumeExpired = "resume_expired",
        /// The host is shutting down.
        HostShutdown = "host_shutdown",
        /// Something of ours broke.
        Fault = "fault",
    }
);

words!(
    /// Why a message was refused, on the socket and in REST alike.
    ErrorCode {
        /// Not JSON, or fields that are missing or of the wrong kind.
        BadMessage = "bad_message",
        /// A `type` this version does not know.
        UnknownType = "unknown_type",
        /// Longer than allowed.
        TooLarge = "too_large",
        /// Too many messages in too short a time.
        RateLimited = "rate_limited",
        /// The message makes sense only after another.
        OutOfOrder = "out_of_order",
        /// No such instance, or none this session may see.
        UnknownInstance = "unknown_instance",
        /// No such peer of this viewer.
        UnknownPeer = "unknown_peer",
        /// No such viewer of this instance.
        UnknownViewer = "unknown_viewer",
        /// This viewer may not do that.
        NotAllowed = "not_allowed",
        /// An SDP that does not parse or offers no picture to receive.
        BadSdp = "bad_sdp",
        /// The browser decodes none of the codecs the host encodes.
        NoCommonCodec = "no_common_codec",
        /// A candidate that does not parse.
        BadCandidate = "bad_candidate",
        /// Every UDP port of the range is taken.
        NoUdpPort = "no_udp_port",
        /// The instance does not run.
        NotRunning = "not_running",
        /// The peer or the instance is closing.
        Closing = "closing",
        /// Every place is taken.
        Capacity = "capacity",
        /// The session is no longer valid.
        SessionExpired = "session_expired",
        /// The host is shutting down.
        HostShutdown = "host_shutdown",
        /// Something of ours broke.
        Internal = "internal",
    }
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_written_and_read_as_itself() {
        fn check<T: Copy + fmt::Display + PartialEq + fmt::Debug + Serialize + for<'a> Deserialize<'a>>(all: &[T]) {
            for word in all {
                let json = serde_json::to_string(word).unwrap();
                assert_eq!(json, format!("\"{word}\""));
                assert_eq!(serde_json::from_str::<T>(&json).unwrap(), *word);
            }
        }
        check(InstanceStatus::ALL);
        check(Role::ALL);
        check(CloseReason::ALL);
        check(ErrorCode::ALL);
    }
}
