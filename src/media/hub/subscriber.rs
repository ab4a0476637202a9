//! What the hub knows of one subscriber.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::media::{Frame, Track};

/// Frames a subscriber may have waiting: at 60 fps a fifth of a second. A machine that is short of processor time for
/// less than that costs nobody a key frame.
pub(super) const SLOT: usize = 12;
/// Key frames on behalf of one slow subscriber: at most one in this time.
const SLOW_KEY_INTERVAL: Duration = Duration::from_secs(2);

/// What became of a frame.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// It was not taken.
    pub(super) skipped: bool,
    /// Because its slot is full.
    pub(super) stalled: bool,
    /// A key frame has to be asked for on its behalf.
    pub(super) ask: bool,
}

pub(super) struct Subscriber {
    pub(super) track: Track,
    frames: mpsc::Sender<Arc<Frame>>,
    needs_key: bool,
    /// It has been given a frame, since it came or came back.
    started: bool,
    slow_key_at: Option<Instant>,
}

impl Subscriber {
    pub(super) const fn new(track: Track, frames: mpsc::Sender<Arc<Frame>>) -> Self {
        Self {
            track,
            frames,
            needs_key: true,
            started: false,
            slow_key_at: None,
        }
    }

    /// Nothing but a key frame makes sense to it now; one is asked for without being charged to it.
    pub(super) const fn restart(&mut self) {
        self.needs_key = true;
        self.started = false;
    }

    /// It throws away what it has. Whether a key frame has to be asked for on its behalf.
    pub(super) fn skips(&mut self, now: Instant) -> bool {
        self.needs_key = true;
        self.may_ask(now)
    }

    /// Offers a frame of what it watches.
    pub(super) fn offer(&mut self, frame: &Arc<Frame>, now: Instant) -> Offered {
        if self.needs_key && !frame.key {
            return Offered {
                skipped: true,
                stalled: false,
                // The first one was asked for when it came, and is not charged to it.
                ask: self.started && self.may_ask(now),
            };
        }
        if self.frames.try_send(Arc::clone(frame)).is_ok() {
            self.needs_key = false;
            self.started = true;
            return Offered::default();
        }
        Offered {
            skipped: true,
            stalled: true,
            ask: self.skips(now),
        }
    }

    fn may_ask(&mut self, now: Instant) -> bool {
        let due = self
            .slow_key_at
            .is_none_or(|at| now.duration_since(at) >= SLOW_KEY_INTERVAL);
        if due {
            self.slow_key_at = Some(now);
        }
        due
    }
}
