//! A certificate that the host makes itself, for a first try: browsers warn of it, people compare its fingerprint.
//!
//! Its key stays the same when it is made anew, so that a browser which was told to trust the key still does.

use std::fs::{DirBuilder, OpenOptions, read_to_string, rename};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rcgen::{
    CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::certificate::{Facts, Pair};
use super::error::TlsError;
use super::pem;

const CERTIFICATE: &str = "self-signed.crt";
const KEY: &str = "self-signed.key";
const DAY: i64 = 86_400;
/// How long it is good.
const LIFE: i64 = 180 * DAY;
/// It is made anew when less than this is left.
const RENEW: i64 = 30 * DAY;
/// Clocks of browsers may be behind.
const BEFORE: i64 = DAY;

/// Whether it is time for a new one.
pub const fn is_due(facts: &Facts, now: i64) -> bool {
    facts.ends - now < RENEW
}

/// The one in `folder`, whatever it is for.
pub fn load(folder: &Path) -> Option<Pair> {
    pem::read(&folder.join(CERTIFICATE), &folder.join(KEY)).ok()
}

/// The one in `folder`, or a new one where that is not good for these names, or not for long any more.
///
/// # Errors
/// [`TlsError::Make`], [`TlsError::Keep`].
pub fn load_or_make(folder: &Path, names: &[String], now: i64) -> Result<Pair, TlsError> {
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    if let Some(pair) = load(folder) {
        let fits = names.iter().all(|name| pair.facts.names.contains(name));
        if fits && !is_due(&pair.facts, now) && pair.facts.begins <= now {
            return Ok(pair);
        }
    }
    let keys = match read_to_string(&key).ok().and_then(|text| KeyPair::from_pem(&text).ok()) {
        Some(keys) => keys,
        None => {
            let keys = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(TlsError::Make)?;
            write(folder, KEY, &keys.serialize_pem())?;
            keys
        }
    };
    write(folder, CERTIFICATE, &make(&keys, names, now).map_err(TlsError::Make)?)?;
    pem::read(&certificate, &key)
}

fn make(keys: &KeyPair, names: &[String], now: i64) -> Result<String, rcgen::Error> {
    let mut params = CertificateParams::new(names)?;
    let start = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    params.not_before = start - Duration::seconds(BEFORE);
    params.not_after = start + Duration::seconds(LIFE);
    params.distinguished_name = DistinguishedName::new();
    params
        .distinguished_name
        .push(DnType::CommonName, "Heliostat, self-signed");
    // Two of one key with the same number are refused by some browsers.
    params.serial_number = Some(SerialNumber::from(uuid::Uuid::new_v4().as_bytes().to_vec()));
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(params.self_signed(keys)?.pem())
}

/// Writes a file that only this user can read, whole or not at all.
fn write(folder: &Path, name: &str, text: &str) -> Result<(), TlsError> {
    let fresh = folder.join(format!("{name}.new"));
    let written = || -> std::io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&fresh)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        rename(&fresh, folder.join(name))
    };
    written().map_err(|source| TlsError::Keep {
        path: folder.join(name),
        source,
    })
}
