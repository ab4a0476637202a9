//! The one clock of a machine: `CLOCK_MONOTONIC`, which every process of the machine reads alike.
//!
//! Frames carry it as their presentation time, so that RTP time runs on over restarts of the capture process and of
//! the host. Wall-clock time is only for what people and the database read.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Microseconds of `CLOCK_MONOTONIC` (`clock_gettime(2)`): since boot, never going back.
#[must_use]
pub fn monotonic_us() -> u64 {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map_or(0, |t| {
        let t = Duration::from(t);
        u64::try_from(t.as_micros()).unwrap_or(u64::MAX)
    })
}

/// How long the machine has been running, suspended or not (`CLOCK_BOOTTIME`): nobody sets it.
#[must_use]
pub fn since_boot() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::ZERO, Duration::from)
}

/// Milliseconds since 1970, as the database and the pages count time.
#[must_use]
pub fn unix_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |t| i64::try_from(t.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_never_goes_back() {
        let first = monotonic_us();
        assert!(first > 0);
        assert!(monotonic_us() >= first);
    }
}
