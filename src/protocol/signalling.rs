//! What browser and host say to each other on `/ws`: JSON text frames, sub-protocol [`SUBPROTOCOL`].
//!
//! Each frame is one message, tagged by `type`. What cannot be read is answered by an `error` and never drops the
//! socket by itself.

use serde::{Deserialize, Serialize};

pub use super::windows::WindowEntry;
pub use super::words::{CloseReason, InstanceStatus, Role};
use crate::config::Keyboard;
use crate::ids::{Claim, InstanceId, PeerId, SessionId, ViewerId};

/// The sub-protocol (RFC 6455 section 1.9).
pub const SUBPROTOCOL: &str = "heliostat.v1";
/// The longest message from a browser, in bytes.
pub const MAX_MESSAGE: usize = 96 * 1024;
/// The longest session description, in bytes.
pub const MAX_SDP: usize = 64 * 1024;
/// The longest candidate line, in bytes.
pub const MAX_CANDIDATE: usize = 2 * 1024;
/// Characters of a refusal that are told and logged.
const MAX_EXCERPT: usize = 200;

/// An ICE candidate as browsers write it (W3C WebRTC, `RTCIceCandidateInit`).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The candidate attribute (RFC 8839 section 5.1); empty at the end of candidates.
    pub candidate: String,
    /// The media section it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_mid: Option<String>,
    /// The same by its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

/// A STUN or TURN server as browsers take it (W3C WebRTC, `RTCIceServer`).
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct IceServer {
    /// Its addresses.
    pub urls: Vec<String>,
    /// For TURN: until when, and for whom.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// For TURN: what proves it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
}

impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer")
            .field("urls", &self.urls)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// What ways a browser may try (W3C WebRTC, `RTCIceTransportPolicy`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IceTransportPolicy {
    /// Every one.
    All,
    /// Through a TURN server only.
    Relay,
}

/// What a browser has to know to find a way to the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IceConfiguration {
    /// The servers.
    pub ice_servers: Vec<IceServer>,
    /// What may be tried.
    pub ice_transport_policy: IceTransportPolicy,
    /// Seconds until the credentials are worth nothing; absent where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// From the browser.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Who this tab is; one viewer id per tab.
    Hello {
        /// Chosen by the tab, kept over reloads of its socket.
        #[serde(default)]
        viewer_id: Option<ViewerId>,
    },
    /// Look at an instance.
    Watch {
        /// Which.
        instance_id: InstanceId,
        /// The living peer to take over, if any.
        #[serde(default)]
        peer_id: Option<PeerId>,
        /// By what a media socket that is there already goes to this viewer.
        #[serde(default)]
        claim: Option<Claim>,
    },
    /// A new peer connection's offer.
    Offer {
        /// The description.
        sdp: String,
        /// Whether the peer that the viewer has goes on until the new one is used.
        #[serde(default)]
        beside: bool,
    },
    /// One of the browser's candidates, `null` at their end.
    Candidate {
        /// Of which peer.
        peer_id: PeerId,
        /// The candidate.
        candidate: Option<IceCandidate>,
    },
    /// An offer that takes the living peer to new paths (W3C WebRTC, `iceRestart`). Answered by `answer` with its id.
    RestartIce {
        /// Which peer.
        peer_id: PeerId,
        /// The description.
        sdp: String,
    },
    /// Stop looking.
    Unwatch,
    /// Wish to steer.
    RequestControl,
    /// Stop steering.
    ReleaseControl,
    /// Let another viewer steer.
    GrantControl {
        /// Who.
        viewer_id: ViewerId,
    },
    /// Show a window of the app and give it the keys.
    ActivateWindow {
        /// Which, as `windows` of `instance` says.
        window: u32,
    },
    /// A digest of the browser's `getStats`; only logged.
    Stats {
        /// Free form.
        digest: serde_json::Value,
    },
    /// Is anybody there?
    Ping {
        /// Echoed.
        #[serde(default)]
        t: f64,
    },
}

/// The app of an instance, as viewers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AppLabel {
    /// The catalogue's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How keys arrive at it; not known of one that has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keyboard: Option<Keyboard>,
}

/// The size of a picture in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Size {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// How an instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InstanceMessage {
    /// Which.
    pub instance_id: InstanceId,
    /// Its status.
    pub status: InstanceStatus,
    /// A stable word why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// A sentence why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Its app.
    pub app: AppLabel,
    /// Its picture.
    pub size: Size,
    /// The app's last lines, when it failed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<String>,
    /// When the next try is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_in_ms: Option<u64>,
    /// How often a process of it was started again.
    pub restarts: u32,
    /// The app's windows, for who may choose among them, where there is something to choose.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowEntry>,
    /// The forms that its picture can be had in, the best first, where there is a choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub renditions: Vec<RenditionEntry>,
    /// How many characters could not be typed since the launch.
    #[serde(skip_serializing_if = "none")]
    pub text_not_typed: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks by reference")]
const fn none(count: &u32) -> bool {
    *count == 0
}

/// A form of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RenditionEntry {
    /// Its width and height, in percent of the picture's.
    pub percent: u8,
    /// Frames a second at most.
    pub fps: u16,
    /// The rate below which the next is better, in kbit/s.
    pub kbps: u32,
}

/// One viewer in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ViewerEntry {
    /// Who.
    pub viewer_id: ViewerId,
    /// What they may do.
    pub role: Role,
}

/// To the browser.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// Answers `hello`.
    Welcome {
        /// The session of the cookie.
        session_id: SessionId,
        /// The viewer that this tab is.
        viewer_id: ViewerId,
        /// By which ways the picture can come here.
        transports: Vec<&'static str>,
        /// How to find a way to the host.
        #[serde(flatten)]
        ice: IceConfiguration,
    },
    /// Fresh credentials, before those that were told of last are worth nothing.
    IceServers(IceConfiguration),
    /// The host hears nothing of the browser: please look for another path.
    RestartIce {
        /// For which peer.
        peer_id: PeerId,
    },
    /// How the watched instance is.
    Instance(InstanceMessage),
    /// Answers `offer` and `restart_ice`.
    Answer {
        /// The new peer, or the one whose ICE was restarted.
        peer_id: PeerId,
        /// The description.
        sdp: String,
    },
    /// One of the host's candidates, `null` at their end.
    Candidate {
        /// Of which peer.
        peer_id: PeerId,
        /// The candidate.
        candidate: Option<IceCandidate>,
    },
    /// The living peer was taken over by this socket.
    Resumed {
        /// Which.
        peer_id: PeerId,
    },
    /// Who looks.
    Viewers {
        /// How many.
        count: usize,
        /// Who.
        viewers: Vec<ViewerEntry>,
    },
    /// Who steers.
    Control {
        /// The one who steers.
        holder: Option<ViewerId>,
        /// What the one who is told may do.
        role: Role,
    },
    /// A peer was closed.
    Closed {
        /// Which.
        peer_id: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// Something was refused.
    Error {
        /// A stable word, the same as in REST.
        code: String,
        /// A sentence for people.
        message: String,
        /// Seconds after which to try again.
        #[serde(skip_serializing_if = "Option::is_none")]
        retry_after: Option<u64>,
        /// The peer it is about.
        #[serde(skip_serializing_if = "Option::is_none")]
        peer_id: Option<PeerId>,
    },
    /// Answers `ping`.
    Pong {
        /// Echoed.
        t: f64,
    },
}

impl ServerMessage {
    /// An error without further fields.
    pub fn error(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Error {
            code: code.into(),
            message: message.into(),
            retry_after: None,
            peer_id: None,
        }
    }

    /// An error that may be over after so many seconds, where that is known.
    pub fn refusal(code: impl Into<String>, message: impl Into<String>, retry_after: Option<u64>) -> Self {
        Self::Error {
            code: code.into(),
            message: message.into(),
            retry_after,
            peer_id: None,
        }
    }
}

/// Why a message was refused.
#[derive(Debug, thiserror::Error)]
pub enum SignallingError {
    /// Longer than [`MAX_MESSAGE`], or a part of it longer than it may be.
    #[error("{0} is too large")]
    TooLarge(&'static str),
    /// Not a message of this protocol.
    #[error("this is no message of {SUBPROTOCOL}: {0}")]
    Malformed(String),
    /// Well formed, but of a type that nobody knows.
    #[error("unknown message type {0:?}")]
    UnknownType(String),
}

impl SignallingError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge(_) => "too_large",
            Self::Malformed(_) => "malformed",
            Self::UnknownType(_) => "unknown_type",
        }
    }
}

/// As much of a sentence about somebody's input as is worth a line of the log: such a sentence may quote the input.
#[must_use]
pub fn excerpt(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(MAX_EXCERPT) {
        text.truncate(end);
        text.push('…');
    }
    text
}

/// Reads a message from a browser.
///
/// # Errors
/// [`SignallingError`].
pub fn decode(text: &str) -> Result<ClientMessage, SignallingError> {
    #[derive(Deserialize)]
    struct Tag {
        r#type: String,
    }
    if text.len() > MAX_MESSAGE {
        return Err(SignallingError::TooLarge("the message"));
    }
    let malformed = |e: serde_json::Error| SignallingError::Malformed(excerpt(e.to_string()));
    let tag: Tag = serde_json::from_str(text).map_err(malformed)?;
    const TYPES: [&str; 12] = [
        "hello",
        "watch",
        "offer",
        "candidate",
        "restart_ice",
        "unwatch",
        "request_control",
        "release_control",
        "grant_control",
        "activate_window",
        "stats",
        "ping",
    ];
    if !TYPES.contains(&tag.r#type.as_str()) {
        return Err(SignallingError::UnknownType(tag.r#type.chars().take(40).collect()));
    }
    let message = serde_json::from_str(text).map_err(malformed)?;
    match &message {
        ClientMessage::Offer { sdp, .. } | ClientMessage::RestartIce { sdp, .. } if sdp.len() > MAX_SDP => {
            Err(SignallingError::TooLarge("the description"))
        }
        ClientMessage::Candidate { candidate: Some(c), .. } if c.candidate.len() > MAX_CANDIDATE => {
            Err(SignallingError::TooLarge("the candidate"))
        }
        _ => Ok(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn messages_of_browsers_are_read() {
        let id = InstanceId::new();
        let text = format!(r#"{{"type":"watch","instance_id":"{id}"}}"#);
        let watch = ClientMessage::Watch {
            instance_id: id,
            peer_id: None,
            claim: None,
        };
        assert_eq!(decode(&text).unwrap(), watch);
        let peer = PeerId::new();
        let text = format!(
            r#"{{"type":"candidate","peer_id":"{peer}","candidate":{{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":"x"}}}}"#
        );
        assert!(
            matches!(decode(&text).unwrap(), ClientMessage::Candidate { candidate: Some(c), .. } if c.sdp_m_line_index == Some(0))
        );
    }

    #[test]
    fn what_is_wrong_with_a_message_is_told_apart() {
        assert_eq!(decode("{").unwrap_err().code(), "malformed");
        assert_eq!(decode("[]").unwrap_err().code(), "malformed");
        assert_eq!(decode(r#"{"type":"watch"}"#).unwrap_err().code(), "malformed");
        assert_eq!(decode(r#"{"type":"dance"}"#).unwrap_err().code(), "unknown_type");
        assert_eq!(decode(&" ".repeat(MAX_MESSAGE + 1)).unwrap_err().code(), "too_large");
        let quoted = format!(r#"{{"type":"watch","instance_id":"{}"}}"#, "ö".repeat(10_000));
        assert!(
            decode(&quoted).unwrap_err().to_string().len() < 1_000,
            "input is not handed back"
        );
        let sdp = format!(r#"{{"type":"offer","sdp":"{}"}}"#, "x".repeat(MAX_SDP + 1));
        assert_eq!(decode(&sdp).unwrap_err().code(), "too_large");
        assert_eq!(decode(&"[".repeat(10_000)).unwrap_err().code(), "malformed");
    }

    #[test]
    fn messages_of_the_host_are_tagged_and_leave_out_what_is_not_there() {
        let text = serde_json::to_string(&ServerMessage::error("bad_sdp", "no")).unwrap();
        assert_eq!(text, r#"{"type":"error","code":"bad_sdp","message":"no"}"#);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            prop_assert!(decode(&text).is_err() || text.contains("type"));
        }
    }
}
