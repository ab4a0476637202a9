//! A browser of the tests: recvonly video, the channels `input` and `moves`, built from the crate.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use ::webrtc::data_channel::{DataChannel, DataChannelEvent};
use ::webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use ::webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceGatheringState, RTCPeerConnectionIceEvent, RTCSessionDescription, SettingEngineBuilder,
};
use bytes::BytesMut;
use rtc::data_channel::RTCDataChannelInit;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::peer_connection::configuration::RTCOfferOptions;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::rtcp::payload_feedbacks::picture_loss_indication::PictureLossIndication;
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::Notify;

use super::super::{Peer, PeerEvent, PeerEvents, state::ConnectionState};
use crate::protocol::signalling::IceCandidate;

/// What arrived.
#[derive(Default)]
pub(super) struct Received {
    pub(super) packets: AtomicU64,
    pub(super) frames: AtomicU64,
    /// By sequence number and time, in the order of arrival.
    pub(super) order: Mutex<Vec<(u16, u32)>>,
    seen: Mutex<HashSet<(u16, u32)>>,
    pub(super) payload_types: Mutex<BTreeMap<u8, u64>>,
    pub(super) first: Mutex<Option<Instant>>,
    pub(super) messages: Mutex<Vec<Vec<u8>>>,
    track: Mutex<Option<Arc<dyn TrackRemote>>>,
}

struct Events {
    received: Arc<Received>,
    gathered: Arc<Notify>,
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Events {
    async fn on_ice_candidate(&self, _: RTCPeerConnectionIceEvent) {}

    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.gathered.notify_one();
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = Arc::clone(&self.received);
        *received.track.lock().unwrap() = Some(Arc::clone(&track));
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    // What is sent again, being asked for or to fill a train, real browsers count once.
                    if !received
                        .seen
                        .lock()
                        .unwrap()
                        .insert((packet.header.sequence_number, packet.header.timestamp))
                    {
                        continue;
                    }
                    received.first.lock().unwrap().get_or_insert_with(Instant::now);
                    received.packets.fetch_add(1, Ordering::Relaxed);
                    received
                        .frames
                        .fetch_add(u64::from(packet.header.marker), Ordering::Relaxed);
                    received
                        .order
                        .lock()
                        .unwrap()
                        .push((packet.header.sequence_number, packet.header.timestamp));
                    *received
                        .payload_types
                        .lock()
                        .unwrap()
                        .entry(packet.header.payload_type)
                        .or_default() += 1;
                }
            }
        });
    }
}

/// One browser tab.
pub(super) struct Browser {
    pub(super) connection: Arc<dyn PeerConnection>,
    pub(super) input: Arc<dyn DataChannel>,
    pub(super) moves: Arc<dyn DataChannel>,
    pub(super) received: Arc<Received>,
    gathered: Arc<Notify>,
}

impl Browser {
    pub(super) async fn new() -> Self {
        Self::at(super::LOCAL).await
    }

    /// One on a machine with this address alone.
    pub(super) async fn at(address: std::net::IpAddr) -> Self {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs().unwrap();
        let registry = register_default_interceptors(Registry::new(), &mut engine).unwrap();
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let received = Arc::new(Received::default());
        let gathered = Arc::new(Notify::new());
        let events = Events {
            received: Arc::clone(&received),
            gathered: Arc::clone(&gathered),
        };
        let address = SocketAddr::new(address, 0);
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(events))
            .with_udp_addrs(vec![address])
            .build()
            .await
            .unwrap();
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let video = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            streams: vec![],
            send_encodings: vec![],
        };
        connection
            .add_transceiver_from_kind(RtpCodecKind::Video, Some(video))
            .await
            .unwrap();
        let input = connection.create_data_channel("input", None).await.unwrap();
        let lossy = RTCDataChannelInit {
            ordered: false,
            max_retransmits: Some(0),
            ..Default::default()
        };
        let moves = connection.create_data_channel("moves", Some(lossy)).await.unwrap();
        Self {
            connection,
            input,
            moves,
            received,
            gathered,
        }
    }

    /// The offer with all candidates in it.
    pub(super) async fn offer(&self) -> String {
        let offer = self.connection.create_offer(None).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.gathered.notified().await;
        self.connection.local_description().await.unwrap().sdp
    }

    /// The offer of a restart, with all candidates in it.
    pub(super) async fn offer_again(&self) -> String {
        let again = RTCOfferOptions { ice_restart: true };
        let offer = self.connection.create_offer(Some(again)).await.unwrap();
        self.connection.set_local_description(offer).await.unwrap();
        self.gathered.notified().await;
        self.connection.local_description().await.unwrap().sdp
    }

    /// Takes the answer, then candidates as they come, until the peer is connected.
    pub(super) async fn connect(&self, answer: String, events: &mut PeerEvents) {
        self.accept(answer).await;
        loop {
            match events.next().await.expect("the peer ended before it was connected") {
                PeerEvent::LocalCandidate(Some(candidate)) => self.candidate(candidate).await,
                PeerEvent::State(ConnectionState::Connected) => return,
                PeerEvent::Closed(reason) => panic!("closed: {reason}"),
                _ => {}
            }
        }
    }

    /// Takes the answer.
    pub(super) async fn accept(&self, answer: String) {
        self.connection
            .set_remote_description(RTCSessionDescription::answer(answer).unwrap())
            .await
            .unwrap();
    }

    pub(super) async fn candidate(&self, candidate: IceCandidate) {
        let init = RTCIceCandidateInit {
            candidate: candidate.candidate,
            ..Default::default()
        };
        self.connection.add_ice_candidate(init).await.unwrap();
    }

    /// Waits for both channels to open; what comes over them is kept from then on.
    pub(super) async fn listen(&self) {
        for channel in [&self.input, &self.moves] {
            let (reader, received) = (Arc::clone(channel), Arc::clone(&self.received));
            tokio::spawn(async move {
                while let Some(event) = reader.poll().await {
                    if let DataChannelEvent::OnMessage(message) = event {
                        received.messages.lock().unwrap().push(message.data.to_vec());
                    }
                }
            });
            tokio::time::timeout(std::time::Duration::from_secs(5), self.opened(channel))
                .await
                .unwrap();
        }
    }

    async fn opened(&self, channel: &Arc<dyn DataChannel>) {
        while !matches!(
            channel.ready_state().await,
            Ok(rtc::data_channel::RTCDataChannelState::Open)
        ) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }

    pub(super) async fn send(channel: &Arc<dyn DataChannel>, bytes: &[u8]) {
        channel.send(BytesMut::from(bytes)).await.unwrap();
    }

    /// Says that these packets did not arrive.
    pub(super) async fn packets_lost(&self, numbers: impl Iterator<Item = u16>) {
        let track = self.received.track.lock().unwrap().clone().unwrap();
        let media_ssrc = track.ssrcs().await[0];
        let nacks: Vec<NackPair> = numbers.map(NackPair::new).collect();
        // As many as one datagram holds.
        for nacks in nacks.chunks(250) {
            let request = TransportLayerNack {
                sender_ssrc: 1,
                media_ssrc,
                nacks: nacks.to_vec(),
            };
            track.write_rtcp(vec![Box::new(request)]).await.unwrap();
        }
    }

    /// Says how many bits a second it can take (REMB).
    pub(super) async fn can_take(&self, bits: f32) {
        let track = self.received.track.lock().unwrap().clone().unwrap();
        let ssrcs = track.ssrcs().await;
        let told = ReceiverEstimatedMaximumBitrate {
            sender_ssrc: 1,
            bitrate: bits,
            ssrcs,
        };
        track.write_rtcp(vec![Box::new(told)]).await.unwrap();
    }

    /// Says that it cannot decode and needs a key frame.
    pub(super) async fn picture_lost(&self) {
        let track = self.received.track.lock().unwrap().clone().unwrap();
        let media_ssrc = track.ssrcs().await[0];
        track
            .write_rtcp(vec![Box::new(PictureLossIndication {
                sender_ssrc: 1,
                media_ssrc,
            })])
            .await
            .unwrap();
    }
}

/// A browser and a peer that are connected.
pub(super) async fn connected(options: super::PeerOptions, browser: &Browser) -> (Peer, PeerEvents) {
    let (peer, answer, mut events) = Peer::answer(options).await.unwrap();
    browser.connect(answer, &mut events).await;
    (peer, events)
}
