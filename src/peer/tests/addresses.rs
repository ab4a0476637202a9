use std::net::Ipv6Addr;
use std::sync::atomic::Ordering;

use super::browser::{Browser, connected};
use super::*;
use crate::protocol::signalling::CloseReason;

/// A field of a candidate (RFC 8839, section 5.1).
fn field(line: &str, n: usize) -> String {
    line.split(' ').nth(n).unwrap().to_owned()
}

/// The options of a peer whose host has this address, and is known as `public` beyond a NAT.
fn options_at(offer: &str, hub: &Arc<Hub>, address: IpAddr, public: PublicAddresses) -> PeerOptions {
    let first = 41_000 + u16::try_from(std::process::id() % 50).unwrap() * 10;
    let factory = WebrtcFactory::new(WebrtcOptions {
        ports: PortRange::new(first, first + 9),
        disconnected_timeout: Duration::from_secs(3),
        failed_timeout: Duration::from_secs(5),
        addresses: MediaAddresses::of(&[address]),
        public,
    });
    PeerOptions {
        factory: Arc::new(factory),
        ..options(offer, hub, &Arc::new(Recorder::default()))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_with_ipv6_alone_sees_the_picture() {
    let six = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if std::net::UdpSocket::bind((six, 0)).is_err() {
        eprintln!("not shown: this machine has no IPv6");
        return;
    }
    let hub = Hub::new();
    let source = source(&hub, Codec::Vp8);
    let browser = Browser::at(six).await;
    let mut options = options_at(&browser.offer().await, &hub, six, PublicAddresses::default());
    options.available = vec![Codec::Vp8];
    let (peer, _events) = connected(options, &browser).await;
    assert!(until(10, || browser.received.frames.load(Ordering::Relaxed) >= 20).await);
    peer.close(CloseReason::Requested);
    source.abort();
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_beyond_a_nat_tells_of_its_public_address_under_the_same_port() {
    let Some(address) = local_addresses().into_iter().find(|a| a.is_ipv4() && !a.is_loopback()) else {
        eprintln!("not shown: this machine has no address but loopback");
        return;
    };
    let public: IpAddr = "192.0.2.7".parse().unwrap();
    let known = PublicAddresses::from(vec![public]);
    let hub = Hub::new();
    let browser = Browser::new().await;
    let options = options_at(&browser.offer().await, &hub, address, known.clone());
    let (peer, _, mut events) = Peer::answer(options).await.unwrap();
    let mut told = Vec::new();
    let gathered = async {
        while let Some(event) = events.next().await {
            match event {
                PeerEvent::LocalCandidate(Some(candidate)) => told.push(candidate.candidate),
                PeerEvent::LocalCandidate(None) => return,
                _ => {}
            }
        }
    };
    timeout(Duration::from_secs(10), gathered).await.unwrap();
    let host = told.iter().find(|line| line.contains(" typ host")).unwrap();
    let beyond = told.iter().find(|line| line.contains(" typ srflx")).unwrap();
    assert_eq!(field(host, 4), address.to_string());
    assert_eq!(field(beyond, 4), public.to_string());
    assert_eq!(field(host, 5), field(beyond, 5), "{told:?}");
    peer.close(CloseReason::Requested);
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_tells_of_the_public_address_that_the_host_has_by_then() {
    let Some(address) = local_addresses().into_iter().find(|a| a.is_ipv4() && !a.is_loopback()) else {
        eprintln!("not shown: this machine has no address but loopback");
        return;
    };
    let addresses = |text: &str| vec![text.parse::<IpAddr>().unwrap()];
    let known = PublicAddresses::from(addresses("192.0.2.7"));
    let hub = Hub::new();
    let browser = Browser::at(address).await;
    let options = options_at(&browser.offer().await, &hub, address, known.clone());
    let (peer, mut events) = connected(options, &browser).await;
    known.become_these(addresses("192.0.2.8"));
    let answer = peer.restart(&browser.offer_again().await).await.unwrap();
    let mut told: Vec<String> = answer
        .lines()
        .filter_map(|line| line.strip_prefix("a=candidate:"))
        .map(str::to_owned)
        .collect();
    while let Ok(Some(event)) = timeout(Duration::from_secs(1), events.next()).await {
        if let PeerEvent::LocalCandidate(Some(candidate)) = event {
            told.push(candidate.candidate);
        }
    }
    let host = told.iter().find(|line| line.contains(" typ host")).unwrap();
    // The crate tells of RTCP's component, too, which nobody uses.
    let of_media = |line: &&String| line.contains(" typ srflx") && field(line, 1) == "1";
    let beyond: Vec<&String> = told.iter().filter(of_media).collect();
    assert_eq!(beyond.len(), 1, "once: {told:?}");
    assert_eq!(
        (field(beyond[0], 4), field(beyond[0], 5)),
        ("192.0.2.8".to_owned(), field(host, 5)),
        "{told:?}"
    );
    peer.close(CloseReason::Requested);
    browser.connection.close().await.unwrap();
}
