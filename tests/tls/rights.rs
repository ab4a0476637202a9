//! What a host may do on its machine, and when it does not start: read from `/proc` of the real one.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use super::support::{Host, free_port};

/// Capabilities that neither a host nor its keepers have a use for: `CAP_DAC_READ_SEARCH`, `_NET_ADMIN`, `_SYS_NICE`, `_FSETID`, `_LINUX_IMMUTABLE`, `_NET_BROADCAST`,
/// `_NET_RAW`, `_IPC_LOCK`, `_IPC_OWNER`, `_SYS_MODULE`, `_SYS_RAWIO`, `_SYS_PACCT`, `_SYS_BOOT`, `_SYS_TIME`,
/// `_SYS_TTY_CONFIG`, `CAP_MKNOD`, `_LEASE`, `_AUDIT_*`, `_SETFCAP`, `_MAC_*`, `_SYSLOG`, `_WAKE_ALARM`, `_BLOCK_SUSPEND`,
/// `_PERFMON`, `_BPF`, `_CHECKPOINT_RESTORE`.
const USELESS: [u8; 29] = [
    2, 12, 23, 4, 9, 11, 13, 14, 15, 16, 17, 20, 22, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
];

fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The lines of `/proc/<pid>/task/<tid>/status`, for each thread.
fn threads(pid: u32) -> Vec<BTreeMap<String, String>> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    let status = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("status")).ok()?;
        let pair = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_owned(), value.trim().to_owned()))
        };
        Some(text.lines().filter_map(pair).collect())
    };
    tasks.filter_map(status).collect()
}

#[test]
fn every_thread_of_a_host_holds_only_the_rights_that_its_instances_need() {
    let host = Host::start(&["--auth", "open"]);
    let threads = threads(host.pid());
    assert!(threads.len() > 3);
    for thread in threads {
        let name = &thread["Name"];
        assert_eq!(thread["NoNewPrivs"], "1", "{name}");
        if !is_root() {
            continue;
        }
        assert_eq!((&*thread["Seccomp"], &*thread["Groups"]), ("2", ""), "{name}");
        for set in ["CapBnd", "CapPrm", "CapEff", "CapInh", "CapAmb"] {
            let held = u64::from_str_radix(&thread[set], 16).unwrap();
            for capability in USELESS {
                assert_eq!(held & (1 << capability), 0, "{name} {set} {capability}");
            }
        }
        assert_eq!(
            (&*thread["CapInh"], &*thread["CapAmb"]),
            ("0000000000000000", "0000000000000000")
        );
    }
}

/// A start on a machine without bubblewrap; gives what it says until it serves or ends.
fn without_bubblewrap(folder: &Path, mode: Option<&str>) -> String {
    let bwrap = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"];
    let hide: Vec<String> = bwrap
        .iter()
        .filter(|path| Path::new(path).exists())
        .map(|path| format!("mount --bind /bin/false {path}"))
        .collect();
    let program = env!("CARGO_BIN_EXE_heliostat");
    let (state, port) = (folder.join("state"), free_port());
    let serve = format!(
        "exec {program} serve --auth open --state {} --listen 127.0.0.1:{port}",
        state.display()
    );
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &format!("{} && {serve}", hide.join(" && "))])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command.env_remove("RUST_LOG");
    if let Some(mode) = mode {
        command.env("HELIOSTAT_SANDBOX_MODE", mode);
    }
    let mut child = command.spawn().unwrap();
    // It closes its output, or says where it serves: then it is told to stop.
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    // SAFETY: plain system call, of a child that was not waited for.
    unsafe { libc::kill(child.id() as i32, libc::SIGTERM) };
    let output = child.wait_with_output().unwrap();
    line + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn a_host_that_is_root_runs_programs_without_sandboxes_only_where_it_is_told_so_in_so_many_words() {
    if !is_root() {
        return eprintln!("skipped: only root can hide bubblewrap from a host");
    }
    let folder = tempfile::tempdir().unwrap();
    for mode in [None, Some("auto"), Some("require")] {
        let said = without_bubblewrap(folder.path(), mode);
        assert!(
            said.contains("[no_sandbox]") && said.contains("sandbox.mode"),
            "{mode:?}: {said}"
        );
        assert!(!said.contains("http://"), "{mode:?}: {said}");
    }
    let said = without_bubblewrap(folder.path(), Some("off"));
    assert!(said.contains("http://") && said.contains("WITHOUT sandboxes"), "{said}");
}
