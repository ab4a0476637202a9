//! Callbacks run on the connection's own driver: they post and return.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::{mpsc, watch};
use webrtc::data_channel::DataChannel;
use webrtc::peer_connection::{
    PeerConnectionEventHandler, RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCPeerConnectionState,
};

use super::super::LINES;
use super::super::connection::ConnectionEvent;
use super::super::state::ConnectionState;
use super::channel::WebrtcChannel;
use crate::ice::public_address::{PublicAddresses, beyond_nat};
use crate::protocol::signalling::IceCandidate;

/// Turns callbacks into events.
pub(super) struct Callbacks {
    pub(super) events: mpsc::Sender<ConnectionEvent>,
    pub(super) state: watch::Sender<ConnectionState>,
    /// The addresses of this host beyond a NAT.
    pub(super) public: PublicAddresses,
}

impl Callbacks {
    fn post(&self, event: ConnectionEvent) {
        // overflow: the event is lost. A missing candidate costs a path; a channel is closed by being dropped, and those
        // that fill the queue are more than a peer may have.
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            log::log!(LINES.level(), "a peer's event is lost, its queue is full: {event:?}");
        }
    }
}

#[async_trait]
impl PeerConnectionEventHandler for Callbacks {
    async fn on_ice_candidate(&self, event: RTCPeerConnectionIceEvent) {
        match event.candidate.to_json() {
            Ok(init) => {
                let beyond = beyond_nat(&init.candidate, &self.public.now());
                for candidate in std::iter::once(init.candidate).chain(beyond) {
                    self.post(ConnectionEvent::Candidate(Some(IceCandidate {
                        candidate,
                        // All sections are bundled; the crate knows no section's name here, the first always exists.
                        sdp_mid: None,
                        sdp_m_line_index: Some(0),
                        username_fragment: None,
                    })));
                }
            }
            Err(error) => log::log!(LINES.level(), "a local candidate cannot be written: {error}"),
        }
    }

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.post(ConnectionEvent::Candidate(None));
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let state = match state {
            RTCPeerConnectionState::Connecting => ConnectionState::Connecting,
            RTCPeerConnectionState::Connected => ConnectionState::Connected,
            RTCPeerConnectionState::Disconnected => ConnectionState::Disconnected,
            RTCPeerConnectionState::Failed => ConnectionState::Failed,
            RTCPeerConnectionState::Closed => ConnectionState::Closed,
            _ => ConnectionState::New,
        };
        self.state.send_replace(state);
    }

    async fn on_data_channel(&self, channel: Arc<dyn DataChannel>) {
        self.post(ConnectionEvent::Channel(Arc::new(WebrtcChannel::new(channel))));
    }
}
