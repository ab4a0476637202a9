//! Parity of each frame, made where its packets leave: only there they are as a browser gets them.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rtc::interceptor::{Attribute, Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::rtp::header::Header;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;
use rtc::shared::marshal::Marshal;

use super::parity::{groups, parity};
use super::path::Path;
use super::transport::{number, place_of_number};

/// Of one frame no more packets are protected: one of so many takes longer to come through than a repeat.
const LONGEST_FRAME: usize = 1024;

/// The interceptor.
pub(super) struct Protection {
    path: Arc<Path>,
    stream: Option<Stream>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

/// What is protected, and by what.
struct Stream {
    ssrc: u32,
    /// The SSRC and payload type of the parity.
    parity: (u32, u8),
    next: u16,
    /// Where a number is written into each packet on its way: zeros for parity.
    number: Option<u8>,
    /// The time of the frame that is leaving, and the loss that it is protected against.
    frame: Option<(u32, Option<f64>)>,
    /// Its packets so far.
    packets: Vec<(u16, Bytes)>,
}

impl Protection {
    pub(super) fn new(path: Arc<Path>) -> Self {
        Self {
            path,
            stream: None,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }
}

impl Stream {
    /// A packet of the picture leaves; gives those that leave after it.
    fn left(&mut self, packet: &rtp::Packet, path: &Path) -> Vec<rtp::Packet> {
        let timestamp = packet.header.timestamp;
        let lost = match self.frame {
            Some((of, lost)) if of == timestamp => lost,
            _ => {
                self.packets.clear();
                let lost = path.protects_against();
                self.frame = Some((timestamp, lost));
                lost
            }
        };
        let Some(lost) = lost else { return Vec::new() };
        if self.packets.len() < LONGEST_FRAME
            && let Some(bytes) = as_received(packet, self.number)
        {
            self.packets.push((packet.header.sequence_number, bytes));
        }
        if !packet.header.marker {
            return Vec::new();
        }
        let packets = std::mem::take(&mut self.packets);
        let protected = groups(packets.len(), lost).into_iter().filter_map(|group| {
            let members: Vec<_> = group.iter().filter_map(|n| packets.get(*n).cloned()).collect();
            parity(self.ssrc, &members)
        });
        let protected: Vec<Bytes> = protected.collect();
        protected
            .into_iter()
            .map(|payload| self.packet(timestamp, payload))
            .collect()
    }

    fn packet(&mut self, timestamp: u32, payload: Bytes) -> rtp::Packet {
        let (ssrc, payload_type) = self.parity;
        let sequence_number = self.next;
        self.next = self.next.wrapping_add(1);
        let header = Header {
            version: 2,
            payload_type,
            sequence_number,
            timestamp,
            ssrc,
            ..Header::default()
        };
        rtp::Packet { header, payload }
    }
}

/// A packet as the browser has it when it looks for what is missing: without what is written on its way.
fn as_received(packet: &rtp::Packet, place: Option<u8>) -> Option<Bytes> {
    let mut packet = packet.clone();
    number(&mut packet, place, 0);
    match packet.marshal() {
        Ok(bytes) => Some(bytes.freeze()),
        Err(error) => {
            log::debug!("a packet is not protected: {error}");
            None
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Protection {
    type Rout = TaggedPacket;
    type Wout = TaggedPacket;
    type Eout = ();
    type Error = Error;
    type Time = Instant;

    fn handle_read(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        self.inbound.push_back(tagged);
        Ok(())
    }

    fn poll_read(&mut self) -> Option<TaggedPacket> {
        self.inbound.pop_front()
    }

    fn handle_write(&mut self, tagged: TaggedPacket) -> Result<(), Error> {
        let after = match (&tagged.message.packet, &mut self.stream) {
            (Packet::Rtp(packet), Some(stream))
                if packet.header.ssrc == stream.ssrc && !tagged.message.has(&Attribute::Retransmission) =>
            {
                stream.left(packet, &self.path)
            }
            _ => Vec::new(),
        };
        let (now, transport) = (tagged.now, tagged.transport);
        self.outbound.push_back(tagged);
        self.outbound.extend(after.into_iter().map(|packet| TaggedPacket {
            now,
            transport,
            message: Packet::Rtp(packet).into(),
        }));
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for Protection {
    fn bind_local_stream(&mut self, info: &StreamInfo) {
        let Some(parity) = info.ssrc_fec.zip(info.payload_type_fec) else {
            return;
        };
        let kept = self.stream.take().filter(|stream| stream.ssrc == info.ssrc);
        self.stream = Some(Stream {
            ssrc: info.ssrc,
            parity,
            // Its numbers go on if it is bound again: SRTP must not see one twice.
            next: kept.map_or(0, |stream| stream.next),
            number: place_of_number(info),
            frame: None,
            packets: Vec::new(),
        });
    }

    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rtc::interceptor::{RTCPFeedback, RTPHeaderExtension};
    use rtc::shared::TransportContext;
    use rtc::shared::marshal::Unmarshal;

    use super::super::super::bandwidth::Sent;
    use super::super::packets::Packetizer;
    use super::super::parity::receiver::recovered;
    use super::super::transport::TRANSPORT_CC;
    use super::*;
    use crate::media::{Codec, Frame, Stamps};

    const NUMBER: u8 = 3;
    const FAR: Duration = Duration::from_millis(60);

    /// A line on which every `of`-th packet is lost, if any.
    fn line(of: Option<u16>) -> Arc<Path> {
        let begun = Instant::now();
        let path = Arc::new(Path::new(begun));
        for n in 0..200_u16 {
            let sent = begun + Duration::from_millis(10) * u32::from(n);
            let packet = Sent {
                bytes: 1200,
                media: Some(n),
                twice: false,
            };
            let number = path.left(packet, false, true, sent);
            let lost = of.is_some_and(|of| n % of == 0);
            let arrived = (!lost).then(|| (number, sent.duration_since(begun) + FAR / 2));
            path.feedback(arrived, sent + FAR);
        }
        path
    }

    fn bound(path: &Arc<Path>) -> Protection {
        let mut protection = Protection::new(Arc::clone(path));
        let mut info = StreamInfo {
            ssrc: 7,
            ssrc_fec: Some(9),
            payload_type_fec: Some(49),
            ..StreamInfo::default()
        };
        info.rtcp_feedback.push(RTCPFeedback {
            typ: "transport-cc".into(),
            parameter: String::new(),
        });
        info.rtp_header_extensions.push(RTPHeaderExtension {
            uri: TRANSPORT_CC.into(),
            id: NUMBER.into(),
        });
        protection.bind_local_stream(&info);
        protection
    }

    fn leaves(protection: &mut Protection, packetizer: &mut Packetizer, pts_us: u64) -> Vec<rtp::Packet> {
        let frame = Frame {
            rendition: Codec::Vp8.into(),
            data: (0..5000_u32).map(|n| (n % 251) as u8).collect::<Vec<_>>().into(),
            key: true,
            pts_us,
            stamps: Stamps::default(),
        };
        let mut header = Header {
            version: 2,
            ssrc: 7,
            payload_type: 96,
            ..Header::default()
        };
        header.set_extension(1, Bytes::from_static(&[0, 0, 0])).unwrap();
        for packet in packetizer.packets(&frame) {
            let tagged = TaggedPacket {
                now: Instant::now(),
                transport: TransportContext::default(),
                message: Packet::Rtp(rtp::Packet {
                    header: packet.header(&header),
                    payload: packet.payload,
                })
                .into(),
            };
            protection.handle_write(tagged).unwrap();
        }
        std::iter::from_fn(|| protection.poll_write())
            .map(|tagged| match tagged.message.packet {
                Packet::Rtp(packet) => packet,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    /// As the browser has it before it looks for what is missing: by its own number, of which it makes zeros.
    fn received(packet: &rtp::Packet) -> (u16, Bytes) {
        let mut packet = packet.clone();
        number(&mut packet, Some(NUMBER), 0xbeef);
        let bytes = packet.marshal().unwrap().freeze();
        let mut arrived = rtp::Packet::unmarshal(&mut &bytes[..]).unwrap();
        number(&mut arrived, Some(NUMBER), 0);
        (packet.header.sequence_number, arrived.marshal().unwrap().freeze())
    }

    #[test]
    fn a_packet_that_is_lost_is_put_together_from_the_others_as_they_arrive() {
        let mut protection = bound(&line(Some(10)));
        let mut packetizer = Packetizer::new(Codec::Vp8);
        let left = leaves(&mut protection, &mut packetizer, 1_000_000);
        let (media, parity) = left.split_at(5);
        assert!(media.iter().all(|packet| packet.header.ssrc == 7));
        let headers: Vec<_> = parity.iter().map(|packet| &packet.header).collect();
        let is = |n: usize| (headers[n].ssrc, headers[n].payload_type, headers[n].sequence_number);
        assert_eq!((parity.len(), is(0), is(2)), (3, (9, 49, 0), (9, 49, 2)));
        let arrived: Vec<_> = media.iter().map(received).collect();
        for (lost, expected) in arrived.iter().enumerate() {
            let there: Vec<_> = arrived.iter().filter(|one| *one != expected).cloned().collect();
            let by = [0, 1, 0, 0, 0][lost];
            let (sequence, bytes) = recovered(&parity[by].payload, &there);
            assert_eq!((sequence, &bytes[..]), (expected.0, &expected.1[..]));
        }
        let next = leaves(&mut protection, &mut packetizer, 2_000_000);
        assert_eq!(next[5].header.sequence_number, 3, "numbers run on");
    }

    #[test]
    fn a_line_that_loses_nothing_costs_nothing() {
        let mut protection = bound(&line(None));
        let left = leaves(&mut protection, &mut Packetizer::new(Codec::Vp8), 1_000_000);
        assert_eq!(left.len(), 5);
    }
}
