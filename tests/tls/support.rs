//! A host of the test's own, and a client that says exactly what a test wants to be said.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use sha2::{Digest, Sha256};

/// Longer than anything here takes on a busy machine.
pub const LONG: Duration = Duration::from_secs(120);

/// `heliostat serve` with a state folder and a port of its own. It ends with the test, also when that fails.
pub struct Host {
    pub folder: tempfile::TempDir,
    pub port: u16,
    /// The address that signs in, as it stood in the file that the host named.
    entry: String,
    flags: Vec<String>,
    child: Child,
}

/// What `serve` is started with in `folder`.
pub fn serve(folder: &Path, port: u16, flags: &[String]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
    command
        .args(["serve", "--state"])
        .arg(folder.join("state"))
        .args(["--listen", &format!("127.0.0.1:{port}")])
        .args(flags)
        .current_dir(folder)
        .stdin(Stdio::null());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("HELIOSTAT_")) {
        command.env_remove(name);
    }
    command.env_remove("DATABASE_URL").env_remove("RUST_LOG");
    command
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn run(folder: &Path, port: u16, flags: &[String]) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"))
        .unwrap();
    serve(folder, port, flags)
        .stdout(File::create(folder.join("said")).unwrap())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Host {
    pub fn start(flags: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags)
    }

    pub fn start_in(folder: tempfile::TempDir, flags: &[&str]) -> Self {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let port = free_port();
        let child = run(folder.path(), port, &flags);
        let mut host = Self {
            folder,
            port,
            entry: String::new(),
            flags,
            child,
        };
        host.serves();
        host
    }

    /// Waits until it has said where it is.
    fn serves(&mut self) {
        let until = Instant::now() + LONG;
        while !self.said().contains("://") {
            let ended = self.child.try_wait().unwrap();
            assert!(
                ended.is_none() && Instant::now() < until,
                "it does not serve: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        self.entry = std::fs::read_to_string(self.state().join("sign-in")).unwrap_or_default();
    }

    /// How a start ends that fails: its exit code, and what it says.
    pub fn refused(folder: &Path, flags: &[&str]) -> (Option<i32>, String) {
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let output = serve(folder, free_port(), &flags).output().unwrap();
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// What it wrote on standard output.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("said")).unwrap()
    }

    pub fn token(&self) -> String {
        self.entry.trim().split_once("#token=").unwrap().1.to_owned()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    pub fn log_says(&self, what: &str) {
        eventually(&format!("the log says {what}"), || self.log().contains(what));
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Bytes of memory that it has now.
    pub fn resident(&self) -> usize {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
    }

    /// Ends it and starts it again.
    pub fn restart(&mut self) {
        self.signal(Signal::SIGTERM);
        assert!(self.child.wait().unwrap().success(), "{}", self.log());
        self.child = run(self.folder.path(), self.port, &self.flags);
        self.serves();
    }

    /// A connection without encryption.
    pub fn plain(&self) -> TcpStream {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// A connection over TLS, whatever the certificate.
    pub fn secure(&self) -> Secure {
        self.try_secure().unwrap()
    }

    /// The same where the host may hang up instead.
    pub fn try_secure(&self) -> std::io::Result<Secure> {
        let connection = ClientConnection::new(client_config(), "127.0.0.1".try_into().unwrap()).unwrap();
        let mut stream = StreamOwned::new(connection, self.plain());
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(stream)
    }

    /// The certificate that it shows now, as people compare it.
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.secure())
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGTERM);
        let until = Instant::now() + LONG;
        while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub type Secure = StreamOwned<ClientConnection, TcpStream>;

pub fn fingerprint(stream: &Secure) -> String {
    let der = &stream.conn.peer_certificates().unwrap()[0];
    let digits: Vec<String> = Sha256::digest(der).iter().map(|b| format!("{b:02X}")).collect();
    digits.join(":")
}

fn client_config() -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anything))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    // Each connection is to show the certificate.
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}

/// Takes every certificate; the tests look at it themselves.
#[derive(Debug)]
struct Anything;

impl ServerCertVerifier for Anything {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let provider = rustls::crypto::ring::default_provider();
        provider.signature_verification_algorithms.supported_schemes()
    }
}

/// An answer of the host.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// All headers of this name (lower case).
    pub fn all(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(header, _)| header == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.all(name).first().copied().unwrap_or_default()
    }
}

/// Asks over this connection and reads the whole answer; the connection stays open.
pub fn ask(stream: &mut (impl Read + Write), method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    try_ask(stream, method, path, headers, body).unwrap()
}

/// The same where the host may hang up instead.
pub fn try_ask(
    stream: &mut (impl Read + Write),
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<Answer> {
    let mut request = format!("{method} {path} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request += "host: 127.0.0.1\r\n";
    }
    for (name, value) in headers {
        request += &format!("{name}: {value}\r\n");
    }
    request += &format!(
        "content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.map_or(0, |(_, value)| value.parse().unwrap())];
    stream.read_exact(&mut body)?;
    Ok(Answer {
        status,
        headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    })
}

pub fn get(stream: &mut (impl Read + Write), path: &str) -> Answer {
    ask(stream, "GET", path, &[], "")
}

/// Waits until something is so.
pub fn eventually(what: &str, so: impl Fn() -> bool) {
    let until = Instant::now() + LONG;
    while !so() {
        assert!(Instant::now() < until, "not yet: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Writes a certificate for `name` and its key, one after the other, as renewing tools do.
pub fn issue(folder: &Path, name: &str) {
    let keys = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let names = vec![name.to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)
        .unwrap()
        .self_signed(&keys)
        .unwrap();
    std::fs::write(folder.join("key.pem"), keys.serialize_pem()).unwrap();
    std::fs::write(folder.join("crt.pem"), certificate.pem()).unwrap();
}
