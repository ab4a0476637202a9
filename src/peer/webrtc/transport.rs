//! The last that a packet passes on its way out, and the first on its way in: numbers what leaves, and reads what the browser
//! says about it: transport-cc; REMB where it tells nothing better; else receiver reports. What it tells counts, not what it has promised.
//!
//! The crate has interceptors for the numbers and for the history. They leave out what is sent again, which has a stream of
//! its own: on a line that loses packets much would leave unseen. And what was overtaken they call lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::{BufMut, Bytes, BytesMut};
use rtc::interceptor::{Attribute, AttributedPacket, Interceptor, Packet, StreamInfo, TaggedPacket, convert_twcc};
use rtc::rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::MarshalSize;

use super::super::bandwidth::Sent;
use super::path::Path;

/// The header extension that carries the number.
pub(super) const TRANSPORT_CC: &str = "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
/// Of a packet, what is below RTP: IP, UDP, and the tag of SRTP.
pub(super) const BELOW_RTP: usize = 38;

/// The interceptor.
pub(super) struct Transport {
    path: Arc<Path>,
    stream: Option<Stream>,
    /// The best that the browser has told so far, whatever it has promised: what tells less is not listened to any more.
    heard: Tells,
    /// Packets of the frame that is being sent, while a train is short of some.
    recent: Vec<rtp::Packet>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

/// How a browser tells what arrives, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Tells {
    /// Receiver reports: what share was lost (RFC 3550, section 6.4.2).
    Loss,
    /// REMB: what it can take.
    Rate,
    /// transport-cc: when each packet arrived.
    Arrivals,
}

/// What we send.
struct Stream {
    ssrc: u32,
    /// Its repeats: SSRC and payload type.
    repeats: Option<(u32, u8)>,
    /// The SSRC of its parity.
    parity: Option<u32>,
    /// What numbers them: those of the responder and ours are one stream.
    next_repeat: u16,
    /// Where the browser wants its number.
    number: Option<u8>,
}

impl Transport {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self {
            path,
            stream: None,
            heard: Tells::Loss,
            recent: Vec::new(),
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }

    fn look(&mut self, packet: &dyn rtc::rtcp::Packet, now: Instant) {
        let any = packet.as_any();
        let Some(stream) = &self.stream else { return };
        if let Some(feedback) = any.downcast_ref::<TransportLayerCc>() {
            if stream.number.is_some() {
                self.heard = Tells::Arrivals;
                let told = convert_twcc(feedback).into_iter();
                let arrived = told.filter_map(|told| Some((told.sequence_number, told.arrival?)));
                self.path.feedback(arrived, now);
            }
        } else if let Some(remb) = any.downcast_ref::<ReceiverEstimatedMaximumBitrate>() {
            let bits = f64::from(remb.bitrate);
            if self.heard <= Tells::Rate && !was_nothing(bits) {
                self.heard = Tells::Rate;
                self.path.told(bits, now);
            }
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>()
            && self.heard == Tells::Loss
        {
            for of in report.reports.iter().filter(|of| of.ssrc == stream.ssrc) {
                self.path.told_loss(f64::from(of.fraction_lost) / 256.0, now);
            }
        }
    }

    /// Numbers a packet and lets it go.
    fn send(&mut self, mut tagged: TaggedPacket) {
        let again = tagged.message.has(&Attribute::Retransmission);
        if let (Packet::Rtp(packet), Some(stream)) = (&mut tagged.message.packet, &mut self.stream) {
            let repeats = stream.repeats.is_some_and(|(ssrc, _)| ssrc == packet.header.ssrc);
            let parity = stream.parity == Some(packet.header.ssrc);
            if !repeats && !parity && packet.header.ssrc != stream.ssrc {
                self.outbound.push_back(tagged);
                return;
            }
            let mut media = (!parity).then_some(packet.header.sequence_number);
            if repeats {
                media = original(&packet.payload);
                packet.header.sequence_number = stream.next_repeat;
                stream.next_repeat = stream.next_repeat.wrapping_add(1);
            }
            // Room for the number, so that it counts.
            number(packet, stream.number, 0);
            let bytes = u32::try_from(packet.marshal_size() + BELOW_RTP).unwrap_or(u32::MAX);
            let left = Sent {
                bytes,
                media,
                // The same number under the same SSRC: SRTP's protection against replays.
                twice: again && !repeats,
            };
            // Parity takes the place of what would be sent again.
            let beside = again || parity;
            let by = self.path.left(left, beside, stream.number.is_some(), tagged.now);
            number(packet, stream.number, by);
        }
        self.outbound.push_back(tagged);
    }

    /// What a train is short of: packets of its frame once more, which is what a browser may miss anyway.
    fn pad(&mut self, packet: &rtp::Packet, now: Instant) {
        let wanted = self.path.padding();
        let Some((ssrc, payload_type)) = self.stream.as_ref().and_then(|stream| stream.repeats) else {
            return;
        };
        if wanted == 0
            || self
                .stream
                .as_ref()
                .is_none_or(|stream| stream.ssrc != packet.header.ssrc)
        {
            return;
        }
        self.recent.push(packet.clone());
        if !packet.header.marker {
            return;
        }
        self.path.padded();
        let recent = std::mem::take(&mut self.recent);
        for packet in recent.iter().rev().cycle().take(wanted) {
            let again = repeat(packet, ssrc, payload_type);
            self.send(TaggedPacket {
                now,
                transport: rtc::shared::TransportContext::default(),
                message: AttributedPacket::new(Packet::Rtp(again)).with(Attribute::Retransmission),
            });
        }
    }
}

/// Whether that is what the crate reads where a browser says 0 (rtc-rtcp 0.21: a mantissa of 0 becomes 2^23 and more). One that
/// means it says something else soon.
fn was_nothing(bits: f64) -> bool {
    bits >= 8_388_608.0 && bits.log2().fract() == 0.0
}

/// Writes the number that the browser tells of the packet by.
pub(super) fn number(packet: &mut rtp::Packet, place: Option<u8>, number: u16) {
    let Some(place) = place else { return };
    let number = Bytes::copy_from_slice(&number.to_be_bytes());
    if let Err(error) = packet.header.set_extension(place, number) {
        log::debug!("a packet cannot be numbered: {error}");
    }
}

/// Where the browser wants the number of a packet.
pub(super) fn place_of_number(info: &StreamInfo) -> Option<u8> {
    let tells = info.rtcp_feedback.iter().any(|feedback| feedback.typ == "transport-cc");
    let mut extensions = info.rtp_header_extensions.iter();
    let place = extensions.find(|extension| extension.uri == TRANSPORT_CC)?;
    u8::try_from(place.id).ok().filter(|id| tells && *id != 0)
}

/// The packet of the picture that a repeat carries (RFC 4588, section 4).
fn original(payload: &Bytes) -> Option<u16> {
    Some(u16::from_be_bytes([*payload.first()?, *payload.get(1)?]))
}

fn repeat(packet: &rtp::Packet, ssrc: u32, payload_type: u8) -> rtp::Packet {
    let mut payload = BytesMut::with_capacity(2 + packet.payload.len());
    payload.put_u16(packet.header.sequence_number);
    payload.put_slice(&packet.payload);
    rtp::Packet {
        header: rtp::header::Header {
            version: 2,
            ssrc,
            payload_type,
            timestamp: packet.header.timestamp,
            marker: packet.header.marker,
            ..Default::default()
        },
        payload: payload.freeze(),
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Transport {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &tagged.message.packet {
            for packet in packets {
                self.look(packet.as_ref(), tagged.now);
            }
        }
        self.inbound.push_back(tagged);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        let packet = match &tagged.message.packet {
            Packet::Rtp(packet) if self.path.padding() > 0 => Some(packet.clone()),
            _ => None,
        };
        let now = tagged.now;
        self.send(tagged);
        if let Some(packet) = packet {
            self.pad(&packet, now);
        }
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for Transport {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let kept = self.stream.take().filter(|stream| stream.ssrc == info.ssrc);
        self.stream = Some(Stream {
            ssrc: info.ssrc,
            repeats: info.ssrc_rtx.zip(info.payload_type_rtx),
            next_repeat: kept.map_or(0, |stream| stream.next_repeat),
            parity: info.ssrc_fec,
            number: place_of_number(info),
        });
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        // Its numbers go on if it is bound again: SRTP must not see one twice.
        let _ = info;
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
