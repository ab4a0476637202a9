//! What reverse proxies say, and whether it is believed.

use super::support::{Host, ask, get};

const SAID: [(&str, &str); 5] = [
    ("host", "127.0.0.1"),
    ("x-forwarded-for", "198.51.100.1, 203.0.113.9"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "sky.example"),
    ("forwarded", "for=192.0.2.77;proto=http;host=evil.example"),
];

fn with(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    SAID.iter().chain(more).copied().collect()
}

#[test]
fn a_trusted_proxy_tells_address_scheme_and_host() {
    let flags = [
        "--set",
        "server.trusted_proxies=127.0.0.0/8",
        "--set",
        "server.hosts=sky.example",
    ];
    let host = Host::start(&[&flags[..], &["--set", "server.hsts=on"]].concat());
    let body = format!("{{\"token\":\"{}\"}}", host.token());
    let own = ("origin", "https://sky.example");
    let answer = ask(&mut host.plain(), "POST", "/api/v1/auth", &with(&[own]), &body);
    assert_eq!(answer.status, 204, "{answer:?}");
    let cookie = answer.header("set-cookie");
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");
    assert_eq!(answer.header("strict-transport-security"), "max-age=31536000");
    for origin in ["http://sky.example", "https://127.0.0.1", "https://evil.example"] {
        let refused = ask(
            &mut host.plain(),
            "POST",
            "/api/v1/auth",
            &with(&[("origin", origin)]),
            &body,
        );
        assert_eq!(refused.status, 403, "{origin}");
    }
    host.log_says("refused=foreign_origin path=/api/v1/auth client=203.0.113.9");
    // Without the proxy's word it is a request like any other.
    let direct = ask(
        &mut host.plain(),
        "POST",
        "/api/v1/auth",
        &[("origin", "http://127.0.0.1")],
        &body,
    );
    assert_eq!(direct.status, 204);
    assert!(!direct.header("set-cookie").contains("Secure"));
    assert_eq!(direct.header("strict-transport-security"), "");
}

#[test]
fn the_standard_header_is_believed_where_it_is_chosen() {
    let flags = [
        "--set",
        "server.trusted_proxies=127.0.0.1",
        "--set",
        "server.proxy_headers=forwarded",
    ];
    let host = Host::start(&flags);
    let foreign = ask(&mut host.plain(), "GET", "/", &with(&[]), "");
    assert_eq!(foreign.status, 403);
    host.log_says("refused=foreign_host path=/ client=192.0.2.77");
}

#[test]
fn what_others_say_of_themselves_is_ignored() {
    let flags = [
        "--set",
        "server.trusted_proxies=10.0.0.0/8",
        "--set",
        "server.hosts=sky.example",
    ];
    let host = Host::start(&flags);
    let body = format!("{{\"token\":\"{}\"}}", host.token());
    let answer = ask(
        &mut host.plain(),
        "POST",
        "/api/v1/auth",
        &with(&[("origin", "http://127.0.0.1")]),
        &body,
    );
    assert_eq!(answer.status, 204);
    assert!(!answer.header("set-cookie").contains("Secure"));
    let refused = ask(
        &mut host.plain(),
        "POST",
        "/api/v1/auth",
        &with(&[("origin", "https://sky.example")]),
        &body,
    );
    assert_eq!(refused.status, 403);
    host.log_says("refused=foreign_origin path=/api/v1/auth client=127.0.0.1");
    assert_eq!(get(&mut host.plain(), "/").status, 200);
}
