//! What has to be on disk before an instance's first process starts.

use std::path::{Path, PathBuf};

use nix::unistd::{Gid, Uid, chown};

use super::commands::{Layout, xauthority_path};
use crate::config::{AppOwner, InstanceFolders};
use crate::x11::{X11Error, create_authority};

/// The window manager's configuration; the same for every instance.
const OPENBOX: &str = include_str!("openbox.xml");

/// Why an instance's folders cannot be prepared.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A file or folder.
    #[error("{} cannot be written", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The display's authority file.
    #[error("the display's authority file cannot be written")]
    Authority(#[source] X11Error),
}

/// Prepares the instance's own folder and the files that its processes read. What is there already, from the host
/// before this one, stays: running processes use it.
///
/// # Errors
/// [`SetupError`].
pub fn prepare(folder: &Path, layout: &Layout, owner: Option<&AppOwner>) -> Result<(), SetupError> {
    make_private(folder)?;
    make_private(&folder.join("logs"))?;
    if !layout.xauthority.exists() {
        create_authority(&layout.xauthority).map_err(SetupError::Authority)?;
        give(&layout.xauthority, owner)?;
    }
    let config = &layout.window_manager_config;
    std::fs::write(config, OPENBOX).map_err(|source| SetupError::Io {
        path: config.clone(),
        source,
    })?;
    give(config, owner)
}

/// Where the files are that [`prepare`] writes for the app's user to read.
#[must_use]
pub fn files(folders: &InstanceFolders) -> (PathBuf, PathBuf) {
    (xauthority_path(&folders.own), folders.own.join(".openbox.xml"))
}

fn make_private(folder: &Path) -> Result<(), SetupError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| SetupError::Io {
            path: folder.to_owned(),
            source,
        })
}

fn give(path: &Path, owner: Option<&AppOwner>) -> Result<(), SetupError> {
    let Some(owner) = owner else { return Ok(()) };
    chown(path, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid))).map_err(|e| SetupError::Io {
        path: path.to_owned(),
        source: e.into(),
    })
}
