//! Which certificates are believed.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// Where Debian has the authorities that its browsers know (package `ca-certificates`).
const USUAL: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What a TLS connection is made with.
#[derive(Clone, Debug)]
pub struct Trust(pub(super) Arc<ClientConfig>);

/// No authority could be read.
#[derive(Debug, thiserror::Error)]
#[error("no certificate can be read from {path}: {why}")]
pub struct NoTrust {
    /// From where.
    path: PathBuf,
    /// Why not.
    why: String,
}

impl NoTrust {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "no_certificates"
    }
}

impl Trust {
    /// Believes the authorities in this file (PEM); without one, those that this machine has. A machine that has none
    /// believes nobody.
    ///
    /// # Errors
    /// [`NoTrust`] when the file that was named has none.
    pub fn new(file: Option<&Path>) -> Result<Self, NoTrust> {
        let mut roots = RootCertStore::empty();
        let path = file.unwrap_or(Path::new(USUAL));
        let no_trust = |why: String| NoTrust {
            path: path.to_owned(),
            why,
        };
        match CertificateDer::pem_file_iter(path) {
            Ok(certificates) => {
                roots.add_parsable_certificates(certificates.filter_map(Result::ok));
            }
            Err(error) if file.is_some() => return Err(no_trust(error.to_string())),
            Err(error) => log::debug!("no authorities in {USUAL}: {error}"),
        }
        if file.is_some() && roots.is_empty() {
            return Err(no_trust("there is none in it".to_owned()));
        }
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }
}
