//! The peer against the real crate: a second connection plays the browser.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::webrtc::{WebrtcFactory, WebrtcOptions};
use super::*;
use crate::ice::PublicAddresses;
use crate::ids::PeerId;
use crate::media::{Codec, Frame, Hub};
use crate::protocol::input::InputFrame;

mod addresses;
mod bandwidth;
mod browser;
mod call;
mod channels;
mod closing;
mod hostile;
mod lifetime;
mod line;
mod refusals;
mod repeats;
mod restart;
mod soak;
mod streaming;

const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Keeps every event with its channel.
#[derive(Default)]
struct Recorder(Mutex<Vec<(InputFrame, InputChannel)>>);

impl InputSink for Recorder {
    fn accept(&self, frame: InputFrame, channel: InputChannel) {
        self.0.lock().unwrap().push((frame, channel));
    }
}

impl Recorder {
    fn taken(&self) -> Vec<(InputFrame, InputChannel)> {
        self.0.lock().unwrap().clone()
    }
}

fn factory() -> Arc<WebrtcFactory> {
    // Ports of the system's choice would not be checked: a range of this test process, apart from those of others.
    let first = 20_000 + u16::try_from(std::process::id() % 200).unwrap() * 100;
    Arc::new(WebrtcFactory::new(WebrtcOptions {
        ports: PortRange::new(first, first + 99),
        disconnected_timeout: std::time::Duration::from_secs(3),
        failed_timeout: std::time::Duration::from_secs(5),
        addresses: MediaAddresses::of(&[LOCAL]),
        public: PublicAddresses::default(),
    }))
}

fn options(offer: &str, hub: &Arc<Hub>, sink: &Arc<Recorder>) -> PeerOptions {
    PeerOptions {
        peer_id: PeerId::new(),
        offer: offer.to_owned(),
        candidates: candidate::Intake::new(LOCAL, 30),
        hub: Arc::clone(hub),
        available: Codec::ALL.to_vec(),
        sink: Arc::<Recorder>::clone(sink),
        steers: true,
        factory: factory(),
        runtime: Handle::current(),
    }
}

/// A source of frames such as a capture is: 100 a second, key frames when asked for.
fn source(hub: &Arc<Hub>, codec: Codec) -> JoinHandle<()> {
    let hub = Arc::clone(hub);
    tokio::spawn(async move {
        let mut requests = hub.key_requests();
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        let mut key = true;
        loop {
            tokio::select! {
                wanted = requests.next() => key |= wanted == codec.into(),
                _ = tick.tick() => {
                    hub.publish(picture(codec, key));
                    key = false;
                }
            }
        }
    })
}

/// A picture that a payloader accepts; nothing decodes it.
fn picture(codec: Codec, key: bool) -> Frame {
    let mut data = Vec::new();
    match codec {
        Codec::H264 | Codec::H264Full => {
            if key {
                data.extend([0, 0, 0, 1, 0x67, 0x42, 0xe0, 0x1f, 0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80]);
            }
            data.extend([0, 0, 0, 1, if key { 0x65 } else { 0x41 }]);
        }
        Codec::Vp8 => data.push(u8::from(!key)),
        Codec::Vp9 => data.push(if key { 0x82 } else { 0x86 }),
        // A frame that goes on to the end.
        Codec::Av1 => data.push(0x30),
    }
    data.extend(std::iter::repeat_n(0x5a, if key { 8000 } else { 1500 }));
    Frame {
        rendition: codec.into(),
        data: Bytes::from(data),
        key,
        pts_us: crate::clock::monotonic_us(),
        stamps: crate::media::Stamps::default(),
    }
}

/// Waits for `what`, looking every 5 ms for at most `secs` seconds.
async fn until(secs: u64, mut what: impl FnMut() -> bool) -> bool {
    let looking = async {
        while !what() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(secs), looking).await.is_ok()
}
