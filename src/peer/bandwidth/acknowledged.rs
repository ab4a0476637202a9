//! What came through, by the times at which it arrived.

use std::collections::VecDeque;

/// It is added up over so long.
const WINDOW_MS: f64 = 500.0;
/// Less than that is no time to judge by.
const LEAST_MS: f64 = 150.0;
/// Packets kept. overflow: the oldest goes, which a rate above the cap would take.
const KEPT: usize = 8192;
/// Packets that arrive within this time of each other were waiting for each other, or for us.
const GAP_MS: f64 = 30.0;
/// What is longer ago says less of the line.
const LATELY_MS: f64 = 250.0;
/// So long they have to come one after the other to say what the line carries.
const BUSY_MS: f64 = 40.0;

/// Bytes that arrived.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    arrivals: VecDeque<(f64, u32)>,
    bytes: u64,
    begun: Option<f64>,
    now: f64,
    /// Since when packets arrive without a pause, and their bytes after the first.
    busy: Option<(f64, f64)>,
}

impl Acknowledged {
    /// A packet arrived, in ms.
    pub(super) fn add(&mut self, arrived: f64, bytes: u32) {
        if self.begun.is_none() || (arrived - self.now).abs() > 15_000.0 {
            *self = Self {
                begun: Some(arrived),
                now: arrived,
                ..Self::default()
            };
        }
        self.be_busy(arrived, bytes);
        self.now = self.now.max(arrived);
        self.arrivals.push_back((arrived, bytes));
        self.bytes += u64::from(bytes);
        while self.arrivals.len() > KEPT || self.arrivals.front().is_some_and(|(at, _)| at + WINDOW_MS < self.now) {
            let gone = self.arrivals.pop_front().map_or(0, |(_, bytes)| bytes);
            self.bytes -= u64::from(gone);
        }
    }

    /// Bits a second, over the last half second in which anything came.
    pub(super) fn rate(&self) -> f64 {
        let Some(begun) = self.begun else { return 0.0 };
        let span = (self.now - begun).clamp(LEAST_MS, WINDOW_MS);
        #[allow(clippy::cast_precision_loss, reason = "bytes of half a second")]
        let bytes = self.bytes as f64;
        bytes * 8000.0 / span
    }

    /// What came through while packets came one after the other, lately: what a full line carries.
    pub(super) fn while_full(&self) -> f64 {
        let busy = self.busy.map(|(since, bytes)| (self.now - since, bytes));
        let busy = busy.filter(|(span, _)| *span >= BUSY_MS);
        busy.map_or_else(|| self.rate(), |(span, bytes)| bytes * 8000.0 / span)
    }

    fn be_busy(&mut self, arrived: f64, bytes: u32) {
        let gap = arrived - self.now;
        self.busy = match self.busy {
            Some((since, sum)) if gap < GAP_MS => {
                let (sum, span) = (sum + f64::from(bytes), arrived.max(self.now) - since);
                if span > LATELY_MS {
                    Some((since + span / 2.0, sum / 2.0))
                } else {
                    Some((since, sum))
                }
            }
            _ => Some((arrived, 0.0)),
        };
    }
}
