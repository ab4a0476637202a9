//! The folder where apps have their homes and temporary folders.
//!
//! ```text
//! <root>                        0711, the host's
//!   instances/<instance_id>/    0711, the host's      removed with the instance; what opens its display
//!     home/                     0700, the app's       the home, unless kept
//!     vnc/                      0700, the app's       the socket of its VNC server, which no app sees in its sandbox
//!   t/<instance_id, begun>/     0700, the app's       its temporary folder
//!   homes/<session_id>/         0711, the host's
//!     <app>/                    0700, the app's       `home = keep`
//!   homes/aside/                0700, the host's      those of sessions that are forgotten, for some days
//! ```
//!
//! An app can write in no folder in which the host has something, and exchange none of its own: what is above them is the
//! host's.
//!
//! When the host is root, apps run as another user, who cannot reach into the 0700 state folder: then the root is
//! `/var/lib/heliostat-apps/<hash of the state folder's path>`. Otherwise it is `apps` in the state folder.

use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fchmod};
use nix::unistd::{Gid, Uid, fchown};
use sha2::{Digest, Sha256};

use super::owner::AppOwner;
use super::removal::remove_tree;
use crate::config::Home;
use crate::config::app_entry::is_app_id;
use crate::files::Folder;
use crate::ids::{InstanceId, SessionId};

/// Where the roots are when the host is root.
const SYSTEM_ROOTS: &str = "/var/lib/heliostat-apps";

/// The apps folder of one host.
#[derive(Debug, Clone)]
pub struct AppsDir {
    root: PathBuf,
    owner: Option<AppOwner>,
}

/// The folders of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFolders {
    /// The home: the app's.
    pub home: PathBuf,
    /// The temporary folder: the app's.
    pub tmp: PathBuf,
    /// The host's own, for what is put there for the instance's processes to read.
    pub own: PathBuf,
    /// Where its VNC server has its socket: that of the app's user, and in no app's sandbox.
    pub vnc: PathBuf,
}

impl AppsDir {
    /// The apps folder that belongs to a state folder (its real path); made where it is missing.
    ///
    /// # Errors
    /// It cannot be made, or something that is not the host's stands in its place.
    pub fn open(state: &Path, owner: Option<AppOwner>) -> io::Result<Self> {
        let root = match &owner {
            None => state.join("apps"),
            Some(_) => {
                own_folder(Path::new(SYSTEM_ROOTS))?;
                system_root(state)
            }
        };
        Self::at(root, owner)
    }

    /// The apps folder at a place of the caller's choice.
    ///
    /// # Errors
    /// As of [`AppsDir::open`].
    pub fn at(root: PathBuf, owner: Option<AppOwner>) -> io::Result<Self> {
        for folder in [root.clone(), root.join("instances"), root.join("homes"), root.join("t")] {
            own_folder(&folder)?;
        }
        Ok(Self { root, owner })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Who apps run as; `None`: as the host itself.
    #[must_use]
    pub fn owner(&self) -> Option<&AppOwner> {
        self.owner.as_ref()
    }

    /// Makes the folders of an instance. Those that exist stay, with what is in them.
    ///
    /// # Errors
    /// One cannot be made or given to the app's user, or something else stands in its place, such as a link.
    pub fn make(&self, id: InstanceId, session: SessionId, app: &str, home: Home) -> io::Result<InstanceFolders> {
        let instance = self.instance(id);
        let folders = InstanceFolders {
            home: match home {
                Home::Ephemeral => instance.join("home"),
                Home::Keep => self.kept_home(session, app)?,
            },
            tmp: self.tmp(id),
            own: instance.clone(),
            vnc: instance.join("vnc"),
        };
        if instance.symlink_metadata().is_ok() {
            own_folder(&instance)?;
            // Of an app that runs, or ran: nothing in them is touched.
            for folder in [&folders.home, &folders.tmp] {
                Folder::open(folder)?;
            }
            // An earlier version made none.
            match self.make_for_app(&folders.vnc) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => drop(Folder::open(&folders.vnc)?),
                other => other?,
            }
            return Ok(folders);
        }
        own_folder(&instance)?;
        if folders.home.starts_with(&instance) {
            self.make_for_app(&folders.home)?;
        }
        self.make_for_app(&folders.tmp)?;
        self.make_for_app(&folders.vnc)?;
        Ok(folders)
    }

    fn make_for_app(&self, folder: &Path) -> io::Result<()> {
        DirBuilder::new().mode(0o700).create(folder)?;
        self.give(folder)
    }

    /// Removes what an instance had; a kept home stays. Nothing there is fine.
    ///
    /// # Errors
    /// Something is left.
    pub fn remove(&self, id: InstanceId) -> io::Result<()> {
        remove_tree(&self.instance(id)).and(remove_tree(&self.tmp(id)))
    }

    /// Empties the home that a session keeps of an app. Nothing there is fine.
    ///
    /// # Errors
    /// Something is left, or it is not the id of an app.
    pub fn empty_kept_home(&self, session: SessionId, app: &str) -> io::Result<()> {
        let of_session = self.homes_of(session);
        if !is_app_id(app)
            || !of_session
                .join(app)
                .symlink_metadata()
                .is_ok_and(|found| found.is_dir())
        {
            return Ok(());
        }
        remove_tree(&of_session.join(app))?;
        // An instance that can be started again expects it.
        self.kept_home(session, app).map(drop)
    }

    /// The instances that have folders here.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn instances(&self) -> io::Result<Vec<InstanceId>> {
        named(&self.root.join("instances"))
    }

    /// The sessions that have kept homes here.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn kept_homes(&self) -> io::Result<Vec<SessionId>> {
        named(&self.root.join("homes"))
    }

    pub(super) fn homes_of(&self, session: SessionId) -> PathBuf {
        self.root.join("homes").join(session.to_string())
    }

    fn instance(&self, id: InstanceId) -> PathBuf {
        self.root.join("instances").join(id.to_string())
    }

    /// Its path is short: programs put sockets below it, whose paths may have 107 bytes (unix(7)).
    fn tmp(&self, id: InstanceId) -> PathBuf {
        self.root.join("t").join(&id.0.simple().to_string()[..12])
    }

    fn kept_home(&self, session: SessionId, app: &str) -> io::Result<PathBuf> {
        if !is_app_id(app) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not the id of an app"));
        }
        let of_session = self.homes_of(session);
        self.bring_back(session)?;
        own_folder(&of_session)?;
        let home = of_session.join(app);
        match DirBuilder::new().mode(0o700).create(&home) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            other => other?,
        }
        self.give(&home)?;
        Ok(home)
    }

    /// Makes a folder, never what a link leads to, the app's alone.
    fn give(&self, folder: &Path) -> io::Result<()> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = open(folder, flags, Mode::empty())?;
        fchmod(&folder, Mode::S_IRWXU)?;
        if let Some(owner) = &self.owner {
            fchown(&folder, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
        }
        Ok(())
    }
}

/// The identifiers that entries of a folder are named by; others are passed over.
fn named<I: FromStr>(folder: &Path) -> io::Result<Vec<I>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        found.extend(entry?.file_name().to_str().and_then(|name| name.parse().ok()));
    }
    Ok(found)
}

/// The root of the host with this state folder (its real path), where apps run as another user.
fn system_root(state: &Path) -> PathBuf {
    let hash = Sha256::digest(state.as_os_str().as_encoded_bytes());
    Path::new(SYSTEM_ROOTS).join(hex::encode(&hash[..8]))
}

/// Makes a folder of the host that others may pass through but not list. One that exists must be that already.
fn own_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o711).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let found = path.symlink_metadata()?;
    if !found.is_dir() || found.uid() != Uid::effective().as_raw() {
        let text = format!("{} is not a folder of the user running this", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, text));
    }
    if found.mode() & 0o777 != 0o711 {
        std::fs::set_permissions(path, Permissions::from_mode(0o711))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn apps() -> (tempfile::TempDir, AppsDir) {
        let folder = tempfile::tempdir().unwrap();
        let owner = AppOwner::resolve("nobody").unwrap();
        let apps = AppsDir::at(folder.path().join("apps"), owner).unwrap();
        (folder, apps)
    }

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().mode() & 0o777
    }

    #[test]
    fn an_instance_gets_folders_of_its_own_that_only_its_user_may_enter() {
        let (_folder, apps) = apps();
        let id = InstanceId::new();
        let folders = apps.make(id, SessionId::new(), "demo", Home::Ephemeral).unwrap();
        for folder in [&folders.home, &folders.tmp, &folders.vnc] {
            assert_eq!(mode(folder), 0o700);
            let expected = apps.owner().map_or(Uid::effective().as_raw(), |owner| owner.uid);
            assert_eq!(folder.metadata().unwrap().uid(), expected);
        }
        for folder in [apps.root(), &folders.own] {
            assert_eq!(mode(folder), 0o711);
            assert_eq!(folder.metadata().unwrap().uid(), Uid::effective().as_raw());
        }
        std::fs::create_dir(apps.root().join("instances/lost+found")).unwrap();
        assert_eq!(apps.instances().unwrap(), vec![id], "only what an identifier names");
    }

    #[test]
    fn making_the_folders_again_keeps_what_is_in_them() {
        let (_folder, apps) = apps();
        let (id, session) = (InstanceId::new(), SessionId::new());
        let folders = apps.make(id, session, "demo", Home::Ephemeral).unwrap();
        std::fs::write(folders.home.join("file"), "x").unwrap();
        assert_eq!(apps.make(id, session, "demo", Home::Ephemeral).unwrap(), folders);
        assert!(folders.home.join("file").exists());
    }

    #[test]
    fn an_ephemeral_home_goes_with_its_instance_and_a_kept_one_stays() {
        let (_folder, apps) = apps();
        let session = SessionId::new();
        let first = InstanceId::new();
        let kept = apps.make(first, session, "demo", Home::Keep).unwrap();
        std::fs::write(kept.home.join("file"), "x").unwrap();
        apps.remove(first).unwrap();
        assert!(!kept.tmp.exists());
        let again = apps.make(InstanceId::new(), session, "demo", Home::Keep).unwrap();
        assert_eq!(again.home, kept.home);
        assert!(again.home.join("file").exists());
        let other = apps
            .make(InstanceId::new(), SessionId::new(), "demo", Home::Keep)
            .unwrap();
        assert_ne!(other.home, kept.home);
        assert_eq!(apps.kept_homes().unwrap().len(), 2);
        apps.empty_kept_home(session, "demo").unwrap();
        assert!(kept.home.exists() && !kept.home.join("file").exists());
        apps.empty_kept_home(session, "../../instances").unwrap();
        apps.empty_kept_home(session, "another").unwrap();
        assert!(!kept.home.with_file_name("another").exists(), "nothing there is fine");
        apps.remove(first).unwrap();
    }

    #[test]
    fn a_link_planted_in_the_place_of_a_folder_is_refused() {
        let (folder, apps) = apps();
        let (id, session) = (InstanceId::new(), SessionId::new());
        let folders = apps.make(id, session, "demo", Home::Ephemeral).unwrap();
        std::fs::remove_dir(&folders.home).unwrap();
        symlink(folder.path(), &folders.home).unwrap();
        assert!(apps.make(id, session, "demo", Home::Ephemeral).is_err());
        apps.remove(id).unwrap();
        assert!(folder.path().exists());
    }

    #[test]
    fn two_state_folders_have_two_roots_and_one_keeps_its_own() {
        let root = system_root(Path::new("/root/.local/state/heliostat"));
        assert_eq!(root.parent(), Some(Path::new(SYSTEM_ROOTS)));
        assert_eq!(root.file_name().unwrap().len(), 16);
        assert_eq!(root, system_root(Path::new("/root/.local/state/heliostat")));
        assert_ne!(root, system_root(Path::new("/root/.local/state/other")));
    }

    #[test]
    fn a_root_that_is_a_link_or_anothers_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        symlink("/tmp", folder.path().join("link")).unwrap();
        assert!(AppsDir::at(folder.path().join("link"), None).is_err());
    }

    #[test]
    fn an_id_that_is_a_path_makes_no_home() {
        let (_folder, apps) = apps();
        assert!(
            apps.make(InstanceId::new(), SessionId::new(), "../x", Home::Keep)
                .is_err()
        );
    }
}
