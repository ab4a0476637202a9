//! Wishes for key frames: those that come close together become one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use crate::media::Rendition;

/// All key frames of one rendition together: at most one in this time.
const KEY_INTERVAL: Duration = Duration::from_millis(300);

/// The wishes for key frames of one rendition.
#[derive(Default)]
struct State {
    wanted: bool,
    last: Option<Instant>,
}

/// What is wished for.
#[derive(Default)]
pub(super) struct Keys(BTreeMap<Rendition, State>);

/// What is due of it.
enum Due {
    /// A key frame of this one.
    Now(Rendition),
    /// None before this time has passed.
    In(Duration),
    /// None is wanted.
    Never,
}

impl Keys {
    /// Somebody needs a key frame.
    pub(super) fn want(&mut self, rendition: Rendition) {
        self.0.entry(rendition).or_default().wanted = true;
    }

    /// One came.
    pub(super) fn came(&mut self, rendition: Rendition) {
        if let Some(state) = self.0.get_mut(&rendition) {
            state.wanted = false;
        }
    }

    fn take(&mut self, now: Instant) -> Due {
        let mut wait: Option<Duration> = None;
        for (rendition, state) in self.0.iter_mut().filter(|(_, state)| state.wanted) {
            let rest = state
                .last
                .map_or(Duration::ZERO, |at| KEY_INTERVAL.saturating_sub(now.duration_since(at)));
            if rest.is_zero() {
                (state.wanted, state.last) = (false, Some(now));
                return Due::Now(*rendition);
            }
            wait = Some(wait.map_or(rest, |wait| wait.min(rest)));
        }
        wait.map_or(Due::Never, Due::In)
    }
}

/// The capture side's end of key-frame requests.
#[derive(Debug)]
pub struct KeyRequests {
    hub: Arc<Hub>,
}

impl KeyRequests {
    pub(super) const fn new(hub: Arc<Hub>) -> Self {
        Self { hub }
    }

    /// Waits for the next rendition that needs a key frame, at most one per rendition and 300 ms. Cancel safe.
    pub async fn next(&mut self) -> Rendition {
        loop {
            let due = self.hub.lock().keys.take(Instant::now());
            match due {
                Due::Now(rendition) => return rendition,
                // Another rendition may be asked for meanwhile.
                Due::In(rest) => {
                    let _ = tokio::time::timeout(rest, self.hub.key_wanted.notified()).await;
                }
                Due::Never => self.hub.key_wanted.notified().await,
            }
        }
    }
}
