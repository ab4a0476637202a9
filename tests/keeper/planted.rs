//! What a program may have put in the place of a file of the host's, met by the host that adopts its instance: nothing
//! that it leads to is written, given away or waited for.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use heliostat::config::{AppEntry, Home};
use heliostat::desktop::{self, Layout, SetupError};
use heliostat::folders::{AppOwner, AppsDir, InstanceFolders};
use heliostat::ids::{InstanceId, SessionId};
use heliostat::instance::InstanceSpec;
use heliostat::sandbox::Confinement;
use nix::sys::stat::Mode;

use super::support::{LONG, is_root};

/// An instance's folders as a root host without sandboxes makes them, and a file that is nobody else's business.
struct Scene {
    place: tempfile::TempDir,
    apps: AppsDir,
    owner: Option<AppOwner>,
    id: InstanceId,
    session: SessionId,
    folders: InstanceFolders,
    state: PathBuf,
    precious: PathBuf,
}

/// The files in the instance's folder that its processes read.
const SHOWN: [&str; 2] = [".openbox.xml", ".Xauthority"];

impl Scene {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o755)).unwrap();
        let owner = AppOwner::resolve("nobody").unwrap();
        let apps = AppsDir::at(place.path().join("apps"), owner.clone()).unwrap();
        let (id, session) = (InstanceId::new(), SessionId::new());
        let folders = apps.make(id, session, "probe", Home::Ephemeral).unwrap();
        let precious = place.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        fs::set_permissions(&precious, Permissions::from_mode(0o600)).unwrap();
        let state = place.path().join("state");
        let scene = Self {
            place,
            apps,
            owner,
            id,
            session,
            folders,
            state,
            precious,
        };
        scene.prepare().unwrap();
        scene
    }

    fn layout(&self) -> Layout {
        let (xauthority, window_manager_config) = desktop::files(&self.folders);
        Layout {
            app: AppEntry::new("probe", "sh"),
            width: 320,
            height: 200,
            fps: 30,
            bitrate_kbps: 1000,
            home: self.folders.home.clone(),
            tmp: self.folders.tmp.clone(),
            xauthority,
            window_manager_config,
            program: PathBuf::new(),
            vnc_folder: None,
            user: None,
            user_name: "nobody".into(),
            confinement: Confinement::default(),
        }
    }

    /// What every host does before it adopts, on a thread of its own: it must not hang.
    fn prepare(&self) -> Result<(), SetupError> {
        let (state, layout, owner) = (self.state.clone(), self.layout(), self.owner.clone());
        in_time(move || desktop::prepare(&state, &layout, owner.as_ref()))
    }

    fn is_untouched(&self) {
        let found = fs::metadata(&self.precious).unwrap();
        assert_eq!(fs::read_to_string(&self.precious).unwrap(), "precious");
        assert_eq!(
            (found.uid(), found.mode() & 0o777),
            (nix::unistd::geteuid().as_raw(), 0o600)
        );
    }

    /// Puts these in the place of a file, one after the other.
    fn plant(&self, path: &Path, what: &str) {
        let _ = fs::remove_file(path);
        match what {
            "a link" => symlink(&self.precious, path).unwrap(),
            "a hard link" => fs::hard_link(&self.precious, path).unwrap(),
            "a pipe" => nix::unistd::mkfifo(path, Mode::S_IRWXU).unwrap(),
            _ => fs::create_dir(path).unwrap(),
        }
    }

    /// Does it as the apps' user; whether that was let through.
    fn as_app(&self, script: &str) -> bool {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stderr(std::process::Stdio::null());
        if let Some(owner) = &self.owner {
            command.uid(owner.uid).gid(owner.gid);
        }
        command.status().unwrap().success()
    }
}

const PLANTED: [&str; 4] = ["a link", "a hard link", "a pipe", "a folder"];

fn in_time<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    // overflow: one message is ever sent.
    let (done, wait) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || done.send(work()));
    wait.recv_timeout(LONG).expect("it hangs")
}

#[test]
fn what_stands_in_the_place_of_a_file_that_the_host_writes_is_neither_followed_nor_given_away() {
    let scene = Scene::new();
    for name in SHOWN {
        for what in PLANTED {
            let path = scene.folders.own.join(name);
            scene.plant(&path, what);
            scene.prepare().unwrap();
            scene.is_untouched();
            let found = fs::symlink_metadata(&path).unwrap();
            assert!(found.is_file(), "{name}, {what}");
            assert_eq!(found.uid(), nix::unistd::geteuid().as_raw(), "it stays the host's");
            assert_eq!(found.mode() & 0o022, 0, "and only the host's to write");
        }
    }
}

#[test]
fn the_spec_of_an_instance_is_a_file_or_it_is_not_adopted() {
    let scene = Scene::new();
    for what in PLANTED {
        let path = scene.state.join("instance.json");
        let _ = fs::remove_dir(&path);
        scene.plant(&path, what);
        let state = scene.state.clone();
        assert!(in_time(move || InstanceSpec::load(&state)).is_err(), "{what}");
        scene.is_untouched();
    }
}

#[test]
fn an_app_can_write_in_no_folder_where_the_host_has_something() {
    if !is_root() {
        return eprintln!("skipped: without root, apps are the host's own user");
    }
    let scene = Scene::new();
    let own = scene.folders.own.display();
    for name in SHOWN {
        for refused in ["rm -f", "mv -f", "echo >", "ln -sf /etc/passwd", "chmod 666"] {
            let further = if refused.starts_with("mv") {
                format!("{own}/x")
            } else {
                String::new()
            };
            assert!(
                !scene.as_app(&format!("{refused} {own}/{name} {further}")),
                "{refused} {name}"
            );
        }
        assert!(
            scene.as_app(&format!("cat {own}/{name} > /dev/null")),
            "its processes read it"
        );
    }
    // Nor can it exchange its own folders for links, into which the next keeper would mount.
    for folder in [&scene.folders.home, &scene.folders.tmp] {
        assert!(scene.as_app(&format!("touch {0}/x && rm {0}/x", folder.display())));
        assert!(
            !scene.as_app(&format!("mv {0} {0}.old", folder.display())),
            "{}",
            folder.display()
        );
        assert!(
            !scene.as_app(&format!("rmdir {}", folder.display())),
            "{}",
            folder.display()
        );
    }
    scene.prepare().unwrap();
}

#[test]
fn a_folder_that_is_the_apps_is_not_written_into() {
    if !is_root() {
        return eprintln!("skipped: without root, apps are the host's own user");
    }
    let scene = Scene::new();
    // As hosts of before gave it to the app.
    let owner = scene.owner.as_ref().unwrap();
    chown(&scene.folders.own, Some(owner.uid), Some(owner.gid)).unwrap();
    let planted = scene.folders.own.join(".openbox.xml");
    scene.plant(&planted, "a link");
    assert!(matches!(scene.prepare(), Err(SetupError::Io { .. })));
    let made = scene.apps.make(scene.id, scene.session, "probe", Home::Ephemeral);
    assert!(made.is_err());
    scene.is_untouched();
    scene.apps.remove(scene.id).unwrap();
    scene.is_untouched();
    assert!(scene.place.path().exists());
}
