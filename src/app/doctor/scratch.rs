//! A folder for one trial, removed with it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use crate::config::AppOwner;

/// A folder below the temporary one that only its owner may enter. Removed when dropped.
#[derive(Debug)]
pub struct Scratch {
    path: PathBuf,
}

impl Scratch {
    /// Makes the folder and gives it to `owner`.
    pub fn new(owner: Option<&AppOwner>) -> io::Result<Self> {
        let mark = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let path = std::env::temp_dir().join(format!("heliostat-doctor-{mark:016x}"));
        DirBuilder::new().mode(0o700).create(&path)?;
        let scratch = Self { path };
        give(&scratch.path, owner)?;
        Ok(scratch)
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

/// Makes `owner` the owner of a file or folder.
pub fn give(path: &Path, owner: Option<&AppOwner>) -> io::Result<()> {
    owner.map_or(Ok(()), |owner| chown(path, Some(owner.uid), Some(owner.gid)))
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
