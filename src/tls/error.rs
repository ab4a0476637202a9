//! What can be wrong with a certificate.

use std::path::PathBuf;

/// Why there is no certificate to use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not there, or not for this user.
    #[error("{path} cannot be read: {source}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It holds no certificate, or one that cannot be used.
    #[error("{path} holds no certificate that can be used: {why}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// It holds no private key, or one that cannot be used.
    #[error("{path} holds no private key that can be used: {why}")]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The two do not belong together.
    #[error("the key in {key} is not that of the certificate in {certificate}")]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// That of the key.
        key: PathBuf,
    },
    /// The host cannot make one.
    #[error("no certificate can be made")]
    Make(#[source] rcgen::Error),
    /// The host cannot keep the one that it has made.
    #[error("{path} cannot be written: {source}")]
    Keep {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The library of TLS refuses what it is asked for.
    #[error("TLS cannot be set up")]
    Library(#[source] rustls::Error),
}

impl TlsError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "tls_unreadable",
            Self::Certificate { .. } => "tls_certificate_invalid",
            Self::Key { .. } => "tls_key_invalid",
            Self::Mismatch { .. } => "tls_mismatch",
            Self::Make(_) => "tls_not_made",
            Self::Keep { .. } => "tls_not_kept",
            Self::Library(_) => "tls_library",
        }
    }
}
