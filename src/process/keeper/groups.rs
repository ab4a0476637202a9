//! The control group of a process: made for it, removed after the last of its instance.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use super::spawn::move_up;
use crate::protocol::keeper::Group;

/// Makes the group and opens what a process writes itself into. What cannot be had costs a limit, not the process.
pub(super) fn enter(group: &Group) -> Vec<OwnedFd> {
    let complain = |path: &Path, error: io::Error| log::warn!("group={} is of no use: {error}", path.display());
    for folder in &group.folders {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => complain(folder, error),
            _ => {}
        }
    }
    for (file, value) in &group.settings {
        if let Err(error) = fs::write(file, value) {
            complain(file, error);
        }
    }
    let open = |folder: &std::path::PathBuf| {
        let file = File::options().write(true).open(folder.join("cgroup.procs"));
        file.and_then(|file| move_up(file.as_fd()))
            .map_err(|error| complain(folder, error))
            .ok()
    };
    group.folders.iter().filter_map(open).collect()
}

/// Removes the group, once nobody is in it.
pub(super) fn remove(group: &Group) {
    for folder in &group.folders {
        match fs::remove_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                log::warn!("group={} is left: {error}", folder.display());
            }
            _ => {}
        }
    }
}
