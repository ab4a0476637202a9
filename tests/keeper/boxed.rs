//! Two instances as the host makes them, with their displays, for tests of what keeps them apart.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use heliostat::config::{AppEntry, Config, Sources};
use heliostat::desktop::commands::DisplayId;
use heliostat::desktop::{self, EncoderSet, Layout};
use heliostat::folders::{AppOwner, AppsDir, InstanceFolders};
use heliostat::ids::SessionId;
use heliostat::process::{KeeperClient, KeeperEvent, SizedFolder};
use heliostat::protocol::keeper::{Event, Exit, Spec, User};
use heliostat::sandbox::{Sandboxing, Surroundings};
use tokio::time::timeout;

use super::support::{GRACE, LONG, Place, is_root, role, until};

/// A program where the apps' user can run it: copied, if it lies in a folder that only others may enter.
pub fn reachable(program: &Path, folder: &Path) -> PathBuf {
    let has = |path: &Path, bits| fs::metadata(path).unwrap().permissions().mode() & bits == bits;
    if !is_root() || (has(program, 0o005) && program.ancestors().skip(1).all(|folder| has(folder, 0o001))) {
        return program.into();
    }
    let copy = folder.join(program.file_name().unwrap());
    fs::copy(program, &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).unwrap();
    copy
}

/// A running instance without an app.
pub struct Boxed {
    pub place: Place,
    pub keeper: KeeperClient,
    pub layout: Layout,
    pub display: DisplayId,
    pub folders: InstanceFolders,
    /// Kept as long as the instance.
    pub further: Option<tempfile::TempDir>,
    _apps: tempfile::TempDir,
}

impl Boxed {
    /// An instance of an app that is a shell, with an entry changed like this.
    pub async fn new(change: impl FnOnce(&mut AppEntry)) -> Self {
        Self::kept_by(None, change).await
    }

    /// The same with a keeper that this program becomes.
    pub async fn kept_by(keeper: Option<&Path>, change: impl FnOnce(&mut AppEntry)) -> Self {
        let mut app = AppEntry::new("probe", "sh");
        change(&mut app);
        let mut place = Place::new();
        let apps_folder = tempfile::tempdir().unwrap();
        fs::set_permissions(apps_folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let owner = is_root().then(|| {
            let owner = AppOwner::resolve("heliostat").or_else(|_| AppOwner::resolve("nobody"));
            owner.unwrap().unwrap()
        });
        let apps = AppsDir::at(apps_folder.path().join("apps"), owner.clone()).unwrap();
        let sources = Sources {
            folder: place.state.path().into(),
            env: [("HOME".into(), place.state.path().into())].into(),
            ..Sources::default()
        };
        let (config, _) = Config::load(&sources).unwrap();
        let around = Surroundings {
            hidden: vec![place.state.path().into(), apps.root().into()],
            folder: apps.root().into(),
        };
        let sandboxing = Sandboxing::find(&config, owner.as_ref(), around);
        assert_eq!(
            sandboxing.missing(),
            None,
            "these tests need bubblewrap, and user namespaces"
        );
        let id = place.options.instance;
        let confinement = sandboxing.decide(id, &app, &config).unwrap();
        let folders = apps.make(id, SessionId::new(), &app.id, app.home).unwrap();
        let (xauthority, window_manager_config) = desktop::files(&folders);
        let layout = Layout {
            width: app.width.unwrap_or(320),
            height: app.height.unwrap_or(200),
            fps: 30,
            bitrate_kbps: 1000,
            home: folders.home.clone(),
            tmp: folders.tmp.clone(),
            xauthority,
            window_manager_config,
            program: reachable(&place.options.program, apps_folder.path()),
            vnc_folder: Some(folders.vnc.clone()),
            user: owner.as_ref().map(|owner| User {
                uid: owner.uid,
                gid: owner.gid,
            }),
            user_name: "nobody".into(),
            confinement,
            app,
        };
        desktop::prepare(&place.options.dir, &layout, owner.as_ref()).unwrap();
        let limits = layout.confinement.limits;
        place.options.apart = true;
        place.options.sized = [(&folders.home, limits.home), (&folders.tmp, limits.tmp)]
            .into_iter()
            .map(|(path, bytes)| SizedFolder {
                bytes: bytes.unwrap(),
                uid: layout
                    .user
                    .map_or_else(|| nix::unistd::geteuid().as_raw(), |user| user.uid),
                gid: layout
                    .user
                    .map_or_else(|| nix::unistd::getegid().as_raw(), |user| user.gid),
                path: path.clone(),
            })
            .collect();
        if let Some(keeper) = keeper {
            place.options.program = keeper.into();
        }
        let keeper = place.keeper().await;
        let mut events = keeper.events();
        let started = keeper.ensure(&role("xvfb"), layout.display(), GRACE).await.unwrap();
        let number = timeout(LONG, async {
            loop {
                if let KeeperEvent::Said(Event::Display { number, .. }) = events.recv().await.unwrap() {
                    return number;
                }
            }
        });
        let display = DisplayId {
            number: number.await.unwrap(),
            generation: started.generation,
        };
        Self {
            place,
            keeper,
            layout,
            display,
            folders,
            further: None,
            _apps: apps_folder,
        }
    }

    pub async fn plain() -> Self {
        Self::new(|_| ()).await
    }

    /// Starts what stands around an app beside its display; gives the pids of display, window manager and capture.
    pub async fn surround(&self) -> [i32; 3] {
        let layout = &self.layout;
        let start = async |name: &str, spec| {
            let started = self.keeper.ensure(&role(name), spec, GRACE).await.unwrap();
            assert!(started.pid > 0);
            started.pid
        };
        [
            start("xvfb", layout.display()).await,
            start("window_manager", layout.window_manager(self.display)).await,
            start("capture", layout.capture(self.display, &EncoderSet::default())).await,
        ]
    }

    /// Runs a script in the place of what a spec starts; gives its output.
    pub async fn inside(&self, spec: Spec, script: &str) -> String {
        let spec = Spec {
            argv: ["bash", "-c", script].map(str::to_owned).to_vec(),
            display_fd: false,
            listen_socket: None,
            ..spec
        };
        let (_, lines) = self.keeper.run(&role("probe"), spec, LONG).await.unwrap();
        lines.join("\n")
    }

    /// The app's spec with this script of `bash` in its place.
    pub fn script(&self, script: &str) -> Spec {
        Spec {
            argv: ["bash", "-c", script].map(str::to_owned).to_vec(),
            ..self.layout.app(self.display)
        }
    }

    /// Runs a script as the app; gives how it ended, and its output.
    pub async fn run(&self, script: &str) -> (Exit, String) {
        let (exit, lines) = self
            .keeper
            .run(&role("probe"), self.script(script), LONG)
            .await
            .unwrap();
        (exit, lines.join("\n"))
    }

    /// A process of the machine's, as a path below `/proc`.
    pub fn proc(pid: i32, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{pid}/{name}"))
    }

    pub async fn end(self) {
        self.keeper.end(GRACE).await.unwrap();
        until("nothing is left", || self.place.marked().is_empty()).await;
        for folder in self.layout.confinement.group.iter().flat_map(|group| &group.folders) {
            assert!(!folder.exists(), "{} is left", folder.display());
        }
    }
}
