//! The command lines of an instance's processes. Pure: everything a process may see of the machine is decided here.
//!
//! Two equal [`Spec`]s are the same running thing to the keeper: what an app, a window manager or a capture is started
//! with therefore names the generation of its display, so that none of them is taken for one that belongs to a display
//! which is gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::encoders::encoder_set::EncoderSet;
use super::shared::{named, role};
use super::vnc_door::VNC_SOCKET;
use crate::config::{AppEntry, Placeholders};
use crate::protocol::keeper::{Sandbox, Spec, User};
use crate::sandbox::{Confinement, HELPERS_HOME, Places, SandboxPlan, VNC_FOLDER};

/// Where apps find programs; nothing of the host's own environment is passed on.
pub const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";
/// Apps are the first to go when memory runs out, before their display and long before the host.
const APP_OOM_SCORE: i32 = 500;
const HELPER_OOM_SCORE: i32 = 200;

/// What runs a command that starts the app and returns: it stays, for a sandbox ends with its first program. Who watches
/// the windows ends it.
const LINGER: [&str; 4] = [
    "/bin/sh",
    "-c",
    "\"$@\" || exit; while :; do sleep 3600; done",
    "launcher",
];

/// The VNC server.
pub const VNC_SERVER: &str = "x11vnc";
/// Without a port: port 0 is none, and that of IPv6 is another option. It looks often and sends at once what a viewer has asked
/// for, for as long as somebody watches; it reads no file of settings, runs no commands, and has nothing to do with clipboards.
const X11VNC: [&str; 22] = [
    VNC_SERVER,
    "-rfbport",
    "0",
    "-rfbportv6",
    "-1",
    "-no6",
    "-norc",
    "-nocmds",
    "-noremote",
    "-viewonly",
    "-shared",
    "-forever",
    "-nopw",
    "-nolookup",
    "-nosel",
    "-nobell",
    "-nocursor",
    "-wait",
    "10",
    "-defer",
    "5",
    "-quiet",
];

/// Everything the command lines depend on.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The app's entry of the catalogue.
    pub app: AppEntry,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Frames a second at most.
    pub fps: u16,
    /// kbit/s.
    pub bitrate_kbps: u32,
    /// The app's home.
    pub home: PathBuf,
    /// Its temporary folder.
    pub tmp: PathBuf,
    /// The display's authority file.
    pub xauthority: PathBuf,
    /// The window manager's configuration.
    pub window_manager_config: PathBuf,
    /// This program, where the app's user reaches it.
    pub program: PathBuf,
    /// Where the VNC server has its socket, in a folder of the app's user; none: there is no server.
    pub vnc_folder: Option<PathBuf>,
    /// Who runs everything but the keeper, when the host is root.
    pub user: Option<User>,
    /// That user's name.
    pub user_name: String,
    /// What keeps the app apart.
    pub confinement: Confinement,
}

/// A display that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DisplayId {
    /// `N` of `:N`.
    pub number: u32,
    /// The keeper's count of its starts.
    pub generation: u64,
}

impl Layout {
    /// The X server. `-noreset`, or it would start anew whenever its last client leaves. Its abstract socket stays:
    /// without a lock (`-displayfd`) that is what keeps two servers from taking the same number.
    #[must_use]
    pub fn display(&self) -> Spec {
        let screen = format!("{}x{}x24", self.width, self.height);
        let authority = self.xauthority.to_string_lossy();
        let argv = [
            "Xvfb",
            "-displayfd",
            "{displayfd}",
            "-noreset",
            "-nolisten",
            "tcp",
            "-auth",
            &authority,
            "-screen",
            "0",
            &screen,
            "-dpi",
            "96",
            "+extension",
            "GLX",
            "+extension",
            "RANDR",
        ];
        Spec {
            argv: argv.map(str::to_owned).to_vec(),
            display_fd: true,
            ..self.helper(None, |plan| plan.display(&self.xauthority))
        }
    }

    /// The window manager: the main window fills the display, dialogs stay reachable.
    #[must_use]
    pub fn window_manager(&self, display: DisplayId) -> Spec {
        let config = self.window_manager_config.to_string_lossy();
        let files = [&*self.xauthority, &*self.window_manager_config];
        Spec {
            argv: ["openbox", "--sm-disable", "--config-file", &config]
                .map(str::to_owned)
                .to_vec(),
            ..self.helper(Some(display), |plan| plan.client(display.number, &files))
        }
    }

    /// The app.
    #[must_use]
    pub fn app(&self, display: DisplayId) -> Spec {
        let (home, tmp) = (self.home.to_string_lossy(), self.tmp.to_string_lossy());
        let fill = Placeholders {
            home: &home,
            tmp: &tmp,
            width: self.width,
            height: self.height,
            fps: self.fps,
        };
        let mut spec = self.base(Some(display));
        let lingering = if self.app.launcher { &LINGER[..] } else { &[] };
        spec.argv = lingering
            .iter()
            .map(|word| (*word).to_owned())
            .chain(std::iter::once(self.app.command.clone()))
            .chain(self.app.args.iter().map(|a| fill.fill(a)))
            .collect();
        spec.env.extend(
            self.app
                .env
                .iter()
                .map(|(name, value)| (name.clone(), fill.fill(value))),
        );
        if let Some(cwd) = &self.app.cwd {
            spec.cwd = cwd.to_string_lossy().into_owned();
        }
        spec.oom_score_adj = Some(APP_OOM_SCORE);
        spec.limits = self.confinement.of_process.clone();
        spec.group = self.confinement.group.clone();
        let program = Path::new(&self.app.command);
        spec.sandbox = self.confinement.sandbox.as_ref().map(|plan| {
            plan.sandbox(&Places {
                home: &self.home,
                tmp: &self.tmp,
                xauthority: &self.xauthority,
                display: display.number,
                program: program.is_absolute().then_some(program),
                cwd: self.app.cwd.as_deref(),
            })
        });
        spec
    }

    /// A command that tells whether the app is ready, in the app's own environment and sandbox.
    #[must_use]
    pub fn readiness_command(&self, display: DisplayId, command: &str) -> Spec {
        let mut spec = self.app(display);
        spec.argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
        if spec.sandbox.take().is_some() {
            spec.within = Some(named(role::RENDER));
        }
        spec
    }

    /// The capture process.
    #[must_use]
    pub fn capture(&self, display: DisplayId, encoders: &EncoderSet) -> Spec {
        let mut argv = vec![self.program.to_string_lossy().into_owned(), "capture".into()];
        let mut option = |name: &str, value: String| argv.extend([format!("--{name}"), value]);
        option("display", display.number.to_string());
        option("xauthority", self.xauthority.to_string_lossy().into_owned());
        option("width", self.width.to_string());
        option("height", self.height.to_string());
        option("fps", self.fps.to_string());
        option("bitrate-kbps", self.bitrate_kbps.to_string());
        for element in &encoders.first {
            option("encoder", (*element).to_owned());
        }
        for element in &encoders.without {
            option("without", (*element).to_owned());
        }
        let files = [&*self.xauthority, &*self.program];
        let mut spec = self.helper(Some(display), |plan| {
            plan.capture(display.number, &files, &encoders.devices)
        });
        spec.argv = argv;
        spec.listen_socket = Some("capture.sock".into());
        if let Ok(filter) = std::env::var("RUST_LOG") {
            spec.env.insert("RUST_LOG".into(), filter);
        }
        #[cfg(debug_assertions)]
        if let Ok(told) = std::env::var(crate::gst::FAIL_ENCODER) {
            spec.env.insert(crate::gst::FAIL_ENCODER.into(), told);
        }
        spec
    }

    /// The VNC server, which nobody reaches but by its socket. It takes no input: that goes the way of all input.
    #[must_use]
    pub fn vnc(&self, display: DisplayId) -> Option<Spec> {
        let folder = self.vnc_folder.as_ref()?;
        let mut spec = self.helper(Some(display), |plan| plan.vnc(display.number, &self.xauthority, folder));
        let inside = spec.sandbox.as_ref().map_or(&**folder, |_| Path::new(VNC_FOLDER));
        let socket = inside.join(VNC_SOCKET).to_string_lossy().into_owned();
        spec.argv = X11VNC.map(str::to_owned).to_vec();
        spec.argv.extend(["-unixsock".to_owned(), socket]);
        Some(spec)
    }

    /// What stands around the app needs none of its files, and has a sandbox wherever the app has one.
    fn helper(&self, display: Option<DisplayId>, sandbox: impl FnOnce(&SandboxPlan) -> Sandbox) -> Spec {
        let mut spec = self.base(display);
        spec.oom_score_adj = Some(HELPER_OOM_SCORE);
        spec.sandbox = self.confinement.sandbox.as_ref().map(sandbox);
        spec.cwd = "/".into();
        if spec.sandbox.is_some() {
            for name in ["HOME", "TMPDIR", "XDG_RUNTIME_DIR"] {
                spec.env.insert(name.into(), HELPERS_HOME.into());
            }
        }
        spec
    }

    fn base(&self, display: Option<DisplayId>) -> Spec {
        let mut env: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |name: &str, value: &str| env.insert(name.to_owned(), value.to_owned());
        set("PATH", PATH);
        set("LANG", "C.UTF-8");
        set("HOME", &self.home.to_string_lossy());
        set("TMPDIR", &self.tmp.to_string_lossy());
        set("XDG_RUNTIME_DIR", &self.tmp.to_string_lossy());
        set("USER", &self.user_name);
        set("LOGNAME", &self.user_name);
        set("SHELL", "/bin/sh");
        set("XAUTHORITY", &self.xauthority.to_string_lossy());
        if let Some(display) = display {
            set("DISPLAY", &format!(":{}", display.number));
            set("HELIOSTAT_DISPLAY_GENERATION", &display.generation.to_string());
        }
        Spec {
            env,
            cwd: self.home.to_string_lossy().into_owned(),
            user: self.user,
            ..Spec::default()
        }
    }
}

/// The name of a display's authority file.
pub const XAUTHORITY: &str = ".Xauthority";

/// Where the display's authority file is.
#[must_use]
pub fn xauthority_path(folder: &Path) -> PathBuf {
    folder.join(XAUTHORITY)
}
