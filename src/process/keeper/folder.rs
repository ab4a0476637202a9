//! The instance's folder: its lock, and the manifest in it.

use std::fs::File;
use std::io;
use std::ops::Deref;

use nix::fcntl::{Flock, FlockArg};

use crate::files::{Folder, Readers};
use crate::protocol::keeper::Manifest;

/// The name of the keeper's socket.
pub(in crate::process) const SOCKET: &str = "keeper.sock";
/// The name of the keeper's manifest.
pub(in crate::process) const MANIFEST: &str = "keeper.json";

/// A manifest has about 180 bytes.
const MAX_MANIFEST_BYTES: u64 = 4096;

/// A folder that is this process's alone: the lock goes with the process, however it ends.
#[derive(Debug)]
pub(in crate::process) struct LockedFolder {
    folder: Folder,
    _lock: Flock<File>,
}

/// Takes a folder's lock; none where another process has it.
pub(in crate::process) fn lock(folder: Folder) -> io::Result<Option<LockedFolder>> {
    match Flock::lock(folder.try_clone()?, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => Ok(Some(LockedFolder { folder, _lock: lock })),
        Err((_, nix::errno::Errno::EWOULDBLOCK)) => Ok(None),
        Err((_, errno)) => Err(errno.into()),
    }
}

/// The manifest in a folder: a file, no link and no pipe, and not larger than any keeper writes.
pub(in crate::process) fn manifest(folder: &Folder) -> io::Result<Manifest> {
    Ok(serde_json::from_slice(&folder.read(MANIFEST, MAX_MANIFEST_BYTES)?)?)
}

impl LockedFolder {
    /// Writes the manifest, whole or not at all.
    pub(super) fn write_manifest(&self, manifest: &Manifest) -> io::Result<()> {
        self.write(MANIFEST, &serde_json::to_vec(manifest)?, Readers::Nobody)
    }
}

impl Deref for LockedFolder {
    type Target = Folder;

    fn deref(&self) -> &Folder {
        &self.folder
    }
}
