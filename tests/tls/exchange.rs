//! The certificate is exchanged while the host serves, and the listener outlives what serves on it.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::support::{Host, LONG, Secure, ask, eventually, fingerprint, get, issue, try_ask};

const FILES: [&str; 4] = ["--tls-certificate", "crt.pem", "--tls-key", "key.pem"];

fn with_files() -> Host {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path(), "one.example");
    Host::start_in(folder, &FILES)
}

/// Waits for another certificate than `first`, while `open` is in use.
fn shows_another(host: &Host, first: &str, open: &mut Secure) {
    let until = Instant::now() + LONG;
    while host.fingerprint() == first {
        assert!(Instant::now() < until, "the old certificate is still shown");
        // Nobody asks for another certificate; the connection is not left idle, or it would be closed for that.
        assert_eq!(get(open, "/healthz").status, 200);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn changed_files_are_taken_up_and_what_is_open_goes_on() {
    let host = with_files();
    let mut open = host.secure();
    let first = fingerprint(&open);
    issue(host.folder.path(), "two.example");
    shows_another(&host, &first, &mut open);
    assert!(host.log().contains("names=two.example"), "{}", host.log());
    assert_eq!(get(&mut open, "/healthz").status, 200);
    assert_eq!(fingerprint(&open), first);
}

#[test]
fn broken_files_leave_the_old_certificate_and_are_told_of() {
    let host = with_files();
    let first = host.fingerprint();
    let key = std::fs::read(host.folder.path().join("key.pem")).unwrap();
    for (file, content, code) in [
        ("crt.pem", Some("rubbish"), "tls_certificate_invalid"),
        ("key.pem", Some("rubbish"), "tls_key_invalid"),
        ("key.pem", None, "tls_unreadable"),
    ] {
        issue(host.folder.path(), "next.example");
        let path = host.folder.path().join(file);
        match content {
            Some(text) => std::fs::write(path, text).unwrap(),
            None => std::fs::remove_file(path).unwrap(),
        }
        host.signal(Signal::SIGHUP);
        host.log_says(code);
        assert_eq!(host.fingerprint(), first);
    }
    // The key of another.
    issue(host.folder.path(), "next.example");
    std::fs::write(host.folder.path().join("key.pem"), key).unwrap();
    host.signal(Signal::SIGHUP);
    host.log_says("tls_mismatch");
    assert_eq!(host.fingerprint(), first);

    issue(host.folder.path(), "last.example");
    host.signal(Signal::SIGHUP);
    eventually("it recovers", || host.fingerprint() != first);
}

/// Only debug builds can be asked to panic.
#[test]
fn a_panic_of_the_child_that_exchanges_certificates_costs_nobody_anything() {
    let host = with_files();
    let first = host.fingerprint();
    let mut open = host.secure();
    let bearer = format!("Bearer {}", host.token());
    let headers = [("authorization", bearer.as_str()), ("origin", "https://127.0.0.1")];
    let body = "{\"child\":\"root/certificate\"}";
    let asked = ask(&mut host.secure(), "POST", "/api/v1/debug/panic", &headers, body);
    assert_eq!(asked.status, 202, "{asked:?}");
    host.log_says("child=root/certificate generation=1 exit=panic");
    assert_eq!(get(&mut open, "/healthz").status, 200);
    assert_eq!((fingerprint(&open), host.fingerprint()), (first.clone(), first.clone()));
    let tree = ask(&mut host.secure(), "GET", "/api/v1/admin/supervision", &headers, "");
    assert!(tree.body.contains("\"path\":\"root/certificate\""), "{tree:?}");
    // The next one does its work.
    issue(host.folder.path(), "two.example");
    shows_another(&host, &first, &mut open);
}

#[test]
fn a_start_without_a_certificate_to_use_is_an_error_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |flags: &[&str]| {
        let (code, said) = Host::refused(folder.path(), flags);
        assert_eq!(code, Some(1), "{said}");
        said
    };
    let said = refused(&FILES);
    assert!(said.contains("crt.pem") && said.contains("[tls_unreadable]"), "{said}");
    issue(folder.path(), "one.example");
    std::fs::write(folder.path().join("key.pem"), "rubbish").unwrap();
    assert!(refused(&FILES).contains("[tls_key_invalid]"));
    let checked = [&FILES[..], &["--check"]].concat();
    assert!(
        refused(&checked).contains("[tls_key_invalid]"),
        "an upgrade would be refused"
    );
    assert!(refused(&FILES[..2]).contains("[missing_key]"));
}

#[test]
fn the_listener_outlives_an_upgrade_and_a_restart_of_the_pages() {
    let host = Host::start(&["--tls", "self-signed"]);
    let shown = host.fingerprint();
    let note = || std::fs::read_to_string(host.state().join("host.json")).unwrap();
    let first = note();
    host.signal(Signal::SIGUSR2);
    eventually("another host serves", || note() != first);
    assert_eq!(host.fingerprint(), shown);
    assert_eq!(get(&mut host.secure(), "/healthz").status, 200);

    let bearer = format!("Bearer {}", host.token());
    let headers = [("authorization", bearer.as_str()), ("origin", "https://127.0.0.1")];
    let path = "/api/v1/admin/supervision/restart";
    // The answer may be lost with the server that would have given it.
    let _ = try_ask(&mut host.secure(), "POST", path, &headers, "{\"child\":\"root/http\"}");
    host.log_says("child=root/http restart asked for");
    eventually("the pages are back", || {
        let again = host
            .try_secure()
            .and_then(|mut stream| try_ask(&mut stream, "GET", "/healthz", &[], ""));
        again.is_ok_and(|answer| answer.status == 200)
    });
    assert_eq!(host.fingerprint(), shown);
}
