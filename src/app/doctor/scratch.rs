//! A folder for one trial, removed with it.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::files::Folder;
use crate::folders::AppOwner;

/// A folder of ours below the temporary one, for files that another user may read and nobody but us can exchange.
/// Removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
    folder: Folder,
}

impl Scratch {
    /// Makes the folder, where `owner` can pass through.
    pub fn new(owner: Option<&AppOwner>) -> io::Result<Self> {
        let mark = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let path = std::env::temp_dir().join(format!("heliostat-doctor-{mark:016x}"));
        let folder = Folder::make(&path)?;
        let scratch = Self { path, folder };
        if owner.is_some() {
            let passable = std::fs::Permissions::from_mode(0o711);
            scratch.folder.try_clone()?.set_permissions(passable)?;
        }
        Ok(scratch)
    }

    /// What is put there is put there through this.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left lies in the temporary folder and holds no secret that still opens anything.
        let _ = std::fs::remove_dir_all(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn the_folder_is_private_and_goes_with_everything_in_it() {
        let scratch = Scratch::new(None).unwrap();
        let path = scratch.path().to_owned();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o700);
        std::fs::write(path.join("x"), "x").unwrap();
        drop(scratch);
        assert!(!path.exists());
    }
}
