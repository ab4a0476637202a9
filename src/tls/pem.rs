//! Certificates and keys in PEM (RFC 7468).

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};

use super::certificate::{Facts, Pair};
use super::error::TlsError;

/// No chain of certificates is longer, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Reads a certificate, those that lead to its root, and its key.
///
/// # Errors
/// [`TlsError`]: a file cannot be read, holds something else, or the two do not belong together.
pub fn read(certificate: &Path, key: &Path) -> Result<Pair, TlsError> {
    let bad_certificate = |why: String| TlsError::Certificate {
        path: certificate.to_owned(),
        why,
    };
    let bad_key = |why: String| TlsError::Key {
        path: key.to_owned(),
        why,
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&content(certificate)?)
        .collect::<Result<_, _>>()
        .map_err(|e| bad_certificate(e.to_string()))?;
    let first = chain
        .first()
        .ok_or_else(|| bad_certificate("there is none".to_owned()))?;
    let facts = Facts::of(first).map_err(bad_certificate)?;
    // What it says of a key it says without the key.
    let private = PrivateKeyDer::from_pem_slice(&content(key)?).map_err(|e| bad_key(e.to_string()))?;
    let provider = rustls::crypto::ring::default_provider();
    let signing = provider
        .key_provider
        .load_private_key(private)
        .map_err(|e| bad_key(e.to_string()))?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => Ok(Pair {
            certified: Arc::new(certified),
            facts,
        }),
        Err(Error::InconsistentKeys(_)) => Err(TlsError::Mismatch {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
        }),
        Err(error) => Err(bad_certificate(error.to_string())),
    }
}

fn content(path: &Path) -> Result<Vec<u8>, TlsError> {
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE).read_to_end(&mut bytes))
        .map(|_| bytes)
        .map_err(|source| TlsError::Unreadable {
            path: path.to_owned(),
            source,
        })
}
