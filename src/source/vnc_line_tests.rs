use super::*;

const SOON: Duration = Duration::from_secs(30);
const MOST: usize = 100_000;

/// A line, and the server's end of it.
fn line() -> (VncLine, UnixStream) {
    let (ours, server) = UnixStream::pair().unwrap();
    let (line, _) = watched(ours);
    (line, server)
}

/// A line over this, and what is told when its server hangs.
fn watched(ours: UnixStream) -> (VncLine, Arc<Notify>) {
    let hangs = Arc::new(Notify::new());
    let wanted = Wanted {
        count: watch::Sender::new(1),
        hangs: Arc::clone(&hangs),
    };
    (VncLine::new(&Handle::current(), ours, wanted, MOST), hangs)
}

fn update(incremental: bool, width: u16) -> Update {
    Update {
        incremental,
        x: (0, width),
        y: (0, 10),
    }
}

async fn heard(server: &mut UnixStream, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    timeout(SOON, server.read_exact(&mut bytes)).await.unwrap().unwrap();
    bytes
}

/// Whether the server hears nothing for a while.
async fn is_quiet(server: &mut UnixStream) -> bool {
    let mut byte = [0];
    timeout(Duration::from_millis(300), server.read_exact(&mut byte))
        .await
        .is_err()
}

#[tokio::test]
async fn what_is_said_goes_on_and_what_is_answered_comes_back() {
    let (line, mut server) = line();
    line.say(ToServer::Message(Bytes::from_static(b"hello"))).unwrap();
    assert_eq!(heard(&mut server, 5).await, b"hello");
    line.say(ToServer::Update(update(true, 20))).unwrap();
    assert_eq!(heard(&mut server, 10).await, update(true, 20).message());
    server.write_all(b"picture").await.unwrap();
    assert_eq!(timeout(SOON, line.incoming().next()).await.unwrap().unwrap(), "picture");
}

#[tokio::test]
async fn a_viewer_gets_the_next_picture_when_it_has_taken_the_last_one() {
    let (line, mut server) = line();
    let incoming = line.incoming();
    server.write_all(b"picture").await.unwrap();
    while incoming.waits_since().is_none() {
        tokio::task::yield_now().await;
    }
    for width in [1, 2, 3] {
        line.say(ToServer::Update(update(width != 2, width))).unwrap();
    }
    assert!(is_quiet(&mut server).await);
    incoming.next().await.unwrap();
    assert_eq!(heard(&mut server, 10).await, update(false, 3).message(), "one for all");
    assert!(is_quiet(&mut server).await);
}

#[tokio::test]
async fn a_page_that_nobody_sees_is_asked_no_picture_for() {
    let (line, mut server) = line();
    line.hide(true).unwrap();
    line.say(ToServer::Update(update(true, 5))).unwrap();
    assert!(is_quiet(&mut server).await);
    line.hide(false).unwrap();
    assert_eq!(heard(&mut server, 10).await, update(true, 5).message());
}

#[tokio::test(start_paused = true)]
async fn who_takes_nothing_is_put_out_and_the_server_was_never_held_up() {
    let (line, mut server) = line();
    server.write_all(&vec![7; MOST / 2]).await.unwrap();
    let begun = Instant::now();
    // The server notices, not the viewer.
    assert_eq!(server.read(&mut [0]).await.unwrap(), 0);
    assert!(begun.elapsed() >= TAKES_WITHIN && begun.elapsed() < TAKES_WITHIN + SENT_WITHIN);
    let incoming = line.incoming();
    let mut taken = 0;
    let end = loop {
        match incoming.next().await {
            Ok(chunk) => taken += chunk.len(),
            Err(end) => break end,
        }
    };
    assert_eq!((end, taken), (LineEnd::NotTaken, MOST / 2));
}

#[tokio::test]
async fn a_server_that_floods_or_goes_ends_the_line() {
    let (line, mut server) = line();
    let flood = async { while server.write_all(&[7; 10_000]).await.is_ok() {} };
    timeout(SOON, flood).await.unwrap();
    assert!(line.incoming().lock().bytes <= MOST);
    assert_eq!(line.incoming().lock().end, Some(LineEnd::Flooded));

    let (line, server) = self::line();
    drop(server);
    assert_eq!(timeout(SOON, line.incoming().next()).await.unwrap(), Err(LineEnd::Lost));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_takes_nothing_is_not_waited_for_and_who_asks_too_much_is_put_out() {
    let (line, _server) = line();
    let message = || ToServer::Message(Bytes::from(vec![0; 1 << 20]));
    line.say(message()).unwrap();
    assert_eq!(line.incoming().next().await, Err(LineEnd::Lost));

    let (line, _server) = self::line();
    let refused = (0..=ORDERS).find_map(|_| line.say(message()).err());
    assert_eq!(refused, Some(LineEnd::TooMuch));
}

#[tokio::test]
async fn a_line_that_is_let_go_ends_at_the_server() {
    let (line, mut server) = line();
    drop(line);
    assert_eq!(timeout(SOON, server.read(&mut [0])).await.unwrap().unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stands_still_is_told_from_a_screen_that_does() {
    let (ours, mut server) = UnixStream::pair().unwrap();
    let (line, hangs) = watched(ours);
    server.write_all(b"greeting").await.unwrap();
    line.incoming().next().await.unwrap();
    line.say(ToServer::Update(update(true, 20))).unwrap();
    assert_eq!(heard(&mut server, 10).await, update(true, 20).message());
    // A still screen, for minutes.
    for _ in 0..40 {
        assert_eq!(heard(&mut server, 10).await, PIXEL.message());
        server.write_all(b"pixel").await.unwrap();
        line.incoming().next().await.unwrap();
    }
    assert_eq!(heard(&mut server, 10).await, PIXEL.message());
    let asked = Instant::now();
    assert_eq!(timeout(SOON, line.incoming().next()).await.unwrap(), Err(LineEnd::Lost));
    assert!(asked.elapsed() >= ANSWERS_WITHIN && asked.elapsed() < ANSWERS_WITHIN * 2);
    timeout(SOON, hangs.notified()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_even_greet_hangs_and_one_whose_viewer_takes_its_time_does_not() {
    let (ours, _server) = UnixStream::pair().unwrap();
    let (line, hangs) = watched(ours);
    assert_eq!(timeout(SOON, line.incoming().next()).await.unwrap(), Err(LineEnd::Lost));
    timeout(SOON, hangs.notified()).await.unwrap();

    let (line, mut server) = self::line();
    server.write_all(b"greeting").await.unwrap();
    line.incoming().next().await.unwrap();
    assert!(timeout(Duration::from_secs(300), line.incoming().next()).await.is_err());
    line.hide(true).unwrap();
    line.say(ToServer::Update(update(true, 5))).unwrap();
    assert!(timeout(Duration::from_secs(300), line.incoming().next()).await.is_err());
    assert!(is_quiet(&mut server).await, "nobody sees it");
}
