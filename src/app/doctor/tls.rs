//! Whether the pages are encrypted, and with which certificate.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::finding::Finding;
use crate::app::error::chain;
use crate::config::{ServerConfig, TlsSource};
use crate::tls::{Facts, Source, Tls, self_signed_in};

const CHECK: &str = "encryption";
/// Whoever else may read a key.
const OTHERS: u32 = 0o077;

/// What browsers will find at the address. `source`: where the certificate comes from; `now` in seconds since 1970.
pub fn check(server: &ServerConfig, source: Option<&Source>, now: i64) -> Vec<Finding> {
    match (&server.tls, source) {
        (TlsSource::Off, _) | (_, None) => vec![off(server)],
        (_, Some(Source::SelfSigned { folder, .. })) => vec![match self_signed_in(folder) {
            Some(facts) => Finding::ok(
                CHECK,
                format!(
                    "self-signed certificate until {}, SHA-256 {}",
                    facts.last_day(),
                    facts.fingerprint
                ),
            ),
            None => Finding::ok(CHECK, "a self-signed certificate is made at the start"),
        }],
        (_, Some(files @ Source::Files { key, .. })) => match Tls::open(files.clone(), now) {
            Ok(tls) => {
                let mut found = vec![of_files(&tls.facts(), now)];
                found.extend(readable(key));
                found
            }
            Err(error) => vec![
                Finding::problem(CHECK, format!("{} [{}]", chain(&error), error.code())).hint(
                    "server.tls_certificate and server.tls_key name a chain and its key in PEM, for this user to read",
                ),
            ],
        },
    }
}

fn off(server: &ServerConfig) -> Finding {
    if server.listen.ip().is_loopback() {
        return Finding::ok(CHECK, format!("none: only this machine reaches {}", server.listen));
    }
    Finding::note(
        CHECK,
        format!(
            "none: whoever is on the way to {} can read and change pages",
            server.listen
        ),
    )
    .hint("give --tls-certificate and --tls-key, or --tls self-signed")
}

fn of_files(facts: &Facts, now: i64) -> Finding {
    let text = format!("certificate for {} until {}", facts.names.join(", "), facts.last_day());
    match facts.warning(now) {
        None => Finding::ok(CHECK, text),
        Some(warning) => {
            Finding::note(CHECK, format!("{text}: {warning}")).hint("renew it; the host takes it up by itself")
        }
    }
}

/// What is said of a key that others can read.
fn readable(key: &Path) -> Option<Finding> {
    let mode = std::fs::metadata(key).ok()?.permissions().mode();
    (mode & OTHERS != 0).then(|| {
        let text = format!("others may read {} (mode {:03o})", key.display(), mode & 0o777);
        Finding::note(CHECK, text).hint("chmod 600")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::doctor::Level;
    use crate::app::pages;
    use crate::config::{Config, Flag, Sources};

    const NOW: i64 = 1_800_000_000;

    /// A host in `folder` with these keys set.
    fn server(folder: &Path, keys: &[(&str, &str)]) -> ServerConfig {
        let sources = Sources {
            flags: keys.iter().map(|(key, value)| Flag::new("--set", key, value)).collect(),
            folder: folder.to_owned(),
            env: [("HOME".into(), folder.as_os_str().to_owned())].into(),
            ..Sources::default()
        };
        Config::load(&sources).unwrap().0.server
    }

    fn found(folder: &Path, keys: &[(&str, &str)]) -> Vec<Finding> {
        let server = server(folder, keys);
        check(&server, pages::source(&server, folder).as_ref(), NOW)
    }

    #[test]
    fn pages_without_encryption_are_fine_on_this_machine_only() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(found(folder.path(), &[])[0].level, Level::Ok);
        let open = [("server.listen", "0.0.0.0:80"), ("server.insecure_http", "true")];
        assert_eq!(found(folder.path(), &open)[0].level, Level::Note);
    }

    #[test]
    fn files_that_cannot_be_used_are_a_problem_with_its_code() {
        let folder = tempfile::tempdir().unwrap();
        let keys = [("server.tls_certificate", "crt.pem"), ("server.tls_key", "key.pem")];
        let found = found(folder.path(), &keys);
        assert_eq!(found[0].level, Level::Problem);
        assert!(found[0].text.contains("[tls_unreadable]"), "{}", found[0].text);
    }

    #[test]
    fn a_certificate_of_the_hosts_own_is_told_by_its_fingerprint() {
        let folder = tempfile::tempdir().unwrap();
        let keys = [("server.tls", "self-signed")];
        assert!(found(folder.path(), &keys)[0].text.contains("made at the start"));
        let server = server(folder.path(), &keys);
        let tls = Tls::open(pages::source(&server, folder.path()).unwrap(), NOW).unwrap();
        let text = &found(folder.path(), &keys)[0].text;
        assert!(text.contains(&tls.facts().fingerprint), "{text}");
    }

    #[test]
    fn a_key_that_others_may_read_and_a_certificate_that_ends_soon_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        // One of the host's own serves as one from files.
        let own = server(folder.path(), &[("server.tls", "self-signed")]);
        let tls = Tls::open(pages::source(&own, folder.path()).unwrap(), NOW).unwrap();
        let keys = [
            ("server.tls_certificate", "tls/self-signed.crt"),
            ("server.tls_key", "tls/self-signed.key"),
        ];
        assert_eq!(found(folder.path(), &keys).len(), 1);
        let key = folder.path().join("tls/self-signed.key");
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
        let server = server(folder.path(), &keys);
        let later = tls.facts().ends - 86_400;
        let found = check(&server, pages::source(&server, folder.path()).as_ref(), later);
        let levels: Vec<Level> = found.iter().map(|finding| finding.level).collect();
        assert_eq!(levels, [Level::Note, Level::Note], "{found:?}");
    }
}
