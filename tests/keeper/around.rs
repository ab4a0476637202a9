//! What stands around an app, and could be broken into by what the app sends: display, window manager, capture, VNC server;
//! and the keeper. What they hold is read from `/proc`, what they reach is tried in their place.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;

use heliostat::protocol::keeper::Spec;

use super::boxed::Boxed;
use super::support::{GRACE, is_root, role, until};

/// What each of them is started with.
fn specs(boxed: &Boxed) -> [(&'static str, Spec); 4] {
    let layout = &boxed.layout;
    [
        ("display", layout.display()),
        ("window manager", layout.window_manager(boxed.display)),
        (
            "capture",
            layout.capture(boxed.display, &heliostat::desktop::EncoderSet::default()),
        ),
        ("VNC server", layout.vnc(boxed.display).unwrap()),
    ]
}

#[tokio::test]
async fn who_breaks_into_them_finds_no_files_of_the_host_or_of_any_instance() {
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let token = mine.place.state.path().join("token");
    fs::write(&token, "secret").unwrap();
    let write = other.script("echo theirs > $HOME/theirs; exec sleep 1000");
    other.keeper.ensure(&role("render"), write, GRACE).await.unwrap();
    let mut covered = vec![token];
    for boxed in [&mine, &other] {
        covered.extend([boxed.place.state.path().into(), boxed.folders.home.clone()]);
        covered.push(boxed.folders.tmp.clone());
    }
    covered.push(other.layout.xauthority.clone());
    let mut script = String::from("ls $XAUTHORITY; ");
    for path in &covered {
        script += &format!("test -e {0} && echo reached {0}; ", path.display());
    }
    script += "for folder in / /etc /usr /root /home /var; do echo > $folder/new && echo written $folder; done; \
               ls -A /root /home; cat /etc/shadow; cat /proc/[0-9]*/root/*/theirs; echo done";
    for (name, spec) in specs(&mine) {
        let said = mine.inside(spec, &script).await;
        assert!(
            said.starts_with(&mine.layout.xauthority.display().to_string()),
            "{name}: {said}"
        );
        assert!(said.ends_with("done"), "{name}: {said}");
        for wrong in ["reached", "written", "root:", "\ntheirs"] {
            assert!(!said.contains(wrong), "{name}: {said}");
        }
    }
    mine.end().await;
    other.end().await;
}

#[tokio::test]
async fn who_breaks_into_them_reaches_no_network_and_nobody_elses_processes() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let app = role("render");
    let started = other.keeper.ensure(&app, other.script("exec sleep 1000"), GRACE);
    let pid = started.await.unwrap().pid;
    let script = format!(
        "echo > /dev/tcp/127.0.0.1/{port} && echo reached; kill -0 {pid} && echo found; \
         grep -c ^ /proc/{pid}/environ && echo read; unshare -U true && echo unshared; \
         ls -d /proc/[0-9]* | wc -l",
    );
    for (name, spec) in specs(&mine) {
        let said = mine.inside(spec, &script).await;
        for wrong in ["reached", "found", "read", "unshared"] {
            assert!(!said.lines().any(|line| line == wrong), "{name}: {said}");
        }
        let refused = said.contains("Operation not permitted") || said.contains("Network is unreachable");
        assert!(refused, "{name}: {said}");
        let count: u32 = said.lines().last().unwrap().parse().unwrap();
        assert!(count <= 5, "{name}: {said}");
    }
    // Who is only a client of the display has no business in the machine's network at all.
    let displays = "grep -c X11-unix /proc/net/unix";
    let [(_, display), (_, window_manager), (_, capture), (_, vnc)] = specs(&mine);
    assert_ne!(
        mine.inside(display, displays).await,
        "0",
        "or two would take the same number"
    );
    for spec in [window_manager, capture, vnc] {
        assert_eq!(mine.inside(spec, displays).await, "0");
    }
    mine.end().await;
    other.end().await;
}

#[tokio::test]
async fn a_vnc_server_is_reached_by_its_socket_and_by_nothing_else() {
    let boxed = Boxed::plain().await;
    // As it is in a sandbox, and without one, where the machine's network is its own.
    for sandboxed in [true, false] {
        let mut layout = boxed.layout.clone();
        if !sandboxed {
            layout.confinement.sandbox = None;
        }
        let vnc = layout.vnc(boxed.display).unwrap();
        let pid = boxed.keeper.ensure(&role("vnc"), vnc, GRACE).await.unwrap().pid;
        let socket = boxed.folders.vnc.join("s");
        let mut greeting = [0; 12];
        until("it greets", || {
            UnixStream::connect(&socket).is_ok_and(|mut stream| stream.read_exact(&mut greeting).is_ok())
        })
        .await;
        assert_eq!(&greeting, b"RFB 003.008\n");
        let own: Vec<_> = fs::read_dir(Boxed::proc(pid, "fd"))
            .unwrap()
            .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
            .collect();
        for table in ["net/tcp", "net/tcp6", "net/udp", "net/udp6"] {
            let sockets = fs::read_to_string(Boxed::proc(pid, table)).unwrap();
            for line in sockets.lines().skip(1) {
                let inode = line.split_whitespace().nth(9).unwrap();
                let mine = own
                    .iter()
                    .any(|link| link.to_string_lossy() == format!("socket:[{inode}]"));
                assert!(!mine, "sandboxed={sandboxed} {table}: {line}");
            }
        }
        boxed.keeper.stop(&role("vnc"), GRACE).await.unwrap();
    }
    boxed.end().await;
}

#[tokio::test]
async fn a_display_cannot_put_its_own_socket_in_the_place_of_anothers() {
    if !is_root() {
        return eprintln!("skipped: without root, sockets stay their user's");
    }
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let socket = format!("/tmp/.X11-unix/X{}", other.display.number);
    let script = format!(
        "rm -f {socket} || mv {socket} {socket}0; echo done; cd /tmp/.X11-unix && mkdir mine && rmdir mine && echo own"
    );
    let said = mine.inside(mine.layout.display(), &script).await;
    assert_eq!(said.matches("Operation not permitted").count(), 2, "{said}");
    assert!(said.ends_with("done\nown"), "{said}");
    assert!(fs::metadata(&socket).is_ok());
    let own = format!("/tmp/.X11-unix/X{}", mine.display.number);
    // A later server of somebody else's may have the same number at once.
    let made = || fs::metadata(&own).ok().map(|found| (found.ino(), found.ctime_nsec()));
    let before = made();
    assert!(before.is_some());
    mine.end().await;
    assert_ne!(made(), before, "the keeper removes what its server may not");
    other.end().await;
}

/// The lines of `/proc/<pid>/status`.
fn status(pid: i32) -> BTreeMap<String, String> {
    let text = fs::read_to_string(Boxed::proc(pid, "status")).unwrap();
    let line = |line: &str| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(line).collect()
}

fn environment(pid: i32) -> Vec<String> {
    let text = fs::read(Boxed::proc(pid, "environ")).unwrap();
    let names = text.split(|&byte| byte == 0).filter(|entry| !entry.is_empty());
    let name = |entry: &[u8]| {
        String::from_utf8_lossy(entry)
            .split('=')
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    names.map(name).collect()
}

/// Whether an open file is one that the process sees from where it is, or none at all: a file of the host's that it was
/// left with would lie elsewhere.
fn is_its_own(pid: i32, file: &str) -> bool {
    let nowhere = ["socket:", "pipe:", "anon_inode:", "/memfd:"];
    nowhere.iter().any(|kind| file.starts_with(kind)) || Boxed::proc(pid, "root").join(&file[1..]).exists()
}

/// What its descriptors are.
fn open_files(pid: i32) -> Vec<String> {
    let entries = fs::read_dir(Boxed::proc(pid, "fd")).unwrap().flatten();
    let target = |entry: fs::DirEntry| Some(fs::read_link(entry.path()).ok()?.to_string_lossy().into_owned());
    entries.filter_map(target).collect()
}

fn namespace(pid: i32, name: &str) -> String {
    let link = fs::read_link(Boxed::proc(pid, "ns").join(name)).unwrap();
    link.to_string_lossy().into_owned()
}

#[tokio::test]
async fn they_hold_no_rights_no_groups_and_nothing_of_the_hosts() {
    let (mine, other) = (Boxed::plain().await, Boxed::plain().await);
    let [display, window_manager, capture] = mine.surround().await;
    let theirs = other.surround().await;
    let own = i32::try_from(std::process::id()).unwrap();
    let managed = || {
        open_files(window_manager)
            .iter()
            .any(|file| file.starts_with("socket:"))
    };
    until("the window manager has its display", managed).await;
    let ready = || status(capture)["Seccomp_filters"] == "2";
    until("the capture has given up what it had", ready).await;
    for (pid, their) in [display, window_manager, capture].into_iter().zip(theirs) {
        let status = status(pid);
        let name = &status["Name"];
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status[set], "0000000000000000", "{name} {set}");
        }
        assert_eq!((&*status["NoNewPrivs"], &*status["Seccomp"]), ("1", "2"), "{name}");
        if let Some(user) = mine.layout.user {
            assert!(
                status["Uid"].split_whitespace().all(|id| id == user.uid.to_string()),
                "{name}"
            );
            assert!(
                status["Gid"].split_whitespace().all(|id| id == user.gid.to_string()),
                "{name}"
            );
            assert_eq!(status["Groups"], "", "{name}");
        }
        if pid == capture && !is_root() {
            let refused = fs::read(Boxed::proc(pid, "environ")).unwrap_err();
            assert_eq!(
                refused.kind(),
                std::io::ErrorKind::PermissionDenied,
                "it lets nobody look"
            );
            continue;
        }
        for kind in ["mnt", "pid", "user", "uts"] {
            let one = namespace(pid, kind);
            assert!(
                one != namespace(own, kind) && one != namespace(their, kind),
                "{name} {kind}"
            );
        }
        // Or MIT-SHM would fail between them.
        assert_eq!(namespace(pid, "ipc"), namespace(display, "ipc"));
        assert_ne!(namespace(pid, "ipc"), namespace(their, "ipc"));
        let known = |name: &String| {
            let all = [
                "PATH", "LANG", "HOME", "PWD", "USER", "LOGNAME", "SHELL", "DISPLAY", "RUST_LOG",
            ];
            let kinds = ["HELIOSTAT_", "X", "TMP", "_"];
            all.contains(&&**name) || kinds.iter().any(|kind| name.starts_with(kind))
        };
        let environment = environment(pid);
        assert!(environment.iter().all(known), "{name} {environment:?}");
        let outside: Vec<String> = open_files(pid)
            .into_iter()
            .filter(|file| !is_its_own(pid, file))
            .collect();
        assert!(outside.is_empty(), "{name} {outside:?}");
    }
    mine.end().await;
    other.end().await;
}

#[tokio::test]
async fn the_keeper_holds_what_it_needs_to_start_and_end_others() {
    // Something of the host's that is not closed when it executes a program.
    let secret = tempfile::NamedTempFile::new().unwrap();
    // SAFETY: a plain system call on an open descriptor; the copy lives as long as the process.
    assert!(unsafe { libc::dup(secret.as_file().as_raw_fd()) } >= 0);
    let mine = Boxed::plain().await;
    let keeper = mine.keeper.pid();
    let status = status(keeper);
    assert_eq!((&*status["NoNewPrivs"], &*status["Groups"]), ("1", groups()));
    let rights = |set: &str| u64::from_str_radix(&status[set], 16).unwrap();
    // CAP_DAC_READ_SEARCH, CAP_NET_ADMIN, CAP_SYS_MODULE, _RAWIO, _PACCT, _BOOT, _TIME, _TTY_CONFIG, CAP_MKNOD, CAP_NET_RAW, CAP_MAC_OVERRIDE and _ADMIN,
    // CAP_SYSLOG, CAP_PERFMON, CAP_BPF.
    for capability in [2, 12, 16, 17, 20, 22, 25, 26, 27, 13, 32, 33, 34, 38, 39] {
        for set in ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"] {
            assert_eq!(rights(set) & (1 << capability), 0, "{set} {capability}");
        }
    }
    let mut environment = environment(keeper);
    environment.retain(|name| name != "RUST_LOG" && name != "PATH");
    environment.sort();
    assert_eq!(environment, ["HELIOSTAT_INSTANCE", "HELIOSTAT_MARK"]);
    let folder = mine.place.options.dir.to_string_lossy().into_owned();
    let kinds = ["socket:", "pipe:", "anon_inode:", "/dev/null", &folder];
    // How a program of its own is, who is not its child.
    let looked_at = |file: &str| file.starts_with("/proc/") && file.ends_with("/stat");
    let known = |file: &&String| looked_at(file) || kinds.iter().any(|kind| file.starts_with(kind));
    let files = open_files(keeper);
    let further: Vec<&String> = files.iter().filter(|file| !known(file)).collect();
    assert!(further.is_empty(), "{further:?}");
    mine.end().await;
}

#[tokio::test]
async fn the_sockets_of_a_keeper_and_a_capture_are_their_hosts_alone() {
    let mine = Boxed::plain().await;
    mine.surround().await;
    for name in ["keeper.sock", "capture.sock"] {
        let found = fs::symlink_metadata(mine.place.file(name)).unwrap();
        assert_eq!(found.mode() & 0o777, 0o600, "{name}");
        assert_eq!(found.uid(), nix::unistd::geteuid().as_raw(), "{name}");
    }
    mine.end().await;
}

/// Those of root are given up; who is not root cannot give its own up.
fn groups() -> &'static str {
    if is_root() {
        return "";
    }
    let own = i32::try_from(std::process::id()).unwrap();
    Box::leak(status(own)["Groups"].clone().into_boxed_str())
}
