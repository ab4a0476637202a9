//! A line between the host and a browser that loses packets, or carries only so much.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

use super::browser::Browser;
use super::*;
use crate::protocol::signalling::CloseReason;

/// What stands between the host and a browser.
#[derive(Default)]
pub(super) struct Line {
    /// Of a thousand RTP packets, those that get lost.
    pub(super) loses: u64,
    /// Bits a second that it carries, or 0 for all; what comes is queued for at most [`Self::QUEUE`].
    pub(super) rate: AtomicU64,
    pub(super) seen: AtomicU64,
    pub(super) lost: AtomicU64,
    /// Bytes of RTP that left the host.
    pub(super) bytes: AtomicU64,
}

impl Line {
    const QUEUE: Duration = Duration::from_millis(200);

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

    /// When a packet that comes now has left the line, whose queue is empty at `free`; `None` when it does not fit.
    fn leaves(&self, len: usize, free: Instant) -> Option<Instant> {
        let now = Instant::now();
        let rate = self.rate.load(Ordering::Relaxed);
        if rate == 0 {
            return Some(now);
        }
        let begins = free.max(now);
        if begins - now > Self::QUEUE {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        // IP and UDP come on top.
        let bits = (len as u64 + 28) * 8;
        Some(begins + Duration::from_micros(bits * 1_000_000 / rate))
    }

    /// Carries what comes between a browser and this port of the host; gives the port that the browser sees.
    async fn lead_to(self: &Arc<Self>, host: u16) -> (u16, JoinHandle<()>) {
        let near = Arc::new(UdpSocket::bind((LOCAL, 0)).await.unwrap());
        let far = UdpSocket::bind((LOCAL, 0)).await.unwrap();
        far.connect((LOCAL, host)).await.unwrap();
        let (port, line) = (near.local_addr().unwrap().port(), Arc::clone(self));
        // overflow: the sender waits, which is a longer queue.
        let (queue, mut queued) = tokio::sync::mpsc::channel::<(Instant, std::net::SocketAddr, Vec<u8>)>(4096);
        let out_of = Arc::clone(&near);
        let carrying = tokio::spawn(async move {
            let leaving = async {
                while let Some((at, browser, packet)) = queued.recv().await {
                    sleep_until(at).await;
                    let _ = out_of.send_to(&packet, browser).await;
                }
            };
            let coming = async {
                let (mut out, mut back, mut browser) = ([0; 2048], [0; 2048], None);
                let mut free = Instant::now();
                loop {
                    tokio::select! {
                        Ok((len, from)) = near.recv_from(&mut out) => {
                            browser = Some(from);
                            let _ = far.send(&out[..len]).await;
                        }
                        Ok(len) = far.recv(&mut back) => if let Some(browser) = browser
                            && !line.swallows(&back[..len])
                            && let Some(at) = line.leaves(len, free)
                        {
                            free = at;
                            let _ = queue.send((at, browser, back[..len].to_vec())).await;
                        }
                    }
                }
            };
            tokio::join!(leaving, coming);
        });
        (port, carrying)
    }
}

/// A call over a line.
pub(super) struct Call {
    pub(super) peer: Peer,
    pub(super) hub: Arc<Hub>,
    pub(super) browser: Browser,
    pub(super) line: Arc<Line>,
    pub(super) source: JoinHandle<()>,
    carrying: JoinHandle<()>,
}

impl Call {
    /// One whose line loses so many of a thousand packets. Repeats come in the stream itself: this browser, unlike real
    /// ones, does not count those of a stream apart as arrived, and asks on and on.
    pub(super) async fn over(loses: u64) -> Self {
        let line = Line {
            loses,
            ..Line::default()
        };
        Self::by(line, source).await
    }

    /// One over this line, of what such a source makes.
    pub(super) async fn by(line: Line, source: fn(&Arc<Hub>, Codec) -> JoinHandle<()>) -> Self {
        Self::with(line, source, |_| true).await
    }

    /// One whose browser offers only these lines.
    pub(super) async fn with(
        line: Line,
        source: fn(&Arc<Hub>, Codec) -> JoinHandle<()>,
        offers: fn(&str) -> bool,
    ) -> Self {
        let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
        let line = Arc::new(line);
        let source = source(&hub, Codec::Vp8);
        let browser = Browser::new().await;
        let offer = browser.offer().await;
        // The host hears of the line only.
        let kept = |line: &&str| !line.starts_with("a=candidate") && !line.contains("apt=") && offers(line);
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
            hub,
            browser,
            line,
            source,
            carrying: carrying.unwrap(),
        }
    }

    /// The numbers of the packets that arrived, in order, each once.
    pub(super) fn arrived(&self) -> Vec<u16> {
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

    pub(super) async fn end(self) {
        self.source.abort();
        self.peer.close(CloseReason::Requested);
        self.carrying.abort();
        self.browser.connection.close().await.unwrap();
    }
}
