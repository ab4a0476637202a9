//! The certificate that the pages are encrypted with: read, made, exchanged while the host serves.
//!
//! Owns the certificate in use ([`Tls`]), the files of the one that the host makes itself, and what is spoken: TLS 1.2
//! and 1.3 (RFC 5246, RFC 8446), with the cryptography of ring, as WebRTC has it.
//!
//! ```text
//!              files changed, SIGHUP, soon over
//!   in use ──────────────────────────────────────▶ reading ── good ──▶ in use: the next handshakes have the new one
//!     ▲                                               │
//!     └──────────────── broken: said once ────────────┘
//! ```
//!
//! Survives files that are gone, half written, of another key, or no certificate at all: the one in use stays, and what
//! is wrong is said once for each change of the files. At the start there is none in use, so that each of these is an
//! error then. Connections keep the certificate that they began with.
//!
//! Everything here that touches files blocks; it is not for the thread of the actors.

mod certificate;
mod error;
mod pem;
mod resolver;
mod self_signed;
mod stamp;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustls::ServerConfig;
use rustls::version::{TLS12, TLS13};
use tokio::sync::Notify;

pub use certificate::Facts;
pub use error::TlsError;

use self::certificate::Pair;
use self::resolver::InUse;
use self::stamp::Stamp;

/// Where a certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Files of somebody else's.
    Files {
        /// The certificate, and those that lead to its root.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// The host makes it itself.
    SelfSigned {
        /// Where it is kept, with its key.
        folder: PathBuf,
        /// What it is for: host names and addresses.
        names: Vec<String>,
    },
}

impl Source {
    fn read(&self, now: i64) -> Result<Pair, TlsError> {
        match self {
            Self::Files { certificate, key } => pem::read(certificate, key),
            Self::SelfSigned { folder, names } => self_signed::load_or_make(folder, names, now),
        }
    }

    /// What the files are now; nothing for those that are the host's own.
    fn stamps(&self) -> Option<[Stamp; 2]> {
        match self {
            Self::Files { certificate, key } => Some([Stamp::of(certificate), Stamp::of(key)]),
            Self::SelfSigned { .. } => None,
        }
    }
}

/// What a look at the files found.
#[derive(Debug)]
pub enum Looked {
    /// Nothing that has not been said before.
    Same,
    /// Another certificate is in use from now on.
    Exchanged(Facts),
    /// The one in use stays.
    Broken(TlsError),
}

/// The certificate in use, and where the next one comes from.
#[derive(Debug)]
pub struct Tls {
    source: Source,
    in_use: Arc<InUse>,
    seen: Mutex<Seen>,
    asked: Notify,
}

#[derive(Debug)]
struct Seen {
    /// The files as they were when they were read last.
    stamps: Option<[Stamp; 2]>,
    /// What was wrong with them then.
    wrong: Option<String>,
}

impl Tls {
    /// Reads the certificate, or makes one. `now` in seconds since 1970.
    ///
    /// # Errors
    /// [`TlsError`]: there is none to use.
    pub fn open(source: Source, now: i64) -> Result<Self, TlsError> {
        // Before the files are read: a change between the two is found by the next look.
        let stamps = source.stamps();
        let pair = source.read(now)?;
        Ok(Self {
            source,
            in_use: Arc::new(InUse::new(pair)),
            seen: Mutex::new(Seen { stamps, wrong: None }),
            asked: Notify::new(),
        })
    }

    /// What is said of the certificate in use.
    #[must_use]
    pub fn facts(&self) -> Facts {
        self.in_use.facts()
    }

    /// Whether the host made the certificate itself.
    #[must_use]
    pub const fn is_self_signed(&self) -> bool {
        matches!(self.source, Source::SelfSigned { .. })
    }

    /// Asks for a look at the files now, whatever they seem to be.
    pub fn ask(&self) {
        self.asked.notify_one();
    }

    /// Returns when somebody has asked. Cancel safe.
    pub async fn asked(&self) {
        self.asked.notified().await;
    }

    /// Looks whether there is another certificate to use. `anyway`: reads the files although they look the same.
    pub fn look(&self, now: i64, anyway: bool) -> Looked {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.source.stamps();
        let changed = match self.source {
            Source::Files { .. } => stamps != seen.stamps,
            Source::SelfSigned { .. } => self_signed::is_due(&self.facts(), now),
        };
        if !changed && !anyway {
            return Looked::Same;
        }
        seen.stamps = stamps;
        match self.source.read(now) {
            Ok(pair) => {
                let was_wrong = seen.wrong.take().is_some();
                let is_new = self.in_use.replace(pair);
                if is_new || was_wrong || anyway {
                    Looked::Exchanged(self.facts())
                } else {
                    Looked::Same
                }
            }
            Err(error) => {
                let text = error.to_string();
                let is_news = seen.wrong.as_ref() != Some(&text) || anyway;
                seen.wrong = Some(text);
                if is_news { Looked::Broken(error) } else { Looked::Same }
            }
        }
    }

    /// What a server speaks that has this certificate: always the one that is in use at a handshake.
    ///
    /// # Errors
    /// The library has not what it was built with, which cannot be.
    pub fn server_config(&self) -> Result<ServerConfig, TlsError> {
        let builder = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Library)?;
        let in_use: Arc<InUse> = Arc::clone(&self.in_use);
        Ok(builder.with_no_client_auth().with_cert_resolver(in_use))
    }
}

/// What is said of the certificate that a host has made and kept in `folder`, if it has. Makes none.
#[must_use]
pub fn self_signed_in(folder: &Path) -> Option<Facts> {
    self_signed::load(folder).map(|pair| pair.facts)
}

/// The names for a certificate of the host's own: where it listens, this machine, and what else it is called.
#[must_use]
pub fn own_names(listen: &[IpAddr], machine: &[String], hosts: &[String]) -> Vec<String> {
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let addresses = listen.iter().map(|address| address.to_canonical().to_string());
    let hosts = machine.iter().chain(hosts).map(String::as_str);
    for name in addresses.chain(hosts.filter(|name| is_host_name(name)).map(str::to_ascii_lowercase)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Whether a certificate can be for it (RFC 1123 section 2.1).
fn is_host_name(name: &str) -> bool {
    let fine = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    name.len() <= 253 && name.split('.').all(fine)
}

#[cfg(test)]
mod tests;
