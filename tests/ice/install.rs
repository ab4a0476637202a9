//! `scripts/install-coturn` below a folder of the test's own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use super::checks::{check, failed};
use super::coturn::{Coturn, free_port, output, relay_ports};

/// Another system, as far as the script is concerned.
struct Root(tempfile::TempDir);

impl Root {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Runs the script there; gives what it says.
    fn install(&self, options: &[&str]) -> String {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-coturn");
        let said = output(Command::new(script).arg("--root").arg(self.0.path()).args(options));
        String::from_utf8(said.stdout).unwrap()
    }

    fn file(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.file(path)).unwrap()
    }

    fn secrets(&self) -> Vec<String> {
        self.read("etc/heliostat/turn-secret")
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// Every file with what is in it and when it was written.
    fn files(&self) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
        let mut found = BTreeMap::new();
        let mut folders = vec![self.0.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let written = path.metadata().unwrap().modified().unwrap();
                found.insert(path.clone(), (std::fs::read(path).unwrap(), written));
            }
        }
        found
    }
}

#[test]
fn a_second_run_changes_nothing_and_one_with_other_options_only_what_they_say() {
    let root = Root::new();
    let said = root.install(&["--name", "turn.example.org", "--peer", "10.0.0.5"]);
    assert!(
        said.contains("secret_file = \"/etc/heliostat/turn-secret\""),
        "as the other system knows it: {said}"
    );
    let first = root.files();
    let names: Vec<String> = first
        .keys()
        .map(|path| path.strip_prefix(root.0.path()).unwrap().display().to_string())
        .collect();
    let all = [
        "etc/heliostat/turn-options",
        "etc/heliostat/turn-secret",
        "etc/heliostat/turnserver.conf",
        "etc/systemd/system/heliostat-turn.service",
    ];
    assert_eq!(names, all);
    let mode = |path| root.file(path).metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(all[1]), mode(all[2])), (0o600, 0o640));

    root.install(&[]);
    assert!(
        root.files() == first,
        "without options: those of the last run, the same secret"
    );
    root.install(&["--name", "turn.example.org", "--peer", "10.0.0.5"]);
    assert!(root.files() == first, "with the same options");

    let before = root.read(all[2]);
    root.install(&["--name", "turn.example.org", "--peer", "10.0.0.6"]);
    assert_eq!(root.read(all[2]), before.replace("10.0.0.5", "10.0.0.6"));
    assert!(
        root.read(all[1]).as_bytes() == first[&root.file(all[1])].0,
        "the secret stays"
    );
}

#[test]
fn after_a_rotation_both_secrets_open_a_relay_and_after_the_next_the_oldest_does_not() {
    let root = Root::new();
    let port = free_port();
    let (at, relays) = (port.to_string(), relay_ports(20));
    root.install(&[
        "--name",
        "127.0.0.1",
        "--listen",
        "127.0.0.1",
        "--peer",
        "127.0.0.1",
        "--port",
        &at,
        "--relay-ports",
        &relays,
    ]);
    let server = [format!("turn:127.0.0.1:{port}")];
    let configuration = root.file("etc/heliostat/turnserver.conf");
    let [oldest] = root.secrets().try_into().unwrap();

    root.install(&["--rotate"]);
    let [newer, old] = root.secrets().try_into().unwrap();
    assert!(old == oldest && newer != oldest);
    let coturn = Coturn::configured(&configuration, port);
    for secret in [&newer, &oldest] {
        let (report, status) = check(secret, &server, &[]);
        assert_eq!(status, 0, "{report:#}");
    }
    drop(coturn);

    root.install(&["--rotate"]);
    let [newest, second] = root.secrets().try_into().unwrap();
    assert!(second == newer && newest != newer);
    let _coturn = Coturn::configured(&configuration, port);
    for secret in [&newest, &newer] {
        let (report, status) = check(secret, &server, &[]);
        assert_eq!(status, 0, "{report:#}");
    }
    let (report, _) = check(&oldest, &server, &[]);
    assert_eq!(failed(&report).1, "wrong_credentials");
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    let root = Root::new();
    root.install(&["--name", "turn.example.org"]);
    let verify = Command::new("systemd-analyze")
        .args(["verify", "--man=no"])
        .arg(root.file("etc/systemd/system/heliostat-turn.service"))
        .output();
    let Ok(verified) = verify else {
        eprintln!("not shown: there is no systemd-analyze here");
        return;
    };
    let said = String::from_utf8_lossy(&verified.stderr);
    // Other units of the machine are none of our business.
    let ours: Vec<&str> = said.lines().filter(|line| line.contains("heliostat-turn")).collect();
    assert!(verified.status.success() && ours.is_empty(), "{said}");
}
