//! The queue of the line, from the times at which packets left and arrived.
//!
//! The two clocks have nothing to do with each other, so only differences count: a packet's delay against the least that was
//! seen of late. Jitter delays some packets of a moment, a queue all of them: the queue is what the *quickest* packet of
//! the last moments waited. Only where that has grown does a growing trend mean anything.

use std::collections::VecDeque;

use super::trend::{Queue, Trend};

/// Packets that leave within this time are one group.
const GROUP_MS: f64 = 5.0;
/// The quickest packet of so long says what the queue is …
const MOMENT_MS: f64 = 200.0;
/// … if there are so many of them.
const ENOUGH: usize = 5;
/// Packets of a moment that are kept. overflow: the oldest goes.
const KEPT: usize = 256;
/// The least delay counts for so long: after that a longer way is the way.
const LEAST_FOR_MS: f64 = 10_000.0;
const STEP_MS: f64 = 1000.0;
/// A queue below this is none.
const STANDING_MS: f64 = 8.0;
/// One above this is too long, whatever the trend.
const TOO_LONG_MS: f64 = 150.0;
/// A delay that jumps by more is another clock.
const JUMP_MS: f64 = 15_000.0;

/// The queue as it was found.
#[derive(Debug, Default)]
pub(super) struct Delay {
    group: Option<Group>,
    before: Option<Group>,
    trend: Trend,
    /// Of the packets of the last moment: when they arrived, and their delay.
    moment: VecDeque<(f64, f64)>,
    /// The least delay of each step.
    least: VecDeque<(f64, f64)>,
    now: f64,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: f64,
    sent: f64,
    first_arrived: f64,
    arrived: f64,
}

impl Delay {
    /// A packet that left at `sent` arrived at `arrived`, both in ms: what the queue does, when a group is complete.
    pub(super) fn add(&mut self, sent: f64, arrived: f64) -> Option<Queue> {
        let delay = arrived - sent;
        if self.least().is_some_and(|least| (delay - least).abs() > JUMP_MS) {
            *self = Self::default();
        }
        self.now = if self.moment.is_empty() {
            arrived
        } else {
            self.now.max(arrived)
        };
        self.remember(arrived, delay);
        self.complete(sent, arrived).map(|queue| match queue {
            Queue::Grows if self.standing() < STANDING_MS => Queue::Stays,
            Queue::Stays if self.standing() > TOO_LONG_MS => Queue::Grows,
            queue => queue,
        })
    }

    /// How long the quickest packet of the last moment waited, in ms.
    pub(super) fn standing(&self) -> f64 {
        let (Some(least), true) = (self.least(), self.moment.len() >= ENOUGH) else {
            return 0.0;
        };
        let quickest = self.moment.iter().map(|(_, delay)| *delay).fold(f64::MAX, f64::min);
        (quickest - least).max(0.0)
    }

    fn least(&self) -> Option<f64> {
        self.least.iter().map(|(_, delay)| *delay).reduce(f64::min)
    }

    fn remember(&mut self, arrived: f64, delay: f64) {
        while self.moment.len() == KEPT
            || (self.moment.len() > ENOUGH && self.moment.front().is_some_and(|(at, _)| at + MOMENT_MS < self.now))
            || self
                .moment
                .front()
                .is_some_and(|(at, _)| at + 5.0 * MOMENT_MS < self.now)
        {
            self.moment.pop_front();
        }
        self.moment.push_back((arrived, delay));
        while self.least.front().is_some_and(|(at, _)| at + LEAST_FOR_MS < self.now) {
            self.least.pop_front();
        }
        match self.least.back_mut() {
            Some((at, least)) if self.now < *at + STEP_MS => *least = least.min(delay),
            _ => self.least.push_back((self.now, delay)),
        }
    }

    fn complete(&mut self, sent: f64, arrived: f64) -> Option<Queue> {
        let Some(group) = &mut self.group else {
            self.group = Some(Group::of(sent, arrived));
            return None;
        };
        if sent < group.first_sent {
            // It was overtaken; its group is past.
            return None;
        }
        if group.takes(sent, arrived) {
            group.sent = group.sent.max(sent);
            group.arrived = group.arrived.max(arrived);
            return None;
        }
        let done = std::mem::replace(group, Group::of(sent, arrived));
        let before = self.before.replace(done)?;
        Some(
            self.trend
                .add(done.arrived, done.arrived - done.sent, done.sent - before.sent),
        )
    }
}

impl Group {
    const fn of(sent: f64, arrived: f64) -> Self {
        Self {
            first_sent: sent,
            sent,
            first_arrived: arrived,
            arrived,
        }
    }

    fn takes(&self, sent: f64, arrived: f64) -> bool {
        if sent - self.first_sent <= GROUP_MS {
            return true;
        }
        // Held up somewhere and let go together: that says nothing of the line.
        let closer = (arrived - self.arrived) - (sent - self.sent) < 0.0;
        closer && arrived - self.arrived <= GROUP_MS && arrived - self.first_arrived < 100.0
    }
}
