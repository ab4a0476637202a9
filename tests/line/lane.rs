//! One way of a line. Pure: now is an argument, and counts from whenever one likes.
//!
//! ```text
//!      blocked, cut,                 lost,
//!      or full: dropped              or cut: dropped
//! offer ──▶ waiting ──── the rate ────▶ travelling ──── delay, jitter ────▶ due
//! ```

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::chance::Chance;
use super::shape::Shape;

/// Most bytes on their way at once, for lines with a delay and no rate; what comes beyond counts as of a full queue.
const TRAVELLING: usize = 64 << 20;

/// Packets, and their bytes from the IP header on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// How many.
    pub packets: u64,
    /// Of so many bytes together.
    pub bytes: u64,
}

impl Tally {
    fn add(&mut self, bytes: usize) {
        self.packets += 1;
        self.bytes += bytes as u64;
    }
}

/// What became of all packets so far. `offered` is the sum of all others.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Sent into the line.
    pub offered: Tally,
    /// Come out of it.
    pub carried: Tally,
    /// Dropped where the queue was full.
    pub full: Tally,
    /// Lost on the way, alone or in bursts.
    pub lost: Tally,
    /// Lost to an outage.
    pub cut: Tally,
    /// Kept back by a firewall.
    pub blocked: Tally,
    /// Still waiting or on the way.
    pub within: Tally,
}

/// A packet on its way.
#[derive(Debug)]
struct Travelling {
    at: Duration,
    number: u64,
    packet: Vec<u8>,
}

impl Ord for Travelling {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl PartialOrd for Travelling {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Travelling {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Travelling {}

/// One way of a line.
#[derive(Debug)]
pub struct Lane {
    shape: Shape,
    chance: Chance,
    waiting: VecDeque<Vec<u8>>,
    waiting_bytes: usize,
    /// Until then the line is busy with the packet before the first that waits.
    free_at: Duration,
    travelling: BinaryHeap<Reverse<Travelling>>,
    travelling_bytes: usize,
    /// When the last packet arrives, of those that may not be overtaken.
    last_arrival: Duration,
    in_burst: bool,
    number: u64,
    counters: Counters,
}

impl Lane {
    /// A way without any limit.
    pub fn new(seed: u64) -> Self {
        Self {
            shape: Shape::default(),
            chance: Chance::new(seed),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            free_at: Duration::ZERO,
            travelling: BinaryHeap::new(),
            travelling_bytes: 0,
            last_arrival: Duration::ZERO,
            in_burst: false,
            number: 0,
            counters: Counters::default(),
        }
    }

    /// Is another line from now on. Packets that are on their way arrive as they would have; those that wait go by the new
    /// rate, the one that is being sent for the rest of it.
    pub fn change(&mut self, now: Duration, shape: Shape) {
        self.advance(now);
        if let (Some(old), Some(left)) = (self.shape.rate_kbps, self.free_at.checked_sub(now)) {
            let new = shape.rate_kbps.map_or(Duration::ZERO, |new| {
                // At most the 65535 bytes of a packet at 8 kbit/s times a rate of 10^7: below 2^96.
                let nanos = left.as_nanos() * u128::from(old) / u128::from(new);
                Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
            });
            self.free_at = now + new;
        }
        if shape.burst.is_none() {
            self.in_burst = false;
        }
        self.shape = shape;
    }

    /// A packet is sent into the line.
    pub fn offer(&mut self, now: Duration, packet: Vec<u8>) {
        self.advance(now);
        self.counters.offered.add(packet.len());
        if self.shape.blocks(&packet) {
            self.counters.blocked.add(packet.len());
        } else if self.shape.cut {
            self.counters.cut.add(packet.len());
        } else if self.shape.rate_kbps.is_none() && self.waiting.is_empty() {
            self.depart(now, packet);
        } else if self.waiting.is_empty() && self.free_at <= now {
            self.free_at = now + self.shape.time_of(packet.len());
            self.depart(self.free_at, packet);
        } else if self.waiting_bytes + packet.len() > self.shape.room() {
            self.counters.full.add(packet.len());
        } else {
            self.waiting_bytes += packet.len();
            self.waiting.push_back(packet);
        }
    }

    /// The next packet that has arrived.
    pub fn due(&mut self, now: Duration) -> Option<Vec<u8>> {
        self.advance(now);
        if self.travelling.peek()?.0.at > now {
            return None;
        }
        let packet = self.travelling.pop()?.0.packet;
        self.travelling_bytes -= packet.len();
        self.counters.carried.add(packet.len());
        Some(packet)
    }

    /// When there is something to do next.
    pub fn next(&self) -> Option<Duration> {
        let arrival = self.travelling.peek().map(|first| first.0.at);
        let sent = (!self.waiting.is_empty()).then_some(self.free_at);
        arrival.into_iter().chain(sent).min()
    }

    /// What became of all packets so far.
    pub fn counters(&self) -> Counters {
        let within = Tally {
            packets: (self.waiting.len() + self.travelling.len()) as u64,
            bytes: (self.waiting_bytes + self.travelling_bytes) as u64,
        };
        Counters {
            within,
            ..self.counters
        }
    }

    /// Sends those whose turn came by now, each when it came: how late the caller is does not lower the rate.
    fn advance(&mut self, now: Duration) {
        while self.free_at <= now {
            let Some(packet) = self.waiting.pop_front() else {
                return;
            };
            self.waiting_bytes -= packet.len();
            self.free_at += self.shape.time_of(packet.len());
            self.depart(self.free_at, packet);
        }
    }

    /// A packet's last bit is sent at a time, which may be a little ahead.
    fn depart(&mut self, at: Duration, packet: Vec<u8>) {
        if self.shape.cut {
            self.counters.cut.add(packet.len());
            return;
        }
        if self.is_lost() {
            self.counters.lost.add(packet.len());
            return;
        }
        if self.travelling_bytes + packet.len() > TRAVELLING {
            self.counters.full.add(packet.len());
            return;
        }
        let mut arrival = at + self.shape.delay();
        if self.shape.jitter_ms > 0 {
            arrival += self.shape.jitter().mul_f64(self.chance.part());
        }
        if !self.shape.reorder {
            arrival = arrival.max(self.last_arrival);
        }
        self.last_arrival = self.last_arrival.max(arrival);
        self.travelling_bytes += packet.len();
        self.number += 1;
        self.travelling.push(Reverse(Travelling {
            at: arrival,
            number: self.number,
            packet,
        }));
    }

    /// Both kinds of loss have their say about each packet, so that one does not change the other.
    fn is_lost(&mut self) -> bool {
        let alone = self.chance.happens(self.shape.loss);
        let Some(burst) = self.shape.burst else {
            return alone;
        };
        if !self.in_burst {
            self.in_burst = self.chance.happens(burst.enter);
        }
        if !self.in_burst {
            return alone;
        }
        let within = self.chance.happens(burst.loss);
        self.in_burst = !self.chance.happens(burst.leave);
        alone || within
    }
}
