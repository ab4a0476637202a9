//! The command line of bubblewrap (`bwrap(1)`) for an app. Pure: everything that it sees of the machine is decided here.

use std::path::{Path, PathBuf};

use super::confinement::SandboxPlan;
use super::line::{Line, SYSTEM, is_below};
use crate::config::Network;

/// Where an instance's app has its things; inside they have the same paths.
#[derive(Debug, Clone, Copy)]
pub struct Places<'p> {
    /// Its home.
    pub home: &'p Path,
    /// Its temporary folder, which is also `/tmp`.
    pub tmp: &'p Path,
    /// What opens its display.
    pub xauthority: &'p Path,
    /// The number of its display.
    pub display: u32,
    /// Its program, if that is a path.
    pub program: Option<&'p Path>,
    /// The folder that it starts in.
    pub cwd: Option<&'p Path>,
}

/// The program and its arguments, without the descriptors and the command, which the keeper adds.
#[must_use]
pub fn arguments(plan: &SandboxPlan, places: &Places<'_>) -> Vec<String> {
    let mut line = Line::new(&plan.program);
    line.namespaces(plan.network);
    line.system();
    line.bind("--bind", places.tmp, Path::new("/tmp"));
    line.devices(&plan.devices, &[], plan.shared_memory);
    let inside = [places.home, places.tmp];
    let further = |path: &&Path| !is_below(path, SYSTEM.map(Path::new)) && !is_below(path, inside);
    let files: Vec<&Path> = plan.files.iter().map(PathBuf::as_path).filter(further).collect();
    for path in &files {
        line.bind("--ro-bind-try", path, path);
    }
    let visible = SYSTEM.map(Path::new).into_iter().chain(files.iter().copied());
    line.hide(&plan.hidden, visible);
    for path in places.program.into_iter().chain(places.cwd).filter(further) {
        line.bind("--ro-bind-try", path, path);
    }
    line.bind("--bind", places.home, places.home);
    line.bind("--bind", places.tmp, places.tmp);
    line.display(places.display);
    line.bind("--ro-bind", places.xauthority, places.xauthority);
    if let Some((own, usual)) = &plan.resolver {
        line.bind("--ro-bind-try", own, usual);
    }
    line.seal()
}

/// The same for a trial: nothing of an instance, the strictest network.
pub(super) fn trial(program: &Path) -> Vec<String> {
    let mut line = Line::new(program);
    line.namespaces(Network::None);
    line.system();
    line.add(["--tmpfs", "/tmp"]);
    line.devices(&[], &[], Some(1 << 20));
    line.seal()
}

#[cfg(test)]
mod tests {
    use super::super::line::DISPLAYS;
    use super::*;
    use crate::config::Device;

    fn plan() -> SandboxPlan {
        SandboxPlan {
            program: "/usr/bin/bwrap".into(),
            prlimit: None,
            network: Network::None,
            companion: None,
            devices: Vec::new(),
            user_namespaces: false,
            files: Vec::new(),
            hidden: Vec::new(),
            resolver: None,
            shared_memory: Some(1024),
        }
    }

    fn places() -> Places<'static> {
        Places {
            home: Path::new("/apps/i/home"),
            tmp: Path::new("/apps/t/1"),
            xauthority: Path::new("/apps/i/.Xauthority"),
            display: 7,
            program: None,
            cwd: None,
        }
    }

    /// Whether these words follow each other.
    fn has(line: &[String], words: &[&str]) -> bool {
        line.windows(words.len()).any(|window| window == words)
    }

    fn place(line: &[String], words: &[&str]) -> usize {
        let at = line.windows(words.len()).position(|window| window == words);
        at.unwrap_or_else(|| panic!("{words:?} is not in {line:?}"))
    }

    #[test]
    fn it_has_namespaces_of_its_own_and_no_rights_and_ends_with_its_keeper() {
        let line = arguments(&plan(), &places());
        assert_eq!(line[0], "/usr/bin/bwrap");
        for option in [
            "--unshare-user",
            "--unshare-pid",
            "--unshare-uts",
            "--die-with-parent",
            "--new-session",
        ] {
            assert!(has(&line, &[option]), "{option}");
        }
        assert!(has(&line, &["--cap-drop", "ALL"]));
        assert!(!has(&line, &["--unshare-ipc"]), "shared memory is the display's, too");
    }

    #[test]
    fn only_an_app_that_asks_for_all_of_the_network_shares_it() {
        for (network, apart) in [(Network::None, true), (Network::Internet, true), (Network::Full, false)] {
            let line = arguments(&SandboxPlan { network, ..plan() }, &places());
            assert_eq!(has(&line, &["--unshare-net"]), apart, "{network:?}");
        }
    }

    #[test]
    fn the_system_can_be_read_and_only_home_and_tmp_written() {
        let line = arguments(&plan(), &places());
        assert!(has(&line, &["--ro-bind-try", "/usr", "/usr"]));
        let writable: Vec<&[String]> = line.windows(3).filter(|window| window[0] == "--bind").collect();
        assert_eq!(
            writable,
            [
                ["--bind", "/apps/t/1", "/tmp"],
                ["--bind", "/apps/i/home", "/apps/i/home"],
                ["--bind", "/apps/t/1", "/apps/t/1"]
            ]
        );
        assert_eq!(line[line.len() - 2..], ["--remount-ro", "/"]);
        for hidden in ["/home", "/root", "/var", "/run", "/"] {
            assert!(!has(&line, &[hidden, hidden]), "{hidden}");
        }
    }

    #[test]
    fn it_sees_its_own_display_and_nobody_elses() {
        let line = arguments(&plan(), &places());
        let displays: Vec<&String> = line.iter().filter(|word| word.starts_with(DISPLAYS)).collect();
        assert_eq!(displays, ["/tmp/.X11-unix/X7", "/tmp/.X11-unix/X7"]);
        assert!(has(&line, &["--ro-bind", "/apps/i/.Xauthority", "/apps/i/.Xauthority"]));
        let socket = place(&line, &["--ro-bind", "/tmp/.X11-unix/X7"]);
        assert!(
            socket > place(&line, &["--bind", "/apps/t/1", "/tmp"]),
            "or /tmp would cover it"
        );
    }

    #[test]
    fn devices_are_there_only_for_who_asks() {
        let bare = arguments(&plan(), &places());
        assert!(!bare.iter().any(|word| word == "--dev-bind-try"));
        assert!(has(&bare, &["--size", "1024", "--tmpfs", "/dev/shm"]));
        let devices = vec![Device::Gpu, Device::Uinput];
        let line = arguments(&SandboxPlan { devices, ..plan() }, &places());
        let sealed = place(&line, &["--remount-ro", "/dev"]);
        for device in ["/dev/dri", "/dev/uinput"] {
            assert!(place(&line, &["--dev-bind-try", device, device]) < sealed);
        }
        let unlimited = SandboxPlan {
            shared_memory: None,
            ..plan()
        };
        assert!(!has(&arguments(&unlimited, &places()), &["--size"]));
    }

    #[test]
    fn what_an_entry_names_is_shown_unless_it_is_there_already() {
        let files = vec!["/srv/data".into(), "/usr/share/x".into(), "/apps/i/home/x".into()];
        let places = Places {
            program: Some(Path::new("/home/me/bin/app")),
            cwd: Some(Path::new("/opt/app")),
            ..places()
        };
        let line = arguments(&SandboxPlan { files, ..plan() }, &places);
        for shown in ["/srv/data", "/home/me/bin/app"] {
            assert!(has(&line, &["--ro-bind-try", shown, shown]), "{shown}");
        }
        for there in ["/usr/share/x", "/apps/i/home/x", "/opt/app"] {
            assert!(!line.iter().any(|word| word == there), "{there}");
        }
    }

    #[test]
    fn what_is_the_hosts_is_covered_where_it_would_be_seen() {
        let hidden = vec![
            "/etc/heliostat.toml".into(),
            "/var/lib/heliostat".into(),
            "/usr/lib".into(),
        ];
        let home = Path::new("/usr/lib/apps/home");
        let line = arguments(&SandboxPlan { hidden, ..plan() }, &Places { home, ..places() });
        assert!(has(&line, &["--ro-bind", "/dev/null", "/etc/heliostat.toml"]));
        let covered = place(&line, &["--tmpfs", "/usr/lib"]);
        let own = place(&line, &["--bind", "/usr/lib/apps/home", "/usr/lib/apps/home"]);
        let sealed = place(&line, &["--remount-ro", "/usr/lib"]);
        assert!(covered < own && own < sealed, "what is its own is put on top");
        assert!(
            !line.iter().any(|word| word == "/var/lib/heliostat"),
            "not shown, so not covered"
        );
    }

    #[test]
    fn names_are_resolved_where_the_plan_says() {
        let resolver = Some(("/apps/resolv.conf".into(), "/run/resolve/stub.conf".into()));
        let line = arguments(&SandboxPlan { resolver, ..plan() }, &places());
        assert!(has(
            &line,
            &["--ro-bind-try", "/apps/resolv.conf", "/run/resolve/stub.conf"]
        ));
    }
}
