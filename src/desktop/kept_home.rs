//! The size of a kept home: it outlives its instances and is on disk, where nothing but looking limits it.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::commands::Layout;
use super::shared::DesktopShared;
use crate::config::{Home, Usage, usage};

/// Between two looks at least.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// A look that took long is followed by a pause as many times as long: looking takes a twentieth of a disk at most.
const PAUSE_FACTOR: u32 = 20;
/// A disk that takes longer does not answer.
const DEADLINE: Duration = Duration::from_secs(8);

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

/// Looks whether the app's home, if it is a kept one, is within its limit. What cannot be found out is within. Blocks.
///
/// # Errors
/// [`HomeFull`].
pub fn judge(layout: &Layout) -> Result<(), HomeFull> {
    let Some(limit) = layout.confinement.limits.home.filter(|_| layout.app.home == Home::Keep) else {
        return Ok(());
    };
    match usage(&layout.home, limit, Instant::now() + DEADLINE) {
        Ok(Usage::Within(_)) => Ok(()),
        Ok(Usage::Over) => Err(HomeFull { mib: limit >> 20 }),
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                log::warn!("home={} cannot be measured: {error}", layout.home.display());
            }
            Ok(())
        }
    }
}

/// Looks again and again; returns when the home has outgrown its limit.
pub(super) async fn outgrown(shared: &DesktopShared) -> HomeFull {
    if shared.layout.app.home != Home::Keep {
        return std::future::pending().await;
    }
    loop {
        let begun = Instant::now();
        if let Err(full) = look(shared).await {
            return full;
        }
        tokio::time::sleep(LOOK_EVERY.max(begun.elapsed() * PAUSE_FACTOR)).await;
    }
}

/// One look, on a thread for what may block.
pub(super) async fn look(shared: &DesktopShared) -> Result<(), HomeFull> {
    if shared.layout.app.home != Home::Keep {
        return Ok(());
    }
    let layout = shared.layout.clone();
    let _turn = TURN.lock().await;
    let judged = tokio::task::spawn_blocking(move || judge(&layout)).await;
    judged.unwrap_or(Ok(()))
}
