//! What has to be on disk before an instance's first process starts. All of it is the host's and lies where no app can
//! write: an app could else exchange it, and have the next host write to where it leads.

use std::path::{Path, PathBuf};

use super::commands::{Layout, XAUTHORITY, xauthority_path};
use crate::files::{Folder, Readers};
use crate::folders::{AppOwner, InstanceFolders};
use crate::sandbox::HOSTNAME;
use crate::x11::{X11Error, create_authority};

/// The window manager's configuration; the same for every instance.
const OPENBOX: &str = include_str!("openbox.xml");
/// Its name.
const OPENBOX_FILE: &str = ".openbox.xml";

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
/// [`SetupError`], also where a folder is not the host's alone.
pub fn prepare(folder: &Path, layout: &Layout, owner: Option<&AppOwner>) -> Result<(), SetupError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |source| SetupError::Io { path, source }
    };
    let private = Folder::make(folder).map_err(io(folder))?;
    private.make_in("logs").map_err(io(folder))?;
    let shown = layout.xauthority.parent().unwrap_or(Path::new("/"));
    let shown_folder = Folder::open_own(shown).map_err(io(shown))?;
    let readers = owner.map_or(Readers::Nobody, |owner| Readers::Group(owner.gid));
    if !shown_folder.has(XAUTHORITY) {
        // A sandbox has a name of its own; the machine's is none of its app's business.
        let machine = if layout.confinement.sandbox.is_some() {
            HOSTNAME.to_owned()
        } else {
            std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default()
        };
        create_authority(&shown_folder, XAUTHORITY, machine.trim(), readers).map_err(SetupError::Authority)?;
    }
    if shown_folder.read(OPENBOX_FILE, OPENBOX.len() as u64).ok().as_deref() == Some(OPENBOX.as_bytes()) {
        return Ok(());
    }
    let written = shown_folder.write(OPENBOX_FILE, OPENBOX.as_bytes(), readers);
    written.map_err(io(&layout.window_manager_config))
}

/// Where the files are that [`prepare`] writes for the app's user to read.
#[must_use]
pub fn files(folders: &InstanceFolders) -> (PathBuf, PathBuf) {
    (xauthority_path(&folders.own), folders.own.join(OPENBOX_FILE))
}
