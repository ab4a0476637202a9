//! What comes without end, or ever so slowly: the host holds little of it, and not for long.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::support::{Answer, Host, ask, get, try_ask};

/// What a host may hold more than before, whatever one socket sends.
const FEW: usize = 24 << 20;
const MANY: usize = 200 << 20;

const UPGRADE: [(&str, &str); 4] = [
    ("connection", "upgrade"),
    ("upgrade", "websocket"),
    ("sec-websocket-version", "13"),
    ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
];

/// The cookie of a new guest.
fn guest(host: &Host) -> String {
    let answer = ask(&mut host.plain(), "POST", "/api/v1/sessions", &[], r#"{"guest":true}"#);
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

/// A socket of a guest's, and what was answered.
fn socket(host: &Host, headers: &[(&str, &str)]) -> (TcpStream, Answer) {
    let mut stream = host.plain();
    let cookie = guest(host);
    let all = [headers, &[("cookie", cookie.as_str())]].concat();
    let mut request = "GET /ws HTTP/1.1\r\nhost: 127.0.0.1\r\n".to_owned();
    for (name, value) in all {
        request += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let answer = Answer {
        status,
        headers: Vec::new(),
        body: String::new(),
    };
    (stream, answer)
}

fn opened(host: &Host) -> TcpStream {
    let (stream, answer) = socket(host, &UPGRADE);
    assert_eq!(answer.status, 101);
    stream
}

/// The head of a masked frame.
fn head(first: u8, length: u64) -> Vec<u8> {
    [&[first, 0xff][..], &length.to_be_bytes(), &[0; 4]].concat()
}

/// The code that the host closes a socket with; 0 when it hangs up.
fn closed(stream: &mut TcpStream) -> u16 {
    let frame = |stream: &mut TcpStream| -> std::io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        stream.read_exact(&mut head)?;
        let mut length = usize::from(head[1]);
        if length == 126 {
            let mut more = [0; 2];
            stream.read_exact(&mut more)?;
            length = usize::from(u16::from_be_bytes(more));
        }
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload)?;
        Ok((head[0] & 0x0f, payload))
    };
    loop {
        match frame(stream) {
            Ok((8, payload)) => return u16::from_be_bytes([payload[0], payload[1]]),
            Ok(_) => {}
            Err(_) => return 0,
        }
    }
}

/// Sends until `enough` bytes have gone or the host hangs up; the most that it was resident meanwhile, beyond `before`.
fn flood(host: &Host, stream: &mut TcpStream, piece: &[u8], enough: usize) -> usize {
    let before = host.resident();
    let (mut sent, mut most) = (0, 0);
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    while sent < enough && stream.write_all(piece).is_ok() {
        sent += piece.len();
        most = most.max(host.resident().saturating_sub(before));
    }
    most
}

#[test]
fn a_frame_that_announces_without_end_is_refused_at_its_head() {
    let host = Host::start(&[]);
    for length in [384 * 1024 + 1, 1 << 62, u64::MAX] {
        let mut stream = opened(&host);
        stream.write_all(&head(0x81, length)).unwrap();
        assert_eq!(closed(&mut stream), 1009, "{length}");
    }
    let mut stream = opened(&host);
    stream.write_all(&head(0x81, 1 << 62)).unwrap();
    let held = flood(&host, &mut stream, &[b'x'; 64 << 10], MANY);
    assert!(held < FEW, "it holds {held} bytes");
    // A message in parts, by what they announce together.
    let mut stream = opened(&host);
    stream.write_all(&head(0x01, 90_000)).unwrap();
    stream.write_all(&[b'x'; 90_000]).unwrap();
    stream.write_all(&head(0x00, 90_000)).unwrap();
    assert_eq!(closed(&mut stream), 1009);
    // One that is too large for a message, and not for a frame, costs nothing but an answer.
    let mut stream = opened(&host);
    stream.write_all(&head(0x81, 200_000)).unwrap();
    stream.write_all(&[b'x'; 200_000]).unwrap();
    stream.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]).unwrap();
    assert_eq!(closed(&mut stream), 1000);
}

#[test]
fn small_frames_without_end_are_held_no_more_than_large_ones() {
    let host = Host::start(&[]);
    // Of a message that is none and of none at all; each frame of six bytes.
    for first in [&[0x02, 0x80, 0, 0, 0, 0][..], &[]] {
        let mut stream = opened(&host);
        stream.write_all(first).unwrap();
        let held = flood(&host, &mut stream, &[0x00, 0x80, 0, 0, 0, 0].repeat(10_000), MANY);
        assert!(held < FEW, "it holds {held} bytes");
        let mut stream = opened(&host);
        let held = flood(&host, &mut stream, &[0x89, 0x80, 0, 0, 0, 0].repeat(10_000), MANY);
        assert!(held < FEW, "it holds {held} bytes");
    }
}

#[test]
fn what_is_no_upgrade_opens_no_socket_and_leaves_nothing_in_its_session() {
    let host = Host::start(&[]);
    let cookie = guest(&host);
    let cookie = [("cookie", cookie.as_str())];
    let current = ask(&mut host.plain(), "GET", "/api/v1/sessions/current", &cookie, "");
    let session: serde_json::Value = serde_json::from_str(&current.body).unwrap();
    let without = |left_out: &str| -> Vec<(&str, &str)> {
        let rest = UPGRADE.iter().filter(|(name, _)| *name != left_out).copied();
        rest.chain(cookie).collect()
    };
    for left_out in ["connection", "upgrade", "sec-websocket-version", "sec-websocket-key"] {
        let answer = ask(&mut host.plain(), "GET", "/ws", &without(left_out), "");
        assert_eq!(answer.status, 400, "without {left_out}");
        assert!(answer.body.contains("no_upgrade"), "{}", answer.body);
    }
    let bearer = format!("Bearer {}", host.token());
    let admin = [("authorization", bearer.as_str())];
    let tree = ask(&mut host.plain(), "GET", "/api/v1/admin/supervision", &admin, "");
    assert_eq!(tree.status, 200);
    let id = session["session_id"].as_str().unwrap();
    assert!(!tree.body.contains(id), "the session was started: {}", tree.body);
}

#[test]
fn a_body_that_is_too_large_is_refused_wherever_it_goes() {
    let host = Host::start(&[]);
    let body = format!("{{\"guest\":true,\"token\":\"{}\"}}", "x".repeat(64 << 10));
    for path in ["/api/v1/auth", "/api/v1/sessions", "/api/v1/links/exchange"] {
        let answer = ask(&mut host.plain(), "POST", path, &[], &body);
        assert_eq!(answer.status, 413, "{path}");
        assert!(answer.body.contains("too_large") && answer.header("set-cookie").is_empty());
    }
}

/// Lets bytes trickle every half second until the host hangs up, or says that it has waited enough; how long that took.
fn trickle(mut stream: TcpStream, byte: &[u8]) -> Duration {
    let begun = Instant::now();
    stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut rest = [0; 4096];
    while begun.elapsed() < Duration::from_secs(90) {
        let read = stream.read(&mut rest);
        let quiet = |e: std::io::Error| matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        let over = match read {
            Ok(length) => length == 0 || rest.starts_with(b"HTTP/1.1 408 "),
            Err(error) => !quiet(error),
        };
        if over || stream.write_all(byte).is_err() {
            break;
        }
    }
    begun.elapsed()
}

#[test]
fn whatever_trickles_has_its_time() {
    let host = Host::start(&[]);
    let answered = || {
        let mut stream = host.plain();
        assert_eq!(get(&mut stream, "/healthz").status, 200);
        stream
    };
    let begin = |mut stream: TcpStream, bytes: &[u8]| {
        stream.write_all(bytes).unwrap();
        stream
    };
    let json = "POST /api/v1/auth HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n";
    let chunked = "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n";
    let unwanted = format!("GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n{chunked}");
    let cases: [(&str, TcpStream, &[u8], u64); 7] = [
        (
            "a body",
            begin(host.plain(), format!("{json}content-length: 9999\r\n\r\n{{").as_bytes()),
            b" ",
            20,
        ),
        (
            "a body in chunks",
            begin(host.plain(), format!("{json}{chunked}").as_bytes()),
            b"1\r\n \r\n",
            20,
        ),
        ("a message", begin(opened(&host), &head(0x81, 9_999)), b" ", 20),
        (
            "a message in parts",
            begin(opened(&host), &[0x01, 0x80, 0, 0, 0, 0]),
            &[0x00, 0x80, 0, 0, 0, 0],
            20,
        ),
        (
            "the head of a second request",
            begin(answered(), b"GET / HTTP/1.1\r\nx-a: "),
            b"a",
            60,
        ),
        (
            "a body that nobody wants",
            begin(host.plain(), unwanted.as_bytes()),
            b"1\r\n \r\n",
            60,
        ),
        ("a socket that answers no ping", opened(&host), b"", 30),
    ];
    std::thread::scope(|scope| {
        for (what, stream, byte, seconds) in cases {
            scope.spawn(move || {
                let took = trickle(stream, byte).as_secs();
                assert!((seconds - 5..seconds + 15).contains(&took), "{what} took {took} s");
            });
        }
        // Who keeps to it is served all the while, on one connection.
        let mut steady = host.plain();
        for _ in 0..17 {
            assert_eq!(try_ask(&mut steady, "GET", "/healthz", &[], "").unwrap().status, 200);
            std::thread::sleep(Duration::from_secs(4));
        }
    });
}
