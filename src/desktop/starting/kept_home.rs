//! The size of a kept home: it outlives its instances and is on disk, where nothing but looking limits it.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::config::Home;
use crate::desktop::commands::Layout;
use crate::desktop::shared::DesktopShared;
use crate::folders::{Usage, Walk, usage};

/// Between two looks at least.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A look that took long is followed by a pause as many times as long: looking takes a twentieth of a disk at most.
const PAUSE_FACTOR: u32 = 20;
/// A look that takes longer goes on after a pause: others look meanwhile, and nobody waits for it.
const PIECE: Duration = Duration::from_secs(8);

/// One look at a time on the whole host; the others wait where that costs no thread.
static TURN: Mutex<()> = Mutex::const_new(());

/// A kept home that holds more than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its kept home holds more than the {mib} MiB that it may")]
pub struct HomeFull {
    /// MiB allowed.
    pub mib: u64,
}

impl HomeFull {
    /// The stable word.
    pub const CODE: &'static str = "home_full";
}

/// Looks whether the app's home, if it is a kept one, is within its limit. What cannot be found out at once is found out
/// while the app runs. Blocks.
///
/// # Errors
/// [`HomeFull`].
pub fn judge(layout: &Layout) -> Result<(), HomeFull> {
    let Some(limit) = limit(layout) else { return Ok(()) };
    match usage(&layout.home, limit, Instant::now() + PIECE) {
        Ok(Usage::Within(_)) => Ok(()),
        Ok(Usage::Over) => Err(full(limit)),
        Err(error) => {
            not_measured(&layout.home, &error);
            Ok(())
        }
    }
}

/// Looks again and again; returns when the home has outgrown its limit.
pub(in crate::desktop) async fn outgrown(shared: &DesktopShared) -> HomeFull {
    match limit(&shared.layout) {
        Some(limit) => outgrows(&shared.layout.home, limit, PIECE).await,
        None => std::future::pending().await,
    }
}

async fn outgrows(home: &Path, limit: u64, piece: Duration) -> HomeFull {
    loop {
        let (counted, took) = look_in_pieces(home, limit, piece).await;
        if counted == Some(Usage::Over) {
            return full(limit);
        }
        tokio::time::sleep(LOOK_EVERY.max(took * PAUSE_FACTOR)).await;
    }
}

/// A whole look, however long it takes: nobody gets away with more files than can be counted at once. Gives how long was
/// looked, without the pauses in which others look.
async fn look_in_pieces(home: &Path, limit: u64, piece: Duration) -> (Option<Usage>, Duration) {
    let mut took = Duration::ZERO;
    let mut walk = None;
    loop {
        let (home, before) = (home.to_owned(), walk.take());
        let turn = TURN.lock().await;
        let begun = Instant::now();
        let work = move || {
            let mut walk = match before {
                Some(walk) => walk,
                None => Walk::begin(&home, limit)
                    .map_err(|error| not_measured(&home, &error))
                    .ok()?,
            };
            let counted = walk.go_on(Instant::now() + piece);
            Some((walk, counted))
        };
        let looked = tokio::task::spawn_blocking(work).await.ok().flatten();
        drop(turn);
        took += begun.elapsed();
        match looked {
            Some((going_on, None)) => walk = Some(going_on),
            Some((_, counted)) => return (counted, took),
            None => return (None, took),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// One look, on a thread for what may block, as long as somebody may be kept waiting for it.
pub(in crate::desktop) async fn look(shared: &DesktopShared) -> Result<(), HomeFull> {
    if shared.layout.app.home != Home::Keep {
        return Ok(());
    }
    let layout = shared.layout.clone();
    let _turn = TURN.lock().await;
    let judged = tokio::task::spawn_blocking(move || judge(&layout)).await;
    judged.unwrap_or(Ok(()))
}

fn limit(layout: &Layout) -> Option<u64> {
    layout.confinement.limits.home.filter(|_| layout.app.home == Home::Keep)
}

fn full(limit: u64) -> HomeFull {
    HomeFull { mib: limit >> 20 }
}

fn not_measured(home: &Path, error: &io::Error) {
    match error.kind() {
        io::ErrorKind::NotFound => {}
        io::ErrorKind::TimedOut => log::info!("home={} takes long to be measured", home.display()),
        _ => log::warn!("home={} cannot be measured: {error}", home.display()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_home_that_takes_longer_to_count_than_one_piece_is_counted_to_its_end() {
        let home = tempfile::tempdir().unwrap();
        for n in 0..200 {
            std::fs::write(home.path().join(n.to_string()), "").unwrap();
        }
        let look = |limit| look_in_pieces(home.path(), limit, Duration::ZERO);
        assert!(matches!(look(300 << 10).await.0, Some(Usage::Within(bytes)) if bytes > 200 << 10));
        assert_eq!(look(100 << 10).await.0, Some(Usage::Over));
        let found = tokio::time::timeout(
            Duration::from_secs(3600),
            outgrows(home.path(), 100 << 10, Duration::ZERO),
        );
        assert!(found.await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_home_that_is_not_there_has_outgrown_nothing() {
        let home = tempfile::tempdir().unwrap();
        let gone = home.path().join("gone");
        assert_eq!(look_in_pieces(&gone, 1, PIECE).await.0, None);
    }
}
