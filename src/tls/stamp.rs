//! Whether a file is still the one that was read.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What changes when a file is written or exchanged, links followed; all zero for one that cannot be seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    /// Also tells of a file whose time of modification was set back.
    changed: (i64, i64),
}

impl Stamp {
    /// That of the file at `path`.
    pub fn of(path: &Path) -> Self {
        std::fs::metadata(path).map_or_else(
            |_| Self::default(),
            |seen| Self {
                device: seen.dev(),
                inode: seen.ino(),
                size: seen.size(),
                modified: (seen.mtime(), seen.mtime_nsec()),
                changed: (seen.ctime(), seen.ctime_nsec()),
            },
        )
    }
}
