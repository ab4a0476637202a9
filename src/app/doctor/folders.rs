//! The state folder with the database, the homes of apps, and how much room there is.

use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::finding::Finding;
use crate::app::error::chain;
use crate::folders::{AppOwner, AppsDir, StateDir};
use crate::store::Store;
use crate::store::url::{Backend, backend};

const STATE: &str = "state folder";
const DATABASE: &str = "database";
const DISK: &str = "disk";
const SHARED_MEMORY: &str = "/dev/shm";

const MIB: u64 = 1024 * 1024;
/// Less disk than this fills up at once.
const LEAST_DISK: u64 = 64 * MIB;
/// Less disk than this fills up in a while: homes, logs, the database.
const ENOUGH_DISK: u64 = 1024 * MIB;
/// Browsers put their pictures here; containers give 64 MiB unless told otherwise.
const ENOUGH_SHARED_MEMORY: u64 = 256 * MIB;

/// The state folder, what is in it, and the disk below it. A folder that is missing is not made: it would belong to
/// whoever asks, not to whoever runs the host.
pub fn state(path: &Path, url: &str, owner: Option<AppOwner>) -> Vec<Finding> {
    let mut found = if path.exists() {
        existing(path, url, owner)
    } else {
        vec![missing(path), future_database(path, url)]
    };
    let disk = existing_part(path);
    found.push(match free(&disk) {
        Ok(bytes) => room(&disk, bytes),
        Err(error) => Finding::note(DISK, format!("the room on {} is not known: {error}", disk.display())),
    });
    found
}

fn existing(path: &Path, url: &str, owner: Option<AppOwner>) -> Vec<Finding> {
    // Whatever is wrong with it is named better by opening it.
    if let Ok(Some(pid)) = StateDir::user_of(path) {
        let text = format!("{} is in use: a host runs, pid {pid}", path.display());
        return vec![
            Finding::note(STATE, text),
            Finding::ok(DATABASE, "in use by the running host"),
        ];
    }
    let state = match StateDir::open(path) {
        Ok(state) => state,
        Err(error) => {
            let hint = "make it the folder of the user who runs the host, or name another with --state DIR";
            return vec![Finding::problem(STATE, chain(&error)).hint(hint)];
        }
    };
    let mut found = vec![Finding::ok(STATE, state.path().display().to_string())];
    if let Err(error) = AppsDir::open(state.path(), owner) {
        let text = format!("the folder for the apps' homes cannot be used: {error}");
        found.push(Finding::problem(STATE, text).hint("remove what stands in its place, or make it the host's own"));
    }
    found.push(database(state.path(), url));
    found
}

fn missing(path: &Path) -> Finding {
    let parent = existing_part(path);
    if parent.is_dir() && access(&parent, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() {
        Finding::ok(STATE, format!("{} will be made at the first start", path.display()))
    } else {
        Finding::problem(
            STATE,
            format!("{} cannot be made in {}", path.display(), parent.display()),
        )
        .hint("name another with --state DIR, or make it and give it to the user who runs the host")
    }
}

fn database(state: &Path, url: &str) -> Finding {
    match backend(url, state) {
        Ok(Backend::Sqlite(path)) if path.exists() => match Store::open(url, state) {
            Ok(_) => Finding::ok(DATABASE, format!("{} opens", path.display())),
            Err(error) => Finding::problem(DATABASE, chain(&error))
                .hint("make it readable and writable for the user who runs the host, or name another as store.url"),
        },
        _ => future_database(state, url),
    }
}

/// What becomes of a database that is not there yet.
fn future_database(state: &Path, url: &str) -> Finding {
    match backend(url, state) {
        Ok(Backend::Sqlite(path)) => {
            Finding::ok(DATABASE, format!("{} will be made at the first start", path.display()))
        }
        Err(error) => Finding::problem(DATABASE, chain(&error)).hint("set store.url to sqlite:heliostat.db"),
    }
}

/// The folder itself, or the nearest above it that exists.
fn existing_part(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|folder| folder.exists())
        .map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

/// Bytes that are free for this user.
fn free(folder: &Path) -> nix::Result<u64> {
    let found = nix::sys::statvfs::statvfs(folder)?;
    Ok(found.blocks_available().saturating_mul(found.fragment_size()))
}

fn room(folder: &Path, bytes: u64) -> Finding {
    let text = format!("{} MiB free below {}", bytes / MIB, folder.display());
    let hint = "free some, or name a state folder elsewhere with --state DIR";
    match bytes {
        ENOUGH_DISK.. => Finding::ok(DISK, text),
        LEAST_DISK.. => Finding::note(DISK, text).hint(hint),
        _ => Finding::problem(DISK, text).hint(hint),
    }
}

/// How much shared memory apps may use. The host itself needs none of it: its pictures are in anonymous memory.
pub fn shared_memory(folder: &Path) -> Finding {
    let size = nix::sys::statvfs::statvfs(folder).map(|found| found.blocks().saturating_mul(found.fragment_size()));
    match size {
        Ok(bytes) if bytes >= ENOUGH_SHARED_MEMORY => Finding::ok(SHARED_MEMORY, format!("{} MiB", bytes / MIB)),
        Ok(bytes) => Finding::note(
            SHARED_MEMORY,
            format!("{} MiB, few for browsers and other large apps", bytes / MIB),
        )
        .hint("start the container with --shm-size=1g, or mount a larger tmpfs there"),
        Err(error) => Finding::note(SHARED_MEMORY, format!("not usable: {error}")).hint("mount a tmpfs there"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;

    const URL: &str = "sqlite:heliostat.db";

    fn level(found: &[Finding], check: &str) -> Level {
        found.iter().find(|finding| finding.check == check).unwrap().level
    }

    #[test]
    fn a_missing_folder_is_fine_where_it_can_be_made_and_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        let found = state(&path, URL, None);
        assert_eq!((level(&found, STATE), level(&found, DATABASE)), (Level::Ok, Level::Ok));
        assert!(!parent.path().join("a").exists());
    }

    #[test]
    fn a_file_in_its_place_or_above_it_is_a_problem() {
        let parent = tempfile::tempdir().unwrap();
        let file = parent.path().join("file");
        std::fs::write(&file, "").unwrap();
        for path in [file.clone(), file.join("state")] {
            assert_eq!(
                level(&state(&path, URL, None), STATE),
                Level::Problem,
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn a_folder_in_use_is_noted_with_the_pid_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let _host = StateDir::open(folder.path()).unwrap();
        let found = state(folder.path(), URL, None);
        assert_eq!(level(&found, STATE), Level::Note);
        assert!(
            found[0].text.contains(&format!("pid {}", std::process::id())),
            "{}",
            found[0].text
        );
        assert!(!folder.path().join("heliostat.db").exists());
    }

    #[test]
    fn a_database_that_is_none_is_a_problem() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(level(&state(folder.path(), URL, None), DATABASE), Level::Ok);
        drop(Store::open(URL, folder.path()).unwrap());
        assert_eq!(level(&state(folder.path(), URL, None), DATABASE), Level::Ok);
        std::fs::write(
            folder.path().join("heliostat.db"),
            "this was never a database".repeat(100),
        )
        .unwrap();
        assert_eq!(level(&state(folder.path(), URL, None), DATABASE), Level::Problem);
        assert_eq!(
            level(&state(folder.path(), "mysql://x", None), DATABASE),
            Level::Problem
        );
    }

    #[test]
    fn little_room_is_noted_and_no_room_is_a_problem() {
        let of = |bytes| room(Path::new("/x"), bytes).level;
        assert_eq!((of(u64::MAX), of(ENOUGH_DISK)), (Level::Ok, Level::Ok));
        assert_eq!((of(ENOUGH_DISK - 1), of(LEAST_DISK - 1)), (Level::Note, Level::Problem));
    }

    #[test]
    fn shared_memory_that_is_missing_is_only_noted() {
        assert_eq!(shared_memory(Path::new("/does/not/exist")).level, Level::Note);
    }
}
