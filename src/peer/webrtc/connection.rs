//! One connection of the crate, and the guard that closes it whatever happens to its owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, OnceCell, watch};
use tokio::time::timeout;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::peer_connection::{PeerConnection, RTCIceCandidateInit, RTCSessionDescription};

use super::super::connection::{Connection, Delivery, Lost, Path};
use super::super::error::PeerError;
use super::super::ports::PortLease;
use super::super::state::{CLOSE_WITHIN, ConnectionState};
use super::failed;
use super::feedback::Feedback;
use super::sender::Sender;
use crate::ice::public_address::{PublicAddresses, described_beyond_nat};
use crate::media::Frame;
use crate::protocol::signalling::IceCandidate;

/// What was written before a restart leaves on the old path within this time; the crate drops what comes after.
const LEAVES_WITHIN: Duration = Duration::from_millis(10);

/// Keeps the connection; dropping it closes the connection if nobody did, and gives its port back afterwards.
pub(super) struct WebrtcConnection {
    connection: Arc<dyn PeerConnection>,
    sender: Sender,
    /// The ICE credentials of the browser's last offer; held while one is being answered, so that it is one at a time.
    negotiated: Mutex<Option<String>>,
    /// Known once the answer is made.
    payload_type: OnceCell<u8>,
    state: watch::Sender<ConnectionState>,
    feedback: Arc<Feedback>,
    public: PublicAddresses,
    closed: AtomicBool,
    lease: Option<PortLease>,
    runtime: Handle,
}

impl WebrtcConnection {
    /// Called on the media runtime, which stays the one that closes it.
    pub(super) fn new(
        connection: Arc<dyn PeerConnection>,
        sender: Sender,
        state: watch::Sender<ConnectionState>,
        feedback: Arc<Feedback>,
        public: PublicAddresses,
        lease: PortLease,
    ) -> Self {
        Self {
            connection,
            sender,
            negotiated: Mutex::new(None),
            payload_type: OnceCell::new(),
            state,
            feedback,
            public,
            closed: AtomicBool::new(false),
            lease: Some(lease),
            runtime: Handle::current(),
        }
    }
}

#[async_trait]
impl Connection for WebrtcConnection {
    async fn answer(&self, offer: &str) -> Result<String, PeerError> {
        let bad = |error: rtc::shared::error::Error| PeerError::BadSdp(error.to_string());
        let mut negotiated = self.negotiated.lock().await;
        *negotiated = ice_credentials(offer);
        let offer = RTCSessionDescription::offer(offer.to_owned()).map_err(bad)?;
        self.connection.set_remote_description(offer).await.map_err(bad)?;
        let track: Arc<dyn TrackLocal> = self.sender.track();
        let sender = self.connection.add_track(track).await.map_err(failed)?;
        let answer = self.connection.create_answer(None).await.map_err(bad)?;
        self.connection.set_local_description(answer).await.map_err(failed)?;
        let answer = self
            .connection
            .local_description()
            .await
            .ok_or_else(|| failed("no local description"))?;
        let parameters = sender.get_parameters().await.map_err(failed)?;
        let beside = ["video/rtx", "video/flexfec-03"];
        let mut codecs = parameters.rtp_parameters.codecs.iter();
        let codec = codecs
            .find(|codec| !beside.iter().any(|b| codec.rtp_codec.mime_type.eq_ignore_ascii_case(b)))
            .ok_or_else(|| failed("no codec was negotiated"))?;
        self.payload_type
            .set(codec.payload_type)
            .map_err(|_| failed("answered twice"))?;
        Ok(answer.sdp)
    }

    async fn restart(&self, offer: &str) -> Result<String, PeerError> {
        let bad = |error: rtc::shared::error::Error| PeerError::BadSdp(error.to_string());
        let mut negotiated = self.negotiated.lock().await;
        let credentials = ice_credentials(offer);
        if negotiated.is_none() || credentials.is_none() || *negotiated == credentials {
            // The crate would look for no path, and so never say that there is one.
            return Err(PeerError::BadSdp("it restarts nothing".to_owned()));
        }
        let offer = RTCSessionDescription::offer(offer.to_owned()).map_err(bad)?;
        *negotiated = credentials;
        let before = *self.state.borrow();
        // Told before the crate does it, so that nothing more is written to a path that is about to be dropped.
        self.state.send_replace(ConnectionState::Connecting);
        tokio::time::sleep(LEAVES_WITHIN).await;
        let answered = async {
            self.connection.set_remote_description(offer).await.map_err(bad)?;
            let answer = self.connection.create_answer(None).await.map_err(bad)?;
            self.connection.set_local_description(answer).await.map_err(failed)?;
            let answer = self.connection.local_description().await;
            answer.ok_or_else(|| failed("no local description"))
        };
        let answered = answered.await;
        if answered.is_err() {
            // Nothing of the offer was applied, or half of it: the crate says the rest if its state changes.
            self.state.send_if_modified(|state| {
                let waits = *state == ConnectionState::Connecting;
                if waits {
                    *state = before;
                }
                waits
            });
        }
        // Of a restart the crate reports no candidates: they are in its answer.
        Ok(described_beyond_nat(&answered?.sdp, &self.public.now()))
    }

    async fn add_candidate(&self, candidate: IceCandidate) -> Result<(), PeerError> {
        let init = RTCIceCandidateInit {
            candidate: candidate.candidate,
            sdp_mid: candidate.sdp_mid,
            sdp_mline_index: candidate.sdp_m_line_index,
            username_fragment: candidate.username_fragment,
            url: None,
        };
        self.connection
            .add_ice_candidate(init)
            .await
            .map_err(|e| PeerError::BadCandidate(e.to_string()))
    }

    fn state(&self) -> watch::Receiver<ConnectionState> {
        self.state.subscribe()
    }

    async fn key_request(&self) {
        self.feedback.key.notified().await;
    }

    async fn send(&self, frame: Arc<Frame>) -> Result<Delivery, PeerError> {
        let payload_type = *self.payload_type.get().ok_or_else(|| failed("not answered yet"))?;
        self.sender.send(&frame, payload_type).await
    }

    fn rtp_offset(&self) -> u32 {
        self.sender.rtp_offset()
    }

    fn path(&self) -> watch::Receiver<Path> {
        self.sender.path().known()
    }

    fn lost(&self) -> Lost {
        Lost {
            packets: self.feedback.nacked.load(Ordering::Relaxed),
            repeated: self.feedback.repeated.load(Ordering::Relaxed),
        }
    }

    async fn close(&self) {
        close(&self.connection).await;
        self.closed.store(true, Ordering::Release);
    }
}

/// What tells one generation of ICE from the next (RFC 8839, section 5.4).
fn ice_credentials(sdp: &str) -> Option<String> {
    let line = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name));
    Some(format!("{} {}", line("a=ice-ufrag:")?, line("a=ice-pwd:")?))
}

async fn close(connection: &Arc<dyn PeerConnection>) {
    if let Err(error) = connection.close().await {
        log::warn!("a connection did not close cleanly: {error}");
    }
}

impl Drop for WebrtcConnection {
    fn drop(&mut self) {
        if self.closed.load(Ordering::Acquire) {
            return;
        }
        // The crate leaks its socket and its task when a connection is dropped without being closed.
        let connection = Arc::clone(&self.connection);
        let lease = self.lease.take();
        self.runtime.spawn(async move {
            if timeout(CLOSE_WITHIN + Duration::from_secs(1), close(&connection))
                .await
                .is_err()
            {
                log::error!("a connection that was let go did not close");
            }
            drop(lease);
        });
    }
}
