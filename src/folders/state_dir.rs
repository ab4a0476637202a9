//! The state folder: what one host keeps between its runs, and the lock that makes it one.
//!
//! `lock` (flock'ed while a host lives; holds its pid) · `instances/<instance_id>/` (sockets and logs of keepers) ·
//! the SQLite database. The folder is 0700 and its owner's: what is in it opens sessions and instances.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::{Flock, FlockArg};
use nix::unistd::{AccessFlags, access};

use crate::ids::InstanceId;

/// A state folder in use by this process. Dropping it gives it up.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why a state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// It cannot be made or opened.
    #[error("cannot use the state folder {path}: {doing}")]
    Unusable {
        /// The folder or the file in it.
        path: PathBuf,
        /// What failed.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is somebody else's.
    #[error(
        "the state folder {path} belongs to the user with uid {owner}, not to the one running this ({own}); use --state DIR"
    )]
    NotOwn {
        /// The folder.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Who runs.
        own: u32,
    },
    /// Another host uses it.
    #[error(
        "the state folder {path} is in use by another host{}; stop it, or use --state DIR",
        .pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other host.
        pid: Option<i32>,
    },
}

impl StateDirError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unusable { .. } => "state_unusable",
            Self::NotOwn { .. } => "state_not_own",
            Self::InUse { .. } => "state_in_use",
        }
    }
}

impl StateDir {
    /// Makes the folder where it is missing, takes rights from others where they have some, and locks it.
    ///
    /// # Errors
    /// It cannot be made, is another user's, or is in use by another host.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let unusable = |path: &Path, doing| {
            let path = path.to_owned();
            move |source| StateDirError::Unusable { path, doing, source }
        };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(unusable(parent, "it cannot be made"))?;
        }
        private_folder(path).map_err(unusable(path, "it cannot be made"))?;
        let path = path
            .canonicalize()
            .map_err(unusable(path, "its real path cannot be found"))?;
        let folder = own_folder(&path)?;
        if folder.mode() & 0o077 != 0 {
            std::fs::set_permissions(&path, Permissions::from_mode(0o700))
                .map_err(unusable(&path, "its rights cannot be tightened to 0700"))?;
        }
        let lock = lock(&path)?;
        let instances = path.join("instances");
        private_folder(&instances).map_err(unusable(&instances, "it cannot be made"))?;
        Ok(Self { path, _lock: lock })
    }

    /// Whether the folder could be opened by who follows the host that uses it. Gives its real path; `None`: there is none yet.
    ///
    /// # Errors
    /// As of [`StateDir::open`], but for its being in use.
    pub fn look(path: &Path) -> Result<Option<PathBuf>, StateDirError> {
        let unusable = |path: &Path, doing| {
            let path = path.to_owned();
            move |source| StateDirError::Unusable { path, doing, source }
        };
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(unusable(path, "its real path cannot be found")(error)),
        };
        own_folder(&path)?;
        for folder in [path.clone(), path.join("instances")] {
            match std::fs::metadata(&folder) {
                Ok(found) if !found.is_dir() => {
                    return Err(unusable(&folder, "it is no folder")(
                        io::ErrorKind::NotADirectory.into(),
                    ));
                }
                // It would be made.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(unusable(&folder, "it cannot be looked at"))?,
            };
            let rights = AccessFlags::R_OK | AccessFlags::W_OK | AccessFlags::X_OK;
            access(&folder, rights).map_err(|errno| unusable(&folder, "it cannot be written")(errno.into()))?;
        }
        if path.join("lock").symlink_metadata().is_ok_and(|found| !found.is_file()) {
            return Err(unusable(&path.join("lock"), "its lock file cannot be opened")(
                io::ErrorKind::InvalidInput.into(),
            ));
        }
        Ok(Some(path))
    }

    /// The folder, absolute and without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder with one folder per instance.
    #[must_use]
    pub fn instances(&self) -> PathBuf {
        self.path.join("instances")
    }

    /// The folder of an instance: sockets and logs. Not made by this.
    #[must_use]
    pub fn instance(&self, id: InstanceId) -> PathBuf {
        self.instances().join(id.to_string())
    }

    /// The pid of the host that uses the folder at this moment; `None` when no host does.
    ///
    /// # Errors
    /// There is no such folder, or its lock cannot be read.
    pub fn user_of(path: &Path) -> io::Result<Option<i32>> {
        let file = match OpenOptions::new().read(true).write(true).open(path.join("lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound && path.is_dir() => return Ok(None),
            Err(error) => return Err(error),
        };
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(_) => Ok(None),
            Err((file, nix::errno::Errno::EWOULDBLOCK)) => pid_in(&file)
                .map(Some)
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the lock file does not hold a pid")),
            Err((_, errno)) => Err(errno.into()),
        }
    }
}

/// Makes a folder that only its owner may enter. One that exists stays as it is.
fn private_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        other => other,
    }
}

/// What is told of a folder, if it belongs to this user.
fn own_folder(path: &Path) -> Result<std::fs::Metadata, StateDirError> {
    let folder = path.metadata().map_err(|source| StateDirError::Unusable {
        path: path.to_owned(),
        doing: "it cannot be looked at",
        source,
    })?;
    let own = nix::unistd::geteuid().as_raw();
    if folder.uid() == own {
        return Ok(folder);
    }
    Err(StateDirError::NotOwn {
        path: path.to_owned(),
        owner: folder.uid(),
        own,
    })
}

fn lock(folder: &Path) -> Result<Flock<File>, StateDirError> {
    let path = folder.join("lock");
    let unusable = |doing| {
        let path = path.clone();
        move |source| StateDirError::Unusable { path, doing, source }
    };
    // Not truncated here: until the lock is ours, what it says is another's.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(libc::O_NOFOLLOW)
        .open(&path)
        .map_err(unusable("its lock file cannot be opened"))?;
    let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
        Ok(lock) => lock,
        Err((file, nix::errno::Errno::EWOULDBLOCK)) => {
            return Err(StateDirError::InUse {
                path: folder.to_owned(),
                pid: pid_in(&file),
            });
        }
        Err((_, errno)) => return Err(unusable("its lock file cannot be locked")(errno.into())),
    };
    let written = lock.set_len(0).and_then(|()| writeln!(*lock, "{}", std::process::id()));
    written.map_err(unusable("its lock file cannot be written"))?;
    Ok(lock)
}

fn pid_in(file: &File) -> Option<i32> {
    let mut text = String::new();
    let mut file = file;
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_folder_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(&folder.path().join("a/b/state")).unwrap();
        assert_eq!(state.path().metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(state.instances().metadata().unwrap().mode() & 0o777, 0o700);
        assert_eq!(state.path().join("lock").metadata().unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn an_existing_folder_with_wider_rights_is_tightened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert_eq!(state.path().metadata().unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_folder_in_use_is_refused_with_the_pid_of_its_user_until_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = StateDir::open(folder.path()).unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let error = StateDir::open(folder.path()).unwrap_err();
        assert_eq!(error.code(), "state_in_use");
        assert!(error.to_string().contains(&format!("pid {own}")), "{error}");
        assert_eq!(StateDir::user_of(folder.path()).unwrap(), Some(own));
        drop(first);
        assert_eq!(StateDir::user_of(folder.path()).unwrap(), None);
        StateDir::open(folder.path()).unwrap();
    }

    #[test]
    fn a_file_in_the_place_of_the_folder_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        std::fs::write(&path, "").unwrap();
        let error = StateDir::open(&path).unwrap_err();
        assert_eq!(error.code(), "state_unusable");
        assert!(error.to_string().contains(path.to_str().unwrap()));
    }

    #[test]
    fn a_lock_file_that_leads_elsewhere_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let state = folder.path().join("state");
        std::fs::create_dir(&state).unwrap();
        std::os::unix::fs::symlink(&victim, state.join("lock")).unwrap();
        assert_eq!(StateDir::open(&state).unwrap_err().code(), "state_unusable");
        assert_eq!(std::fs::read_to_string(victim).unwrap(), "precious");
    }
}
