//! The instance's folder: its lock, the sockets in it, the manifest.
//!
//! Sockets are bound through `/proc/self/fd`, because a socket's path has room for only 108 bytes (unix(7)).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};

use crate::protocol::keeper::Manifest;

/// The name of the keeper's socket.
pub(in crate::process) const SOCKET: &str = "keeper.sock";
/// The name of the keeper's manifest.
pub(in crate::process) const MANIFEST: &str = "keeper.json";

/// A manifest has about 120 bytes.
const MAX_MANIFEST_BYTES: u64 = 4096;

/// An open folder. Paths in it stay valid when the folder is moved.
#[derive(Debug)]
pub(in crate::process) struct Folder {
    file: File,
}

/// A folder that is this process's alone: the lock goes with the process, however it ends.
#[derive(Debug)]
pub(in crate::process) struct LockedFolder {
    lock: Flock<File>,
}

impl Folder {
    pub(in crate::process) fn open(path: &Path) -> io::Result<Self> {
        // A link in its place leads to somebody else's.
        let flags = libc::O_DIRECTORY | libc::O_NOFOLLOW | libc::O_CLOEXEC;
        Ok(Self {
            file: File::options().read(true).custom_flags(flags).open(path)?,
        })
    }

    /// The short path of a file in it, for as long as this value lives.
    pub(in crate::process) fn path(&self, name: &str) -> PathBuf {
        path_in(&self.file, name)
    }

    /// Takes the folder's lock; none where another process has it.
    pub(in crate::process) fn lock(self) -> io::Result<Option<LockedFolder>> {
        match Flock::lock(self.file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => Ok(Some(LockedFolder { lock })),
            Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
            Err((_, errno)) => Err(errno.into()),
        }
    }

    /// The manifest in it: a file, no link and no pipe, and not larger than any keeper writes.
    pub(in crate::process) fn manifest(&self) -> io::Result<Manifest> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
        let file = File::options()
            .read(true)
            .custom_flags(flags)
            .open(self.path(MANIFEST))?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut text = Vec::new();
        file.take(MAX_MANIFEST_BYTES).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }
}

fn path_in(folder: &File, name: &str) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}/{name}", folder.as_raw_fd()))
}

impl LockedFolder {
    /// The short path of a file in it, for as long as this value lives.
    pub(in crate::process) fn path(&self, name: &str) -> PathBuf {
        path_in(&self.lock, name)
    }

    /// Binds a socket in place of whatever had its name.
    pub(super) fn listen(&self, name: &str) -> io::Result<OwnedFd> {
        let path = self.path(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Ok(UnixListener::bind(path)?.into())
    }

    /// Writes the manifest, whole or not at all.
    pub(super) fn write_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        let new = self.path("keeper.json.new");
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(&serde_json::to_vec(manifest)?)?;
        file.sync_all()?;
        fs::rename(new, self.path(MANIFEST))
    }

    /// Removes a file if it is there.
    pub(in crate::process) fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.path(name))
            && error.kind() != io::ErrorKind::NotFound
        {
            log::warn!("file={name} cannot be removed: {error}");
        }
    }
}
