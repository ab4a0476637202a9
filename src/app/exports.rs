//! Programs of ours that the apps' user runs: the demo, and the capture process.
//!
//! Where the host is root that is another user, who may not reach the folder that this program lies in: then copies
//! are put where it can.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::folders::AppsDir;

const DEMO: &str = "heliostat-orrery";
const HOST: &str = "heliostat";

/// Where the apps' user finds them.
#[derive(Debug)]
pub(super) struct Exports {
    /// The folder that the demo is in, if it is installed.
    pub demo: PathBuf,
    /// This program.
    pub program: PathBuf,
}

/// Sees to it that the apps' user can run what it has to. Blocks.
///
/// # Errors
/// A copy cannot be written.
pub(super) fn export(program: &Path, apps: &AppsDir) -> io::Result<Exports> {
    let beside = folder_of(program);
    if apps.owner().is_none() {
        let program = program.to_owned();
        return Ok(Exports { demo: beside, program });
    }
    let folder = apps.root().join("bin");
    let demo = beside.join(DEMO);
    if demo.exists() {
        copy(&demo, &folder, DEMO)?;
    }
    let program = if anybody_may_run(program) {
        program.to_owned()
    } else {
        copy(program, &folder, HOST)?;
        folder.join(HOST)
    };
    Ok(Exports { demo: folder, program })
}

/// The folder that a program lies in.
pub(super) fn folder_of(program: &Path) -> PathBuf {
    program.parent().map_or_else(PathBuf::new, Path::to_owned)
}

fn copy(file: &Path, folder: &Path, name: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    // Never over one that runs.
    let fresh = folder.join(format!("{name}.new"));
    fs::copy(file, &fresh)?;
    fs::set_permissions(&fresh, Permissions::from_mode(0o755))?;
    fs::rename(fresh, folder.join(name))
}

/// By the mode bits alone: what lists of access rights allow beyond them only costs a copy.
pub(super) fn anybody_may_run(program: &Path) -> bool {
    let has = |path: &Path, bits| {
        path.metadata()
            .is_ok_and(|found| found.permissions().mode() & bits == bits)
    };
    has(program, 0o005) && program.ancestors().skip(1).all(|folder| has(folder, 0o001))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folders::AppOwner;

    fn installed(mode: u32) -> (tempfile::TempDir, PathBuf, AppsDir) {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o711)).unwrap();
        let folder = place.path().join("private");
        fs::create_dir(&folder).unwrap();
        for name in [HOST, DEMO] {
            fs::write(folder.join(name), name).unwrap();
            fs::set_permissions(folder.join(name), Permissions::from_mode(0o755)).unwrap();
        }
        fs::set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        let owner = AppOwner::resolve("nobody").unwrap();
        let apps = AppsDir::at(place.path().join("apps"), owner).unwrap();
        (place, folder.join(HOST), apps)
    }

    #[test]
    fn what_others_cannot_reach_is_copied_to_where_they_can() {
        let (_place, program, apps) = installed(0o700);
        let exports = export(&program, &apps).unwrap();
        if apps.owner().is_none() {
            assert_eq!(exports.program, program, "it is our own user");
            return;
        }
        assert_eq!(exports.program, apps.root().join("bin/heliostat"));
        assert!(anybody_may_run(&exports.program));
        assert_eq!(fs::read_to_string(exports.demo.join(DEMO)).unwrap(), DEMO);
        // Again, as at the next start.
        export(&program, &apps).unwrap();
    }

    #[test]
    fn what_everybody_can_run_is_run_where_it_is() {
        let (_place, program, apps) = installed(0o755);
        assert_eq!(export(&program, &apps).unwrap().program, program);
    }
}
