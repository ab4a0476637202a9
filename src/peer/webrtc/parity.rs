//! Parity: packets by which a browser makes up for what a line lost, without asking for it and waiting a round trip
//! (FlexFEC, draft-ietf-payload-flexible-fec-scheme-03, section 4.2, which is what browsers take). Pure.
//!
//! ```text
//!   a frame      m0 m1 m2 m3 m4 m5      what protects it   p0 = m0 ⊕ m2 ⊕ m3 ⊕ m5
//!                                                          p1 = m0 ⊕ m1 ⊕ m3 ⊕ m4
//!                                                          p2 = m1 ⊕ m2 ⊕ m3 ⊕ m5 …
//! ```
//!
//! Of those that one packet protects, one may be missing; the next one may then lack one less. So each is protected by two or three,
//! no two by the same as long as there are enough: two that are lost are found again, too, in nearly all cases.

use std::ops::Range;

use bytes::{BufMut, Bytes, BytesMut};

/// The fixed header of RTP, which is protected by fields of its own.
const RTP_HEADER: usize = 12;
/// So many packets have a bit in the mask (there is a longer form of it, which is not used).
const MASK: usize = 46;
/// The same in its short form.
const SHORT_MASK: usize = 15;
/// Says of a part of the mask that no other follows.
const LAST_PART: u8 = 0x80;
/// For each packet of parity, as many of a frame are lost on average.
const LOST_FOR_EACH: f64 = 0.3;
/// From so many packets on, one more of parity is worth it: two that are lost.
const MORE_THAN_ONE_LOST: usize = 3;
/// More is not sent for each packet of a frame.
const MOST_FOR_EACH: f64 = 0.5;

/// What protects a frame of `packets` where the line loses this share of them by itself: for each packet of parity, the places
/// of those that it protects.
pub(super) fn groups(packets: usize, lost: f64) -> Vec<Vec<usize>> {
    let blocks = packets.div_ceil(MASK).max(1);
    let block = |n: usize| -> Range<usize> { n * packets / blocks..(n + 1) * packets / blocks };
    let protecting = |block: Range<usize>| {
        let mut groups = vec![Vec::new(); protection(block.len(), lost)];
        for (place, subset) in block.zip(subsets(groups.len()).into_iter().cycle()) {
            for group in subset {
                groups[group].push(place);
            }
        }
        groups
    };
    let groups = (0..blocks).map(block).flat_map(protecting);
    groups.filter(|group| !group.is_empty()).collect()
}

/// How many packets of parity protect so many.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "at most 46"
)]
fn protection(packets: usize, lost: f64) -> usize {
    let alone = (packets as f64 * lost / LOST_FOR_EACH).ceil() as usize;
    let wanted = alone + usize::from(packets >= MORE_THAN_ONE_LOST);
    wanted.min((packets as f64 * MOST_FOR_EACH).ceil() as usize)
}

/// Which of so many packets of parity protect a packet, for one after the other: pairs of them first, then three, then one. Two
/// do not get far with pairs: there is only one.
fn subsets(of: usize) -> Vec<Vec<usize>> {
    let pairs = (1..of).flat_map(|far| (0..of - far).map(move |a| vec![a, a + far]));
    let threes = (0..of).flat_map(|a| (a + 1..of).flat_map(move |b| (b + 1..of).map(move |c| vec![a, b, c])));
    let ones = (0..of).map(|a| vec![a]);
    if of < 3 {
        return ones.collect();
    }
    pairs.chain(threes).chain(ones).take(MASK).collect()
}

/// The payload of the packet that protects these of the stream `ssrc`, each with its header and as it will be found again: with zeros
/// where something is only written on its way.
///
/// `None` where there is none, or they are farther apart than the mask is long.
pub(super) fn parity(ssrc: u32, protected: &[(u16, Bytes)]) -> Option<Bytes> {
    let base = protected.first()?.0;
    let last = usize::from(protected.last()?.0.wrapping_sub(base));
    if last >= MASK || protected.iter().any(|(_, packet)| packet.len() < RTP_HEADER) {
        return None;
    }
    let length = protected.iter().map(|(_, packet)| body(packet).len()).max()?;
    let (mut head, mut time, mut size) = ([0_u8; 2], [0_u8; 4], 0_u16);
    let mut mask = 0_u64;
    let mut recovery = vec![0_u8; length];
    for (sequence, packet) in protected {
        mask |= 1 << (MASK - 1 - usize::from(sequence.wrapping_sub(base)));
        add(&mut head, &packet[..2]);
        add(&mut time, &packet[4..8]);
        add(&mut recovery, body(packet));
        size ^= u16::try_from(body(packet).len()).ok()?;
    }
    // The first 15 of them, then the other 31.
    let [.., short_high, short_low] = (mask >> (MASK - SHORT_MASK)).to_be_bytes();
    let long = (last >= SHORT_MASK).then_some((mask & 0x7fff_ffff) as u32);
    let mut payload = BytesMut::with_capacity(24 + length);
    // Neither a retransmission nor of a fixed mask; of the version nothing.
    payload.put_u8(head[0] & 0x3f);
    payload.put_u8(head[1]);
    payload.put_u16(size);
    payload.put_slice(&time);
    // Of one stream.
    payload.put_u32(1 << 24);
    payload.put_u32(ssrc);
    payload.put_u16(base);
    payload.put_u8(short_high | if long.is_none() { LAST_PART } else { 0 });
    payload.put_u8(short_low);
    if let Some(long) = long {
        payload.put_u32(long | u32::from(LAST_PART) << 24);
    }
    payload.put_slice(&recovery);
    Some(payload.freeze())
}

fn add(sum: &mut [u8], bytes: &[u8]) {
    for (sum, byte) in sum.iter_mut().zip(bytes) {
        *sum ^= byte;
    }
}

/// What comes after the fixed header.
fn body(packet: &Bytes) -> &[u8] {
    packet.get(RTP_HEADER..).unwrap_or_default()
}

#[cfg(test)]
pub(super) mod receiver {
    use bytes::Bytes;

    use super::RTP_HEADER;

    /// A browser's side: the one that is missing, from the parity and those that are there.
    pub(in super::super) fn recovered(parity: &Bytes, there: &[(u16, Bytes)]) -> (u16, Vec<u8>) {
        assert_eq!((parity[0] & 0xc0, &parity[8..12]), (0, &[1_u8, 0, 0, 0][..]));
        let word = |at: usize| u64::from(u32::from_be_bytes(parity[at..at + 4].try_into().unwrap()));
        let (ssrc, base) = (&parity[12..16], (word(16) >> 16) as u16);
        let (mask, start) = if parity[18] & 0x80 == 0 {
            assert_ne!(parity[20] & 0x80, 0, "there is no third part");
            ((word(16) & 0x7fff) << 31 | word(20) & 0x7fff_ffff, 24)
        } else {
            ((word(16) & 0x7fff) << 31, 20)
        };
        let protected: Vec<u16> = (0..46)
            .filter(|n| mask >> (45 - n) & 1 == 1)
            .map(|n| base.wrapping_add(n))
            .collect();
        let have: Vec<_> = there.iter().filter(|(s, _)| protected.contains(s)).collect();
        let mut missing = protected.iter().filter(|s| !have.iter().any(|(h, _)| h == *s));
        let sequence = *missing.next().unwrap();
        assert_eq!(missing.next(), None);
        let mut head = [parity[0], parity[1], 0, 0, parity[4], parity[5], parity[6], parity[7]];
        let mut size = u16::from_be_bytes([parity[2], parity[3]]);
        let mut rest = parity[start..].to_vec();
        for (_, packet) in have {
            for n in [0, 1, 4, 5, 6, 7] {
                head[n] ^= packet[n];
            }
            size ^= (packet.len() - RTP_HEADER) as u16;
            for (sum, byte) in rest.iter_mut().zip(&packet[RTP_HEADER..]) {
                *sum ^= byte;
            }
        }
        head[0] = head[0] & 0x3f | 0x80;
        head[2..4].copy_from_slice(&sequence.to_be_bytes());
        let mut packet = head.to_vec();
        packet.extend(ssrc);
        packet.extend(&rest[..usize::from(size)]);
        (sequence, packet)
    }
}

#[cfg(test)]
mod tests {
    use super::receiver::recovered;
    use super::*;
    use proptest::prelude::*;

    fn packet(sequence: u16, marker: bool, payload: &[u8]) -> (u16, Bytes) {
        let mut bytes = BytesMut::new();
        bytes.put_u8(0x90);
        bytes.put_u8(u8::from(marker) << 7 | 109);
        bytes.put_u16(sequence);
        bytes.put_u32(0x0102_0304);
        bytes.put_u32(0xdead_beef);
        bytes.put_slice(payload);
        (sequence, bytes.freeze())
    }

    proptest! {
        /// Packets of any sizes, one of which is lost.
        #[test]
        fn any_one_of_a_group_is_found_again_with_marker_time_and_size(
            sizes in prop::collection::vec(0_usize..1200, 1..140),
            first in any::<u16>(),
            lost in 0.01_f64..0.4,
            which in any::<prop::sample::Index>(),
        ) {
            let last = sizes.len() - 1;
            let frame: Vec<_> = sizes.iter().enumerate().map(|(n, size)| {
                let payload: Vec<u8> = (0..*size).map(|at| (at * 7 + n * 13) as u8).collect();
                packet(first.wrapping_add(n as u16), n == last, &payload)
            }).collect();
            let groups = groups(frame.len(), lost);
            prop_assert!(groups.len() <= frame.len().div_ceil(2) + frame.len() / MASK, "not more than half of it");
            let gone = which.index(frame.len());
            let there: Vec<_> = frame.iter().filter(|(s, _)| *s != frame[gone].0).cloned().collect();
            let protecting = groups.iter().filter(|group| group.contains(&gone));
            let mut found = 0;
            for group in protecting {
                let protected: Vec<_> = group.iter().map(|n| frame[*n].clone()).collect();
                let parity = parity(0xdead_beef, &protected).unwrap();
                let (sequence, bytes) = recovered(&parity, &there);
                prop_assert_eq!(sequence, frame[gone].0);
                prop_assert_eq!(&bytes[..], &frame[gone].1[..]);
                found += 1;
            }
            prop_assert!((1..=3).contains(&found), "each is protected");
        }
    }

    /// What is still missing of a frame of which these are lost.
    fn missing(groups: &[Vec<usize>], lost: &[usize]) -> Vec<usize> {
        let mut lost = lost.to_vec();
        loop {
            let finds = |group: &Vec<usize>| {
                let mut of_it = lost.iter().filter(|n| group.contains(n));
                of_it.next().copied().filter(|_| of_it.next().is_none())
            };
            let Some(found) = groups.iter().find_map(finds) else {
                return lost;
            };
            lost.retain(|n| *n != found);
        }
    }

    #[test]
    fn two_that_are_lost_are_found_again_in_nearly_all_cases_and_two_in_a_row_always() {
        for packets in 3..=46 {
            let groups = groups(packets, 0.05);
            let pairs = (0..packets).flat_map(|a| (a + 1..packets).map(move |b| (a, b)));
            let pairs: Vec<_> = pairs.collect();
            let bad: Vec<_> = pairs
                .iter()
                .filter(|(a, b)| !missing(&groups, &[*a, *b]).is_empty())
                .collect();
            assert!(bad.iter().all(|(a, b)| b - a > 1), "{packets}: {bad:?}");
            let share = if groups.len() < 3 { 0.45 } else { 0.12 };
            assert!(
                bad.len() as f64 <= share * pairs.len() as f64,
                "{packets}: {} of {}",
                bad.len(),
                pairs.len()
            );
        }
    }

    #[test]
    fn the_more_is_lost_the_more_parity_there_is() {
        let parity = |packets, lost| groups(packets, lost).len();
        assert_eq!([0.01, 0.05, 0.1].map(|lost| parity(16, lost)), [2, 4, 7]);
        assert_eq!(
            [1, 2, 3, 4, 8, 11].map(|packets| parity(packets, 0.05)),
            [1, 1, 2, 2, 3, 3]
        );
        assert_eq!(parity(16, 0.9), 8);
        assert!(groups(0, 0.05).is_empty());
    }

    #[test]
    fn the_bytes_are_those_of_the_draft() {
        let both = [packet(7, false, &[1, 2, 3]), packet(9, true, &[4, 5])];
        let short = parity(0xdead_beef, &both).unwrap();
        // The marker, 3 ⊕ 2 bytes, no time; one stream; from 7 on the first and third of 15.
        let head = [
            0x00, 0x80, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, 0, 7, 0xd0, 0,
        ];
        assert_eq!(short[..20], head);
        assert_eq!(short[20..], [5, 7, 3]);
        let far = [packet(7, false, &[1]), packet(22, true, &[4])];
        let long = parity(0xdead_beef, &far).unwrap();
        // The first of 15, and of the 31 after them the first.
        assert_eq!(long[16..24], [0, 7, 0x40, 0, 0xc0, 0, 0, 0]);
        assert!(parity(1, &[]).is_none());
    }
}
