//! Bubblewrap's command line, word by word.

use std::path::{Path, PathBuf};

use crate::config::{Device, Network};

/// What of the system everybody sees, read-only, where it is there.
pub(super) const SYSTEM: [&str; 12] = [
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/etc",
    "/opt",
    "/nix",
    "/var/cache/fontconfig",
    "/var/lib/dbus",
];
/// What drivers and toolkits read of the machine's devices.
const HARDWARE: [&str; 5] = ["/sys/block", "/sys/bus", "/sys/class", "/sys/dev", "/sys/devices"];
/// Graphics cards.
const GPU: [&str; 6] = [
    "/dev/dri",
    "/dev/kfd",
    "/dev/nvidia0",
    "/dev/nvidiactl",
    "/dev/nvidia-modeset",
    "/dev/nvidia-uvm",
];
/// What the machine is called inside.
pub const HOSTNAME: &str = "heliostat";
/// Where X servers have their sockets.
pub(super) const DISPLAYS: &str = "/tmp/.X11-unix";

/// Whether a path is one of these folders, or lies in one.
pub(super) fn is_below<'p>(path: &Path, folders: impl IntoIterator<Item = &'p Path>) -> bool {
    folders.into_iter().any(|folder| path.starts_with(folder))
}

/// The words so far. They are carried out in their order: what is mounted later covers what was there.
#[derive(Debug)]
pub(super) struct Line {
    words: Vec<String>,
    covered: Vec<String>,
}

impl Line {
    pub(super) fn new(program: &Path) -> Self {
        Self {
            words: vec![program.display().to_string()],
            covered: Vec::new(),
        }
    }

    pub(super) fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.words.extend(words.map(str::to_owned));
    }

    pub(super) fn bind(&mut self, how: &str, from: &Path, to: &Path) {
        self.add([how, &from.to_string_lossy(), &to.to_string_lossy()]);
    }

    /// Everything of its own but System V shared memory: that is the keeper's, and the display's as well (MIT-SHM).
    pub(super) fn namespaces(&mut self, network: Network) {
        self.add(["--die-with-parent", "--new-session", "--cap-drop", "ALL"]);
        self.add([
            "--unshare-user",
            "--unshare-pid",
            "--unshare-uts",
            "--unshare-cgroup-try",
        ]);
        self.add(["--hostname", HOSTNAME]);
        if network != Network::Full {
            self.add(["--unshare-net"]);
        }
    }

    pub(super) fn system(&mut self) {
        for path in SYSTEM {
            self.add(["--ro-bind-try", path, path]);
        }
        self.add([
            "--dir",
            "/run",
            "--symlink",
            "/run",
            "/var/run",
            "--symlink",
            "/tmp",
            "/var/tmp",
        ]);
        for path in HARDWARE {
            self.add(["--ro-bind-try", path, path]);
        }
    }

    /// `nodes`: device files beside those.
    pub(super) fn devices(&mut self, devices: &[Device], nodes: &[PathBuf], shared_memory: Option<u64>) {
        self.add(["--proc", "/proc", "--dev", "/dev"]);
        if let Some(bytes) = shared_memory {
            self.add(["--size", &bytes.to_string()]);
        }
        self.add(["--tmpfs", "/dev/shm"]);
        for device in devices {
            let paths: &[&str] = match device {
                Device::Gpu => &GPU,
                Device::Uinput => &["/dev/uinput"],
            };
            for path in paths {
                self.add(["--dev-bind-try", path, path]);
            }
        }
        for node in nodes {
            self.bind("--dev-bind-try", node, node);
        }
        self.add(["--remount-ro", "/dev"]);
    }

    /// Covers what is the host's where it lies in something that is visible: a file by an empty one, a folder by an empty
    /// folder, in which may be put what is the instance's own.
    pub(super) fn hide<'p>(&mut self, hidden: &[PathBuf], visible: impl IntoIterator<Item = &'p Path> + Clone) {
        for path in hidden.iter().filter(|path| is_below(path, visible.clone())) {
            let text = path.to_string_lossy();
            if path.is_dir() {
                self.add(["--tmpfs", &text]);
                self.covered.push(text.into_owned());
            } else {
                self.add(["--ro-bind", "/dev/null", &text]);
            }
        }
    }

    /// The socket of a display.
    pub(super) fn display(&mut self, number: u32) {
        let socket = PathBuf::from(DISPLAYS).join(format!("X{number}"));
        self.bind("--ro-bind", &socket, &socket);
    }

    /// What holds it all together would take files, too.
    pub(super) fn seal(mut self) -> Vec<String> {
        for path in std::mem::take(&mut self.covered) {
            self.add(["--remount-ro", &path]);
        }
        self.add(["--remount-ro", "/"]);
        self.words
    }
}
