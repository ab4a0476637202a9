//! Packets that are lost on the way, or said to be, over a line that loses some and counts all.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;

use super::browser::Browser;
use super::*;
use crate::protocol::signalling::CloseReason;

/// What of a datagram is no payload of RTP: header with extension, the number of a repeat, SRTP.
const OVERHEAD: u64 = 48;

/// What stands between the host and a browser.
#[derive(Default)]
struct Line {
    /// Of a thousand RTP packets, those that get lost.
    loses: u64,
    seen: AtomicU64,
    lost: AtomicU64,
    /// Bytes of RTP that left the host.
    bytes: AtomicU64,
}

impl Line {
    /// Whether an RTP packet is lost: by chance, but the same chance each time.
    fn swallows(&self, packet: &[u8]) -> bool {
        // RFC 5761, section 4; RFC 7983.
        let media = packet.len() > 12 && (128..192).contains(&packet[0]) && !(192..224).contains(&packet[1]);
        if !media {
            return false;
        }
        self.bytes.fetch_add(packet.len() as u64, Ordering::Relaxed);
        let n = self.seen.fetch_add(1, Ordering::Relaxed);
        let lost = n.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31) % 1000 < self.loses;
        self.lost.fetch_add(u64::from(lost), Ordering::Relaxed);
        lost
    }

    /// Carries what comes between a browser and this port of the host; gives the port that the browser sees.
    async fn lead_to(self: &Arc<Self>, host: u16) -> (u16, JoinHandle<()>) {
        let near = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        let far = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        far.connect((LOCAL, host)).await.unwrap();
        let (port, line) = (near.local_addr().unwrap().port(), Arc::clone(self));
        let carrying = tokio::spawn(async move {
            let (mut out, mut back, mut browser) = ([0; 2048], [0; 2048], None);
            loop {
                tokio::select! {
                    Ok((len, from)) = near.recv_from(&mut out) => {
                        browser = Some(from);
                        let _ = far.send(&out[..len]).await;
                    }
                    Ok(len) = far.recv(&mut back) => if let Some(browser) = browser
                        && !line.swallows(&back[..len])
                    {
                        let _ = near.send_to(&back[..len], browser).await;
                    }
                }
            }
        });
        (port, carrying)
    }
}

/// A call over a line.
struct Call {
    peer: Peer,
    browser: Browser,
    line: Arc<Line>,
    source: JoinHandle<()>,
    carrying: JoinHandle<()>,
}

impl Call {
    /// One whose line loses so many of a thousand packets. Repeats come in the stream itself: this browser, unlike real
    /// ones, does not count those of a stream apart as arrived, and asks on and on.
    async fn over(loses: u64) -> Self {
        let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
        let line = Arc::new(Line {
            loses,
            ..Line::default()
        });
        let source = source(&hub, Codec::Vp8);
        let browser = Browser::new().await;
        let offer = browser.offer().await;
        // The host hears of the line only.
        let kept = |line: &&str| !line.starts_with("a=candidate") && !line.contains("apt=");
        let offer: String = offer.lines().filter(kept).map(|l| format!("{l}\r\n")).collect();
        let mut options = options(&offer, &hub, &sink);
        options.available = vec![Codec::Vp8];
        let (peer, answer, mut events) = Peer::answer(options).await.unwrap();
        browser.accept(answer).await;
        let mut carrying = None;
        loop {
            match events.next().await.unwrap() {
                PeerEvent::LocalCandidate(Some(mut candidate)) if carrying.is_none() => {
                    let mut words: Vec<&str> = candidate.candidate.split(' ').collect();
                    let (port, task) = line.lead_to(words[5].parse().unwrap()).await;
                    let port = port.to_string();
                    words[5] = &port;
                    candidate.candidate = words.join(" ");
                    browser.candidate(candidate).await;
                    carrying = Some(task);
                }
                PeerEvent::State(ConnectionState::Connected) => break,
                PeerEvent::Closed(reason) => panic!("closed: {reason}"),
                _ => {}
            }
        }
        Self {
            peer,
            browser,
            line,
            source,
            carrying: carrying.unwrap(),
        }
    }

    /// The numbers of the packets that arrived, in order, each once.
    fn arrived(&self) -> Vec<u16> {
        let mut numbers: Vec<u16> = self
            .browser
            .received
            .order
            .lock()
            .unwrap()
            .iter()
            .map(|p| p.0)
            .collect();
        let first = numbers.first().copied().unwrap_or(0);
        numbers.sort_by_key(|n| n.wrapping_sub(first.wrapping_sub(1000)));
        numbers.dedup();
        numbers
    }

    async fn end(self) {
        self.source.abort();
        self.peer.close(CloseReason::Requested);
        self.carrying.abort();
        self.browser.connection.close().await.unwrap();
    }
}

/// Percent of the packets lost on the line, and of those that never came; bytes of repeats per byte of the stream.
async fn figures_of(loses: u64, secs: u64) -> (f64, f64, f64) {
    let call = Call::over(loses).await;
    tokio::time::sleep(Duration::from_secs(secs)).await;
    call.source.abort();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let arrived = call.arrived();
    let span = f64::from(arrived.last().unwrap().wrapping_sub(arrived[0])) + 1.0;
    let of = |n: &AtomicU64| n.load(Ordering::Relaxed) as f64;
    let lost = 100.0 * of(&call.line.lost) / of(&call.line.seen);
    let stats = call.peer.stats();
    let missing = 100.0 * (span - arrived.len() as f64) / span;
    call.end().await;
    (lost, missing, stats.repeated as f64 / stats.bytes as f64)
}

/// Bytes sent while a browser asks for everything again and again, and those of the stream among them.
async fn sent_when_all_is_asked_for() -> (u64, u64) {
    let call = Call::over(0).await;
    assert!(until(5, || call.browser.received.packets.load(Ordering::Relaxed) > 50).await);
    let (bytes, stream) = (call.line.bytes.load(Ordering::Relaxed), call.peer.stats());
    for _ in 0..300 {
        let newest = call.arrived().last().copied().unwrap();
        call.browser
            .packets_lost((0..500).map(|n| newest.wrapping_sub(n)))
            .await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let after = call.peer.stats();
    let sent = call.line.bytes.load(Ordering::Relaxed) - bytes;
    let stream = after.bytes - stream.bytes + (after.packets - stream.packets) * OVERHEAD;
    assert!(after.nacked > 100_000, "{after:?}");
    assert!(after.repeated > 0, "{after:?}");
    call.end().await;
    (sent, stream)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_asks_for_everything_again_and_again_gets_no_more_repeats_than_stream() {
    let (sent, stream) = sent_when_all_is_asked_for().await;
    // What the second before the first request was worth, and a burst a second.
    let spare = stream / 3 + 4 * 16 * 1024;
    assert!(sent < 2 * stream + spare, "{sent} bytes for a stream of {stream}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_that_a_line_loses_arrive_after_all() {
    let (lost, missing, repeats) = figures_of(50, 4).await;
    assert!(lost > 3.0, "{lost} % lost");
    assert!(missing < 0.3, "{missing} % missing of {lost} % lost");
    assert!(repeats < 0.2, "{repeats}");
}

/// Figures for `docs/reliability.md`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "measures"]
async fn measure_what_is_missing_after_repair() {
    let (sent, stream) = sent_when_all_is_asked_for().await;
    println!("all asked for: {sent} bytes, {stream} of them the stream");
    for loses in [20, 50, 100, 200] {
        let (lost, missing, repeats) = figures_of(loses, 20).await;
        println!(
            "lost={lost:.1} % missing={missing:.2} % repeats={:.1} % of the stream",
            100.0 * repeats
        );
    }
}
