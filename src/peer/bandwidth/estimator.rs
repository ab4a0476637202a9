//! All of it together: packets out, feedback in, one number.

use std::time::{Duration, Instant};

use super::acknowledged::Acknowledged;
use super::delay::Delay;
use super::history::{History, Sent};
use super::loss::Loss;
use super::rate::Rate;
use super::trains::{CERTAIN, MADE_OF, Shown, Trains};
use super::trend::Queue;
use super::{FLOOR, Report};

/// So many bytes may leave before anything is known …
const FIRST: u32 = 20_000;
/// … and for so long nothing more does.
const HELD: Duration = Duration::from_millis(400);
/// A browser as near as this is in the same building: no line of a few megabits is so short, and the first key frame need not
/// wait for a word about its beginning.
const NEAR: Duration = Duration::from_millis(3);
/// What is taken for its line then, and may leave. The first train sets that down if it is wrong.
const NEAR_RATE: f64 = 20_000_000.0;
const NEAR_FIRST: u32 = 150_000;
/// Without a word for so long while packets are under way, nothing is sent but what keeps asking.
const SILENCE: Duration = Duration::from_millis(1200);
/// Reports come once a second or more seldom; with nothing but those it is so long.
const SILENCE_OF_REPORTS: Duration = Duration::from_secs(5);
/// So many packets have to be under way for that.
const UNHEARD: usize = 10;
/// The estimate may not be raised again before the last raise was tried, and the round trip.
const RAISE_AFTER: Duration = Duration::from_millis(150);
/// A raise is too much when the queue grows within this time.
const TRIAL: Duration = Duration::from_secs(2);
/// Trains are not believed for so long after one that was wrong, twice as long each time.
const DISTRUST: Duration = Duration::from_secs(5);
const LONGEST_DISTRUST: Duration = Duration::from_secs(80);
/// Of what a train shows.
const SHOWN: f64 = 0.85;
/// At most so much at once.
const AT_ONCE: f64 = 2.0;
/// Trains are made: one after the other while they show more, else no more often than this, twice as long each time that
/// they show nothing new.
const AGAIN: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(16);
/// Nobody needs more for pictures.
const PLENTY: f64 = 25_000_000.0;
/// A queue above this is drained before anything is tried, in ms.
const DRAINED: f64 = 12.0;
/// Loss counts as a queue's from this share and this many ms of queue on.
const FULL: (f64, f64) = (0.03, 20.0);

/// With so much lost beside a queue, it is as long as it can be, and no trend shows that any more.
const OVERFLOWS: f64 = 0.1;

/// Where nothing is known but what is lost, and that once a second, nothing tells a full queue from a line's own loss: so much
/// is far too much, …
const OVERRUN: f64 = 0.2;
/// … so much too much, …
const TOO_MUCH: f64 = 0.1;
/// … and with less than that more may be tried.
const FINE: f64 = 0.03;
/// After a step back, the next report is in part about what was lost before.
const SAYS_IT_AGAIN: Duration = Duration::from_millis(1800);

/// What is known of the line.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in super::super) struct Line {
    /// What it carries, in bits a second, all headers included.
    pub(in super::super) rate: f64,
    /// Share of the packets lost of late.
    pub(in super::super) lost: f64,
    /// From a packet to the word about it, at the quickest.
    pub(in super::super) round_trip: Option<Duration>,
    /// Its queue.
    pub(in super::super) queue: Duration,
}

/// Finds what a line carries.
#[derive(Debug)]
pub(in super::super) struct Estimator {
    begun: Instant,
    history: History,
    delay: Delay,
    loss: Loss,
    acknowledged: Acknowledged,
    trains: Trains,
    rate: Rate,
    round_trip: Option<(Duration, Instant)>,
    took: Duration,
    heard: Option<Instant>,
    silent: bool,
    /// It tells of no packets, only of the whole.
    by_reports: bool,
    raised_at: Option<Instant>,
    distrust: (Option<Instant>, Duration),
    train: Train,
    first: First,
}

/// What was sent before anything was known.
#[derive(Debug, Default)]
struct First {
    begun: Option<Instant>,
    bytes: u32,
    known: bool,
    /// So many may leave.
    most: u32,
}

/// When the next train is made.
#[derive(Debug)]
struct Train {
    due: Option<Instant>,
    pause: Duration,
}

impl Estimator {
    /// Of a line over which nothing was sent before `now`.
    pub(in super::super) fn new(now: Instant) -> Self {
        Self {
            begun: now,
            history: History::default(),
            delay: Delay::default(),
            loss: Loss::default(),
            acknowledged: Acknowledged::default(),
            trains: Trains::default(),
            rate: Rate::default(),
            round_trip: None,
            took: Duration::ZERO,
            heard: None,
            silent: false,
            by_reports: false,
            raised_at: None,
            distrust: (None, DISTRUST),
            train: Train {
                due: Some(now),
                pause: SELDOM,
            },
            first: First {
                most: FIRST,
                ..First::default()
            },
        }
    }

    /// So far away it is, by the checks of its path. Whether that is news; once something has left, it is not.
    pub(in super::super) fn is_so_far(&mut self, round_trip: Duration) -> bool {
        let near = round_trip < NEAR && self.first.most == FIRST;
        if !near || self.first.known || self.first.begun.is_some() {
            return false;
        }
        self.first.most = NEAR_FIRST;
        self.rate.begin(NEAR_RATE);
        true
    }

    /// A packet leaves: the number that it has to carry.
    pub(in super::super) fn sent(&mut self, packet: Sent, now: Instant) -> u16 {
        let number = self.history.sent(packet, now);
        self.first.begun.get_or_insert(now);
        self.first.bytes = self.first.bytes.saturating_add(packet.bytes);
        let silence = if self.by_reports { SILENCE_OF_REPORTS } else { SILENCE };
        self.silent = self.history.under_way().is_some_and(|(count, first)| {
            let since = self.heard.map_or(first, |heard| heard.max(first));
            count >= UNHEARD && now.saturating_duration_since(since) > silence
        });
        number
    }

    /// These packets arrived at these times of the browser's clock. Gives those of the picture that did.
    pub(in super::super) fn feedback(
        &mut self,
        arrived: impl IntoIterator<Item = (u16, Duration)>,
        now: Instant,
    ) -> Vec<u16> {
        let reports = self.history.feedback(arrived, now);
        let Some(last) = reports.iter().rfind(|report| report.arrived.is_some()) else {
            return Vec::new();
        };
        self.heard = Some(now);
        self.by_reports = false;
        self.measure_round_trip(now.saturating_duration_since(last.sent), now);
        let mut queue = Queue::Stays;
        for report in &reports {
            queue = self.take(report, queue, now);
        }
        if std::mem::take(&mut self.silent) {
            // What was lost and late while the line was away says nothing of it.
            self.loss = Loss::default();
            self.train.due = Some(now);
            return arrivals(&reports);
        }
        match queue {
            Queue::Grows => self.queue_grows(now),
            Queue::Shrinks => {}
            Queue::Stays if self.loss.forbids_growth() || self.delay.standing() > DRAINED => {}
            Queue::Stays => {
                let through = self.acknowledged.rate();
                self.rate.all_is_well(through, self.round_trip(), now);
            }
        }
        arrivals(&reports)
    }

    /// The browser says itself what it can take (REMB), where it does not tell of packets.
    pub(in super::super) fn told(&mut self, rate: f64, now: Instant) {
        self.reported(now);
        self.rate.told(rate);
    }

    /// It tells something, if not of packets.
    fn reported(&mut self, now: Instant) {
        (self.heard, self.silent, self.by_reports) = (Some(now), false, true);
        self.first.known = true;
    }

    /// The browser says what share of the packets was lost (receiver reports), where it tells of nothing else.
    pub(in super::super) fn told_loss(&mut self, lost: f64, sent: f64, now: Instant) {
        if !lost.is_finite() {
            return;
        }
        self.reported(now);
        let lost = lost.clamp(0.0, 1.0);
        self.loss.judge(lost, now);
        let recent = self
            .rate
            .back_at()
            .filter(|at| now.saturating_duration_since(*at) < SAYS_IT_AGAIN);
        if lost > TOO_MUCH && recent.is_some() {
            // Part of it was lost before the rate was lowered for that.
        } else if lost > OVERRUN {
            // Far too much: what came through is all that it carries.
            self.rate.queue_grows(sent * (1.0 - lost), self.round_trip(), now);
        } else if lost > TOO_MUCH {
            self.rate.loses(lost, sent * (1.0 - lost), now);
        } else if lost < FINE {
            self.rate.all_is_well(sent, self.round_trip(), now);
        }
    }

    /// In bits a second, between `FLOOR` and `CAP`.
    pub(in super::super) fn rate(&self) -> f64 {
        if self.silent { FLOOR } else { self.rate.now() }
    }

    /// What is known.
    pub(in super::super) fn line(&self) -> Line {
        Line {
            rate: self.rate(),
            lost: self.loss.smooth(),
            round_trip: self.round_trip.map(|(took, _)| took),
            queue: Duration::from_secs_f64(self.delay.standing().clamp(0.0, 60_000.0) / 1000.0),
        }
    }

    /// How often feedback named what was not sent.
    #[cfg(test)]
    pub(super) fn strange(&self) -> u64 {
        self.history.strange()
    }

    /// From a packet to the word about it, as it was last.
    pub(in super::super) const fn took(&self) -> Duration {
        self.took
    }

    /// How far packets have overtaken each other lately.
    pub(in super::super) fn overtaking(&self, now: Instant) -> Duration {
        self.history.overtaking(now)
    }

    /// Whether nothing more may leave before the first word about what has: a line that is slower than the seed would
    /// lose it.
    pub(in super::super) fn holds(&self, now: Instant) -> bool {
        let waits = |begun: Instant| now.saturating_duration_since(begun) < HELD;
        !self.first.known && self.first.bytes > self.first.most && self.first.begun.is_some_and(waits)
    }

    /// Something is about to be sent: whether it shall leave as a train, and of how many packets. Asked once, it is made.
    pub(in super::super) fn train(&mut self, now: Instant) -> Option<usize> {
        let due = self.train.due.is_some_and(|due| due <= now);
        let possible = self.rate.now() < PLENTY && self.delay.standing() < DRAINED && !self.silent;
        let settled = self
            .rate
            .back_at()
            .is_none_or(|at| now.saturating_duration_since(at) > Duration::from_secs(1));
        if !(due && possible && settled && self.trusted(now)) {
            return None;
        }
        self.train.due = Some(now + self.train.pause);
        self.train.pause = (self.train.pause * 2).min(LONGEST);
        Some(MADE_OF)
    }

    fn take(&mut self, report: &Report, queue: Queue, now: Instant) -> Queue {
        if let Some(shown) = self.trains.add(report) {
            self.shown(shown, now);
        }
        if let Some(window) = self.loss.add(report.arrived.is_none(), now)
            && !self.silent
        {
            let full = window.lost > FULL.0 && self.delay.standing() > FULL.1;
            if full && window.lost > OVERFLOWS {
                self.queue_grows(now);
            } else if window.congested || full {
                let through = self.acknowledged.while_full();
                self.rate.loses(window.lost, through, now);
                self.failed(now);
            }
        }
        let Some(arrived) = report.arrived else { return queue };
        let sent = report.sent.saturating_duration_since(self.begun);
        let arrived = arrived.as_secs_f64() * 1000.0;
        self.acknowledged.add(arrived, report.bytes);
        // The worst of what is said at once counts.
        match (self.delay.add(sent.as_secs_f64() * 1000.0, arrived), queue) {
            (Some(Queue::Grows), _) | (_, Queue::Grows) => Queue::Grows,
            (Some(now), _) => now,
            (None, before) => before,
        }
    }

    fn queue_grows(&mut self, now: Instant) {
        let through = self.acknowledged.while_full();
        if self.rate.queue_grows(through, self.round_trip(), now) {
            self.failed(now);
            self.train = Train {
                due: Some(now + SELDOM),
                pause: SELDOM,
            };
        }
    }

    /// A train shows what the line carries.
    fn shown(&mut self, shown: Shown, now: Instant) {
        // Of what left later, a few packets that some jitter has drawn apart say less than what has come through by then.
        let of_the_first = self
            .first
            .begun
            .is_some_and(|begun| now.saturating_duration_since(begun) < HELD + self.round_trip());
        if !std::mem::replace(&mut self.first.known, true) && of_the_first && shown.rate * SHOWN < self.rate.now() {
            self.rate.begin(shown.rate * SHOWN);
        }
        if shown.arrived < CERTAIN {
            return;
        }
        let wait = RAISE_AFTER + self.round_trip();
        let early = self
            .raised_at
            .is_some_and(|at| now.saturating_duration_since(at) < wait);
        let to = (shown.rate * SHOWN)
            .min(self.rate.now() * AT_ONCE)
            .min(PLENTY * AT_ONCE);
        if to < self.rate.now() * 1.1 || early || !self.trusted(now) || self.delay.standing() > DRAINED {
            return;
        }
        self.rate.raise(to);
        let kept = |at: Instant| now.saturating_duration_since(at) > TRIAL;
        if self.raised_at.replace(now).is_some_and(kept) {
            self.distrust.1 = DISTRUST;
        }
        self.train = Train {
            due: Some(now + AGAIN),
            pause: SELDOM,
        };
    }

    /// The queue grows or packets are lost: if a train has promised more, it was wrong.
    fn failed(&mut self, now: Instant) {
        if self
            .raised_at
            .take()
            .is_some_and(|at| now.saturating_duration_since(at) < TRIAL)
        {
            let (_, wait) = self.distrust;
            self.distrust = (Some(now + wait), (wait * 2).min(LONGEST_DISTRUST));
        }
    }

    fn trusted(&self, now: Instant) -> bool {
        self.distrust.0.is_none_or(|until| until <= now)
    }

    fn measure_round_trip(&mut self, took: Duration, now: Instant) {
        self.took = took;
        let fresh = self
            .round_trip
            .filter(|(_, at)| now.saturating_duration_since(*at) < Duration::from_secs(10));
        if fresh.is_none_or(|(least, _)| took <= least) {
            self.round_trip = Some((took, now));
        }
    }

    fn round_trip(&self) -> Duration {
        self.round_trip.map_or(Duration::from_millis(100), |(took, _)| took)
    }
}

fn arrivals(reports: &[Report]) -> Vec<u16> {
    let arrived = reports.iter().filter(|report| report.arrived.is_some());
    arrived.filter_map(|report| report.media).collect()
}
