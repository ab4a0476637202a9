//! Packets that left, by the numbers that feedback names them by (draft-holmer-rmcat-transport-wide-cc-extensions-01).

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::Report;

/// Packets remembered. overflow: the oldest is forgotten, and feedback about it says nothing.
const REMEMBERED: usize = 4096;
/// One that left so long before one that has arrived is lost. Feedback comes every 50 to 100 ms, and packets overtake each
/// other.
const OVERDUE: Duration = Duration::from_millis(150);
/// That packets overtook each other is remembered for so long.
const OVERTAKING: Duration = Duration::from_secs(10);
/// Less than that is how exactly arrivals are told.
const LEAST: Duration = Duration::from_millis(2);
/// No packet counts as overtaken by more.
const FURTHEST: Duration = Duration::from_millis(100);

/// One packet that leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Sent {
    /// Of the whole packet, with the headers below RTP.
    pub(in super::super) bytes: u32,
    /// Which packet of the picture it carries.
    pub(in super::super) media: Option<u16>,
    /// Whether a browser that has it already throws it away unseen: then nothing follows from its never being told of.
    pub(in super::super) twice: bool,
}

/// What left and is not settled.
#[derive(Debug, Default)]
pub(super) struct History {
    /// The number of the first in `packets`, counted without end.
    first: u64,
    packets: VecDeque<Packet>,
    /// Of those, the ones nothing is known of.
    open: usize,
    /// When the packet left that left last of those that arrived.
    newest: Option<Instant>,
    overtaking: Overtaking,
    /// What feedback named that is not here.
    strange: u64,
}

#[derive(Clone, Copy, Debug)]
struct Packet {
    sent: Instant,
    what: Sent,
    settled: bool,
}

impl History {
    /// A packet leaves: the number that it has to carry.
    pub(super) fn sent(&mut self, what: Sent, now: Instant) -> u16 {
        if self.packets.len() == REMEMBERED
            && let Some(oldest) = self.packets.pop_front()
        {
            self.first += 1;
            self.open -= usize::from(!oldest.settled);
        }
        let number = number(self.first + self.packets.len() as u64);
        self.packets.push_back(Packet {
            sent: now,
            what,
            settled: false,
        });
        self.open += 1;
        number
    }

    /// These packets arrived, the browser says, at these times of its clock. What is settled by that: what is lost first, then
    /// what arrived, each in the order in which it left.
    pub(super) fn feedback(&mut self, arrived: impl IntoIterator<Item = (u16, Duration)>, now: Instant) -> Vec<Report> {
        let mut arrivals = Vec::new();
        for (named, at) in arrived {
            let Some(packet) = self.find(named) else {
                self.strange += 1;
                continue;
            };
            if std::mem::replace(&mut packet.settled, true) {
                continue;
            }
            let (sent, what) = (packet.sent, packet.what);
            self.open -= 1;
            self.newest = Some(self.newest.map_or(sent, |newest| newest.max(sent)));
            arrivals.push(Report {
                sent,
                bytes: what.bytes,
                arrived: Some(at),
                media: what.media,
            });
        }
        arrivals.sort_by_key(|report| report.sent);
        for report in &arrivals {
            self.overtaking
                .arrived(report.sent, report.arrived.unwrap_or_default(), now);
        }
        let mut reports = self.lost();
        reports.extend(arrivals);
        reports
    }

    /// How far packets have overtaken each other lately.
    pub(super) fn overtaking(&self, now: Instant) -> Duration {
        self.overtaking.now(now)
    }

    /// How many packets are under way, and when the first of them left.
    pub(super) fn under_way(&self) -> Option<(usize, Instant)> {
        let first = self.packets.iter().find(|packet| !packet.settled)?;
        Some((self.open, first.sent))
    }

    /// How often feedback named what is not known.
    #[cfg(test)]
    pub(super) fn strange(&self) -> u64 {
        self.strange
    }

    /// Takes what is settled from the front, and says what of it is lost.
    fn lost(&mut self) -> Vec<Report> {
        let mut lost = Vec::new();
        let Some(newest) = self.newest else { return lost };
        while let Some(packet) = self.packets.front() {
            if !packet.settled && packet.sent + OVERDUE >= newest {
                break;
            }
            if !packet.settled {
                self.open -= 1;
                if !packet.what.twice {
                    lost.push(Report {
                        sent: packet.sent,
                        bytes: packet.what.bytes,
                        arrived: None,
                        media: packet.what.media,
                    });
                }
            }
            self.packets.pop_front();
            self.first += 1;
        }
        lost
    }

    fn find(&mut self, named: u16) -> Option<&mut Packet> {
        let next = self.first + self.packets.len() as u64;
        let back = usize::from(number(next).wrapping_sub(named));
        let place = self.packets.len().checked_sub(back)?;
        self.packets.get_mut(place)
    }
}

#[allow(clippy::cast_possible_truncation, reason = "numbers wrap around by definition")]
const fn number(count: u64) -> u16 {
    count as u16
}

/// How much later than one that left after it a packet arrived.
#[derive(Debug, Default)]
struct Overtaking {
    /// When the one arrived that arrived last so far, and when it left.
    last: Option<(Instant, Duration)>,
    worst: Option<(Duration, Instant)>,
}

impl Overtaking {
    fn arrived(&mut self, sent: Instant, at: Duration, now: Instant) {
        let Some((_, latest)) = self.last else {
            self.last = Some((sent, at));
            return;
        };
        let by = if self.last.is_some_and(|(of, _)| sent >= of) {
            latest.saturating_sub(at)
        } else {
            at.saturating_sub(latest)
        };
        if self.last.is_some_and(|(of, latest)| sent >= of && at >= latest) || by > FURTHEST {
            self.last = Some((sent, at));
        }
        if by >= LEAST && by <= FURTHEST && self.now(now) <= by {
            self.worst = Some((by, now));
        }
    }

    fn now(&self, now: Instant) -> Duration {
        let fresh = self
            .worst
            .filter(|(_, at)| now.saturating_duration_since(*at) < OVERTAKING);
        fresh.map_or(Duration::ZERO, |(by, _)| by)
    }
}
