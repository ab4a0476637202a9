use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::coturn::{Coturn, Options, SECRET, free_port};

/// A check waits for seconds at most; this is for a machine that has other things to do.
const ENDS_WITHIN: Duration = Duration::from_secs(120);

/// What `heliostat check-ice` says of some servers, and its exit status.
pub fn check(secrets: &str, servers: &[String], more: &[&str]) -> (Value, i32) {
    let folder = tempfile::tempdir().unwrap();
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_heliostat"));
    command
        .arg("check-ice")
        .args(servers)
        .args([
            "--json",
            "--set",
            "media.bind=127.0.0.1",
            "--set",
            "media.udp_ports=43000-43999",
        ])
        .args(more)
        .env_clear()
        .env("HOME", folder.path())
        .current_dir(folder.path());
    if !secrets.is_empty() {
        command.env("HELIOSTAT_ICE_SECRETS", secrets);
    }
    let output = command.output().unwrap();
    assert!(began.elapsed() < ENDS_WITHIN);
    let text = String::from_utf8(output.stdout).unwrap();
    for secret in secrets.split(',').filter(|secret| !secret.is_empty()) {
        assert!(!text.contains(secret));
    }
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    (report, output.status.code().unwrap())
}

/// The steps of one server: their names and codes.
fn steps(report: &Value, server: usize) -> Vec<(String, String)> {
    let word = |step: &Value, key: &str| step[key].as_str().unwrap().to_owned();
    let steps = report["servers"][server]["steps"].as_array().unwrap();
    steps
        .iter()
        .map(|step| (word(step, "step"), word(step, "code")))
        .collect()
}

/// The one step that failed.
pub fn failed(report: &Value) -> (String, String) {
    let failed: Vec<_> = steps(report, 0).into_iter().filter(|(_, code)| code != "ok").collect();
    assert_eq!(failed.len(), 1, "{report:#}");
    failed.into_iter().next().unwrap()
}

fn words(step: &str, code: &str) -> (String, String) {
    (step.to_owned(), code.to_owned())
}

#[test]
fn every_way_to_a_server_that_is_as_it_should_be_is_found_to_work() {
    let coturn = Coturn::start(Options::default());
    let servers = [
        format!("stun:127.0.0.1:{}", coturn.port),
        format!("turn:127.0.0.1:{}", coturn.port),
        format!("turn:127.0.0.1:{}?transport=tcp", coturn.port),
        format!("turns:127.0.0.1:{}", coturn.tls_port),
    ];
    let authority = coturn.file("cert.pem");
    let (report, status) = check(SECRET, &servers, &["--ca", authority.to_str().unwrap()]);
    assert_eq!((&report["ok"], status), (&Value::Bool(true), 0), "{report:#}");
    let all = ["connect", "binding", "allocation", "relay", "life", "refusal"];
    for (server, transport) in ["udp", "udp", "tcp", "tls"].into_iter().enumerate() {
        assert_eq!(report["servers"][server]["transport"], transport);
        let names: Vec<String> = steps(&report, server).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, if server == 0 { &all[..2] } else { &all[..] }, "{report:#}");
    }
}

#[test]
fn a_wrong_secret_is_told_apart_from_one_that_is_only_the_second() {
    let coturn = Coturn::start(Options::default());
    let server = [format!("turn:127.0.0.1:{}", coturn.port)];
    let (report, status) = check("some-other-secret-of-ours", &server, &[]);
    assert_eq!(status, 1);
    assert_eq!(failed(&report), words("allocation", "wrong_credentials"));
    let (report, _) = check(&format!("some-other-secret-of-ours,{SECRET}"), &server, &[]);
    assert_eq!(failed(&report), words("allocation", "only_second_secret"));
    let (report, _) = check("", &server, &[]);
    assert_eq!(failed(&report), words("allocation", "no_secret"));
    let (report, status) = check(&format!("{SECRET},some-other-secret-of-ours"), &server, &[]);
    assert_eq!(status, 0, "{report:#}");
}

#[test]
fn a_server_that_may_not_relay_to_the_host_is_told_apart_from_one_that_does_not_answer() {
    let coturn = Coturn::start(Options {
        peer: false,
        ..Options::default()
    });
    let (report, status) = check(SECRET, &[format!("turn:127.0.0.1:{}", coturn.port)], &[]);
    assert_eq!(status, 1);
    assert_eq!(failed(&report), words("relay", "denied_peer"));

    let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let server = format!("stun:{}", silent.local_addr().unwrap());
    let (report, status) = check(SECRET, &[server], &[]);
    assert_eq!((failed(&report), status), (words("binding", "no_answer"), 1));
}

#[test]
fn a_port_where_nothing_or_something_else_listens_is_told_for_what_it_is() {
    let port = free_port();
    let (report, status) = check(SECRET, &[format!("turn:127.0.0.1:{port}?transport=tcp")], &[]);
    assert_eq!((failed(&report), status), (words("connect", "refused"), 1));
    let (report, _) = check(SECRET, &[format!("turn:127.0.0.1:{port}")], &[]);
    assert_eq!(failed(&report), words("binding", "refused"));
    let (report, _) = check(SECRET, &["stun:no-such-name.invalid".to_owned()], &[]);
    assert_eq!(failed(&report), words("connect", "unresolved"));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let web = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::Write;
        for stream in listener.incoming() {
            let _ = stream.unwrap().write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let (report, _) = check(SECRET, &[format!("turn:{web}?transport=tcp")], &[]);
    assert_eq!(failed(&report), words("binding", "not_stun"));
    let (report, _) = check(SECRET, &[format!("turns:{web}")], &[]);
    assert_eq!(failed(&report), words("connect", "tls_failed"));
}

#[test]
fn a_certificate_that_is_missing_or_that_no_browser_would_take_is_told() {
    let coturn = Coturn::start(Options::default());
    let (report, status) = check(SECRET, &[format!("turns:127.0.0.1:{}", coturn.tls_port)], &[]);
    assert_eq!((failed(&report), status), (words("connect", "tls_untrusted"), 1));
    drop(coturn);
    let coturn = Coturn::start(Options {
        tls: false,
        ..Options::default()
    });
    let (report, _) = check(SECRET, &[format!("turns:127.0.0.1:{}", coturn.tls_port)], &[]);
    assert_eq!(failed(&report), words("connect", "refused"));
    // Where it has none, it does not understand TLS on its other port either.
    let (report, _) = check(SECRET, &[format!("turns:127.0.0.1:{}", coturn.port)], &[]);
    assert_eq!(failed(&report).0, "connect");
}

#[test]
fn a_server_that_relays_for_anybody_is_told() {
    let coturn = Coturn::start(Options {
        open: true,
        ..Options::default()
    });
    let (report, status) = check(SECRET, &[format!("turn:127.0.0.1:{}", coturn.port)], &[]);
    assert_eq!(status, 1);
    assert_eq!(
        steps(&report, 0).last(),
        Some(&words("refusal", "open_relay")),
        "{report:#}"
    );
}

/// What the allocation is answered with, once somebody else's relays are there.
fn allocation_while_occupied(options: Options, wanted: &str) {
    let coturn = Coturn::start(options);
    let server = [format!("turn:127.0.0.1:{}", coturn.port)];
    let (report, status) = check(SECRET, &server, &[]);
    assert_eq!(status, 0, "{report:#}");
    let occupant = coturn.occupied();
    let began = Instant::now();
    loop {
        let (report, status) = check(SECRET, &server, &[]);
        if status == 1 {
            assert_eq!(failed(&report), words("allocation", wanted));
            break;
        }
        assert!(began.elapsed() < ENDS_WITHIN, "there is still room: {report:#}");
    }
    drop(occupant);
}

#[test]
fn a_quota_that_is_used_up_is_told() {
    let options = Options {
        quota: 2,
        ..Options::default()
    };
    allocation_while_occupied(options, "quota");
}

#[test]
fn a_server_without_a_port_for_another_relay_is_told_apart_from_a_quota() {
    let options = Options {
        relays: 2,
        ..Options::default()
    };
    allocation_while_occupied(options, "no_capacity");
}

#[test]
fn a_server_whose_clock_is_ahead_is_told_apart_from_a_wrong_secret() {
    let coturn = Coturn::start(Options {
        ahead: 3,
        ..Options::default()
    });
    let server = [format!("turn:127.0.0.1:{}", coturn.port)];
    // Credentials are good for an hour: there, they have run out.
    let (report, status) = check(SECRET, &server, &[]);
    assert_eq!((failed(&report), status), (words("allocation", "clock_ahead"), 1));
    let (report, status) = check(SECRET, &server, &["--set", "ice.credentials_life=6h"]);
    assert_eq!(status, 0, "{report:#}");
}

#[test]
fn a_host_learns_its_public_address_from_a_stun_server() {
    let coturn = Coturn::start(Options::default());
    let server = |port: u16| format!("stun:127.0.0.1:{port}").parse().unwrap();
    let seen = heliostat::ice::probe::public_addresses(&server(coturn.port)).unwrap();
    assert_eq!(seen, [Ipv4Addr::LOCALHOST]);
    let error = heliostat::ice::probe::public_addresses(&server(free_port())).unwrap_err();
    assert_eq!(error.code(), "refused");
}
