//! What can be agreed on with the host, and what cannot.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;

use super::support::{Host, ask, eventually, fingerprint, get};

#[test]
fn a_host_with_a_certificate_of_its_own_says_its_fingerprint_and_keeps_it() {
    let mut host = Host::start(&["--tls", "self-signed"]);
    assert!(host.said().starts_with(&format!("https://127.0.0.1:{}/\n", host.port)));
    let shown = host.fingerprint();
    assert!(host.said().contains(&shown), "{}", host.said());
    assert!(host.log().contains(&shown));
    let key = std::fs::metadata(host.state().join("tls/self-signed.key")).unwrap();
    assert_eq!(key.permissions().mode() & 0o777, 0o600);
    host.restart();
    assert_eq!(host.fingerprint(), shown);
}

#[test]
fn only_http_1_1_over_tls_1_2_or_newer_is_agreed_on() {
    let host = Host::start(&["--tls", "self-signed"]);
    let mut stream = host.secure();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(stream.conn.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    assert_eq!(get(&mut stream, "/healthz").body, "{\"status\":\"ok\"}");

    // A ServerHello for who knows TLS 1.2; a fatal alert for who knows nothing newer than TLS 1.1.
    assert_eq!(answer_to_hello(&host, [3, 3])[0], 22);
    let refused = answer_to_hello(&host, [3, 2]);
    assert_eq!((refused[0], refused[5]), (21, 2), "{refused:?}");
}

/// What is said to a client that knows nothing newer than this version (RFC 5246 section 7.4.1.2).
fn answer_to_hello(host: &Host, version: [u8; 2]) -> [u8; 6] {
    const AES_128_GCM: [u8; 2] = [0xc0, 0x2b];
    // Groups: secp256r1. Points: uncompressed. Signatures: ecdsa_secp256r1_sha256.
    const EXTENSIONS: [u8; 22] = [0, 10, 0, 4, 0, 2, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 4, 0, 2, 4, 3];
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session, one cipher suite, no compression.
    hello.extend([0, 0, 2]);
    hello.extend(AES_128_GCM);
    hello.extend([1, 0, 0, 22]);
    hello.extend(EXTENSIONS);
    let length = u8::try_from(hello.len()).unwrap();
    let mut record = vec![22, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    let mut stream = host.plain();
    stream.write_all(&record).unwrap();
    let mut answer = [0; 6];
    stream.read_exact(&mut answer).unwrap();
    answer
}

#[test]
fn who_speaks_no_tls_is_hung_up_on_without_a_line_in_the_log() {
    let host = Host::start(&["--tls", "self-signed"]);
    let before = host.log().lines().count();
    for rubbish in [
        &b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"[..],
        b"\0\0\0\0",
        b"\x16\x03\x01\xff\xff",
    ] {
        for _ in 0..50 {
            let mut stream = host.plain();
            let _ = stream.write_all(rubbish);
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        }
    }
    // One that says nothing at all is ended by the deadline of the handshake.
    let mut silent = host.plain();
    assert!(!matches!(silent.read(&mut [0; 16]), Ok(1..)));
    assert_eq!(get(&mut host.secure(), "/healthz").status, 200);
    let after = host.log();
    assert!(after.lines().count() <= before + 5, "{after}");
}

#[test]
fn nothing_secret_is_written_to_the_log() {
    let host = Host::start(&["--tls", "self-signed", "--set", "log.filter=debug"]);
    let mut stream = host.secure();
    let token = host.token();
    let body = format!("{{\"token\":\"{token}\"}}");
    let origin = ("origin", "https://127.0.0.1");
    let entered = ask(&mut stream, "POST", "/api/v1/auth", &[origin], &body);
    assert_eq!(entered.status, 204, "{entered:?}");
    let cookie = entered.header("set-cookie").split(';').next().unwrap().to_owned();
    let opened = ask(
        &mut stream,
        "POST",
        "/api/v1/sessions",
        &[origin, ("cookie", &cookie)],
        "{}",
    );
    assert_eq!(opened.status, 201, "{opened:?}");
    let key = std::fs::read_to_string(host.state().join("tls/self-signed.key")).unwrap();
    let mut secrets = vec![token, cookie];
    secrets.extend(opened.all("set-cookie").iter().map(|line| (*line).to_owned()));
    secrets.extend(key.lines().map(str::to_owned));
    eventually("the session is in the log", || {
        host.log().contains("opened guest=false")
    });
    for secret in secrets {
        let value = secret.split(';').next().unwrap();
        let value = value
            .split_once('=')
            .filter(|(_, v)| v.len() > 20)
            .map_or(value, |(_, v)| v);
        assert!(!host.log().contains(value), "the log has {value}");
    }
    assert_eq!(fingerprint(&stream), host.fingerprint());
}
