//! The last that a packet passes on its way out, and the first on its way in: numbers what leaves, and reads what the browser
//! says about it: transport-cc; REMB where it tells nothing better; else receiver reports. What it tells counts, if not what it has
//! promised comes a moment later.
//!
//! The crate has interceptors for the numbers and for the history. They leave out what is sent again, which has a stream of
//! its own: on a line that loses packets much would leave unseen. And what was overtaken they call lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

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

/// A browser that has promised to tell of each packet does so within this time, or not at all.
const PROMISED_WITHIN: Duration = Duration::from_secs(3);

/// The interceptor.
pub(super) struct Transport {
    path: Arc<Path>,
    stream: Option<Stream>,
    /// The best that the browser has told so far, whatever it has promised: what tells less is not listened to any more.
    heard: Tells,
    /// When the first packet left that the browser has promised to tell of.
    begun: Option<Instant>,
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
            begun: None,
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
            if self.heard <= Tells::Rate && !was_nothing(bits) && !self.awaits_better(now) {
                self.heard = Tells::Rate;
                self.path.told(bits, now);
            }
        } else if let Some(report) = any.downcast_ref::<ReceiverReport>()
            && self.heard == Tells::Loss
            && !self.awaits_better(now)
        {
            for of in report.reports.iter().filter(|of| of.ssrc == stream.ssrc) {
                self.path.told_loss(f64::from(of.fraction_lost) / 256.0, now);
            }
        }
    }

    /// Whether the browser may yet tell of each packet, as it has promised. Its first report counts as lost what was overtaken
    /// and comes a moment later.
    fn awaits_better(&self, now: Instant) -> bool {
        let numbered = self.stream.as_ref().is_some_and(|stream| stream.number.is_some());
        let waits = |begun: Instant| now.saturating_duration_since(begun) < PROMISED_WITHIN;
        numbered && self.begun.is_none_or(waits)
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
            if stream.number.is_some() {
                self.begun.get_or_insert(tagged.now);
            }
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

#[cfg(test)]
mod tests {
    use rtc::interceptor::{RTCPFeedback, RTPHeaderExtension};
    use rtc::rtcp::reception_report::ReceptionReport;
    use rtc::shared::TransportContext;

    use super::*;

    const SSRC: u32 = 7;

    fn tagged(packet: Packet, now: Instant) -> TaggedPacket {
        TaggedPacket {
            now,
            transport: TransportContext::default(),
            message: packet.into(),
        }
    }

    /// What is thought of the line after a browser that may have promised to tell of packets has reported that half were lost,
    /// so long after the first of them.
    fn estimate(promised: bool, after: Duration) -> u32 {
        let begun = Instant::now();
        let path = Arc::new(Path::new(begun));
        let mut transport = Transport::new(Arc::clone(&path));
        let mut info = StreamInfo {
            ssrc: SSRC,
            ..StreamInfo::default()
        };
        if promised {
            info.rtcp_feedback.push(RTCPFeedback {
                typ: "transport-cc".into(),
                parameter: String::new(),
            });
            info.rtp_header_extensions.push(RTPHeaderExtension {
                uri: TRANSPORT_CC.into(),
                id: 3,
            });
        }
        transport.bind_local_stream(&info);
        let header = rtp::header::Header {
            version: 2,
            ssrc: SSRC,
            ..Default::default()
        };
        let packet = rtp::Packet {
            header,
            payload: Bytes::from_static(&[0; 1000]),
        };
        transport.handle_write(tagged(Packet::Rtp(packet), begun)).unwrap();
        let report = ReceiverReport {
            reports: vec![ReceptionReport {
                ssrc: SSRC,
                fraction_lost: 128,
                ..Default::default()
            }],
            ..Default::default()
        };
        let reports = Packet::Rtcp(vec![Box::new(report)]);
        transport.handle_read(tagged(reports, begun + after)).unwrap();
        path.known().borrow().estimate_kbps
    }

    #[test]
    fn the_first_report_of_a_browser_that_is_to_tell_of_each_packet_is_not_believed() {
        let (soon, late) = (Duration::from_millis(100), Duration::from_secs(4));
        let before = estimate(true, soon);
        assert_eq!(before, 2000, "what overtook them is not known yet");
        assert!(estimate(true, late) < before, "it does not keep its promise");
        assert!(estimate(false, soon) < before, "it has promised nothing");
    }
}
