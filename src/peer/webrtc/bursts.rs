//! Packets of a frame that leave together. The crate's driver takes one packet a turn of its loop, and a turn costs more than
//! the packet does. So it is handed the last packet of a burst, and the first interceptor on the way out puts the others
//! before it: they pass all interceptors, and leave in one turn.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rtc::interceptor::{Interceptor, Packet, StreamInfo, TaggedPacket};
use rtc::rtp;
use rtc::sansio::Protocol;
use rtc::shared::error::Error;

use super::packets::MediaPacket;

/// More than the 256 packets that the driver takes before it lets who sends wait.
const MOST: usize = 300;

/// Those that wait for their last packet, shared by the sender and the interceptor.
#[derive(Debug, Default)]
pub(super) struct Bursts {
    // overflow: the oldest goes: its last packet was refused, for the driver's queue, which has those of all others, is bounded.
    waiting: Mutex<VecDeque<Burst>>,
}

#[derive(Debug)]
struct Burst {
    last: u16,
    others: Vec<MediaPacket>,
}

impl Bursts {
    /// These leave before the packet of this number.
    pub(super) fn before(&self, last: u16, others: Vec<MediaPacket>) {
        if others.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        if waiting.len() >= MOST {
            waiting.pop_front();
        }
        waiting.push_back(Burst { last, others });
    }

    /// The packet of this number comes, or is given up: what leaves before it. Those before are forgotten, for their last
    /// packets did not come.
    pub(super) fn take(&self, last: u16) -> Vec<MediaPacket> {
        let mut waiting = self.lock();
        let place = waiting.iter().position(|burst| burst.last == last);
        let gone = place.and_then(|place| waiting.drain(..=place).next_back());
        gone.map_or_else(Vec::new, |burst| burst.others)
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Burst>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The interceptor.
pub(super) struct Unfolding {
    bursts: Arc<Bursts>,
    inbound: VecDeque<TaggedPacket>,
    outbound: VecDeque<TaggedPacket>,
}

impl Unfolding {
    pub(super) fn new(bursts: Arc<Bursts>) -> Self {
        Self {
            bursts,
            inbound: VecDeque::new(),
            outbound: VecDeque::new(),
        }
    }
}

impl Protocol<TaggedPacket, TaggedPacket, ()> for Unfolding {
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
        if let Packet::Rtp(last) = &tagged.message.packet {
            for other in self.bursts.take(last.header.sequence_number) {
                let packet = rtp::Packet {
                    header: other.header(&last.header),
                    payload: other.payload,
                };
                self.outbound.push_back(TaggedPacket {
                    now: tagged.now,
                    transport: tagged.transport,
                    message: Packet::Rtp(packet).into(),
                });
            }
        }
        self.outbound.push_back(tagged);
        Ok(())
    }

    fn poll_write(&mut self) -> Option<TaggedPacket> {
        self.outbound.pop_front()
    }
}

impl Interceptor for Unfolding {
    fn bind_local_stream(&mut self, _: &StreamInfo) {}
    fn unbind_local_stream(&mut self, _: &StreamInfo) {}
    fn bind_remote_stream(&mut self, _: &StreamInfo) {}
    fn unbind_remote_stream(&mut self, _: &StreamInfo) {}
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use rtc::shared::TransportContext;

    use super::*;

    fn media(sequence: u16, marker: bool) -> MediaPacket {
        MediaPacket {
            sequence,
            timestamp: 90_000,
            marker,
            payload: Bytes::from(vec![sequence as u8; 3]),
        }
    }

    fn written(sequence: u16) -> TaggedPacket {
        let mut header = rtp::header::Header {
            version: 2,
            ssrc: 7,
            payload_type: 96,
            ..Default::default()
        };
        header
            .set_extension(3, Bytes::from_static(&[1, 2, 3]))
            .expect("it has room");
        let last = media(sequence, true);
        TaggedPacket {
            now: Instant::now(),
            transport: TransportContext::default(),
            message: Packet::Rtp(rtp::Packet {
                header: last.header(&header),
                payload: last.payload,
            })
            .into(),
        }
    }

    fn leaves(unfolding: &mut Unfolding) -> Vec<rtp::Packet> {
        std::iter::from_fn(|| unfolding.poll_write())
            .map(|tagged| match tagged.message.packet {
                Packet::Rtp(packet) => packet,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn numbers(packets: &[rtp::Packet]) -> Vec<u16> {
        packets.iter().map(|packet| packet.header.sequence_number).collect()
    }

    #[test]
    fn the_packets_of_a_burst_leave_before_its_last_one_with_all_that_is_written_to_it() {
        let bursts = Arc::new(Bursts::default());
        let mut unfolding = Unfolding::new(Arc::clone(&bursts));
        bursts.before(1, vec![media(u16::MAX, false), media(0, false)]);
        unfolding.handle_write(written(1)).expect("it is taken");
        let left = leaves(&mut unfolding);
        assert_eq!(numbers(&left), [u16::MAX, 0, 1]);
        let last = &left[2].header;
        for packet in &left {
            let header = &packet.header;
            assert_eq!((header.ssrc, header.payload_type, header.timestamp), (7, 96, 90_000));
            assert_eq!(header.get_extension(3), last.get_extension(3));
            assert_eq!(packet.payload[0], header.sequence_number as u8);
        }
        assert_eq!(
            left.iter().map(|p| p.header.marker).collect::<Vec<_>>(),
            [false, false, true]
        );
        unfolding.handle_write(written(2)).expect("it is taken");
        assert_eq!(numbers(&leaves(&mut unfolding)), [2]);
    }

    #[test]
    fn a_burst_whose_last_packet_never_came_leaves_no_trace() {
        let bursts = Arc::new(Bursts::default());
        let mut unfolding = Unfolding::new(Arc::clone(&bursts));
        bursts.before(5, vec![media(4, false)]);
        bursts.before(9, vec![media(8, false)]);
        unfolding.handle_write(written(9)).expect("it is taken");
        assert_eq!(numbers(&leaves(&mut unfolding)), [8, 9]);
        unfolding.handle_write(written(5)).expect("it is taken");
        assert_eq!(numbers(&leaves(&mut unfolding)), [5]);
        assert!(bursts.lock().is_empty());
        for last in 0..=u16::MAX {
            bursts.before(last, vec![media(last.wrapping_sub(1), false)]);
        }
        assert_eq!(bursts.lock().len(), MOST, "a driver that refuses all costs no more");
        bursts.take(u16::MAX);
        bursts.before(12, vec![media(11, false)]);
        assert_eq!(bursts.take(12).len(), 1, "it is given up");
        assert!(bursts.lock().is_empty());
    }
}
