//! A certificate with its key, and what is said of it.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

const DAY: i64 = 86_400;
/// A certificate that ends sooner is warned of.
const SOON: i64 = 14 * DAY;

/// A certificate with its key, ready for use.
#[derive(Clone, Debug)]
pub struct Pair {
    /// For handshakes.
    pub certified: Arc<CertifiedKey>,
    /// For people.
    pub facts: Facts,
}

/// What is said of a certificate. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Host names and addresses that it is for (RFC 5280 section 4.2.1.6).
    pub names: Vec<String>,
    /// From when it is good, in seconds since 1970.
    pub begins: i64,
    /// Until when it is good, in seconds since 1970.
    pub ends: i64,
    /// SHA-256 of the whole certificate as browsers show it: `AB:CD:…`.
    pub fingerprint: String,
}

impl Facts {
    /// Reads a certificate (DER).
    ///
    /// # Errors
    /// In words, what is wrong with it.
    pub fn of(der: &[u8]) -> Result<Self, String> {
        let (_, certificate) = X509Certificate::from_der(der).map_err(|e| e.to_string())?;
        let names = certificate
            .subject_alternative_name()
            .map_err(|e| e.to_string())?
            .map(|found| found.value.general_names.iter().filter_map(shown).collect())
            .unwrap_or_default();
        let digits: Vec<String> = Sha256::digest(der).iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self {
            names,
            begins: certificate.validity().not_before.timestamp(),
            ends: certificate.validity().not_after.timestamp(),
            fingerprint: digits.join(":"),
        })
    }

    /// The day on which it ends, as `2027-01-31`.
    #[must_use]
    pub fn last_day(&self) -> String {
        time::OffsetDateTime::from_unix_timestamp(self.ends).map_or_else(|_| "?".to_owned(), |t| t.date().to_string())
    }

    /// What people should know of it at `now` (seconds since 1970): that browsers refuse it, or soon will.
    #[must_use]
    pub fn warning(&self, now: i64) -> Option<String> {
        if self.ends <= now {
            Some(format!(
                "the certificate has ended on {}: browsers refuse it",
                self.last_day()
            ))
        } else if self.begins > now {
            Some("the certificate is not good yet: browsers refuse it".to_owned())
        } else if self.ends - now < SOON {
            let days = (self.ends - now) / DAY;
            Some(format!("the certificate ends in {days} days, on {}", self.last_day()))
        } else {
            None
        }
    }
}

fn shown(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some((*name).to_ascii_lowercase()),
        GeneralName::IPAddress(bytes) => {
            let address = match bytes.len() {
                4 => IpAddr::from(<[u8; 4]>::try_from(*bytes).ok()?),
                _ => IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?),
            };
            Some(address.to_string())
        }
        _ => None,
    }
}
