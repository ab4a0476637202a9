//! Frames into RTP packets: payload format, sequence numbers, RTP time. Knows no clock: time is the frame's.

use bytes::Bytes;
use rtc::rtp::codec::av1::Av1Payloader;
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::vp8::Vp8Payloader;
use rtc::rtp::header::Header;
use rtc::rtp::packetizer::Payloader;

use super::super::ports::random;
use super::vp9::Vp9Payloads;
use crate::media::{Codec, Frame, RtpClock};

/// One RTP packet of the picture, before the connection adds its SSRC, payload type and extensions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MediaPacket {
    /// Sequence number (RFC 3550).
    pub(super) sequence: u16,
    /// 90 kHz.
    pub(super) timestamp: u32,
    /// Whether this is the last packet of its frame.
    pub(super) marker: bool,
    /// In the payload format of the codec chosen.
    pub(super) payload: Bytes,
}

impl MediaPacket {
    /// Its header, in all else like this one.
    pub(super) fn header(&self, like: &Header) -> Header {
        Header {
            marker: self.marker,
            sequence_number: self.sequence,
            timestamp: self.timestamp,
            ..like.clone()
        }
    }
}

/// Bytes of payload in one packet: with RTP header, extensions, SRTP and UDP it stays below every usual MTU.
const PAYLOAD: usize = 1188;

/// Turns the frames of one stream into packets; sequence numbers and time run on over restarts of the source.
#[derive(Debug)]
pub(super) struct Packetizer {
    payloader: Box<dyn Payloader>,
    clock: RtpClock,
    sequence: u16,
}

impl Packetizer {
    /// For one stream, with random beginnings (RFC 3550, section 5.1).
    pub(super) fn new(codec: Codec) -> Self {
        let payloader: Box<dyn Payloader> = match codec {
            Codec::H264 | Codec::H264Full => Box::<H264Payloader>::default(),
            Codec::Vp8 => {
                let mut payloader = Vp8Payloader::default();
                payloader.enable_picture_id = true;
                Box::new(payloader)
            }
            Codec::Vp9 => Box::<Vp9Payloads>::default(),
            Codec::Av1 => Box::<Av1Payloader>::default(),
        };
        #[allow(clippy::cast_possible_truncation, reason = "any 16 bits will do")]
        let sequence = random() as u16;
        Self {
            payloader,
            clock: RtpClock::new(codec, random()),
            sequence,
        }
    }

    /// Where RTP time begins.
    pub(super) const fn rtp_offset(&self) -> u32 {
        self.clock.offset()
    }

    /// The packets of one frame; none when the frame holds nothing that can be sent.
    pub(super) fn packets(&mut self, frame: &Frame) -> Vec<MediaPacket> {
        let timestamp = self.clock.timestamp(frame.pts_us);
        let payloads = match self.payloader.payload(PAYLOAD, &frame.data) {
            Ok(payloads) => payloads,
            Err(error) => {
                log::warn!("a frame of {} bytes cannot be packetized: {error}", frame.data.len());
                Vec::new()
            }
        };
        let last = payloads.len().saturating_sub(1);
        let mut packets = Vec::with_capacity(payloads.len());
        for (n, payload) in payloads.into_iter().enumerate() {
            packets.push(MediaPacket {
                sequence: self.sequence,
                timestamp,
                marker: n == last,
                payload,
            });
            self.sequence = self.sequence.wrapping_add(1);
        }
        packets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(len: usize, pts_us: u64) -> Frame {
        Frame {
            rendition: Codec::Vp8.into(),
            data: Bytes::from(vec![0x55; len]),
            key: true,
            pts_us,
            stamps: crate::media::Stamps::default(),
        }
    }

    #[test]
    fn sequence_numbers_run_on_and_only_the_last_packet_of_a_frame_is_marked() {
        let mut packetizer = Packetizer::new(Codec::Vp8);
        let first = packetizer.packets(&frame(5000, 1_000_000));
        let second = packetizer.packets(&frame(10, 2_000_000));
        assert_eq!(first.len(), 5);
        assert_eq!(second.len(), 1);
        let all: Vec<_> = first.iter().chain(&second).collect();
        for pair in all.windows(2) {
            assert_eq!(pair[1].sequence, pair[0].sequence.wrapping_add(1));
        }
        let marked: Vec<bool> = all.iter().map(|p| p.marker).collect();
        assert_eq!(marked, [false, false, false, false, true, true]);
        assert!(
            first
                .iter()
                .all(|p| p.timestamp == first[0].timestamp && p.payload.len() <= PAYLOAD)
        );
        assert_eq!(second[0].timestamp.wrapping_sub(first[0].timestamp), 90_000);
    }

    #[test]
    fn h264_parameter_sets_travel_with_their_picture() {
        let mut data = Vec::new();
        for nal in [&[0x67u8, 1, 2, 3][..], &[0x68, 4, 5], &[0x65; 3000]] {
            data.extend([0, 0, 0, 1]);
            data.extend(nal);
        }
        let packets = Packetizer::new(Codec::H264).packets(&Frame {
            rendition: Codec::H264.into(),
            data: data.into(),
            key: true,
            pts_us: 1,
            stamps: crate::media::Stamps::default(),
        });
        // STAP-A (24) of the parameter sets, then fragments (28) of the picture: RFC 6184, section 5.2.
        let kinds: Vec<u8> = packets.iter().map(|p| p.payload[0] & 0x1f).collect();
        assert_eq!(kinds, [24, 28, 28, 28]);
    }

    #[test]
    fn an_empty_frame_gives_no_packet() {
        assert!(Packetizer::new(Codec::H264).packets(&frame(0, 1)).is_empty());
    }
}
