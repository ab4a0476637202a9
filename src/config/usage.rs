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
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let top = match open(path, flags, Mode::empty()) {
        Err(Errno::EACCES) => return Ok(Usage::Over),
        top => top?,
    };
    let mut several = HashSet::new();
    let mut bytes = 0u64;
    let mut count = |found: &FileStat| {
        let again = found.st_nlink > 1 && !is_folder(found) && !several.insert((found.st_dev, found.st_ino));
        if !again {
            // In units of 512 bytes, whatever the file system's own (stat(2)).
            let taken = u64::try_from(found.st_blocks).unwrap_or(0).saturating_mul(512);
            bytes = bytes.saturating_add(taken.max(ENTRY_BYTES));
        }
        bytes
    };
    count(&fstat(&top)?);
    let mut left = match entries(&top) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Usage::Over),
        todo => vec![(todo?, top)],
    };
    let mut total = 0;
    while let Some((todo, folder)) = left.last_mut() {
        let name = match todo.next() {
            Some(Ok(entry)) => entry.file_name(),
            // The end; what cannot be read on is passed over.
            _ => {
                left.pop();
                continue;
            }
        };
        if Instant::now() >= until {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let found = match fstatat(&*folder, name.as_os_str(), AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            // A folder that may be listed, but not entered.
            Err(Errno::EACCES) => return Ok(Usage::Over),
            Err(_) => continue,
        };
        total = count(&found);
        if total > limit {
            return Ok(Usage::Over);
        }
        if !is_folder(&found) {
            continue;
        }
        match openat(&*folder, name.as_os_str(), flags, Mode::empty()) {
            Ok(_) if left.len() >= MAX_DEPTH => return Ok(Usage::Over),
            // Looked at anew: it may have been closed meanwhile.
            Ok(inner) => match entries(&inner) {
                Ok(todo) => left.push((todo, inner)),
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(Usage::Over),
                Err(_) => {}
            },
            Err(Errno::EACCES) => return Ok(Usage::Over),
            Err(_) => {}
        }
    }
    Ok(Usage::Within(total))
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
