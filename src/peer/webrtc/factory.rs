//! Builds connections: codecs, interceptors, ICE.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::interceptor_registry::{configure_nack, configure_rtcp_reports};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpFecParameters, RTCRtpHeaderExtensionCapability, RTCRtpRtxParameters, RtpCodecKind,
};
use tokio::sync::{mpsc, watch};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, SettingEngine, SettingEngineBuilder,
};

use super::super::addresses::MediaAddresses;
use super::super::codec_choice::Choice;
use super::super::connection::{Connection, ConnectionEvent, ConnectionFactory};
use super::super::error::PeerError;
use super::super::ports::{PortLease, PortRange, random};
use super::super::state::ConnectionState;
use super::bursts::{Bursts, Unfolding};
use super::callbacks::Callbacks;
use super::connection::WebrtcConnection;
use super::failed;
use super::feedback::{Feedback, Observer};
use super::path::Path;
use super::protection::Protection;
use super::requests::Requests;
use super::sender::Sender;
use super::socket::Sockets;
use super::transport::{TRANSPORT_CC, Transport};
use crate::ice::PublicAddresses;
use crate::media::Codec;

/// The browser shows each frame at once (`minimum 0, maximum 0`).
const PLAYOUT_DELAY: &str = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";
const ICE_KEEPALIVE: Duration = Duration::from_secs(1);
/// The crate's default of 200 ms is most of the time to the first frame.
const ICE_CHECK_INTERVAL: Duration = Duration::from_millis(20);
const ICE_MAX_CHECKS: u16 = 100;
/// Bytes to the browser that may wait on one data channel.
const CHANNEL_BUFFER: usize = 256 * 1024;
/// Another process may take a port between the check and the bind: so many ports are tried.
const BIND_ATTEMPTS: u32 = 4;
/// After NACK and reports, which act on the same packets.
const OBSERVER_SLOT: usize = 14_000;
/// Next to it: whatever looks at packets sees those of parity.
const PROTECTION_SLOT: usize = 14_500;
/// Whatever looks at packets sees those that it brings.
const BURSTS_SLOT: usize = 15_000;
/// Between the network and what answers requests for lost packets (`Slot::NackResponder`, 4000).
const REQUESTS_SLOT: usize = 3_500;

/// Where connections are made.
#[derive(Clone, Debug)]
pub struct WebrtcOptions {
    /// The UDP ports, one per peer.
    pub ports: Arc<PortRange>,
    /// The addresses each peer binds.
    pub addresses: MediaAddresses,
    /// Told to browsers for each candidate beside the addresses bound: see `ice::public_address`.
    pub public: PublicAddresses,
    /// A browser not heard of for this long counts as disconnected.
    pub disconnected_timeout: Duration,
    /// A browser disconnected for this long further counts as gone.
    pub failed_timeout: Duration,
}

/// Makes connections by the crate `webrtc`. One for the whole host.
#[derive(Clone, Debug)]
pub struct WebrtcFactory {
    options: WebrtcOptions,
}

impl WebrtcFactory {
    /// A factory with these options.
    #[must_use]
    pub const fn new(options: WebrtcOptions) -> Self {
        Self { options }
    }

    /// How many UDP ports its connections hold.
    #[must_use]
    pub fn ports_leased(&self) -> usize {
        self.options.ports.leased()
    }
}

#[async_trait]
impl ConnectionFactory for WebrtcFactory {
    async fn open(
        &self,
        choice: &Choice,
        steers: bool,
        events: mpsc::Sender<ConnectionEvent>,
    ) -> Result<Arc<dyn Connection>, PeerError> {
        let mut attempt = 1;
        loop {
            let addresses = self.options.addresses.now();
            if addresses.is_empty() {
                return Err(PeerError::NoAddress);
            }
            let lease = self.options.ports.lease(&addresses, steers)?;
            let port = lease.port();
            match build(choice, events.clone(), &self.options, &addresses, lease).await {
                Ok(connection) => return Ok(Arc::new(connection)),
                Err(error) if attempt < BIND_ATTEMPTS => {
                    log::warn!("no connection on udp port {port}, trying another: {error}");
                    attempt += 1;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

async fn build(
    choice: &Choice,
    events: mpsc::Sender<ConnectionEvent>,
    options: &WebrtcOptions,
    addresses: &[IpAddr],
    lease: PortLease,
) -> Result<WebrtcConnection, PeerError> {
    let mut engine = media_engine(choice).map_err(failed)?;
    let feedback = Arc::new(Feedback::default());
    let path = Arc::new(Path::new(Instant::now()));
    let bursts = Arc::new(Bursts::default());
    let registry = configure_rtcp_reports(configure_nack(Registry::new(), &mut engine))
        .with(Slot::from(OBSERVER_SLOT), Observer::new(Arc::clone(&feedback)))
        .with(
            Slot::from(REQUESTS_SLOT),
            Requests::new(Arc::clone(&feedback), Arc::clone(&path)),
        )
        .with(Slot::CongestionControl, Transport::new(Arc::clone(&path)))
        .with(Slot::from(PROTECTION_SLOT), Protection::new(Arc::clone(&path)))
        .with(Slot::from(BURSTS_SLOT), Unfolding::new(Arc::clone(&bursts)));
    let state = watch::Sender::new(ConnectionState::New);
    let connection = PeerConnectionBuilder::<SocketAddr>::new()
        .with_media_engine(engine)
        .with_setting_engine(settings(options))
        .with_runtime(Arc::new(Sockets(Arc::clone(&path))))
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(Callbacks {
            events,
            state: state.clone(),
            public: options.public.clone(),
        }))
        .with_udp_addrs(lease.on(addresses))
        .with_data_channel_send_buffer_limit(CHANNEL_BUFFER)
        .build()
        .await
        .map_err(failed)?;
    let connection: Arc<dyn PeerConnection> = Arc::new(connection);
    let ssrc = random();
    let track = Arc::new(TrackLocalStaticRTP::new(track(choice, ssrc)));
    Ok(WebrtcConnection::new(
        connection,
        Sender::new(track, ssrc, choice.codec, path, bursts),
        state,
        feedback,
        options.public.clone(),
        lease,
    ))
}

fn settings(options: &WebrtcOptions) -> SettingEngine {
    SettingEngineBuilder::new()
        .with_include_loopback_candidate(true)
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_ice_timeouts(
            Some(options.disconnected_timeout),
            Some(options.failed_timeout),
            Some(ICE_KEEPALIVE),
        )
        .with_ice_connection_attempts(Some(ICE_CHECK_INTERVAL), Some(ICE_MAX_CHECKS))
        .build()
}

/// Only the format chosen, its retransmissions and its parity, under the browser's own payload types: an engine that knows more
/// answers with more than is sent.
fn media_engine(choice: &Choice) -> Result<MediaEngine, rtc::shared::error::Error> {
    let mut engine = MediaEngine::default();
    let feedback = |typ: &str, parameter: &str| RTCPFeedback {
        typ: typ.into(),
        parameter: parameter.into(),
    };
    let mut codec = codec(choice);
    codec.rtcp_feedback = vec![
        feedback("transport-cc", ""),
        feedback("goog-remb", ""),
        feedback("ccm", "fir"),
        feedback("nack", ""),
        feedback("nack", "pli"),
    ];
    let primary = RTCRtpCodecParameters {
        rtp_codec: codec,
        payload_type: choice.payload_type,
    };
    engine.register_codec(primary, RtpCodecKind::Video)?;
    let repeats = choice
        .rtx
        .map(|rtx| (rtx, "video/rtx", format!("apt={}", choice.payload_type)));
    // Of the draft a parameter that must be there, in µs; what has left is protected at once.
    let parity = choice
        .fec
        .map(|fec| (fec, "video/flexfec-03", "repair-window=10000000".to_owned()));
    for (payload_type, mime_type, sdp_fmtp_line) in repeats.into_iter().chain(parity) {
        let rtp_codec = RTCRtpCodec {
            mime_type: mime_type.into(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line,
            rtcp_feedback: vec![],
        };
        engine.register_codec(
            RTCRtpCodecParameters {
                rtp_codec,
                payload_type,
            },
            RtpCodecKind::Video,
        )?;
    }
    for uri in [PLAYOUT_DELAY, TRANSPORT_CC] {
        let extension = RTCRtpHeaderExtensionCapability { uri: uri.to_owned() };
        engine.register_header_extension(extension, RtpCodecKind::Video, None)?;
    }
    Ok(engine)
}

fn codec(choice: &Choice) -> RTCRtpCodec {
    let mime_type = match choice.codec {
        Codec::H264 | Codec::H264Full => "video/H264",
        Codec::Vp8 => "video/VP8",
        Codec::Vp9 => "video/VP9",
        Codec::Av1 => "video/AV1",
    };
    RTCRtpCodec {
        mime_type: mime_type.into(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: choice.fmtp.clone(),
        rtcp_feedback: vec![],
    }
}

fn track(choice: &Choice, ssrc: u32) -> MediaStreamTrack {
    let rtx = choice.rtx.map(|_| RTCRtpRtxParameters {
        ssrc: ssrc.wrapping_add(1),
    });
    let coding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            rtx,
            fec: choice.fec.map(|_| RTCRtpFecParameters {
                ssrc: ssrc.wrapping_add(2),
            }),
            ..Default::default()
        },
        codec: codec(choice),
        ..Default::default()
    };
    let name = || "picture".to_owned();
    MediaStreamTrack::new(
        "heliostat".to_owned(),
        name(),
        name(),
        RtpCodecKind::Video,
        vec![coding],
    )
}
