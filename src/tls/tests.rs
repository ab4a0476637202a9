use super::*;

const NOW: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

fn of_own(folder: &Path, names: &[&str], now: i64) -> Facts {
    let source = Source::SelfSigned {
        folder: folder.join("tls"),
        names: names.iter().map(|&name| name.to_owned()).collect(),
    };
    Tls::open(source, now).unwrap().facts()
}

/// A certificate for `name` and its key, as somebody else's tool would leave them.
fn issued(folder: &Path, name: &str) {
    // The clock of files has steps of some ms.
    std::thread::sleep(std::time::Duration::from_millis(30));
    let keys = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    std::fs::write(folder.join("crt.pem"), params.self_signed(&keys).unwrap().pem()).unwrap();
    std::fs::write(folder.join("key.pem"), keys.serialize_pem()).unwrap();
}

fn files(folder: &Path) -> Source {
    Source::Files {
        certificate: folder.join("crt.pem"),
        key: folder.join("key.pem"),
    }
}

#[test]
fn a_certificate_of_the_hosts_own_is_kept_and_private() {
    use std::os::unix::fs::PermissionsExt;
    let state = tempfile::tempdir().unwrap();
    let first = of_own(state.path(), &["localhost", "10.0.0.7", "::1"], NOW);
    assert_eq!(first.names, ["localhost", "10.0.0.7", "::1"]);
    assert_eq!(of_own(state.path(), &["localhost"], NOW + DAY), first);
    for file in ["tls/self-signed.key", "tls/self-signed.crt"] {
        let mode = std::fs::metadata(state.path().join(file)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    let digits = first.fingerprint.split(':');
    assert!(digits.clone().count() == 32 && digits.into_iter().all(|two| two.len() == 2));
}

#[test]
fn it_is_made_anew_for_another_name_and_before_it_ends() {
    let state = tempfile::tempdir().unwrap();
    let first = of_own(state.path(), &["localhost"], NOW);
    let named = of_own(state.path(), &["localhost", "sky.example"], NOW);
    assert_eq!(named.names, ["localhost", "sky.example"]);
    assert_ne!(named.fingerprint, first.fingerprint);
    let later = NOW + 151 * DAY;
    let renewed = of_own(state.path(), &["localhost"], later);
    assert!(named.ends - later < 30 * DAY && renewed.ends - later > 100 * DAY);
}

#[test]
fn it_is_renewed_while_the_host_serves() {
    let state = tempfile::tempdir().unwrap();
    let source = Source::SelfSigned {
        folder: state.path().to_owned(),
        names: vec!["localhost".to_owned()],
    };
    let tls = Tls::open(source, NOW).unwrap();
    assert!(matches!(tls.look(NOW + 100 * DAY, false), Looked::Same));
    let later = NOW + 170 * DAY;
    let Looked::Exchanged(facts) = tls.look(later, false) else {
        panic!("it is as it was")
    };
    assert!(facts.ends > later + 100 * DAY);
    assert!(matches!(tls.look(later, false), Looked::Same));
}

#[test]
fn damaged_files_of_its_own_are_made_anew() {
    let state = tempfile::tempdir().unwrap();
    of_own(state.path(), &["localhost"], NOW);
    for file in ["self-signed.key", "self-signed.crt"] {
        std::fs::write(state.path().join("tls").join(file), "rubbish").unwrap();
        assert_eq!(of_own(state.path(), &["localhost"], NOW).names, ["localhost"], "{file}");
    }
}

#[test]
fn each_thing_that_can_be_wrong_with_files_has_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let code = || Tls::open(files(folder.path()), NOW).unwrap_err().code();
    assert_eq!(code(), "tls_unreadable");
    issued(folder.path(), "sky.example");
    let good = Tls::open(files(folder.path()), NOW).unwrap();
    assert_eq!(good.facts().names, ["sky.example"]);
    std::fs::remove_file(folder.path().join("key.pem")).unwrap();
    assert_eq!(code(), "tls_unreadable");
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    assert_eq!(code(), "tls_key_invalid");
    let other = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    std::fs::write(folder.path().join("key.pem"), other.serialize_pem()).unwrap();
    assert_eq!(code(), "tls_mismatch");
    std::fs::write(folder.path().join("crt.pem"), "no certificate").unwrap();
    assert_eq!(code(), "tls_certificate_invalid");
    let cut = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    std::fs::write(folder.path().join("crt.pem"), cut).unwrap();
    assert_eq!(code(), "tls_certificate_invalid");
}

#[test]
fn changed_files_are_used_and_broken_ones_are_told_once() {
    let folder = tempfile::tempdir().unwrap();
    issued(folder.path(), "one.example");
    let tls = Tls::open(files(folder.path()), NOW).unwrap();
    assert!(matches!(tls.look(NOW, false), Looked::Same));
    issued(folder.path(), "two.example");
    assert!(matches!(tls.look(NOW, false), Looked::Exchanged(facts) if facts.names == ["two.example"]));
    assert!(matches!(tls.look(NOW, false), Looked::Same));

    std::fs::write(folder.path().join("crt.pem"), "rubbish").unwrap();
    assert!(matches!(tls.look(NOW, false), Looked::Broken(error) if error.code() == "tls_certificate_invalid"));
    std::fs::write(folder.path().join("crt.pem"), "rubbish, again").unwrap();
    for _ in 0..3 {
        assert!(matches!(tls.look(NOW, false), Looked::Same), "it has been told");
    }
    assert_eq!(tls.facts().names, ["two.example"]);
    assert!(
        matches!(tls.look(NOW, true), Looked::Broken(_)),
        "who asks is told again"
    );

    issued(folder.path(), "three.example");
    assert!(matches!(tls.look(NOW, false), Looked::Exchanged(facts) if facts.names == ["three.example"]));
}

#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let facts = |begins, ends| Facts {
        names: Vec::new(),
        begins,
        ends,
        fingerprint: String::new(),
    };
    let warning = |begins, ends| facts(begins, ends).warning(NOW);
    assert_eq!(warning(NOW - DAY, NOW + 15 * DAY), None);
    assert!(warning(NOW - DAY, NOW + 3 * DAY).is_some_and(|text| text.contains("3 days")));
    assert!(warning(NOW - 2 * DAY, NOW - DAY).is_some_and(|text| text.contains("has ended")));
    assert!(warning(NOW + DAY, NOW + 90 * DAY).is_some_and(|text| text.contains("not good yet")));
}

#[test]
fn only_what_can_be_in_a_certificate_is_asked_for() {
    let names = own_names(
        &["192.0.2.7".parse().unwrap(), "::ffff:127.0.0.1".parse().unwrap()],
        &["Dome".to_owned()],
        &["sky.example".to_owned(), "bad name".to_owned(), String::new()],
    );
    assert_eq!(
        names,
        ["localhost", "127.0.0.1", "::1", "192.0.2.7", "dome", "sky.example"]
    );
}
