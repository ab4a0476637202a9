//! What signs somebody in: where it is shown, and that wrong ones shut out nobody who has the right one.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::support::{Answer, Host, ask, eventually, free_port, issue, serve};

const WRONG: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn sign_in(host: &Host, token: &str) -> Answer {
    let body = format!("{{\"token\":\"{token}\"}}");
    ask(&mut host.plain(), "POST", "/api/v1/auth", &[], &body)
}

/// `heliostat token`, told of nothing but the state folder; its output is a pipe.
fn token_of(host: &Host, flags: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_heliostat"))
        .args(["token", "--state"])
        .arg(host.state())
        .args(flags)
        .current_dir(host.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_signs_in_is_not_printed_to_a_file_but_stands_in_one_for_nobody_else_until_it_was_used() {
    let mut host = Host::start(&[]);
    let file = host.state().join("sign-in");
    for _ in 0..2 {
        let token = host.token();
        assert!(
            !host.said().contains("#token=") && !host.said().contains(&token),
            "{}",
            host.said()
        );
        assert!(host.said().contains(file.to_str().unwrap()), "{}", host.said());
        assert!(!host.log().contains(&token));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(sign_in(&host, &token).status, 204);
        eventually("the file is gone", || !file.exists());
        // The next one has a ticket.
        host.restart();
    }
    host.signal(Signal::SIGTERM);
    eventually("it goes with its host", || !file.exists());
}

#[test]
fn a_terminal_shows_the_whole_address_and_no_file_holds_it() {
    let folder = tempfile::tempdir().unwrap();
    let terminal = openpty(None, None).unwrap();
    let mut child = serve(folder.path(), free_port(), &[])
        .stdout(Stdio::from(terminal.slave))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let read = BufReader::new(File::from(terminal.master)).read_line(&mut line);
    let written = folder.path().join("state/sign-in").exists();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    child.wait().unwrap();
    assert!(read.is_ok() && line.contains("/#token="), "{read:?} {line}");
    assert!(!written);
}

#[test]
fn an_address_that_signs_in_leads_to_the_host_that_runs_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    issue(folder.path(), "sky.example");
    let flags = ["--tls-certificate", "crt.pem", "--tls-key", "key.pem"];
    let encrypted = Host::start_in(folder, &[&flags[..], &["--set", "server.hosts=sky.example"]].concat());
    let page = format!("https://sky.example:{}/#token=", encrypted.port);
    let told = token_of(&encrypted, &[]);
    assert!(told.starts_with(&page), "{told}");
    let plain = Host::start(&[]);
    let page = format!("http://127.0.0.1:{}/#token=", plain.port);
    for flags in [&[][..], &["--rotate"], &["--listen", "127.0.0.1:1"]] {
        let told = token_of(&plain, flags);
        let secret = told.trim().strip_prefix(&page).unwrap_or_else(|| panic!("{told}"));
        assert_eq!(sign_in(&plain, secret).status, 204);
    }
}

#[test]
fn wrong_tokens_lock_out_wrong_tokens_only() {
    let host = Host::start(&["--set", "limits.wrong_tokens=3"]);
    for _ in 0..3 {
        assert_eq!(sign_in(&host, WRONG).status, 401);
    }
    for _ in 0..2 {
        let locked = sign_in(&host, WRONG);
        assert_eq!(locked.status, 429);
        assert!(locked.body.contains("locked_out") && !locked.header("retry-after").is_empty());
    }
    let bearer = format!("Bearer {}", host.token());
    let right = ask(
        &mut host.plain(),
        "GET",
        "/api/v1/admin/servers",
        &[("authorization", &bearer)],
        "",
    );
    assert_eq!(right.status, 200, "{right:?}");
    assert_eq!(sign_in(&host, WRONG).status, 429);
    assert_eq!(sign_in(&host, &host.token()).status, 204);
    assert_eq!(sign_in(&host, WRONG).status, 401, "it begins anew");
    // Where nobody needs it, an old one does no harm, and is a guess all the same: it would make an administrator.
    let open = Host::start(&["--set", "limits.wrong_tokens=3", "--auth", "open"]);
    let told: Vec<u16> = (0..5).map(|_| sign_in(&open, WRONG).status).collect();
    assert_eq!(told, [204, 204, 204, 429, 429]);
    let ticket = token_of(&open, &[]);
    assert_eq!(
        sign_in(&open, ticket.trim().split_once("#token=").unwrap().1).status,
        204
    );
}

#[test]
fn a_wrong_bearer_is_a_wrong_token_wherever_it_is_shown_and_whatever_else() {
    for auth in ["token", "open"] {
        let host = Host::start(&["--set", "limits.wrong_tokens=3", "--auth", auth]);
        let opened = ask(&mut host.plain(), "POST", "/api/v1/sessions", &[], r#"{"guest":true}"#);
        let cookie = opened.header("set-cookie").split(';').next().unwrap().to_owned();
        let secret = format!("Bearer {}", cookie.split_once('=').unwrap().1);
        let wrong = format!("Bearer {WRONG}");
        let ways = [("GET", "/api/v1/apps", ""), ("POST", "/api/v1/sessions", "{}")];
        let show = |(method, path, body): (&str, &str, &str), headers: &[(&str, &str)]| {
            ask(&mut host.plain(), method, path, headers, body).status
        };
        let guess = [("authorization", wrong.as_str())];
        assert_ne!(show(ways[0], &guess), 429);
        assert_ne!(show(ways[1], &guess), 429);
        assert_eq!(show(ways[0], &[guess[0], ("cookie", &cookie)]), 200, "{auth}");
        for way in ways {
            assert_eq!(show(way, &guess), 429, "{auth} {way:?}");
            assert_eq!(show(way, &[guess[0], ("cookie", &cookie)]), 429, "{auth} {way:?}");
        }
        assert_eq!(show(ways[0], &[("authorization", &secret)]), 200, "{auth}");
        assert_eq!(show(ways[0], &[("cookie", &cookie)]), 200, "{auth}");
        let body = format!("{{\"link\":\"{WRONG}\"}}");
        assert_eq!(show(("POST", "/api/v1/links/exchange", &body), &[]), 429, "{auth}");
    }
}

#[test]
fn strangers_who_open_sessions_do_not_keep_out_who_has_the_token() {
    let host = Host::start(&["--set", "limits.sessions_per_hour=2"]);
    let open =
        |headers: &[(&str, &str)], body: &str| ask(&mut host.plain(), "POST", "/api/v1/sessions", headers, body).status;
    let opened: Vec<u16> = (0..4).map(|_| open(&[], r#"{"guest":true}"#)).collect();
    assert_eq!(opened, [201, 201, 429, 429]);
    let bearer = format!("Bearer {}", host.token());
    assert_eq!(open(&[("authorization", &bearer)], "{}"), 201);
    // A wrong link opens none either, so that it costs nobody theirs.
    let body = format!("{{\"link\":\"{WRONG}\"}}");
    let refused = ask(&mut host.plain(), "POST", "/api/v1/links/exchange", &[], &body);
    assert_eq!(refused.status, 404, "{refused:?}");
}
