//! Requests for lost packets (NACK, RFC 4585), before the responder answers them: those that [`Repeats`] refuses are
//! taken out. Sits next to the responder on the side of the network, so that it sees requests first and packets last.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtcp::receiver_report::ReceiverReport;
use rtc::rtcp::sender_report::SenderReport;
use rtc::rtcp::transport_feedbacks::transport_layer_nack::{NackPair, TransportLayerNack};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::MarshalSize;

use super::super::repeats::Repeats;
use super::feedback::Feedback;
use super::path::Path;

/// The interceptor.
pub(super) struct Requests {
    feedback: Arc<Feedback>,
    path: Arc<Path>,
    /// What we send, by SSRC.
    streams: HashMap<u32, Repeats>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl Requests {
    pub(super) fn new(feedback: Arc<Feedback>, path: Arc<Path>) -> Self {
        Self {
            feedback,
            path,
            streams: HashMap::new(),
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }

    /// The request without what is refused; `None` when nothing is left of it.
    fn granted(&mut self, request: &TransportLayerNack, now: Instant) -> Option<TransportLayerNack> {
        let mut nacks = Vec::new();
        let mut terms = self.path.terms(now);
        for sequence in request.nacks.iter().flat_map(|pair| pair.into_iter()) {
            self.feedback.nacked.fetch_add(1, Ordering::Relaxed);
            let again = self.streams.get_mut(&request.media_ssrc);
            if let Some(bytes) = again.and_then(|stream| stream.again(sequence, terms, now)) {
                self.feedback.repeated.fetch_add(u64::from(bytes), Ordering::Relaxed);
                terms.room = terms.room.saturating_sub(u64::from(bytes));
                nacks.push(NackPair::new(sequence));
            }
        }
        (!nacks.is_empty()).then_some(TransportLayerNack { nacks, ..*request })
    }

    /// What of a compound packet goes on to the responder and the rest.
    fn judged(&mut self, packets: Vec<Box<dyn rtc::rtcp::Packet>>, now: Instant) -> Vec<Box<dyn rtc::rtcp::Packet>> {
        for sequence in self.path.take_arrived() {
            for stream in self.streams.values_mut() {
                stream.arrived(sequence);
            }
        }
        let mut kept: Vec<Box<dyn rtc::rtcp::Packet>> = Vec::with_capacity(packets.len());
        for packet in packets {
            let any = packet.as_any();
            if let Some(request) = any.downcast_ref::<TransportLayerNack>() {
                if let Some(granted) = self.granted(request, now) {
                    kept.push(Box::new(granted));
                }
                continue;
            }
            if let Some(report) = any.downcast_ref::<ReceiverReport>() {
                for of in &report.reports {
                    if let Some(stream) = self.streams.get_mut(&of.ssrc) {
                        stream.round_trip().heard(of.last_sender_report, of.delay, now);
                    }
                }
            }
            kept.push(packet);
        }
        kept
    }

    fn sent(&mut self, packet: &rtp::Packet, now: Instant) {
        if let Some(stream) = self.streams.get_mut(&packet.header.ssrc) {
            stream.sent(packet.header.sequence_number, packet.marshal_size(), now);
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Requests {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, mut tagged: TaggedPacket) -> Result<(), Error> {
        if let Packet::Rtcp(packets) = &mut tagged.message.packet
            && !packets.is_empty()
        {
            *packets = self.judged(std::mem::take(packets), tagged.now);
            // An empty one would mean something else.
            if packets.is_empty() {
                return Ok(());
            }
        }
        self.inbound.push_back(tagged);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        match &tagged.message.packet {
            // Without a stream of its own for repeats, one comes under its first number.
            Packet::Rtp(packet) if !tagged.message.has(&Attribute::Retransmission) => self.sent(packet, tagged.now),
            Packet::Rtcp(packets) => {
                for report in packets.iter().filter_map(|p| p.as_any().downcast_ref::<SenderReport>()) {
                    if let Some(stream) = self.streams.get_mut(&report.ssrc) {
                        stream.round_trip().told(report.ntp_time, tagged.now);
                    }
                }
            }
            _ => {}
        }
        self.outbound.push_back(tagged);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for Requests {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        self.streams
            .entry(info.ssrc)
            .or_insert_with(|| Repeats::new(Instant::now()));
    }

    fn unbind_local_stream(&mut self, info: &StreamInfo) {
        self.streams.remove(&info.ssrc);
    }

    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}
