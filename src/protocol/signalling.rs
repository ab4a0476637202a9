//! Messages of the signalling socket `/ws` (sub-protocol [`SUBPROTOCOL`]): JSON text, one object a frame, told apart by
//! `type`.
//!
//! The browser always offers (recvonly video and two data channels), the host answers; candidates trickle both ways.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::{InstanceId, PeerId, SessionId, ViewerId};

mod words;

pub use words::{CloseReason, ErrorCode, InstanceStatus, Role};

/// The WebSocket sub-protocol; its number is the version.
pub const SUBPROTOCOL: &str = "heliostat.v1";
/// The longest SDP accepted, in bytes.
pub const MAX_SDP: usize = 64 * 1024;
/// The longest ICE candidate line accepted, in bytes.
pub const MAX_CANDIDATE: usize = 2 * 1024;
/// The longest message accepted, in bytes.
pub const MAX_MESSAGE: usize = 96 * 1024;

/// `RTCIceCandidateInit` of the W3C: one ICE candidate, or with an empty line the end of a generation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IceCandidate {
    /// The candidate line, `candidate:…` (RFC 8839), empty at the end.
    #[serde(default)]
    pub candidate: String,
    /// The media section it belongs to, by its `mid`.
    #[serde(default)]
    pub sdp_mid: Option<String>,
    /// The media section it belongs to, by its place.
    #[serde(default)]
    pub sdp_m_line_index: Option<u16>,
    /// The ICE generation it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username_fragment: Option<String>,
}

/// What a browser sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// The first message: who this tab was before, if it was.
    Hello {
        /// The identifier the tab was given earlier.
        #[serde(default)]
        viewer_id: Option<ViewerId>,
    },
    /// Watch an instance; with `peer_id`, take over that living peer.
    Watch {
        /// Which instance.
        instance_id: InstanceId,
        /// A peer of this viewer that may still be alive.
        #[serde(default)]
        peer_id: Option<PeerId>,
        /// The role asked for; the host decides.
        #[serde(default)]
        role: Option<Role>,
    },
    /// An offer for a new peer of the instance watched.
    Offer {
        /// At most [`MAX_SDP`] bytes.
        sdp: String,
    },
    /// One candidate of the browser, `null` when there are no more.
    Candidate {
        /// As told by `answer`.
        peer_id: PeerId,
        /// At most [`MAX_CANDIDATE`] bytes.
        candidate: Option<IceCandidate>,
    },
    /// Stop watching; the socket stays.
    Unwatch,
    /// Ask for control of the instance.
    RequestControl,
    /// Give control back.
    ReleaseControl,
    /// Give control to another viewer.
    GrantControl {
        /// To whom.
        viewer_id: ViewerId,
    },
    /// A digest of `getStats()`, for the host's metrics.
    Stats {
        /// Kept as it is.
        digest: Value,
    },
    /// Is the host there?
    Ping {
        /// Opaque, echoed.
        t: Value,
    },
}

impl ClientMessage {
    /// Every `type` this version knows.
    pub const TYPES: [&'static str; 10] = [
        "hello",
        "watch",
        "offer",
        "candidate",
        "unwatch",
        "request_control",
        "release_control",
        "grant_control",
        "stats",
        "ping",
    ];

    /// Reads one text frame.
    ///
    /// # Errors
    /// The code to answer with: `too_large` (by message, SDP or candidate), `unknown_type` or `bad_message`.
    pub fn parse(text: &str) -> Result<Self, ErrorCode> {
        if text.len() > MAX_MESSAGE {
            return Err(ErrorCode::TooLarge);
        }
        let message = serde_json::from_str(text).map_err(|_| refusal(text))?;
        let fits = match &message {
            Self::Offer { sdp } => sdp.len() <= MAX_SDP,
            Self::Candidate { candidate: Some(c), .. } => c.candidate.len() <= MAX_CANDIDATE,
            _ => true,
        };
        if fits { Ok(message) } else { Err(ErrorCode::TooLarge) }
    }
}

/// Why `text` is not a message: a type from a later version is not the same as rubbish.
fn refusal(text: &str) -> ErrorCode {
    #[derive(Deserialize)]
    struct Tagged {
        r#type: String,
    }
    match serde_json::from_str::<Tagged>(text) {
        Ok(Tagged { r#type }) if !ClientMessage::TYPES.contains(&r#type.as_str()) => ErrorCode::UnknownType,
        _ => ErrorCode::BadMessage,
    }
}

/// What the host sends.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The answer to `hello`.
    Welcome {
        /// Whose stay this is.
        session_id: SessionId,
        /// This tab, to be told at the next `hello`.
        viewer_id: ViewerId,
        /// `RTCIceServer`s for the peer connection.
        ice_servers: Vec<Value>,
    },
    /// The state of the instance watched, at every change.
    Instance(InstanceMessage),
    /// The answer to an offer; candidates follow.
    Answer {
        /// The new peer.
        peer_id: PeerId,
        /// The answer.
        sdp: String,
    },
    /// One candidate of the host, `null` when there are no more.
    Candidate {
        /// Whose.
        peer_id: PeerId,
        /// The candidate.
        candidate: Option<IceCandidate>,
    },
    /// The browser should make a new offer.
    Renegotiate {
        /// Why, as a stable word.
        reason: String,
    },
    /// A watch with a living peer was taken over: no offer is needed.
    Resumed {
        /// That peer.
        peer_id: PeerId,
    },
    /// Who watches the instance.
    Viewers {
        /// How many.
        count: usize,
        /// Each of them.
        viewers: Vec<ViewerEntry>,
    },
    /// Who controls the instance.
    Control {
        /// The viewer that does.
        holder: Option<ViewerId>,
        /// The role of the one this is sent to.
        role: Role,
    },
    /// A peer ended.
    Closed {
        /// Which.
        peer_id: PeerId,
        /// Why.
        reason: CloseReason,
    },
    /// A message was refused; the socket stays.
    Error {
        /// A stable word.
        code: ErrorCode,
        /// For people.
        message: String,
        /// Seconds until it makes sense to try again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
        /// The peer it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        peer_id: Option<PeerId>,
    },
    /// The answer to `ping`.
    Pong {
        /// Echoed.
        t: Value,
    },
}

/// The state of an instance, as viewers are told; also sent over the data channel `input`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceMessage {
    /// Which instance.
    pub instance_id: InstanceId,
    /// Where it is in its life.
    pub status: InstanceStatus,
    /// Why, as a stable word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What runs.
    pub app: AppLabel,
    /// Of the picture.
    pub size: Size,
    /// The last lines the app printed, when it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Vec<String>>,
    /// Milliseconds until the next start is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_in_ms: Option<u64>,
    /// Starts after the first.
    pub restarts: u32,
}

/// An app as viewers see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppLabel {
    /// Its identifier in the catalogue.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// A picture's size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

/// One viewer in the list of viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerEntry {
    /// Who.
    pub viewer_id: ViewerId,
    /// May do what.
    pub role: Role,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn every_documented_message_of_a_browser_is_read() {
        let id = "0193d6a8-7a51-7000-8000-000000000001";
        for (message, kind) in [
            json!({"type": "hello"}),
            json!({"type": "watch", "instance_id": id, "role": "spectator"}),
            json!({"type": "offer", "sdp": "v=0"}),
            json!({"type": "candidate", "peer_id": id, "candidate": {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "x"}}),
            json!({"type": "unwatch"}),
            json!({"type": "request_control"}),
            json!({"type": "release_control"}),
            json!({"type": "grant_control", "viewer_id": id}),
            json!({"type": "stats", "digest": {"fps": 60}}),
            json!({"type": "ping", "t": 1.5}),
        ]
        .into_iter()
        .zip(ClientMessage::TYPES)
        {
            let read = ClientMessage::parse(&message.to_string()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap()["type"], kind);
        }
        let end = json!({"type": "candidate", "peer_id": id, "candidate": null}).to_string();
        assert!(matches!(
            ClientMessage::parse(&end),
            Ok(ClientMessage::Candidate { candidate: None, .. })
        ));
    }

    #[test]
    fn what_cannot_be_read_is_told_apart() {
        let parse = |text: &str| ClientMessage::parse(text).unwrap_err();
        assert_eq!(parse("{"), ErrorCode::BadMessage);
        assert_eq!(parse(r#"{"type":"offer"}"#), ErrorCode::BadMessage);
        assert_eq!(parse(r#"{"type":"watch","instance_id":"x"}"#), ErrorCode::BadMessage);
        assert_eq!(parse(r#"{"type":"teleport"}"#), ErrorCode::UnknownType);
        assert_eq!(parse(&" ".repeat(MAX_MESSAGE + 1)), ErrorCode::TooLarge);
        let long = json!({"type": "offer", "sdp": "x".repeat(MAX_SDP + 1)}).to_string();
        assert_eq!(parse(&long), ErrorCode::TooLarge);
        let line = "x".repeat(MAX_CANDIDATE + 1);
        let long = json!({"type": "candidate", "peer_id": PeerId::new(), "candidate": {"candidate": line}}).to_string();
        assert_eq!(parse(&long), ErrorCode::TooLarge);
    }

    #[test]
    fn a_state_carries_only_what_there_is_to_say() {
        let message = ServerMessage::Instance(InstanceMessage {
            instance_id: "6f2c3d2e-51a0-4b4e-9d1e-000000000001".parse().unwrap(),
            status: InstanceStatus::Running,
            reason: None,
            message: None,
            app: AppLabel {
                id: "xterm".into(),
                name: "Terminal".into(),
            },
            size: Size {
                width: 1280,
                height: 720,
            },
            output: None,
            retry_in_ms: None,
            restarts: 0,
        });
        assert_eq!(
            serde_json::to_value(&message).unwrap(),
            json!({
                "type": "instance", "instance_id": "6f2c3d2e-51a0-4b4e-9d1e-000000000001", "status": "RUNNING",
                "app": {"id": "xterm", "name": "Terminal"}, "size": {"width": 1280, "height": 720}, "restarts": 0
            })
        );
    }

    #[test]
    fn a_refusal_names_its_code_and_keeps_quiet_about_the_rest() {
        let error = ServerMessage::Error {
            code: ErrorCode::BadSdp,
            message: "it does not parse".into(),
            retry_after: None,
            peer_id: None,
        };
        let expected = json!({"type": "error", "code": "bad_sdp", "message": "it does not parse"});
        assert_eq!(serde_json::to_value(&error).unwrap(), expected);
        let control = ServerMessage::Control {
            holder: None,
            role: Role::Spectator,
        };
        let expected = json!({"type": "control", "holder": null, "role": "spectator"});
        assert_eq!(serde_json::to_value(&control).unwrap(), expected);
    }

    proptest! {
        #[test]
        fn arbitrary_text_never_panics(text in "\\PC{0,200}") {
            let _ = ClientMessage::parse(&text);
        }
    }
}
