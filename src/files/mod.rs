//! Files of ours in folders that a program may have had its hands in: an instance's folders, and what a host before this
//! one left there.
//!
//! Everything goes by the descriptor of an open [`Folder`] and a plain name in it. No link is followed, nothing that is
//! no file is read or written, and nothing waits for who would have to open the other end of a pipe. What is written
//! comes as a new file into the place of what was there: what that was, a link to somebody's file or a second name of
//! it, stays as it is.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, renameat};
use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, listen, socket};
use nix::sys::stat::{Mode, fchmod, mkdirat};
use nix::unistd::{Gid, Uid, UnlinkatFlags, fchown, geteuid, unlinkat};

const FOLDER: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_DIRECTORY)
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_CLOEXEC);
/// Opening a pipe or a device must not wait for anybody.
const GUARDED: OFlag = OFlag::O_NOFOLLOW
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);
const OURS: Mode = Mode::S_IRUSR.union(Mode::S_IWUSR);
/// Connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// An open folder. Names in it stay valid when it is moved.
#[derive(Debug)]
pub struct Folder {
    file: File,
}

/// Who may read a file of ours: its group. It stays ours, so that nobody else can change it or what stands in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Readers {
    /// Nobody but ourselves: 0600.
    Nobody,
    /// The members of this group: 0640.
    Group(u32),
    /// Everybody who gets there: 0644.
    Everybody,
}

/// What a file holds whose folder we need not be able to list. What lies above it must be out of the reach of programs.
///
/// # Errors
/// As of [`Folder::read`].
pub fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path, OFlag::O_RDONLY | GUARDED, Mode::empty())?;
    read_all(
        checked(File::from(file), &path.to_string_lossy())?,
        &path.to_string_lossy(),
        most,
    )
}

impl Folder {
    /// Opens a folder, not a link to one. What lies above it must be out of the reach of programs.
    ///
    /// # Errors
    /// There is none.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self::of(open(path, FOLDER, Mode::empty())?))
    }

    /// Opens a folder that only we can write: in any other, somebody else could exchange what we put there.
    ///
    /// # Errors
    /// There is none, or others can write it.
    pub fn open_own(path: &Path) -> io::Result<Self> {
        Self::open(path)?.own(path)
    }

    /// Opens a folder of ours, made 0700 where it is missing.
    ///
    /// # Errors
    /// It cannot be made, or is not ours.
    pub fn make(path: &Path) -> io::Result<Self> {
        match nix::unistd::mkdir(path, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => Self::open_own(path),
            Err(errno) => Err(errno.into()),
        }
    }

    /// As [`Folder::make`], in this one.
    ///
    /// # Errors
    /// It cannot be made, or is not ours.
    pub fn make_in(&self, name: &str) -> io::Result<Self> {
        match mkdirat(&self.file, plain(name)?, Mode::S_IRWXU) {
            Ok(()) | Err(Errno::EEXIST) => self.folder(name)?.own(Path::new(name)),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Opens a folder in this one.
    ///
    /// # Errors
    /// There is none.
    pub fn folder(&self, name: &str) -> io::Result<Self> {
        Ok(Self::of(openat(&self.file, plain(name)?, FOLDER, Mode::empty())?))
    }

    /// The short path of a name in it, for as long as this value lives: a socket's has room for 108 bytes (unix(7)).
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}/{name}", self.file.as_raw_fd()))
    }

    /// What a file holds.
    ///
    /// # Errors
    /// There is none, it is no file, or larger than `most` bytes.
    pub fn read(&self, name: &str, most: u64) -> io::Result<Vec<u8>> {
        read_all(self.reader(name)?, name, most)
    }

    /// A file to read, such as one that is large.
    ///
    /// # Errors
    /// There is none, or it is no file.
    pub fn reader(&self, name: &str) -> io::Result<File> {
        self.open_file(name, OFlag::O_RDONLY)
    }

    /// Whether the name is that of a file of ours, which has no other name.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.reader(name).and_then(|file| is_ours_alone(&file)).unwrap_or(false)
    }

    /// Puts a new file of ours in the place of whatever has the name, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, name: &str, bytes: &[u8], readers: Readers) -> io::Result<()> {
        let draft = format!("{name}.new");
        self.discard(&draft)?;
        let mut file = self.create(&draft)?;
        let written = file.write_all(bytes).and_then(|()| give(&file, readers));
        let placed = written.and_then(|()| {
            self.rename(&draft, name).or_else(|error| match error.kind() {
                io::ErrorKind::IsADirectory => self.discard(name).and_then(|()| self.rename(&draft, name)),
                _ => Err(error),
            })
        });
        placed.inspect_err(|_| self.remove(&draft))
    }

    /// A file of ours to write at the end of. What is no file, another's, or has further names makes room for a new one.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn append(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_APPEND;
        match self.open_file(name, flags) {
            Ok(file) if is_ours_alone(&file)? => return Ok(file),
            // A link says ELOOP, a pipe without a reader ENXIO, a folder EISDIR.
            Ok(_) | Err(_) => {}
        }
        self.discard(name)?;
        let file = openat(
            &self.file,
            plain(name)?,
            flags | OFlag::O_CREAT | OFlag::O_EXCL | GUARDED,
            OURS,
        )?;
        Ok(File::from(file))
    }

    /// Gives a file another name, in place of what had it.
    ///
    /// # Errors
    /// There is none, or a folder has the other name.
    pub fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        Ok(renameat(&self.file, plain(from)?, &self.file, plain(to)?)?)
    }

    /// Listens on a socket that only we can connect to, in place of whatever had its name.
    ///
    /// # Errors
    /// It cannot be bound.
    pub fn listen(&self, name: &str) -> io::Result<UnixListener> {
        self.discard(name)?;
        let flags = SockFlag::SOCK_CLOEXEC;
        let ours = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
        // The rights of a socket that is not bound yet are those that its file gets: there is no moment with others.
        fchmod(&ours, OURS)?;
        plain(name)?;
        bind(ours.as_raw_fd(), &UnixAddr::new(&self.path(name))?)?;
        listen(&ours, Backlog::new(BACKLOG)?)?;
        Ok(UnixListener::from(ours))
    }

    /// Removes what has the name and is no folder, if it is there.
    pub fn remove(&self, name: &str) {
        if let Err(error) = self.discard(name) {
            log::warn!("file={name} cannot be removed: {error}");
        }
    }

    /// As [`Folder::remove`]; an empty folder goes as well, one with something in it is an error.
    fn discard(&self, name: &str) -> io::Result<()> {
        let name = plain(name)?;
        let removed = match unlinkat(&self.file, name, UnlinkatFlags::NoRemoveDir) {
            // Linux says EISDIR, POSIX EPERM.
            Err(Errno::EISDIR | Errno::EPERM) => unlinkat(&self.file, name, UnlinkatFlags::RemoveDir),
            other => other,
        };
        match removed {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn create(&self, name: &str) -> io::Result<File> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | GUARDED;
        Ok(File::from(openat(&self.file, plain(name)?, flags, OURS)?))
    }

    fn open_file(&self, name: &str, flags: OFlag) -> io::Result<File> {
        let file = openat(&self.file, plain(name)?, flags | GUARDED, Mode::empty())?;
        checked(File::from(file), name)
    }

    fn own(self, path: &Path) -> io::Result<Self> {
        let found = self.file.metadata()?;
        if found.uid() != geteuid().as_raw() || found.mode() & 0o022 != 0 {
            let text = format!("{} is not a folder of the user running this alone", path.display());
            return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
        }
        Ok(self)
    }

    fn of(fd: OwnedFd) -> Self {
        Self { file: File::from(fd) }
    }

    /// Another descriptor of the same open folder.
    ///
    /// # Errors
    /// There are no more descriptors.
    pub fn try_clone(&self) -> io::Result<File> {
        self.file.try_clone()
    }
}

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

fn checked(file: File, name: &str) -> io::Result<File> {
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(wrong(name, "is no file"))
    }
}

fn read_all(file: File, name: &str, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(wrong(name, "is larger than any of ours"));
    }
    Ok(bytes)
}

fn give(file: &File, readers: Readers) -> io::Result<()> {
    let mode = match readers {
        Readers::Nobody => OURS,
        Readers::Everybody => OURS | Mode::S_IRGRP | Mode::S_IROTH,
        Readers::Group(group) => {
            fchown(file, None::<Uid>, Some(Gid::from_raw(group)))?;
            OURS | Mode::S_IRGRP
        }
    };
    // Whatever the umask took.
    Ok(fchmod(file, mode)?)
}

/// A second name may be somebody else's way to it.
fn is_ours_alone(file: &File) -> io::Result<bool> {
    let found = file.metadata()?;
    Ok(found.uid() == geteuid().as_raw() && found.nlink() == 1)
}

/// A name, not a path.
fn plain(name: &str) -> io::Result<&str> {
    if name.is_empty() || name.contains('/') || name == "." || name == ".." {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("{name:?} is no name"),
        ));
    }
    Ok(name)
}

fn wrong(name: &str, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name} {what}"))
}

#[cfg(test)]
mod tests;
