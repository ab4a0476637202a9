//! The watchdog: a plain thread that notices when the control arbiter does nothing any more.
//!
//! One actor that blocks stops all of them. Each tick the thread asks the arbiter for an answer; after 20 ticks in a row
//! without one it says so and aborts, and the service manager starts a host that adopts the instances. It counts its
//! own ticks instead of looking at a clock: while the host is stopped (SIGSTOP) or its machine is paused it does not
//! count, so that neither trips it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use tokio::sync::watch;

use crate::supervision::busy_child;

/// Between two questions.
pub const TICK: Duration = Duration::from_millis(500);
/// Ticks in a row without an answer.
pub const LIMIT: u32 = 20;
/// In debug builds another number of ticks.
#[cfg(debug_assertions)]
pub const DEBUG_LIMIT: &str = "HELIOSTAT_DEBUG_WATCHDOG_TICKS";

/// What happens at a tick. Called on the watchdog's thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The arbiter answered.
    Answered,
    /// It has not answered for so many ticks.
    Silent(u32),
}

/// A running watchdog. Dropping it ends it.
#[derive(Debug)]
pub struct Watchdog {
    ended: Arc<AtomicBool>,
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Release);
    }
}

/// Watches over the arbiter that this is called on. `found` hears of every tick, and of whose, and decides.
///
/// # Errors
/// No thread can be started.
pub fn watch(tick: Duration, found: impl Fn(Finding, ThreadId) + Send + 'static) -> std::io::Result<Watchdog> {
    let watched = thread::current().id();
    // overflow: holds one number, the latest counts.
    let (ask, mut asked) = watch::channel(0u64);
    let answered = Arc::<AtomicU64>::default();
    let ended = Arc::<AtomicBool>::default();
    let answers = Arc::clone(&answered);
    actix_rt::spawn(async move {
        // Ends with the thread, which owns the sender.
        while asked.changed().await.is_ok() {
            let question = *asked.borrow_and_update();
            answers.store(question, Ordering::Release);
        }
    });
    let guard = Watchdog {
        ended: Arc::clone(&ended),
    };
    thread::Builder::new().name("watchdog".into()).spawn(move || {
        let (mut question, mut silent) = (0, 0);
        while !ended.load(Ordering::Acquire) {
            if answered.load(Ordering::Acquire) == question {
                question += 1;
                silent = 0;
                ask.send_replace(question);
                found(Finding::Answered, watched);
            } else {
                silent += 1;
                found(Finding::Silent(silent), watched);
            }
            thread::sleep(tick);
        }
    })?;
    Ok(guard)
}

/// What the host does at each tick: it tells the service manager that it lives, or gives up after so many.
pub fn judge(limit: u32) -> impl Fn(Finding, ThreadId) + Send + 'static {
    move |finding, watched| consider(finding, watched, limit)
}

/// After how many ticks in a row without an answer the host gives up.
#[cfg(not(debug_assertions))]
#[must_use]
pub const fn limit() -> u32 {
    LIMIT
}

/// After how many ticks in a row without an answer the host gives up. Debug builds can be told to be less patient, for
/// tests.
#[cfg(debug_assertions)]
#[must_use]
pub fn limit() -> u32 {
    let told = std::env::var(DEBUG_LIMIT).ok().and_then(|ticks| ticks.parse().ok());
    told.filter(|ticks| *ticks > 0).unwrap_or(LIMIT)
}

fn consider(finding: Finding, watched: ThreadId, limit: u32) {
    match finding {
        Finding::Answered => super::notify::tell(super::notify::News::Alive),
        Finding::Silent(ticks) if ticks >= limit => {
            log::error!(
                "the control thread has not answered for {ticks} ticks of {} ms, busy with child={}{}; aborting, the instances live on",
                TICK.as_millis(),
                busy(watched),
                control_thread().map_or_else(String::new, |state| format!(" ({state})")),
            );
            std::process::abort();
        }
        Finding::Silent(ticks) if ticks == limit / 2 => {
            log::warn!(
                "the control thread has not answered for {ticks} ticks, busy with child={}",
                busy(watched)
            );
        }
        Finding::Silent(_) => {}
    }
}

/// The path of the child that the thread runs.
fn busy(thread: ThreadId) -> Arc<str> {
    busy_child(thread).unwrap_or_else(|| "-".into())
}

/// What the kernel knows of the thread that runs the actors: it computes, or it waits for something.
fn control_thread() -> Option<String> {
    let pid = std::process::id();
    let stat = std::fs::read_to_string(format!("/proc/self/task/{pid}/stat")).ok()?;
    let state = stat.rsplit_once(") ")?.1.split(' ').next()?.to_owned();
    let wait = std::fs::read_to_string(format!("/proc/self/task/{pid}/wchan")).unwrap_or_default();
    Some(match (state.as_str(), wait.trim()) {
        ("R", _) => "it computes".to_owned(),
        (_, "" | "0") => format!("it waits, state {state}"),
        (_, wait) => format!("it waits in {wait}, state {state}"),
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::atomic::AtomicU32;
    use std::time::Instant;

    use super::*;

    const FAST: Duration = Duration::from_millis(10);
    const SOON: Duration = Duration::from_secs(20);

    #[derive(Default)]
    struct Seen {
        answers: AtomicU32,
        silence: AtomicU32,
        log: Mutex<Vec<Finding>>,
    }

    fn recorder() -> (Arc<Seen>, impl Fn(Finding, ThreadId) + Send + 'static) {
        let seen = Arc::<Seen>::default();
        let found = Arc::clone(&seen);
        (seen, move |finding, _| {
            found.log.lock().unwrap().push(finding);
            match finding {
                Finding::Answered => drop(found.answers.fetch_add(1, Ordering::SeqCst)),
                Finding::Silent(ticks) => drop(found.silence.fetch_max(ticks, Ordering::SeqCst)),
            }
        })
    }

    #[test]
    fn an_arbiter_that_blocks_is_silent_and_answers_afterwards() {
        let (seen, found) = recorder();
        actix_rt::System::new().block_on(async {
            let _watchdog = watch(FAST, found).unwrap();
            let until = Instant::now() + SOON;
            while seen.answers.load(Ordering::SeqCst) < 5 {
                assert!(Instant::now() < until);
                tokio::time::sleep(FAST).await;
            }
            // Blocks the arbiter until the thread has noticed.
            while seen.silence.load(Ordering::SeqCst) < LIMIT {
                assert!(Instant::now() < until);
                std::thread::sleep(FAST);
            }
            let before = seen.answers.load(Ordering::SeqCst);
            while seen.answers.load(Ordering::SeqCst) <= before {
                assert!(Instant::now() < until);
                tokio::time::sleep(FAST).await;
            }
        });
    }

    #[test]
    fn it_ends_with_its_guard() {
        let (seen, found) = recorder();
        actix_rt::System::new().block_on(async {
            drop(watch(FAST, found).unwrap());
            tokio::time::sleep(FAST * 20).await;
            let count = seen.log.lock().unwrap().len();
            tokio::time::sleep(FAST * 20).await;
            assert_eq!(seen.log.lock().unwrap().len(), count);
        });
    }
}
