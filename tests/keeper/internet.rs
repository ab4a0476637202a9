//! `network = "internet"`: in a network of the test's own, with a machine that has a public address, and with all that an
//! app must not reach although its host does.
//!
//! ```text
//! ┌ the host's network ──────────────────────────┐      ┌ the world ─────────────────────────────────┐
//! │ 127.0.0.1, 10.99.0.1, and 192.31.196.9:      ├─veth─┤ 192.31.196.1: public, serves names as well │
//! │ public, but its own                          │      │ 10.99.0.2, 10.1.2.3, 169.254.169.254       │
//! └──────────────────────────────────────────────┘      └────────────────────────────────────────────┘
//! ```

use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use heliostat::config::Network;
use nix::sched::{CloneFlags, setns};

use super::boxed::Boxed;
use super::support::{is_root, until};

const PORT: u16 = 8080;
const BYTES: usize = 1 << 20;
/// Of a range that is nobody's in particular (AS112), and public.
const PUBLIC: &str = "192.31.196.1";
/// What the host reaches and its apps must not.
const NOT_FOR_APPS: [&str; 6] = [
    "127.0.0.1",
    "10.99.0.1",
    "192.31.196.9",
    "10.99.0.2",
    "10.1.2.3",
    "169.254.169.254",
];

/// A network namespace that lives as long as this value.
struct Net(Child);

impl Net {
    async fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["--net", "sleep", "1000"]).stdin(Stdio::null());
        let net = Self(command.spawn().expect("unshare is installed"));
        let own = fs::read_link("/proc/self/ns/net").unwrap();
        until("the namespace is there", || {
            fs::read_link(net.path()).is_ok_and(|of| of != own)
        })
        .await;
        net
    }

    fn path(&self) -> PathBuf {
        format!("/proc/{}/ns/net", self.0.id()).into()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .arg(format!("--net={}", self.path().display()))
            .arg("--")
            .arg(program);
        command
    }

    fn ip(&self, lines: &[&str]) {
        let mut ip = self
            .command("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        ip.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
        assert!(ip.wait().unwrap().success(), "{lines:?}");
    }

    /// Works in it on a thread, until it is told to stop.
    fn inhabit(&self, stop: &Arc<AtomicBool>, work: impl FnOnce(&AtomicBool) + Send + 'static) {
        let (file, stop) = (fs::File::open(self.path()).unwrap(), Arc::clone(stop));
        thread::spawn(move || {
            setns(file, CloneFlags::CLONE_NEWNET).unwrap();
            work(&stop);
        });
    }

    /// How many bytes come from there.
    fn fetch(&self, host: &str) -> String {
        let output = self.command("bash").args(["-c", &fetch(host)]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

impl Drop for Net {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn fetch(host: &str) -> String {
    format!("(timeout 5 bash -c 'exec 3<>/dev/tcp/{host}/{PORT} && cat <&3' 2>/dev/null) | wc -c")
}

/// Gives everybody who connects so many bytes.
fn serve(stop: &AtomicBool) {
    let listener = TcpListener::bind(("0.0.0.0", PORT)).unwrap();
    listener.set_nonblocking(true).unwrap();
    while !stop.load(Ordering::Relaxed) {
        if let Ok((mut stream, _)) = listener.accept() {
            thread::spawn(move || {
                stream.set_nonblocking(false).unwrap();
                let _ = stream.write_all(&vec![b'x'; BYTES]);
            });
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Every name has the public address, and no other (RFC 1035).
fn answer_names(stop: &AtomicBool) {
    let socket = UdpSocket::bind((PUBLIC, 53)).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let mut buffer = [0; 512];
    while !stop.load(Ordering::Relaxed) {
        let Ok((length, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        let query = &buffer[..length];
        let Some(end) = query.get(12..).and_then(|name| name.iter().position(|&byte| byte == 0)) else {
            continue;
        };
        let question = &query[12..12 + end + 5];
        let wants_address = question.ends_with(&[0, 1, 0, 1]);
        // An answer, recursion available; one question, none or one answer.
        let mut reply = [
            &query[..2],
            &[0x81, 0x80, 0, 1, 0, u8::from(wants_address), 0, 0, 0, 0],
            question,
        ]
        .concat();
        if wants_address {
            // The name of the question; an address; for a minute; four bytes.
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend(PUBLIC.parse::<std::net::Ipv4Addr>().unwrap().octets());
        }
        let _ = socket.send_to(&reply, from);
    }
}

#[tokio::test]
async fn an_app_reaches_public_addresses_by_number_and_by_name_and_nothing_that_is_near() {
    if !is_root() {
        eprintln!("skipped: only root makes networks");
        return;
    }
    let (host, world) = (Net::new().await, Net::new().await);
    let peer = format!("link add veth0 type veth peer name veth0 netns {}", world.0.id());
    host.ip(&[
        &peer,
        "address add 10.99.0.1/30 dev veth0",
        "address add 192.31.196.9/32 dev veth0",
        "link set veth0 up",
        "link set lo up",
    ]);
    world.ip(&[
        "address add 10.99.0.2/30 dev veth0",
        "address add 192.31.196.1/32 dev lo",
        "address add 10.1.2.3/32 dev lo",
        "address add 169.254.169.254/32 dev lo",
        "link set veth0 up",
        "link set lo up",
    ]);
    host.ip(&["route add default via 10.99.0.2"]);
    let stop = StopOnDrop(Arc::default());
    host.inhabit(&stop.0, serve);
    world.inhabit(&stop.0, serve);
    world.inhabit(&stop.0, answer_names);
    let all = BYTES.to_string();
    for address in NOT_FOR_APPS.into_iter().chain([PUBLIC]) {
        until(&format!("the host reaches {address}"), || host.fetch(address) == all).await;
    }

    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
    let resolver = folder.path().join("resolv.conf");
    fs::write(&resolver, format!("nameserver {PUBLIC}\n")).unwrap();
    let keeper = folder.path().join("keeper");
    // Displays of another network take numbers that are taken in this one: they have a folder of their own, too.
    let script = format!(
        "#!/bin/sh\nexec nsenter --net={} -- unshare --mount sh -c 'mount -t tmpfs -o mode=1777 none /tmp/.X11-unix && \
         mount --bind {} /etc/resolv.conf && exec \"$0\" \"$@\"' {} \"$@\"\n",
        host.path().display(),
        resolver.display(),
        env!("CARGO_BIN_EXE_heliostat"),
    );
    fs::write(&keeper, script).unwrap();
    fs::set_permissions(&keeper, fs::Permissions::from_mode(0o755)).unwrap();
    let mine = Boxed::kept_by(Some(&keeper), |app| app.network = Network::Internet).await;
    assert_eq!(mine.run(&fetch(PUBLIC)).await.1, all, "by number");
    assert_eq!(mine.run(&fetch("host.example")).await.1, all, "by name");
    for address in NOT_FOR_APPS {
        assert_eq!(mine.run(&fetch(address)).await.1, "0", "{address} is reached");
    }
    mine.end().await;
}
