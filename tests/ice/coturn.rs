//! A coturn of the test's own on loopback, with the configuration that `scripts/install-coturn` writes.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

/// The secret of every coturn here.
pub const SECRET: &str = "a-secret-of-the-tests-alone";
/// How long a coturn may take to listen on a busy machine.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// Ports of relays for each, at most.
const RELAYS: u16 = 40;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// What differs between coturns.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Whether it relays to loopback, where the host of the tests is.
    pub peer: bool,
    /// Whether it has a certificate.
    pub tls: bool,
    /// Whether it relays for anybody.
    pub open: bool,
    /// Relays that one user may have at once.
    pub quota: u16,
    /// Ports that it has for relays.
    pub relays: u16,
    /// By so many hours its clock is ahead.
    pub ahead: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            peer: true,
            tls: true,
            open: false,
            quota: 48,
            relays: RELAYS,
            ahead: 0,
        }
    }
}

/// A coturn; killed when dropped.
pub struct Coturn {
    child: Child,
    folder: tempfile::TempDir,
    /// For STUN and for TURN over UDP and TCP.
    pub port: u16,
    /// For TURN over TLS.
    pub tls_port: u16,
}

impl Coturn {
    /// Starts one and waits until it listens.
    pub fn start(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, tls_port) = (free_port(), free_port());
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("secret"), format!("{SECRET}\n")).unwrap();
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-coturn"));
        script
            .args(["--print", "--name", "127.0.0.1", "--listen", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--tls-port", &tls_port.to_string()])
            .args(["--relay-ports", &relay_ports(options.relays)])
            .args(["--user-quota", &options.quota.to_string()])
            .args(["--secret-file", &at("secret")]);
        if options.peer {
            script.args(["--peer", "127.0.0.1"]);
        }
        if options.tls {
            make_certificate(&at("cert.pem"), &at("key.pem"));
            script.args(["--cert", &at("cert.pem"), "--key", &at("key.pem")]);
        }
        let printed = output(&mut script);
        let mut configuration = String::from_utf8(printed.stdout).unwrap();
        if options.open {
            configuration = configuration
                .lines()
                .filter(|line| !line.contains("auth-secret"))
                .chain(["no-auth"])
                .fold(String::new(), |text, line| text + line + "\n");
        }
        std::fs::write(at("turnserver.conf"), configuration).unwrap();
        let mut command = Command::new("turnserver");
        if options.ahead > 0 {
            command
                .env("LD_PRELOAD", faketime())
                .env("FAKETIME", format!("+{}h", options.ahead))
                .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        }
        let configuration = folder.path().join("turnserver.conf");
        Self::run(command, folder, &configuration, (port, tls_port))
    }

    /// Starts one with this configuration, which listens at `port`, and waits until it does.
    pub fn configured(configuration: &Path, port: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::run(Command::new("turnserver"), folder, configuration, (port, 0))
    }

    fn run(
        mut command: Command,
        folder: tempfile::TempDir,
        configuration: &Path,
        (port, tls_port): (u16, u16),
    ) -> Self {
        let at = |name: &str| folder.path().join(name);
        let log = std::fs::File::create(at("coturn.log")).unwrap();
        let child = command
            .arg("-c")
            .arg(configuration)
            .arg(format!("--userdb={}", at("unused.db").display()))
            .arg("--pidfile=")
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stderr(log.try_clone().unwrap())
            .stdout(log)
            .spawn()
            .expect("coturn is installed");
        let coturn = Self {
            child,
            folder,
            port,
            tls_port,
        };
        let began = Instant::now();
        while !coturn.log().contains("admin thread") {
            assert!(
                began.elapsed() < STARTS_WITHIN,
                "coturn does not start:\n{}",
                coturn.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        coturn
    }

    /// Somebody with credentials of check-ice's own user who takes relays and keeps them until dropped.
    pub fn occupied(&self) -> Occupant {
        let port = self.port.to_string();
        let child = Command::new("turnutils_uclient")
            .args(["-y", "-c", "-u", "check-ice", "-W", SECRET, "-p", &port])
            .args(["-n", "100000", "-z", "500", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("coturn's tools are installed with it");
        Occupant(child)
    }

    /// A file of its folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.file("coturn.log")).unwrap_or_default()
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// See [`Coturn::occupied`].
pub struct Occupant(Child);

impl Drop for Occupant {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ports for relays that no other coturn of these tests has.
pub fn relay_ports(many: u16) -> String {
    let first = 58_000 + NEXT.fetch_add(1, Ordering::Relaxed) * RELAYS;
    format!("{first}-{}", first + many - 1)
}

/// What makes a program believe in another time.
fn faketime() -> PathBuf {
    let all = std::fs::read_dir("/usr/lib").unwrap();
    all.filter_map(|entry| Some(entry.ok()?.path().join("faketime/libfaketimeMT.so.1")))
        .find(|path| path.exists())
        .expect("faketime is installed")
}

/// A port of loopback that is free now, for TCP and for UDP.
pub fn free_port() -> u16 {
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}

fn make_certificate(certificate: &str, key: &str) {
    output(
        Command::new("openssl")
            .args([
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ])
            .args([
                "-days",
                "2",
                "-subj",
                "/CN=127.0.0.1",
                "-addext",
                "subjectAltName=IP:127.0.0.1",
            ])
            .args([
                "-addext",
                "basicConstraints=critical,CA:FALSE",
                "-keyout",
                key,
                "-out",
                certificate,
            ]),
    );
}

/// Runs it, successfully.
pub fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
