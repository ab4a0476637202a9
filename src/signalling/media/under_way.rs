//! Frames that were sent and that the page has not taken yet. Pure: the time is an argument.
//!
//! ```text
//!   Send ── nothing taken for 150 ms ──▶ Wait: a few are kept ── 400 ms, or 1 MiB ──▶ Skip: what comes is thrown away
//!     ▲                                   │ taken                                            │ nearly all was taken
//!     └───────────────────────────────────┴──────────────────────────────────────────────────┘ (on with a key frame)
//! ```
//!
//! Times are beyond those of a message on an empty line. A key frame may take longer: to skip it would cost another one.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// From here on what comes is kept, …
const WAIT_AFTER: Duration = Duration::from_millis(150);
/// … and from here on, where it is the line that has it, and not the page.
const WAIT_AFTER_ON_LINE: Duration = Duration::from_millis(100);
/// From here on the stream goes on with a key frame only.
const SKIP_AFTER: Duration = Duration::from_millis(400);
/// The same for a key frame that is under way.
const SKIP_AFTER_KEY: Duration = Duration::from_secs(2);
/// Nothing follows the first frame before that was taken, or has been under way for so long: how fast the line is shows by it, and
/// what is made for a faster one would be in the way of all else for seconds.
const HELD: Duration = Duration::from_millis(400);
/// Bytes that may be under way.
const MOST_BYTES: usize = 1024 * 1024;
/// Frames that may be under way: four seconds of any stream.
const MOST_FRAMES: usize = 256;
/// Who has taken nothing for so long of what was sent takes nothing any more.
const GONE_AFTER: Duration = Duration::from_secs(10);
/// For so long the quickest message of before counts, once more at most: long enough for a small one to find an empty line now
/// and then. Without, what each frame takes of a narrow line would be taken for the line's length, and the line for a faster one.
const QUICKEST_FOR: Duration = Duration::from_secs(30);

/// What is to be done with the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It goes out.
    Send,
    /// It stays where it is, until this moment at most.
    Wait(Instant),
    /// It is thrown away.
    Skip,
}

/// What was taken, and how long the line had it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// Its bytes.
    pub bytes: usize,
    /// The time that the line took for these, when it was through with what came before.
    pub time: Duration,
    /// Whether there was something before, for which they had to wait.
    pub queued: bool,
    /// From the sending of the last to its taking.
    pub delay: Duration,
    /// How much longer that is than for a message on an empty line.
    pub late: Duration,
}

impl Sample {
    /// The same, where the kernel knows of no longer a queue: for the rest, the page is slow.
    #[must_use]
    pub fn at_most_late(self, queue: Option<Duration>) -> Self {
        Self {
            late: queue.map_or(self.late, |queue| self.late.min(queue)),
            ..self
        }
    }
}

/// The page says that it has taken what was never sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frames were taken that were never sent")]
pub struct NeverSent;

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    bytes: usize,
    key: bool,
}

/// The quickest message of the last while.
#[derive(Clone, Copy, Debug)]
struct Quickest {
    since: Instant,
    now: Duration,
    before: Duration,
}

impl Quickest {
    const fn new(now: Instant) -> Self {
        Self {
            since: now,
            now: Duration::MAX,
            before: Duration::MAX,
        }
    }

    fn note(&mut self, delay: Duration, now: Instant) {
        if now.duration_since(self.since) >= QUICKEST_FOR {
            *self = Self {
                since: now,
                now: Duration::MAX,
                before: self.now,
            };
        }
        self.now = self.now.min(delay);
    }

    fn get(&self) -> Option<Duration> {
        let quickest = self.now.min(self.before);
        (quickest < Duration::MAX).then_some(quickest)
    }
}

/// What is under way over one socket. Begins with the message that opens it, which the page takes as well.
#[derive(Debug)]
pub struct UnderWay {
    sent: VecDeque<Sent>,
    bytes: usize,
    /// Frames taken.
    taken: u32,
    /// When the last of them was.
    taken_at: Option<Instant>,
    /// When the opening message went out, until it is taken.
    opened: Option<Instant>,
    quickest: Quickest,
    skipping: bool,
}

impl UnderWay {
    /// The opening message goes out.
    #[must_use]
    pub const fn new(now: Instant) -> Self {
        Self {
            sent: VecDeque::new(),
            bytes: 0,
            taken: 0,
            taken_at: None,
            opened: Some(now),
            quickest: Quickest::new(now),
            skipping: false,
        }
    }

    /// The number of the frame that is sent next: how many were sent before it.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        // There are no more than may be under way.
        self.taken.wrapping_add(u32::try_from(self.sent.len()).unwrap_or(0))
    }

    /// A frame goes out.
    pub fn send(&mut self, bytes: usize, key: bool, now: Instant) {
        self.bytes += bytes;
        self.sent.push_back(Sent { at: now, bytes, key });
    }

    /// The page has taken so many frames in all. Gives what that says of the line.
    ///
    /// # Errors
    /// [`NeverSent`]; nothing has changed then.
    pub fn take(&mut self, taken: u32, now: Instant) -> Result<Option<Sample>, NeverSent> {
        let more = taken.wrapping_sub(self.taken) as usize;
        if more > self.sent.len() {
            return Err(NeverSent);
        }
        if let Some(opened) = self.opened.take() {
            // Before the first frame, which is a large one, has come in the way.
            self.quickest.note(now.duration_since(opened), now);
        }
        self.taken = taken;
        let gone: Vec<Sent> = self.sent.drain(..more).collect();
        let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
            return Ok(None);
        };
        let bytes = gone.iter().map(|sent| sent.bytes).sum();
        self.bytes -= bytes;
        let delay = now.duration_since(last.at);
        self.quickest.note(delay, now);
        let quickest = self.quickest.get().unwrap_or_default();
        let alone = first.at + quickest;
        let before = self.taken_at.replace(now);
        let queued = before.is_some_and(|before| before > alone);
        let begun = before.filter(|_| queued).unwrap_or(alone);
        Ok(Some(Sample {
            bytes,
            time: now.saturating_duration_since(begun),
            queued,
            delay,
            late: delay.saturating_sub(quickest),
        }))
    }

    /// What is to be done with the next frame, on a line of so many kbit/s; `queue`: what the kernel says of it.
    pub fn turn(&mut self, queue: Option<Duration>, kbps: u32, now: Instant) -> Turn {
        let Some(oldest) = self.sent.front() else {
            self.skipping = false;
            return Turn::Send;
        };
        let usual = self.quickest.get().unwrap_or_default();
        let late = now.duration_since(oldest.at).saturating_sub(usual);
        if self.skipping {
            // Half of it is enough for a key frame to find the line nearly empty.
            self.skipping = late > WAIT_AFTER / 2;
            return if self.skipping { Turn::Skip } else { Turn::Send };
        }
        if self.taken_at.is_none() && late < HELD {
            return Turn::Wait(oldest.at + usual + HELD);
        }
        let most = if self.sent.iter().any(|sent| sent.key) {
            SKIP_AFTER_KEY
        } else {
            SKIP_AFTER
        };
        if late >= most || self.bytes >= MOST_BYTES || self.sent.len() >= MOST_FRAMES {
            self.skipping = true;
            return Turn::Skip;
        }
        // What the line has still to send by its rate is late before it is.
        let ahead = Duration::from_millis(self.bytes as u64 * 8 / u64::from(kbps.max(1)));
        let fills = late.max(ahead.saturating_sub(usual)) >= WAIT_AFTER_ON_LINE;
        if late >= WAIT_AFTER || (fills && queue.is_none_or(|queue| queue >= WAIT_AFTER_ON_LINE / 2)) {
            return Turn::Wait(oldest.at + usual + most);
        }
        Turn::Send
    }

    /// Whether the page takes nothing any more.
    #[must_use]
    pub fn is_gone(&self, now: Instant) -> bool {
        let oldest = self.opened.or_else(|| self.sent.front().map(|sent| sent.at));
        oldest.is_some_and(|at| now.duration_since(at) >= GONE_AFTER)
    }
}

#[cfg(test)]
#[path = "under_way_tests.rs"]
mod tests;
