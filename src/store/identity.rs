//! Who this server is: an id that its state folder keeps, so that it is the same server after a restart whatever
//! database it uses.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::error::StoreError;
use crate::ids::ServerId;

/// The file in the state folder.
const FILE: &str = "server_id";
const NO_ID: &str = "it holds no UUID";

/// The id of the server that this state folder belongs to, made at the first call. The caller holds the folder's lock.
///
/// # Errors
/// The file cannot be read or made, or holds something else.
pub fn server_id(state: &Path) -> Result<ServerId, StoreError> {
    let path = state.join(FILE);
    let unusable = |cause: String| StoreError::Identity {
        path: path.clone(),
        cause,
    };
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim().parse().map_err(|_| unusable(NO_ID.to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = ServerId::new();
            // Through another name: a host that dies here leaves no half of a file.
            let draft = state.join("server_id.new");
            let mut file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&draft)
                .map_err(|error| unusable(error.to_string()))?;
            writeln!(file, "{id}")
                .and_then(|()| file.sync_all())
                .and_then(|()| std::fs::rename(&draft, &path))
                .map_err(|error| unusable(error.to_string()))?;
            Ok(id)
        }
        Err(error) => Err(unusable(error.to_string())),
    }
}

/// Whether [`server_id`] would give one; changes nothing.
///
/// # Errors
/// As of that.
pub fn look(state: &Path) -> Result<(), StoreError> {
    let path = state.join(FILE);
    let cause = match std::fs::read_to_string(&path) {
        Ok(text) if text.trim().parse::<ServerId>().is_ok() => return Ok(()),
        Ok(_) => NO_ID.to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => error.to_string(),
    };
    Err(StoreError::Identity { path, cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_folder_is_the_same_server_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let first = server_id(folder.path()).unwrap();
        assert_eq!(server_id(folder.path()).unwrap(), first);
        let other = tempfile::tempdir().unwrap();
        assert_ne!(server_id(other.path()).unwrap(), first);
    }

    #[test]
    fn a_damaged_file_is_named_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), "half").unwrap();
        let error = server_id(folder.path()).unwrap_err();
        assert_eq!(error.code(), "server_identity");
        assert!(error.to_string().contains(FILE), "{error}");
        assert_eq!(std::fs::read_to_string(folder.path().join(FILE)).unwrap(), "half");
    }
}
