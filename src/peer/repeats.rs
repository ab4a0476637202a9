//! Which packets are sent again when a browser says that they were lost (NACK, RFC 4585). Pure: `now` is an argument.
//!
//! A request costs its sender a few bytes and the host a whole packet, so that a host that answers them all is an
//! amplifier: for who wants one, and for a line that is full, which loses the more the more is sent. Hence
//!
//! - what is known to have arrived, or comes before a key frame, is not sent again, and what may only have been overtaken is
//!   waited for;
//! - the same packet once per round trip, and a few times in all: before that nobody can know that the repeat was lost too;
//! - within any second no more bytes of repeats than the line has room for, nor than of the stream itself and a few packets
//!   besides.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Packets that can be asked for: as many as the responder keeps. A power of two.
const REMEMBERED: usize = 1024;
/// Times that one packet is sent again; browsers give up asking at the same number.
const MOST_TIMES: u8 = 10;
/// What is sent and repeated is added up over so long.
const WINDOW: Duration = Duration::from_secs(1);
/// In steps of this.
const STEP: Duration = Duration::from_millis(10);
/// Bytes of repeats that need no stream beside them: a still screen's one small picture is worth being seen.
const BURST: u64 = 16 * 1024;
/// The round trip before the first report about it.
const UNKNOWN: Duration = Duration::from_millis(100);
/// No round trip counts as shorter, nor as longer: reports are the browser's word.
const SHORTEST: Duration = Duration::from_millis(20);
const LONGEST: Duration = Duration::from_millis(500);
/// Our reports that a report of the browser's may be about.
const REPORTS: usize = 8;

/// On what terms packets are sent again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// Bytes a second that the line has room for.
    pub(super) budget: u64,
    /// Bytes that may leave now.
    pub(super) room: u64,
    /// How far packets overtake each other: one that is missing may be no later than that.
    pub(super) overtaking: Duration,
    /// From a packet to the word about it, as it is now, the queue of the line included.
    pub(super) round_trip: Duration,
    /// The first packet of the last key frame: nobody needs what was sent before.
    pub(super) key: Option<u16>,
}

/// What was sent of one stream, and what of it again.
#[derive(Debug)]
pub(super) struct Repeats {
    sent: Box<[Option<Sent>]>,
    window: Window,
    round_trip: RoundTrip,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    sequence: u16,
    bytes: u32,
    arrived: bool,
    asked_at: Option<Instant>,
    again_at: Option<Instant>,
    times: u8,
}

impl Repeats {
    /// Nothing was sent before `now`.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            sent: vec![None; REMEMBERED].into_boxed_slice(),
            window: Window::new(now),
            round_trip: RoundTrip::default(),
        }
    }

    /// A packet of the stream is sent for the first time.
    pub(super) fn sent(&mut self, sequence: u16, bytes: usize, now: Instant) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.window.add(now).media += u64::from(bytes);
        *self.place(sequence) = Some(Sent {
            sequence,
            bytes,
            arrived: false,
            asked_at: None,
            again_at: None,
            times: 0,
        });
    }

    /// The browser says that a packet has arrived.
    pub(super) fn arrived(&mut self, sequence: u16) {
        if let Some(sent) = self.place(sequence).as_mut().filter(|sent| sent.sequence == sequence) {
            sent.arrived = true;
        }
    }

    /// The browser says that a packet was lost: whether it is sent again. Gives its bytes, which count from here on.
    pub(super) fn again(&mut self, sequence: u16, terms: Terms, now: Instant) -> Option<u32> {
        let wait = self.round_trip.now().max(terms.round_trip.min(LONGEST));
        let sent = self.place(sequence).as_mut().filter(|sent| sent.sequence == sequence)?;
        let asked_at = *sent.asked_at.get_or_insert(now);
        let sent = *sent;
        // Whoever misses it still will ask again.
        let overtaken = now.saturating_duration_since(asked_at) < terms.overtaking;
        let early = sent.again_at.is_some_and(|at| now.saturating_duration_since(at) < wait);
        let bytes = u64::from(sent.bytes);
        let needed = !sent.arrived && terms.key.is_none_or(|key| !before(sequence, key));
        let may = sent.times < MOST_TIMES && bytes <= terms.room && self.window.has_room(bytes, terms, now);
        if !needed || overtaken || early || !may {
            return None;
        }
        self.window.add(now).repeats += bytes;
        *self.place(sequence) = Some(Sent {
            again_at: Some(now),
            times: sent.times + 1,
            ..sent
        });
        Some(sent.bytes)
    }

    /// How long the round trip takes, as far as reports tell.
    pub(super) fn round_trip(&mut self) -> &mut RoundTrip {
        &mut self.round_trip
    }

    fn place(&mut self, sequence: u16) -> &mut Option<Sent> {
        &mut self.sent[usize::from(sequence) % REMEMBERED]
    }
}

/// Bytes of the last second.
#[derive(Debug)]
struct Window {
    begun: Instant,
    steps: VecDeque<Bytes>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Bytes {
    step: u128,
    media: u64,
    repeats: u64,
}

impl Window {
    const fn new(begun: Instant) -> Self {
        Self {
            begun,
            steps: VecDeque::new(),
        }
    }

    /// The step of `now`, to add to. Time that goes back counts as standing still.
    fn add(&mut self, now: Instant) -> &mut Bytes {
        let step = self.step(now);
        self.forget(step);
        if self.steps.back().is_none_or(|last| last.step < step) {
            self.steps.push_back(Bytes {
                step,
                ..Bytes::default()
            });
        }
        let last = self.steps.len() - 1;
        &mut self.steps[last]
    }

    fn has_room(&mut self, bytes: u64, terms: Terms, now: Instant) -> bool {
        self.forget(self.step(now));
        let media: u64 = self.steps.iter().map(|s| s.media).sum();
        let repeats: u64 = self.steps.iter().map(|s| s.repeats).sum();
        repeats + bytes <= (media + BURST).min(terms.budget)
    }

    fn step(&self, now: Instant) -> u128 {
        now.saturating_duration_since(self.begun).as_millis() / STEP.as_millis()
    }

    fn forget(&mut self, now: u128) {
        let most = WINDOW.as_millis() / STEP.as_millis();
        while self.steps.front().is_some_and(|first| first.step + most <= now) {
            self.steps.pop_front();
        }
    }
}

/// The round trip, from our reports and the browser's about them (RFC 3550, section 6.4.1).
#[derive(Debug, Default)]
pub(super) struct RoundTrip {
    /// What identifies a report of ours, and when it was sent.
    told: VecDeque<(u32, Instant)>,
    smooth: Option<Duration>,
}

impl RoundTrip {
    /// A report of ours leaves, with this NTP time.
    pub(super) fn told(&mut self, ntp: u64, now: Instant) {
        if self.told.len() == REPORTS {
            self.told.pop_front();
        }
        self.told.push_back((middle(ntp), now));
    }

    /// The browser reports: of ours it has had this one, and kept it for `delay`, in 1/65536 s.
    pub(super) fn heard(&mut self, last: u32, delay: u32, now: Instant) {
        let Some((_, at)) = self.told.iter().find(|(ntp, _)| *ntp == last) else {
            return;
        };
        let kept = Duration::from_secs_f64(f64::from(delay) / 65536.0);
        let took = now.saturating_duration_since(*at).saturating_sub(kept);
        let took = took.clamp(SHORTEST, LONGEST);
        self.smooth = Some(self.smooth.map_or(took, |smooth| (smooth * 3 + took) / 4));
    }

    fn now(&self) -> Duration {
        self.smooth.unwrap_or(UNKNOWN)
    }
}

/// Whether one sequence number comes before another (RFC 1982).
const fn before(this: u16, that: u16) -> bool {
    that.wrapping_sub(this).wrapping_sub(1) < 1 << 15
}

/// The middle 32 bits of 64, by which reports refer to each other.
#[allow(clippy::cast_possible_truncation, reason = "that is what is wanted")]
const fn middle(ntp: u64) -> u32 {
    (ntp >> 16) as u32
}

#[cfg(test)]
#[path = "repeats_tests.rs"]
mod tests;
