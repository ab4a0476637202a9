//! Which frame is the first to show what a press did. Pure: `now` is an argument, µs of `CLOCK_MONOTONIC`.
//!
//! ```text
//!   press heard ──▶ injected ──▶ the screen changes ──▶ grabbed, encoded, sent: the first frame with a change after it
//! ```
//!
//! The change need not be the program's answer: where something moves all the time, it is only the first after it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::Stamps;

/// Presses that wait for their frame, of one peer.
const MOST_WAITING: usize = 32;
/// Those that were shown and have not been told.
const MOST_SHOWN: usize = 32;
/// A press that shows nothing for so long has no answer.
const WITHIN_US: u64 = 5_000_000;

/// A button or a key that went down, or text.
#[derive(Debug)]
pub struct Press {
    seq: u32,
    heard_us: u64,
    /// 0: not yet.
    injected_us: AtomicU64,
}

impl Press {
    /// It is about to be injected.
    pub fn inject(&self, now_us: u64) {
        self.injected_us.store(now_us, Ordering::Relaxed);
    }
}

/// A press, and the frame that is the first to show what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The number that the viewer gave the press.
    pub seq: u32,
    /// When it came to the host.
    pub heard_us: u64,
    /// When it was given to the display.
    pub injected_us: u64,
    /// The frame's time.
    pub pts_us: u64,
    /// Where the frame's time went.
    pub stamps: Stamps,
    /// When the frame was handed to the network.
    pub sent_us: u64,
}

/// The presses of one peer.
#[derive(Debug, Default)]
pub struct Presses {
    inner: Mutex<Inner>,
    /// Whether any waits: most frames need not ask.
    any: AtomicBool,
    news: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    // overflow: the oldest goes, and is not measured.
    waiting: VecDeque<Arc<Press>>,
    // overflow: the oldest goes, and is not measured.
    shown: VecDeque<Shown>,
}

impl Presses {
    /// A press came.
    pub fn heard(&self, seq: u32, now_us: u64) -> Arc<Press> {
        let press = Arc::new(Press {
            seq,
            heard_us: now_us,
            injected_us: AtomicU64::new(0),
        });
        let mut inner = self.lock();
        inner.forget(now_us);
        if inner.waiting.len() >= MOST_WAITING {
            inner.waiting.pop_front();
        }
        inner.waiting.push_back(Arc::clone(&press));
        self.any.store(true, Ordering::Relaxed);
        press
    }

    /// A frame was sent.
    pub fn sent(&self, pts_us: u64, stamps: Stamps, now_us: u64) {
        if !self.any.load(Ordering::Relaxed) {
            return;
        }
        let mut inner = self.lock();
        inner.forget(now_us);
        let Inner { waiting, shown } = &mut *inner;
        let before = shown.len();
        waiting.retain(|press| {
            let injected_us = press.injected_us.load(Ordering::Relaxed);
            let answered = injected_us > 0 && injected_us <= stamps.changed_us;
            if answered {
                shown.push_back(Shown {
                    seq: press.seq,
                    heard_us: press.heard_us,
                    injected_us,
                    pts_us,
                    stamps,
                    sent_us: now_us,
                });
            }
            !answered
        });
        let news = shown.len() > before;
        while shown.len() > MOST_SHOWN {
            shown.pop_front();
        }
        self.any.store(!waiting.is_empty(), Ordering::Relaxed);
        drop(inner);
        if news {
            self.news.notify_one();
        }
    }

    /// One that was shown, and has not been told.
    pub fn take(&self) -> Option<Shown> {
        self.lock().shown.pop_front()
    }

    /// Waits for one that was shown. Cancel safe; one reader at a time.
    pub async fn next(&self) -> Shown {
        loop {
            if let Some(shown) = self.take() {
                return shown;
            }
            self.news.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing in there is left half done by a panic.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn forget(&mut self, now_us: u64) {
        self.waiting
            .retain(|press| now_us.saturating_sub(press.heard_us) <= WITHIN_US);
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use proptest::prelude::*;

    use super::*;

    const fn changed(changed_us: u64) -> Stamps {
        Stamps {
            changed_us,
            grabbed_us: changed_us + 1,
            converted_us: changed_us + 2,
            encoded_us: changed_us + 3,
            received_us: changed_us + 4,
        }
    }

    #[test]
    fn the_first_frame_with_a_change_after_a_press_shows_it() {
        let presses = Presses::default();
        presses.heard(7, 1000).inject(1100);
        for (pts, change) in [(1050, 1040), (1150, 1099)] {
            presses.sent(pts, changed(change), pts);
            assert_eq!(presses.take(), None, "what changed before is no answer");
        }
        presses.sent(1300, changed(1200), 1400);
        let shown = presses.take().unwrap();
        assert_eq!((shown.seq, shown.heard_us, shown.injected_us), (7, 1000, 1100));
        assert_eq!((shown.pts_us, shown.sent_us, shown.stamps), (1300, 1400, changed(1200)));
        presses.sent(1500, changed(1450), 1600);
        assert_eq!(presses.take(), None, "it is shown once");
    }

    #[test]
    fn a_press_that_is_not_injected_yet_is_shown_by_nothing() {
        let presses = Presses::default();
        let press = presses.heard(1, 1000);
        presses.sent(2000, changed(1900), 2100);
        assert_eq!(presses.take(), None);
        press.inject(2500);
        presses.sent(3000, changed(2500), 3100);
        assert!(presses.take().is_some());
    }

    #[test]
    fn a_picture_that_is_encoded_again_shows_what_a_lost_one_did() {
        let presses = Presses::default();
        presses.heard(1, 1000).inject(1000);
        // The frame of that change never left; this one shows the same grab.
        presses.sent(9000, changed(1500), 9100);
        assert_eq!(presses.take().map(|shown| shown.pts_us), Some(9000));
    }

    #[test]
    fn a_press_that_shows_nothing_for_long_is_forgotten() {
        let presses = Presses::default();
        presses.heard(1, 1000).inject(1000);
        presses.sent(1, changed(1000 + WITHIN_US), 1001 + WITHIN_US);
        assert_eq!(presses.take(), None);
        assert!(!presses.any.load(Ordering::Relaxed));
    }

    #[test]
    fn who_waits_is_told() {
        let presses = Presses::default();
        presses.heard(1, 10).inject(10);
        let mut next = Box::pin(presses.next());
        assert!((&mut next).now_or_never().is_none());
        presses.sent(30, changed(20), 40);
        assert!(next.now_or_never().is_some());
    }

    proptest! {
        #[test]
        fn whatever_comes_little_is_kept_and_each_press_is_shown_once(
            steps in prop::collection::vec((0u8..4, 0u64..400_000), 0..400),
        ) {
            let (presses, mut now, mut seq) = (Presses::default(), 0, 0);
            let mut told = std::collections::BTreeSet::new();
            for (what, step) in steps {
                now += step;
                match what {
                    0 => {
                        presses.heard(seq, now).inject(now);
                        seq += 1;
                    }
                    1 => drop(presses.heard(seq + 1_000_000, now)),
                    2 => presses.sent(now, changed(now.saturating_sub(1000)), now),
                    _ => while let Some(shown) = presses.take() {
                        prop_assert!(shown.injected_us > 0 && shown.injected_us <= shown.stamps.changed_us);
                        prop_assert!(told.insert(shown.seq));
                    },
                }
                let inner = presses.lock();
                prop_assert!(inner.waiting.len() <= MOST_WAITING && inner.shown.len() <= MOST_SHOWN);
            }
        }
    }
}
