//! The events of one peer, whichever way they come: bounded, counted, handed on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::channels::{InputChannel, InputSink};
use super::rate::RateGuard;
use crate::clock::monotonic_us;
use crate::protocol::input::{InputEvent, InputFrame, encode_pong};

/// What came from one peer so far.
#[derive(Debug, Default)]
pub struct InputCounters {
    /// Events handed on.
    pub events: AtomicU64,
    /// Events over the rate, dropped.
    pub dropped: AtomicU64,
    /// Messages that were no events.
    pub malformed: AtomicU64,
}

/// The way of one peer's events.
pub struct InputEvents {
    sink: Arc<dyn InputSink>,
    counters: Arc<InputCounters>,
    begun: Instant,
    rate: Mutex<RateGuard>,
}

impl std::fmt::Debug for InputEvents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InputEvents")
            .field("counters", &self.counters)
            .finish_non_exhaustive()
    }
}

impl InputEvents {
    /// To `sink`, counted in `counters`.
    #[must_use]
    pub fn new(sink: Arc<dyn InputSink>, counters: Arc<InputCounters>) -> Self {
        Self {
            sink,
            counters,
            begun: Instant::now(),
            rate: Mutex::new(RateGuard::new(Duration::ZERO)),
        }
    }

    /// Whether one more message is within the rate; one that is not is counted.
    pub fn allow(&self) -> bool {
        let allowed = self.within_rate();
        if !allowed {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
        }
        allowed
    }

    /// Hands one event on, unless it is over the rate; releases always pass. Gives what the browser is to be answered.
    pub fn take(&self, frame: InputFrame, which: InputChannel) -> Option<Vec<u8>> {
        let release = frame.event.is_release();
        // A release takes its share of the rate as well.
        if !self.within_rate() && !release {
            self.counters.dropped.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        if let InputEvent::Ping { t } = frame.event {
            return Some(encode_pong(t, monotonic_us()));
        }
        self.counters.events.fetch_add(1, Ordering::Relaxed);
        self.sink.accept(frame, which);
        None
    }

    fn within_rate(&self) -> bool {
        let now = Instant::now().duration_since(self.begun);
        self.rate.lock().unwrap_or_else(PoisonError::into_inner).allow(now)
    }
}
