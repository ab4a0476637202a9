//! The way of a frame into the network: packets, and when each of them may leave.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rtc::rtp::extension::HeaderExtension;
use rtc::rtp::extension::playout_delay_extension::PlayoutDelayExtension;
use rtc::rtp::header::Header;
use tokio::time::{sleep, timeout};
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;

use super::super::connection::Delivery;
use super::super::error::PeerError;
use super::bursts::Bursts;
use super::failed;
use super::packets::{MediaPacket, Packetizer};
use super::path::Path;
use super::transport::BELOW_RTP;
use crate::media::{Codec, Frame};

/// A packet that the driver does not take within this time: the viewer is congested.
const WRITE_WITHIN: Duration = Duration::from_millis(100);
/// A frame that the line would take longer for is not begun.
const WORTH: Duration = Duration::from_secs(3);
/// One that is begun is given up after this time: the line has become that much slower.
const SENT_WITHIN: Duration = Duration::from_secs(5);
/// A frame of so many packets may be made a train of, which costs padding: what is still, or hardly moves, costs none.
const MOVES: usize = 3;
/// Packets that leave in one turn of the driver: all that it does with them one by one has room for as many, for each viewer.
const TURN: usize = 32;
/// Header and extensions of a packet.
const HEADERS: usize = 24;

/// Sends the frames of one track.
pub(super) struct Sender {
    track: Arc<TrackLocalStaticRTP>,
    ssrc: u32,
    packetizer: Mutex<Packetizer>,
    path: Arc<Path>,
    bursts: Arc<Bursts>,
}

impl Sender {
    pub(super) fn new(
        track: Arc<TrackLocalStaticRTP>,
        ssrc: u32,
        codec: Codec,
        path: Arc<Path>,
        bursts: Arc<Bursts>,
    ) -> Self {
        Self {
            track,
            ssrc,
            packetizer: Mutex::new(Packetizer::new(codec)),
            path,
            bursts,
        }
    }

    pub(super) fn track(&self) -> Arc<TrackLocalStaticRTP> {
        Arc::clone(&self.track)
    }

    pub(super) fn rtp_offset(&self) -> u32 {
        self.packetizer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .rtp_offset()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Sends one frame under this payload type.
    pub(super) async fn send(&self, frame: &Frame, payload_type: u8) -> Result<Delivery, PeerError> {
        if self.path.takes(frame.data.len()) > WORTH {
            return Ok(Delivery::Congested);
        }
        let packets = self
            .packetizer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .packets(frame);
        let (count, mut bytes) = (packets.len(), 0);
        if frame.key
            && let Some(first) = packets.first()
        {
            self.path.key_frame(first.sequence);
        }
        let together = if count >= MOVES {
            self.path.train(count, Instant::now())
        } else {
            0
        };
        let begun = Instant::now();
        let mut burst = Vec::with_capacity(count.min(TURN));
        for (n, packet) in packets.into_iter().enumerate() {
            let waits = n >= together && !self.path.wait(Instant::now()).is_zero();
            // What may leave does not wait for what may not.
            if (waits || burst.len() >= TURN) && !self.leave(std::mem::take(&mut burst), payload_type).await? {
                return Ok(Delivery::Congested);
            }
            if waits && !self.may_leave(begun).await {
                return Ok(Delivery::Congested);
            }
            let size = packet.payload.len() + HEADERS + BELOW_RTP;
            self.path
                .handed_over(u32::try_from(size).unwrap_or(u32::MAX), Instant::now());
            bytes += packet.payload.len() as u64;
            burst.push(packet);
        }
        if !self.leave(burst, payload_type).await? {
            return Ok(Delivery::Congested);
        }
        Ok(Delivery::Sent {
            packets: count as u64,
            bytes,
        })
    }

    /// Waits until the next packet of a frame may leave; false when the frame has taken too long.
    async fn may_leave(&self, begun: Instant) -> bool {
        loop {
            let wait = self.path.wait(Instant::now());
            if wait.is_zero() {
                return true;
            }
            if begun.elapsed() > SENT_WITHIN {
                return false;
            }
            sleep(wait).await;
        }
    }

    /// Hands these over to the driver, for one turn of it. False if it does not take them: the rest of this frame is missing
    /// for good, the browser sees the gap and waits for a key frame.
    async fn leave(&self, mut burst: Vec<MediaPacket>, payload_type: u8) -> Result<bool, PeerError> {
        let Some(last) = burst.pop() else { return Ok(true) };
        let sequence = last.sequence;
        self.bursts.before(sequence, burst);
        match timeout(WRITE_WITHIN, self.write(last, payload_type)).await {
            Ok(written) => written.map(|()| true),
            Err(_) => {
                self.bursts.take(sequence);
                Ok(false)
            }
        }
    }

    async fn write(&self, packet: MediaPacket, payload_type: u8) -> Result<(), PeerError> {
        let all = Header {
            version: 2,
            payload_type,
            ssrc: self.ssrc,
            ..Header::default()
        };
        let packet = rtc::rtp::Packet {
            header: packet.header(&all),
            payload: packet.payload,
        };
        let at_once = [HeaderExtension::PlayoutDelay(PlayoutDelayExtension::new(0, 0))];
        self.track
            .write_rtp_with_extensions(packet, &at_once)
            .await
            .map_err(failed)
    }
}
