//! Which life of the app has been ready: kept in the instance's folder, so that the host that adopts it knows whether
//! there is still something to wait for.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::files::{Folder, Readers};

/// The file in the instance's folder.
const FILE: &str = "ready.json";
/// It has about 60 bytes.
const MOST_BYTES: u64 = 4096;
/// An app that became ready while no host was there is given this long to be found so.
const LEAST: Duration = Duration::from_secs(5);

/// One life of the app. Its keeper counts its starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::desktop) struct Life {
    /// The keeper's pid.
    pub(in crate::desktop) keeper: i32,
    /// The keeper's count of the app's starts.
    pub(in crate::desktop) generation: u64,
    /// The app's pid.
    pub(in crate::desktop) pid: i32,
}

impl Life {
    /// Notes that it has been ready. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(in crate::desktop) fn mark(self, folder: &Path) -> io::Result<()> {
        Folder::open(folder)?.write(FILE, &serde_json::to_vec(&self)?, Readers::Nobody)
    }

    /// Whether it was noted as ready. Blocks.
    pub(in crate::desktop) fn is_marked(self, folder: &Path) -> bool {
        let read =
            || -> io::Result<Self> { Ok(serde_json::from_slice(&Folder::open(folder)?.read(FILE, MOST_BYTES)?)?) };
        read().is_ok_and(|marked| marked == self)
    }
}

/// What is left of `timeout` for an app that was started at `started_ms`; both times in ms since 1970. A clock that was
/// set meanwhile gives neither more than all of it nor less than a moment. Pure.
pub(in crate::desktop) fn time_left(timeout: Duration, started_ms: i64, now_ms: i64) -> Duration {
    let age = u64::try_from(now_ms.saturating_sub(started_ms)).unwrap_or(0);
    timeout
        .saturating_sub(Duration::from_millis(age))
        .max(LEAST)
        .min(timeout.max(LEAST))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Life = Life {
        keeper: 10,
        generation: 2,
        pid: 11,
    };

    #[test]
    fn only_the_life_that_was_ready_is_known_as_ready() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!LIFE.is_marked(folder.path()));
        LIFE.mark(folder.path()).unwrap();
        assert!(LIFE.is_marked(folder.path()));
        let others = [
            Life { keeper: 12, ..LIFE },
            Life { generation: 3, ..LIFE },
            Life { pid: 13, ..LIFE },
        ];
        for other in others {
            assert!(!other.is_marked(folder.path()), "{other:?}");
        }
        std::fs::write(folder.path().join(FILE), "no JSON").unwrap();
        assert!(!LIFE.is_marked(folder.path()));
    }

    #[test]
    fn an_adopted_app_has_what_is_left_of_its_time() {
        let timeout = Duration::from_secs(60);
        let left = |age_s: i64| time_left(timeout, 1_000_000, 1_000_000 + age_s * 1000);
        assert_eq!(left(0), timeout);
        assert_eq!(left(20), Duration::from_secs(40));
        assert_eq!(left(59), LEAST);
        assert_eq!(left(1_000_000), LEAST);
        // The clock was set back.
        assert_eq!(left(-500), timeout);
        assert_eq!(time_left(timeout, i64::MIN, i64::MAX), LEAST);
        assert_eq!(time_left(Duration::from_secs(1), 0, 0), LEAST);
    }
}
