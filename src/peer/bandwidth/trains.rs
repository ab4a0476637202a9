//! Packets that leave together arrive as far apart as the narrowest part of the line takes for each: a few of them say what
//! it carries, at the price of a short queue. Large frames are such trains by themselves; where none comes, one is made.

use std::time::{Duration, Instant};

use super::Report;

/// Packets of a train that is made.
pub(super) const MADE_OF: usize = 8;
/// So many have to arrive to say anything (where some have overtaken others, and their distance is not the line's alone, all that a train is
/// made of), …
const ARRIVED: u32 = 3;
/// … and so many to say that the line carries more than was thought.
pub(super) const CERTAIN: u32 = 4;
/// Packets further apart did not leave together.
const TOGETHER: Duration = Duration::from_micros(1500);
/// A train is no longer: the rest is another one.
const LONGEST: u32 = 40;
/// Less is no time to measure by: arrivals are told in quarters of a millisecond.
const LEAST: f64 = 0.001;

/// What a train showed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shown {
    /// Bits a second.
    pub(super) rate: f64,
    /// Packets that arrived.
    pub(super) arrived: u32,
}

/// A train being put together from what was reported.
#[derive(Debug, Default)]
pub(super) struct Trains {
    last: Option<Instant>,
    count: u32,
    bytes: u32,
    /// The one that arrived first: when, and its bytes.
    first: Option<(Duration, u32)>,
    end: Duration,
    /// Packets have overtaken each other.
    overtaken: bool,
}

impl Trains {
    /// What became of the next packet. When it begins a new train, what the one before it showed.
    pub(super) fn add(&mut self, report: &Report) -> Option<Shown> {
        let apart = self.last.map(|last| report.sent.checked_duration_since(last));
        // One that left before arrived after it.
        self.overtaken |= matches!(apart, Some(None)) && report.arrived.is_some();
        let goes_on = matches!(apart, Some(Some(apart)) if apart <= TOGETHER) && self.count < LONGEST;
        let shown = if goes_on { None } else { self.end() };
        self.last = Some(report.sent);
        if let Some(arrived) = report.arrived {
            self.overtaken |= arrived < self.end;
            self.end = self.end.max(arrived);
            if self.first.is_none_or(|(first, _)| arrived < first) {
                self.first = Some((arrived, report.bytes));
            }
            self.bytes = self.bytes.saturating_add(report.bytes);
            self.count += 1;
        }
        shown
    }

    fn end(&mut self) -> Option<Shown> {
        let train = std::mem::take(self);
        let least = if train.overtaken { MADE_OF as u32 } else { ARRIVED };
        let valid = (least..=LONGEST).contains(&train.count);
        let (first, before) = train.first?;
        let span = train.end.saturating_sub(first).as_secs_f64().max(LEAST);
        valid.then(|| Shown {
            rate: f64::from(train.bytes - before) * 8.0 / span,
            arrived: train.count,
        })
    }
}
