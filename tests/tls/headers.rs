//! Headers and cookies, with TLS and without.

use super::support::{Answer, Host, ask, get, issue};

const PAGES: [&str; 4] = [
    "/",
    "/admin",
    "/stream/00000000-0000-4000-8000-000000000000",
    "/static/css/base.css",
];
const OTHERS: [&str; 8] = [
    "/healthz",
    "/readyz",
    "/api/v1/apps",
    "/api/v1/instances/rubbish",
    "/api/webrtc/ice-servers",
    "/nothing",
    "/static/nothing",
    "/ws",
];

fn has_the_usual(answer: &Answer, path: &str) {
    assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
    assert_eq!(answer.header("cross-origin-resource-policy"), "same-origin", "{path}");
    assert!(answer.header("permissions-policy").contains("camera=()"), "{path}");
    let policy = answer.all("content-security-policy");
    assert_eq!(policy.len(), 1, "{path}");
    assert!(
        policy[0].starts_with("default-src 'none'") && !policy[0].contains("unsafe"),
        "{path}"
    );
}

#[test]
fn every_answer_keeps_browsers_from_doing_more_than_it_needs() {
    let host = Host::start(&["--set", "server.embedders=https://museum.example"]);
    let mut stream = host.plain();
    for path in PAGES {
        let answer = get(&mut stream, path);
        assert_eq!(answer.header("cache-control"), "no-cache", "{path}");
        assert_eq!(answer.status, 200, "{path}");
        has_the_usual(&answer, path);
        let policy = answer.header("content-security-policy");
        assert!(
            policy.ends_with("frame-ancestors 'self' https://museum.example"),
            "{path}: {policy}"
        );
        assert_eq!(answer.header("cross-origin-opener-policy"), "same-origin", "{path}");
    }
    for path in OTHERS {
        let answer = get(&mut stream, path);
        assert_eq!(answer.all("cache-control"), ["no-store"], "{path}");
        has_the_usual(&answer, path);
        assert!(
            answer
                .header("content-security-policy")
                .ends_with("frame-ancestors 'none'"),
            "{path}"
        );
    }
    let refused = ask(&mut stream, "GET", "/", &[("host", "evil.example")], "");
    assert_eq!(refused.status, 403);
    assert_eq!(refused.header("cache-control"), "no-store");
    has_the_usual(&refused, "a refused request");
    assert_eq!(refused.header("strict-transport-security"), "");
}

/// Enters with the token and opens a session; the cookies that were set.
fn entered(host: &Host, stream: &mut (impl std::io::Read + std::io::Write), headers: &[(&str, &str)]) -> Vec<String> {
    let body = format!("{{\"token\":\"{}\"}}", host.token());
    let first = ask(stream, "POST", "/api/v1/auth", headers, &body);
    assert_eq!(first.status, 204, "{first:?}");
    let cookie = first.header("set-cookie").to_owned();
    let mut headers = headers.to_vec();
    let shown = cookie.split(';').next().unwrap().to_owned();
    headers.push(("cookie", &shown));
    let second = ask(stream, "POST", "/api/v1/sessions", &headers, "{}");
    assert_eq!(second.status, 201, "{second:?}");
    vec![cookie, second.header("set-cookie").to_owned()]
}

#[test]
fn cookies_of_an_encrypted_way_are_for_that_way_only() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path(), "sky.example");
    let host = Host::start_in(folder, &["--tls-certificate", "crt.pem", "--tls-key", "key.pem"]);
    let mut stream = host.secure();
    let cookies = entered(&host, &mut stream, &[("origin", "https://127.0.0.1")]);
    for cookie in &cookies {
        assert!(cookie.starts_with("__Host-heliostat_"), "{cookie}");
        for attribute in ["; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"] {
            assert!(cookie.contains(attribute), "{attribute} of {cookie}");
        }
    }
    let session = cookies[1].split(';').next().unwrap();
    let mut current = |cookie: &str| {
        ask(
            &mut stream,
            "GET",
            "/api/v1/sessions/current",
            &[("cookie", cookie)],
            "",
        )
        .status
    };
    assert_eq!(current(session), 200);
    assert_eq!(
        current(session.trim_start_matches("__Host-")),
        401,
        "anybody on the way can have set that"
    );
    let page = get(&mut stream, "/");
    assert_eq!(page.header("strict-transport-security"), "max-age=31536000");
    let foreign = ask(
        &mut stream,
        "POST",
        "/api/v1/sessions",
        &[("origin", "http://127.0.0.1")],
        "{}",
    );
    assert_eq!(
        foreign.status, 403,
        "an unencrypted page of the same host is another origin"
    );
}

#[test]
fn a_host_with_a_certificate_of_its_own_binds_no_browser_to_it() {
    let host = Host::start(&["--tls", "self-signed"]);
    assert_eq!(get(&mut host.secure(), "/").header("strict-transport-security"), "");
}
