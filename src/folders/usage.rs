//! How much a folder holds that an app could fill as it liked.
//!
//! As for its removal: nothing is followed that leads out, and what is read is reached from open folders. The work is
//! bounded by what is allowed: every entry counts, so that the walk ends soon after the limit is passed.

use std::collections::HashSet;
use std::fs::ReadDir;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, open, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};

/// An entry takes room of the file system even when it is empty.
const ENTRY_BYTES: u64 = 1024;
/// Folders nested deeper than this are nobody's honest work, and each level keeps two descriptors open.
const MAX_DEPTH: usize = 100;

const FLAGS: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);

/// What a folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    /// Bytes on disk, at most what is allowed.
    Within(u64),
    /// More than that, or it cannot be told: nested deeper than can be counted, or closed to this user.
    Over,
}

/// Counts what is in `path`, up to `limit` bytes. A file with several names counts once. Blocks.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`] after `until`; the folder itself cannot be read. What cannot be read below it, because it
/// vanishes meanwhile, is passed over; what is closed to this user is not, or an app could close a folder and fill it.
pub fn usage(path: &Path, limit: u64, until: Instant) -> io::Result<Usage> {
    let counted = Walk::begin(path, limit)?.go_on(until);
    counted.ok_or_else(|| io::ErrorKind::TimedOut.into())
}

/// The same in pieces: of a home with very many files on a slow disk there is no end within a few seconds.
#[derive(Debug)]
pub struct Walk {
    limit: u64,
    /// The folders that it is in, and what is left of each.
    left: Vec<(ReadDir, OwnedFd)>,
    /// Files with several names that were counted.
    several: HashSet<(u64, u64)>,
    bytes: u64,
    over: bool,
}

impl Walk {
    /// Begins one. Blocks.
    ///
    /// # Errors
    /// The folder itself cannot be read.
    pub fn begin(path: &Path, limit: u64) -> io::Result<Self> {
        let mut walk = Self {
            limit,
            left: Vec::new(),
            several: HashSet::new(),
            bytes: 0,
            over: false,
        };
        let top = match open(path, FLAGS, Mode::empty()) {
            Err(Errno::EACCES) => {
                walk.over = true;
                return Ok(walk);
            }
            top => top?,
        };
        walk.count(&fstat(&top)?);
        match entries(&top) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => walk.over = true,
            todo => walk.left.push((todo?, top)),
        }
        Ok(walk)
    }

    /// Counts on, one entry at least; `None` when that is not done by `until`. Blocks.
    pub fn go_on(&mut self, until: Instant) -> Option<Usage> {
        while !self.over && !self.left.is_empty() {
            self.next();
            if Instant::now() >= until && !self.over {
                return None;
            }
        }
        // What is open is not needed any more.
        self.left.clear();
        Some(if self.over {
            Usage::Over
        } else {
            Usage::Within(self.bytes)
        })
    }

    fn next(&mut self) {
        let Some((todo, folder)) = self.left.last_mut() else {
            return;
        };
        // The end; what cannot be read on is passed over.
        let Some(Ok(entry)) = todo.next() else {
            self.left.pop();
            return;
        };
        let name = entry.file_name();
        let found = match fstatat(&*folder, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            // A folder that may be listed, but not entered.
            Err(error) => return self.over |= error == Errno::EACCES,
        };
        let inner = is_folder(&found).then(|| openat(&*folder, name.as_os_str(), FLAGS, Mode::empty()));
        self.count(&found);
        match inner {
            Some(Ok(_)) if self.left.len() >= MAX_DEPTH => self.over = true,
            // Looked at anew: it may have been closed meanwhile.
            Some(Ok(inner)) => match entries(&inner) {
                Ok(todo) => self.left.push((todo, inner)),
                Err(error) => self.over |= error.kind() == io::ErrorKind::PermissionDenied,
            },
            Some(Err(error)) => self.over |= error == Errno::EACCES,
            None => {}
        }
    }

    fn count(&mut self, found: &FileStat) {
        let again = found.st_nlink > 1 && !is_folder(found) && !self.several.insert((found.st_dev, found.st_ino));
        if !again {
            // In units of 512 bytes, whatever the file system's own (stat(2)).
            let taken = u64::try_from(found.st_blocks).unwrap_or(0).saturating_mul(512);
            self.bytes = self.bytes.saturating_add(taken.max(ENTRY_BYTES));
        }
        self.over |= self.bytes > self.limit;
    }
}

fn is_folder(found: &FileStat) -> bool {
    SFlag::from_bits_truncate(found.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// Read as they are asked for: an app can make a folder of any number.
fn entries(folder: &OwnedFd) -> io::Result<ReadDir> {
    std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::time::Duration;

    use super::*;

    const MIB: u64 = 1 << 20;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(60)
    }

    #[test]
    fn files_in_folders_count_once_and_what_links_lead_to_does_not() {
        let place = tempfile::tempdir().unwrap();
        let home = place.path().join("home");
        fs::create_dir_all(home.join("a/b")).unwrap();
        fs::write(place.path().join("outside"), vec![1; 4 << 20]).unwrap();
        fs::write(home.join("a/b/file"), vec![1; 1 << 20]).unwrap();
        fs::hard_link(home.join("a/b/file"), home.join("again")).unwrap();
        symlink(place.path(), home.join("a/out")).unwrap();
        let Usage::Within(bytes) = usage(&home, 8 * MIB, soon()).unwrap() else {
            panic!("it is within");
        };
        assert!((MIB..MIB + 128 * 1024).contains(&bytes), "{bytes}");
        assert_eq!(usage(&home, MIB - 1, soon()).unwrap(), Usage::Over);
    }

    #[test]
    fn what_an_app_closes_to_a_host_that_is_not_root_is_over() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().join("folder");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("file"), "").unwrap();
        // Of this thread alone: without it root may read everything.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let root = nix::unistd::geteuid().is_root();
                let judged = || {
                    if root {
                        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(1));
                    }
                    let judged = usage(home.path(), MIB, soon());
                    nix::unistd::setfsuid(nix::unistd::geteuid());
                    judged.unwrap()
                };
                mode(home.path(), 0o755);
                mode(&folder, 0o755);
                assert!(matches!(judged(), Usage::Within(_)));
                // Not at all, to be listed only, to be entered only.
                for closed in [0o000, 0o444, 0o111] {
                    mode(&folder, closed);
                    assert_eq!(judged(), Usage::Over, "{closed:o}");
                }
                mode(home.path(), 0o000);
                assert_eq!(judged(), Usage::Over, "the home itself");
                mode(home.path(), 0o755);
                mode(&folder, 0o755);
            });
        });
    }

    #[test]
    fn a_file_full_of_holes_counts_what_it_takes() {
        let home = tempfile::tempdir().unwrap();
        let file = fs::File::create(home.path().join("sparse")).unwrap();
        file.set_len(1 << 40).unwrap();
        assert!(matches!(usage(home.path(), MIB, soon()).unwrap(), Usage::Within(_)));
    }

    #[test]
    fn empty_files_count_and_so_does_their_number() {
        let home = tempfile::tempdir().unwrap();
        for n in 0..200 {
            fs::write(home.path().join(n.to_string()), "").unwrap();
        }
        assert_eq!(usage(home.path(), 100 * ENTRY_BYTES, soon()).unwrap(), Usage::Over);
    }

    #[test]
    fn a_nest_without_end_is_over_and_keeps_no_folder_open() {
        let home = tempfile::tempdir().unwrap();
        let deep: std::path::PathBuf = std::iter::repeat_n("d", MAX_DEPTH + 1).collect();
        fs::create_dir_all(home.path().join(deep)).unwrap();
        assert_eq!(usage(home.path(), u64::MAX, soon()).unwrap(), Usage::Over);
    }

    #[test]
    fn a_walk_that_is_interrupted_after_every_entry_counts_the_same() {
        let home = tempfile::tempdir().unwrap();
        for n in 0..50 {
            fs::create_dir_all(home.path().join(format!("{}/{n}", n % 7))).unwrap();
            fs::write(home.path().join(format!("{}/{n}/file", n % 7)), "x").unwrap();
        }
        let in_pieces = |limit| {
            let mut walk = Walk::begin(home.path(), limit).unwrap();
            let mut pieces = 1;
            loop {
                if let Some(counted) = walk.go_on(Instant::now()) {
                    return (counted, pieces);
                }
                pieces += 1;
            }
        };
        let (counted, pieces) = in_pieces(100 * MIB);
        assert_eq!(counted, usage(home.path(), 100 * MIB, soon()).unwrap());
        assert!(pieces > 100, "{pieces}");
        assert_eq!(in_pieces(20 * ENTRY_BYTES).0, Usage::Over);
    }

    #[test]
    fn it_ends_when_its_time_is_over_and_says_where_there_is_nothing() {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("file"), "").unwrap();
        let late = usage(home.path(), MIB, Instant::now()).unwrap_err();
        assert_eq!(late.kind(), io::ErrorKind::TimedOut);
        let none = usage(&home.path().join("none"), MIB, soon()).unwrap_err();
        assert_eq!(none.kind(), io::ErrorKind::NotFound);
        let link = home.path().join("link");
        symlink("/", &link).unwrap();
        assert!(usage(&link, MIB, soon()).is_err(), "a link in its place");
    }
}
