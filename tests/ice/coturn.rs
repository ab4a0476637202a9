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
/// Ports of relays for each.
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
}

impl Default for Options {
    fn default() -> Self {
        Self {
            peer: true,
            tls: true,
            open: false,
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
        let first = 58_000 + NEXT.fetch_add(1, Ordering::Relaxed) * RELAYS;
        let mut script = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/install-coturn"));
        script
            .args(["--print", "--name", "127.0.0.1", "--listen", "127.0.0.1"])
            .args(["--port", &port.to_string(), "--tls-port", &tls_port.to_string()])
            .args(["--relay-ports", &format!("{first}-{}", first + RELAYS - 1)])
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
        let log = std::fs::File::create(at("coturn.log")).unwrap();
        let child = Command::new("turnserver")
            .args([
                "-c",
                &at("turnserver.conf"),
                &format!("--userdb={}", at("unused.db")),
                "--pidfile=",
            ])
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

fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}
