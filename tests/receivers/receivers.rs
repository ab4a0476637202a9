//! `heliostat-receivers`: many viewers of a stream without browsers. A tool of the benchmarks: what a browser does to a picture
//! costs so much that a machine holds a few of them at most.
//!
//! Each receives as a browser does (ICE, DTLS, SRTP, reports, lost packets asked for) and decodes nothing. Lines of JSON, in
//! both directions; whoever starts it does the signalling:
//!
//! ```text
//! in:  {"open":N}  {"answer":"…","of":N}  {"candidate":"…","of":N}
//! out: {"offer":"…","of":N}  {"connected":N}  and each second {"frames":…,"packets":…,"connected":…,"starved":…}
//! ```
//!
//! `starved`: connected ones that nothing came to in that second. It ends when stdin does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::Registry;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::rtp_transceiver::rtp_sender::RtpCodecKind;
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};
use tokio::time::{interval, timeout};
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceCandidateInit,
    RTCIceGatheringState, RTCPeerConnectionState, RTCSessionDescription, SettingEngineBuilder,
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Loopback addresses are there at once.
const GATHERED_WITHIN: Duration = Duration::from_secs(5);

/// What came to one of them.
#[derive(Default)]
struct Received {
    frames: AtomicU64,
    packets: AtomicU64,
    connected: AtomicBool,
}

struct Events {
    number: u64,
    received: Arc<Received>,
    gathered: Notify,
}

struct Handler(Arc<Events>);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.0.gathered.notify_one();
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let connected = state == RTCPeerConnectionState::Connected;
        if connected && !self.0.received.connected.swap(true, Ordering::Relaxed) {
            println!("{}", json!({ "connected": self.0.number }));
        }
        if matches!(state, RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed) {
            self.0.received.connected.store(false, Ordering::Relaxed);
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = Arc::clone(&self.0.received);
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    received.packets.fetch_add(1, Ordering::Relaxed);
                    let ends = u64::from(packet.header.marker);
                    received.frames.fetch_add(ends, Ordering::Relaxed);
                }
            }
        });
    }
}

/// One viewer.
struct Receiver {
    connection: Arc<dyn PeerConnection>,
    received: Arc<Received>,
}

impl Receiver {
    /// A new one, and its offer.
    async fn open(number: u64) -> Result<(Self, String), Failure> {
        let mut engine = MediaEngine::default();
        engine.register_default_codecs()?;
        let registry = register_default_interceptors(Registry::new(), &mut engine)?;
        let settings = SettingEngineBuilder::new()
            .with_include_loopback_candidate(true)
            .with_multicast_dns_mode(MulticastDnsMode::Disabled)
            .build();
        let events = Arc::new(Events {
            number,
            received: Arc::default(),
            gathered: Notify::new(),
        });
        let connection = PeerConnectionBuilder::new()
            .with_media_engine(engine)
            .with_setting_engine(settings)
            .with_interceptor_registry(registry)
            .with_handler(Arc::new(Handler(Arc::clone(&events))))
            .with_udp_addrs(vec!["127.0.0.1:0".parse::<std::net::SocketAddr>()?])
            .build()
            .await?;
        let connection: Arc<dyn PeerConnection> = Arc::new(connection);
        let video = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            streams: vec![],
            send_encodings: vec![],
        };
        connection
            .add_transceiver_from_kind(RtpCodecKind::Video, Some(video))
            .await?;
        let offer = connection.create_offer(None).await?;
        connection.set_local_description(offer).await?;
        timeout(GATHERED_WITHIN, events.gathered.notified()).await?;
        let offer = connection.local_description().await.ok_or("no offer")?;
        let received = Arc::clone(&events.received);
        Ok((Self { connection, received }, offer.sdp))
    }

    async fn accept(&self, answer: String) -> Result<(), Failure> {
        let answer = RTCSessionDescription::answer(answer)?;
        Ok(self.connection.set_remote_description(answer).await?)
    }

    async fn add(&self, candidate: String) -> Result<(), Failure> {
        let candidate = RTCIceCandidateInit {
            candidate,
            ..Default::default()
        };
        Ok(self.connection.add_ice_candidate(candidate).await?)
    }
}

/// What came to all of them since the last time.
fn tell(receivers: &HashMap<u64, Receiver>) {
    let (mut frames, mut packets, mut connected, mut starved) = (0, 0, 0, 0);
    for receiver in receivers.values() {
        let received = &receiver.received;
        let new = received.frames.swap(0, Ordering::Relaxed);
        frames += new;
        packets += received.packets.swap(0, Ordering::Relaxed);
        if received.connected.load(Ordering::Relaxed) {
            connected += 1;
            starved += u64::from(new == 0);
        }
    }
    println!(
        "{}",
        json!({ "frames": frames, "packets": packets, "connected": connected, "starved": starved })
    );
}

/// Does what a line says.
async fn obey(line: &str, receivers: &mut HashMap<u64, Receiver>) -> Result<(), Failure> {
    let order: Value = serde_json::from_str(line)?;
    if let Some(number) = order["open"].as_u64() {
        let (receiver, offer) = Receiver::open(number).await?;
        receivers.insert(number, receiver);
        println!("{}", json!({ "offer": offer, "of": number }));
        return Ok(());
    }
    let number = order["of"].as_u64().ok_or("neither `open` nor `of`")?;
    let receiver = receivers.get(&number).ok_or("no such receiver")?;
    match (order["answer"].as_str(), order["candidate"].as_str()) {
        (Some(sdp), _) => receiver.accept(sdp.to_owned()).await,
        (_, Some(candidate)) => receiver.add(candidate.to_owned()).await,
        _ => Err("neither `answer` nor `candidate`".into()),
    }
}

/// The lines of stdin, until its end.
fn orders() -> mpsc::Receiver<String> {
    // overflow: whoever writes them waits.
    let (lines, queue) = mpsc::channel(64);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if lines.blocking_send(line).is_err() {
                return;
            }
        }
    });
    queue
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut receivers = HashMap::new();
    let mut lines = orders();
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            line = lines.recv() => match line {
                Some(line) => if let Err(error) = obey(&line, &mut receivers).await {
                    println!("{}", json!({ "error": error.to_string() }));
                },
                None => return Ok(()),
            },
            _ = second.tick() => tell(&receivers),
        }
    }
}
