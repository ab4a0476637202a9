//! Screenshots: one of an instance at a time, a few at once on the whole machine.
//!
//! ```text
//!   request ──▶ one of this instance is being taken? ──yes──▶ its result
//!                      │ no
//!                      ▼
//!               a turn is free within 2 s? ──no──▶ busy, for all that wait for this one
//!                      │ yes
//!                      ▼
//!               taken on a thread for blocking work ──▶ the result, for all that wait for it
//! ```
//!
//! A program can hold its display up for as long as it likes: one that took long to fail is not asked again at once, so
//! that it takes no turns from others. Until then the failure is the answer.
//!
//! A page asks for one every few seconds, and so does every other page that shows the same instance. What is taken is
//! taken to its end, whether or not the one who asked first still waits.

use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, timeout};

use crate::source::NoPicture;

/// Screenshots at once. Each costs a processor core for some tens of milliseconds; the encoders need them more.
const AT_ONCE: usize = 2;
/// How long one waits for its turn.
const TURN: Duration = Duration::from_secs(2);
/// A display that has not given its picture within this hangs…
const SLOW: Duration = Duration::from_secs(1);
/// …and is asked again after so many times as long: turns are for those that do not.
const REST: u32 = 10;
/// Past this, the thread that takes it hangs: its own deadlines are far below.
const LONGEST: Duration = Duration::from_secs(20);

/// The turns of the machine. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ScreenshotTurns(Arc<Semaphore>);

impl Default for ScreenshotTurns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Why there is no screenshot.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ScreenshotError {
    /// No turn was free in time.
    #[error("too many screenshots are being taken")]
    Busy,
    /// The source does not give the picture.
    #[error("the picture cannot be had: {0}")]
    Display(#[source] Arc<dyn Error + Send + Sync>),
    /// What took it is gone, or does not end.
    #[error("the screenshot was not taken to its end")]
    Lost,
}

impl ScreenshotError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "screenshots_busy",
            Self::Display(_) | Self::Lost => "screenshot_failed",
        }
    }
}

type Taken = Result<Bytes, ScreenshotError>;

/// The screenshots of one instance.
#[derive(Debug, Default)]
pub(super) struct Screenshots {
    /// The latest one: being taken while its cell is empty.
    latest: Mutex<Option<watch::Receiver<Option<Taken>>>>,
    /// Until when the latest is the answer, having failed slowly.
    rests: Arc<Mutex<Option<Instant>>>,
}

impl Screenshots {
    /// The result of the screenshot that is being taken, else of a new one by `take`, which may block.
    pub(super) async fn get(
        &self,
        turns: &ScreenshotTurns,
        take: impl FnOnce() -> Result<Vec<u8>, NoPicture> + Send + 'static,
    ) -> Taken {
        let mut taking = self.begun(turns, take);
        match timeout(LONGEST, taking.wait_for(Option::is_some)).await {
            Ok(Ok(taken)) => taken.clone().unwrap_or(Err(ScreenshotError::Lost)),
            Ok(Err(_)) | Err(_) => Err(ScreenshotError::Lost),
        }
    }

    fn begun(
        &self,
        turns: &ScreenshotTurns,
        take: impl FnOnce() -> Result<Vec<u8>, NoPicture> + Send + 'static,
    ) -> watch::Receiver<Option<Taken>> {
        let mut latest = lock(&self.latest);
        // One whose task is gone without a result is not waited for.
        let underway = |one: &&watch::Receiver<Option<Taken>>| one.borrow().is_none() && one.has_changed().is_ok();
        if let Some(underway) = latest.as_ref().filter(underway) {
            return underway.clone();
        }
        let rests = *lock(&self.rests);
        if let Some(failed) = latest
            .as_ref()
            .filter(|_| rests.is_some_and(|until| Instant::now() < until))
        {
            return failed.clone();
        }
        let (tell, taking) = watch::channel(None);
        *latest = Some(taking.clone());
        let (turns, rests) = (Arc::clone(&turns.0), Arc::clone(&self.rests));
        tokio::spawn(async move {
            // overflow: who finds no turn in time is told to come back.
            let taken = match timeout(TURN, turns.acquire_owned()).await {
                Ok(Ok(turn)) => {
                    let work = move || {
                        // The turn is the thread's, however long it takes.
                        let _turn = turn;
                        take()
                    };
                    let begun = Instant::now();
                    let taken = tokio::task::spawn_blocking(work).await;
                    let took = begun.elapsed();
                    let slow = took >= SLOW && !matches!(taken, Ok(Ok(_)));
                    *lock(&rests) = slow.then(|| Instant::now() + took * REST);
                    match taken {
                        Ok(taken) => taken.map(Bytes::from).map_err(|e| ScreenshotError::Display(e.into())),
                        Err(_) => Err(ScreenshotError::Lost),
                    }
                }
                _ => Err(ScreenshotError::Busy),
            };
            tell.send_replace(Some(taken));
        });
        taking
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here is left half done by a panic.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use futures::future::join_all;

    use super::*;

    /// Longer than any test waits for a thread that works.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn who_asks_while_one_is_taken_shares_it() {
        let (one, turns, taken) = (Screenshots::default(), ScreenshotTurns::default(), AtomicUsize::new(0));
        let taken = Arc::new(taken);
        // overflow: one message is ever sent.
        let (go, wait) = mpsc::sync_channel::<()>(1);
        let count = Arc::clone(&taken);
        let first = one.get(&turns, move || {
            count.fetch_add(1, Ordering::Relaxed);
            wait.recv_timeout(PATIENCE).unwrap();
            Ok(vec![7])
        });
        let others = join_all((0..50).map(|_| {
            let count = Arc::clone(&taken);
            one.get(&turns, move || {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(vec![8])
            })
        }));
        let release = async {
            tokio::task::yield_now().await;
            go.send(()).unwrap();
        };
        let (first, others, ()) = tokio::join!(first, others, release);
        assert_eq!(first.unwrap(), vec![7]);
        assert!(
            others
                .iter()
                .all(|other| other.as_ref().is_ok_and(|png| *png == vec![7]))
        );
        assert_eq!(taken.load(Ordering::Relaxed), 1);
        assert_eq!(
            one.get(&turns, || Ok(vec![9])).await.unwrap(),
            vec![9],
            "the next one is new"
        );
    }

    #[tokio::test]
    async fn only_a_few_are_taken_at_once() {
        let (turns, now, most) = (ScreenshotTurns::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let counters = Arc::new((now, most));
        let instances: Vec<_> = (0..12).map(|_| Screenshots::default()).collect();
        let all = instances.iter().map(|one| {
            let counters = Arc::clone(&counters);
            one.get(&turns, move || {
                let (now, most) = &*counters;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(5));
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(vec![1])
            })
        });
        assert!(join_all(all).await.iter().all(Result::is_ok));
        assert!(counters.1.load(Ordering::SeqCst) <= AT_ONCE);
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_turn_is_told_that_all_are_taken() {
        let (one, turns) = (Screenshots::default(), ScreenshotTurns::default());
        let held = turns.0.acquire_many(u32::try_from(AT_ONCE).unwrap()).await.unwrap();
        let refused = one.get(&turns, || Ok(vec![1])).await.unwrap_err();
        assert_eq!(refused.code(), "screenshots_busy");
        drop(held);
        assert_eq!(one.get(&turns, || Ok(vec![1])).await.unwrap(), vec![1]);
    }

    #[tokio::test]
    async fn a_display_that_hangs_takes_no_turns_from_others_for_a_while() {
        let (hanging, turns) = (Screenshots::default(), ScreenshotTurns::default());
        let asked = Arc::new(AtomicUsize::new(0));
        let hang = |asked: &Arc<AtomicUsize>| {
            let asked = Arc::clone(asked);
            move || {
                asked.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(SLOW);
                Err("late".into())
            }
        };
        for _ in 0..20 {
            let failed = hanging.get(&turns, hang(&asked)).await;
            assert_eq!(failed.unwrap_err().code(), "screenshot_failed");
        }
        assert_eq!(asked.load(Ordering::Relaxed), 1);
        assert_eq!(turns.0.available_permits(), AT_ONCE);
        *lock(&hanging.rests) = Some(Instant::now());
        assert_eq!(hanging.get(&turns, || Ok(vec![1])).await.unwrap(), vec![1]);
    }

    #[tokio::test]
    async fn one_that_fails_is_told_and_not_kept() {
        let (one, turns) = (Screenshots::default(), ScreenshotTurns::default());
        let failed = one.get(&turns, || Err("8 bit".into())).await;
        assert_eq!(failed.unwrap_err().code(), "screenshot_failed");
        let lost = one.get(&turns, || panic!("lost its way")).await;
        assert_eq!(lost.unwrap_err().code(), "screenshot_failed");
        assert_eq!(one.get(&turns, || Ok(vec![1])).await.unwrap(), vec![1]);
    }
}
