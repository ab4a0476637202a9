//! What one way of a line does to packets. Read from JSON, checked before it is used.

use std::time::Duration;

use serde::Deserialize;

use super::error::LineError;
use super::header::{is_tcp_of, is_udp};

/// A queue that nobody has named the length of, ms.
const QUEUE_MS: u64 = 200;
/// No queue is shorter: two full packets, or nothing would come through a slow line.
const LEAST_QUEUE: usize = 3_000;
/// No time of a line is longer, ms.
const LONGEST_MS: u64 = 60_000;
/// Rates, kbit/s.
const RATES: std::ops::RangeInclusive<u64> = 8..=10_000_000;

/// One way of a line. What is not named is not there: an empty object is a line without limit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shape {
    /// Bits of whole IP packets, in thousands a second.
    pub rate_kbps: Option<u64>,
    /// How long a packet may wait before the rate: who would wait longer is dropped (drop-tail). 200 unless named.
    pub queue_ms: Option<u64>,
    /// What every packet takes.
    pub delay_ms: u64,
    /// What it takes at random beyond that, at most; evenly distributed.
    pub jitter_ms: u64,
    /// Whether packets overtake each other by that; else those behind a late one wait for it.
    pub reorder: bool,
    /// The part of packets that is lost, 0 to 1.
    pub loss: f64,
    /// Loss in bursts, beside the other.
    pub burst: Option<Burst>,
    /// An outage: nothing comes through.
    pub cut: bool,
    /// A firewall lets no UDP through.
    pub no_udp: bool,
    /// A firewall lets nothing through but TCP from or to this port.
    pub only_tcp_port: Option<u16>,
}

/// Loss as Gilbert has it: a good state without loss and a bad one.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Burst {
    /// Probability that a packet of the good state begins a bad one.
    pub enter: f64,
    /// Probability that a packet of the bad state is its last.
    pub leave: f64,
    /// The part of packets that a bad state loses.
    #[serde(default = "all")]
    pub loss: f64,
}

fn all() -> f64 {
    1.0
}

fn refused(key: &'static str, value: impl ToString, wanted: &'static str) -> LineError {
    LineError::Shape {
        key,
        value: value.to_string(),
        wanted,
    }
}

impl Shape {
    /// Refuses what makes no line.
    ///
    /// # Errors
    /// A number is out of its limits.
    pub fn check(&self) -> Result<(), LineError> {
        if let Some(rate) = self.rate_kbps {
            if rate == 0 {
                return Err(refused(
                    "rate_kbps",
                    rate,
                    "a line that carries nothing is {\"cut\":true}",
                ));
            }
            if !RATES.contains(&rate) {
                return Err(refused(
                    "rate_kbps",
                    rate,
                    "from 8 to 10000000, or not named for no limit",
                ));
            }
        } else if let Some(queue) = self.queue_ms {
            return Err(refused("queue_ms", queue, "there is a queue only before a rate_kbps"));
        }
        let times = [
            ("queue_ms", self.queue_ms.unwrap_or(QUEUE_MS)),
            ("delay_ms", self.delay_ms),
            ("jitter_ms", self.jitter_ms),
        ];
        for (key, value) in times {
            if value > LONGEST_MS {
                return Err(refused(key, value, "at most 60000"));
            }
        }
        if self.reorder && self.jitter_ms == 0 {
            return Err(refused(
                "reorder",
                true,
                "packets overtake each other by jitter_ms alone",
            ));
        }
        let burst = self.burst.unwrap_or(Burst {
            enter: 0.0,
            leave: 1.0,
            loss: 0.0,
        });
        let parts = [
            ("loss", self.loss),
            ("burst.enter", burst.enter),
            ("burst.leave", burst.leave),
            ("burst.loss", burst.loss),
        ];
        for (key, value) in parts {
            if !(0.0..=1.0).contains(&value) {
                return Err(refused(key, value, "a part of one, from 0 to 1"));
            }
        }
        Ok(())
    }

    /// Whether a firewall lets no such packet through.
    pub fn blocks(&self, packet: &[u8]) -> bool {
        (self.no_udp && is_udp(packet)) || self.only_tcp_port.is_some_and(|port| !is_tcp_of(packet, port))
    }

    /// How long the line is busy with so many bytes; nothing without a rate.
    pub fn time_of(&self, bytes: usize) -> Duration {
        let Some(rate) = self.rate_kbps else {
            return Duration::ZERO;
        };
        // Bits over thousands a second are milliseconds; a packet of 64 KiB and a rate of 8 make some minutes.
        Duration::from_nanos(bytes as u64 * 8 * 1_000_000 / rate)
    }

    /// How many bytes may wait.
    pub fn room(&self) -> usize {
        let rate = self.rate_kbps.unwrap_or(0);
        let bytes = rate * self.queue_ms.unwrap_or(QUEUE_MS) / 8;
        LEAST_QUEUE.max(usize::try_from(bytes).unwrap_or(usize::MAX))
    }

    /// What every packet takes.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }

    /// What it takes beyond that, at most.
    pub fn jitter(&self) -> Duration {
        Duration::from_millis(self.jitter_ms)
    }
}
