//! Removing a folder that an app could fill as it liked.
//!
//! The app may have left symbolic links that lead out, folders that nobody may enter, names of any bytes, and folders
//! nested deeper than a path or a stack can follow. So everything is done relative to open folders, no link is ever
//! followed, and nothing recurses: sub-folders are moved up to the top until none is left.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, OFlag, open, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

/// How often a folder that fills up again while it is removed is begun anew.
const ROUNDS: usize = 4;

/// Removes what `path` names: a folder with everything in it, or a file or link itself. Nothing there is fine.
///
/// `path`'s own parents must be out of the app's reach; only its last part is looked at without trust.
///
/// # Errors
/// Something is left, as when it is a mount point or immutable; as much as can be is removed nevertheless.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the root folder is not removed",
        ));
    };
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let parent = match open(parent, flags, Mode::empty()) {
        Ok(parent) => parent,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let mut last = Ok(());
    for _ in 0..ROUNDS {
        last = match remove_entry(&parent, name) {
            Ok(()) | Err(Errno::ENOENT) => return Ok(()),
            Err(Errno::EISDIR | Errno::EPERM | Errno::ENOTEMPTY | Errno::EEXIST) => empty(&parent, name),
            Err(errno) => Err(errno),
        };
    }
    match remove_entry(&parent, name) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(last.err().unwrap_or(errno).into()),
    }
}

/// Removes a file, link, or empty folder.
fn remove_entry(parent: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        // Linux says EISDIR, POSIX EPERM.
        Err(Errno::EISDIR | Errno::EPERM) => unlinkat(parent, name, UnlinkatFlags::RemoveDir),
        other => other,
    }
}

/// Empties the folder `name`. The first error is remembered and the rest done nevertheless.
fn empty(parent: &OwnedFd, name: &OsStr) -> Result<(), Errno> {
    let top = open_folder(parent, name)?;
    let mut failed = None;
    let mut moved: u64 = 0;
    let mut todo = names(&top)?;
    while let Some(name) = todo.pop() {
        match remove_entry(&top, &name) {
            Ok(()) | Err(Errno::ENOENT) => continue,
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
            Err(errno) => {
                failed.get_or_insert(errno);
                continue;
            }
        }
        let result = open_folder(&top, &name).and_then(|folder| {
            for inner in names(&folder)? {
                if !matches!(remove_entry(&folder, &inner), Ok(()) | Err(Errno::ENOENT)) {
                    // A folder changes its own `..` when it moves, for which its owner needs the right to write it.
                    drop(open_folder(&folder, &inner));
                    let place = free_name(&top, &mut moved);
                    match renameat(&folder, inner.as_os_str(), &top, place.as_os_str()) {
                        Ok(()) => todo.push(place),
                        Err(errno) => {
                            failed.get_or_insert(errno);
                        }
                    }
                }
            }
            unlinkat(&top, name.as_os_str(), UnlinkatFlags::RemoveDir)
        });
        if let Err(errno) = result {
            failed.get_or_insert(errno);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// A name that nothing in the folder has.
fn free_name(folder: &OwnedFd, counter: &mut u64) -> OsString {
    loop {
        *counter += 1;
        let name = OsString::from(format!(".removed-{counter}"));
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        if matches!(
            openat(folder, name.as_os_str(), flags, Mode::empty()),
            Err(Errno::ENOENT)
        ) {
            return name;
        }
    }
}

/// Opens a folder, not a link to one, after giving its owner the right to read and enter it.
fn open_folder(parent: &OwnedFd, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    let status = fstat(&folder)?;
    if SFlag::from_bits_truncate(status.st_mode) & SFlag::S_IFMT != SFlag::S_IFDIR {
        return Err(Errno::ENOTDIR);
    }
    if status.st_mode & 0o700 != 0o700 {
        // fchmod refuses a descriptor that is only a path; its name in /proc is that very folder.
        let itself = format!("/proc/self/fd/{}", folder.as_raw_fd());
        nix::sys::stat::fchmodat(
            AT_FDCWD,
            itself.as_str(),
            Mode::S_IRWXU,
            nix::sys::stat::FchmodatFlags::FollowSymlink,
        )?;
    }
    Ok(folder)
}

/// The names in a folder.
fn names(folder: &impl AsFd) -> Result<Vec<OsString>, Errno> {
    let itself = format!("/proc/self/fd/{}", folder.as_fd().as_raw_fd());
    let errno = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
    std::fs::read_dir(itself)
        .map_err(errno)?
        .map(|entry| entry.map(|entry| entry.file_name()).map_err(errno))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStringExt;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn links_that_lead_out_are_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir_all(tree.join("a/b")).unwrap();
        symlink(&outside, tree.join("to-folder")).unwrap();
        symlink(&outside, tree.join("a/b/to-folder")).unwrap();
        symlink(outside.join("precious"), tree.join("a/to-file")).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_folder_itself_is_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let outside = folder.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("precious"), "x").unwrap();
        symlink(&outside, folder.path().join("tree")).unwrap();
        remove_tree(&folder.path().join("tree")).unwrap();
        assert!(folder.path().join("tree").symlink_metadata().is_err());
        assert!(outside.join("precious").exists());
    }

    #[test]
    fn odd_names_pipes_sockets_and_closed_folders_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        let closed = tree.join("closed");
        fs::create_dir_all(closed.join("inner/innermost")).unwrap();
        fs::write(closed.join("inner/file"), "x").unwrap();
        fs::write(tree.join(OsString::from_vec(vec![0xff, b'\n', b' '])), "x").unwrap();
        fs::write(tree.join(".removed-1"), "taken").unwrap();
        nix::unistd::mkfifo(&tree.join("pipe"), Mode::S_IRWXU).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(tree.join("socket")).unwrap();
        fs::set_permissions(closed.join("inner"), PermissionsExt::from_mode(0o000)).unwrap();
        fs::set_permissions(&closed, PermissionsExt::from_mode(0o000)).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn a_nest_deeper_than_any_path_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        fs::create_dir(&tree).unwrap();
        let mut inner = open(&tree, OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        for _ in 0..3000 {
            nix::sys::stat::mkdirat(&inner, "nest", Mode::S_IRWXU).unwrap();
            inner = openat(&inner, "nest", OFlag::O_PATH | OFlag::O_DIRECTORY, Mode::empty()).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn what_is_not_there_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        remove_tree(&folder.path().join("no/such")).unwrap();
        remove_tree(&folder.path().join("no")).unwrap();
        assert!(remove_tree(Path::new("/")).is_err());
    }
}
