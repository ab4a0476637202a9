//! The sandboxes of what stands around an app: display, window manager, capture. They parse what the app sends, so that
//! what is broken there must not reach further than the app itself. Pure, as `arguments` is.

use std::path::{Path, PathBuf};

use super::confinement::SandboxPlan;
use super::line::{DISPLAYS, Line, SYSTEM, is_below};
use crate::config::Network;
use crate::protocol::keeper::{Filter, Sandbox};

/// A keymap, and what a driver puts there; no pictures, those are shared without a file.
const SCRATCH: u64 = 16 << 20;
/// Their home and temporary folder, which end with them.
pub const HELPERS_HOME: &str = "/tmp";
/// Where a VNC server in its sandbox finds the folder for its socket.
pub const VNC_FOLDER: &str = "/run/vnc";

impl SandboxPlan {
    /// The sandbox of the X server that lets in who has this file. It shares the machine's network, where its abstract
    /// socket keeps two servers from taking the same number, but can make no sockets other than Unix.
    #[must_use]
    pub fn display(&self, xauthority: &Path) -> Sandbox {
        self.helper(Network::Full, &[], |line| {
            line.bind("--bind", Path::new(DISPLAYS), Path::new(DISPLAYS));
            line.bind("--ro-bind", xauthority, xauthority);
        })
    }

    /// The sandbox of a client of a display, such as its window manager, which may read these files beside the system's.
    #[must_use]
    pub fn client(&self, display: u32, files: &[&Path]) -> Sandbox {
        self.capture(display, files, &[])
    }

    /// The same for a capture, which may use these devices to encode.
    #[must_use]
    pub fn capture(&self, display: u32, files: &[&Path], devices: &[PathBuf]) -> Sandbox {
        self.helper(Network::None, devices, |line| {
            line.display(display);
            self.readable(line, files);
        })
    }

    /// The same for this program where it tries an encoder: there is no display.
    #[must_use]
    pub fn trial(&self, program: &Path, devices: &[PathBuf]) -> Sandbox {
        self.helper(Network::None, devices, |line| self.readable(line, &[program]))
    }

    fn readable(&self, line: &mut Line, files: &[&Path]) {
        for path in files {
            if !is_below(path, SYSTEM.map(Path::new)) || is_below(path, self.hidden.iter().map(PathBuf::as_path)) {
                line.bind("--ro-bind", path, path);
            }
        }
    }

    /// The sandbox of a VNC server, which is a client of a display and has its socket in this folder.
    #[must_use]
    pub fn vnc(&self, display: u32, xauthority: &Path, folder: &Path) -> Sandbox {
        self.helper(Network::None, &[], |line| {
            line.display(display);
            line.bind("--ro-bind", xauthority, xauthority);
            line.bind("--bind", folder, Path::new(VNC_FOLDER));
        })
    }

    fn helper(&self, network: Network, devices: &[PathBuf], own: impl FnOnce(&mut Line)) -> Sandbox {
        let mut line = Line::new(&self.program);
        line.namespaces(network);
        line.system();
        line.add(["--size", &SCRATCH.to_string(), "--tmpfs", HELPERS_HOME]);
        line.devices(&[], devices, Some(SCRATCH));
        line.hide(&self.hidden, SYSTEM.map(Path::new));
        own(&mut line);
        Sandbox {
            argv: line.seal(),
            inner: Vec::new(),
            filter: Filter::Helper,
            companion: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan() -> SandboxPlan {
        SandboxPlan {
            program: "/usr/bin/bwrap".into(),
            prlimit: None,
            network: Network::Full,
            companion: None,
            devices: Vec::new(),
            user_namespaces: false,
            files: vec!["/srv/data".into()],
            hidden: vec!["/usr/lib".into()],
            resolver: None,
            shared_memory: None,
        }
    }

    fn has(sandbox: &Sandbox, words: &[&str]) -> bool {
        sandbox.argv.windows(words.len()).any(|window| window == words)
    }

    #[test]
    fn a_display_has_its_sockets_folder_and_its_authority_and_nothing_of_the_apps() {
        let display = plan().display(Path::new("/apps/i/.Xauthority"));
        assert!(has(&display, &["--bind", DISPLAYS, DISPLAYS]));
        assert!(has(
            &display,
            &["--ro-bind", "/apps/i/.Xauthority", "/apps/i/.Xauthority"]
        ));
        assert_eq!(display.argv.iter().filter(|word| *word == "--bind").count(), 1);
        assert!(!has(&display, &["/srv/data"]));
        assert!(has(&display, &["--unshare-pid"]) && !has(&display, &["--unshare-ipc"]));
        assert!(!has(&display, &["--unshare-net"]), "its number would be another's, too");
        assert_eq!((display.filter, display.inner.len()), (Filter::Helper, 0));
    }

    #[test]
    fn a_client_reaches_one_display_and_no_network_whatever_its_app_may() {
        let files = [Path::new("/apps/i/.Xauthority"), Path::new("/usr/bin/heliostat")];
        let client = plan().client(7, &files);
        assert!(has(&client, &["--unshare-net"]));
        assert!(has(&client, &["--ro-bind", "/tmp/.X11-unix/X7", "/tmp/.X11-unix/X7"]));
        assert!(has(
            &client,
            &["--ro-bind", "/apps/i/.Xauthority", "/apps/i/.Xauthority"]
        ));
        assert!(!has(&client, &["/usr/bin/heliostat"]), "the system's is there already");
        assert!(!has(&client, &["--bind"]), "nothing of the machine's can be written");
    }

    #[test]
    fn a_device_that_encodes_is_in_the_captures_sandbox_and_in_nobody_elses() {
        let node = PathBuf::from("/dev/dri/renderD128");
        let words = ["--dev-bind-try", "/dev/dri/renderD128", "/dev/dri/renderD128"];
        let capture = plan().capture(7, &[], std::slice::from_ref(&node));
        assert!(has(&capture, &words));
        let at = |words: &[&str]| capture.argv.windows(words.len()).position(|window| window == words);
        assert!(
            at(&words) < at(&["--remount-ro", "/dev"]),
            "it is there before the folder is closed"
        );
        assert!(has(&plan().trial(Path::new("/opt/heliostat"), &[node]), &words));
        let others = [
            plan().client(7, &[]),
            plan().display(Path::new("/x")),
            plan().capture(7, &[], &[]),
        ];
        assert!(others.iter().all(|other| !has(other, &["--dev-bind-try"])));
    }

    #[test]
    fn a_trial_sees_no_display_and_no_network() {
        let trial = plan().trial(Path::new("/srv/bin/heliostat"), &[]);
        assert!(has(&trial, &["--ro-bind", "/srv/bin/heliostat", "/srv/bin/heliostat"]));
        assert!(has(&trial, &["--unshare-net"]) && !trial.argv.iter().any(|word| word.contains(".X11-unix")));
    }

    #[test]
    fn a_vnc_server_reaches_one_display_and_no_network_and_writes_in_its_own_folder_only() {
        let vnc = plan().vnc(7, Path::new("/apps/i/.Xauthority"), Path::new("/apps/i/vnc"));
        assert!(has(&vnc, &["--unshare-net"]) && has(&vnc, &["--unshare-pid"]));
        assert!(has(&vnc, &["--ro-bind", "/tmp/.X11-unix/X7", "/tmp/.X11-unix/X7"]));
        assert!(has(&vnc, &["--bind", "/apps/i/vnc", VNC_FOLDER]));
        assert_eq!(vnc.argv.iter().filter(|word| *word == "--bind").count(), 1);
        assert_eq!((vnc.filter, vnc.inner.len()), (Filter::Helper, 0));
    }

    #[test]
    fn what_is_its_own_shows_in_what_is_covered() {
        let client = plan().client(7, &[Path::new("/usr/lib/i/.Xauthority")]);
        let at = |words: &[&str]| client.argv.windows(words.len()).position(|window| window == words);
        let (covered, own) = (
            at(&["--tmpfs", "/usr/lib"]),
            at(&["--ro-bind", "/usr/lib/i/.Xauthority"]),
        );
        assert!(covered.is_some() && covered < own);
    }
}
