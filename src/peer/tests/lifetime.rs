use std::sync::atomic::Ordering;
use std::time::Instant;

use super::browser::{Browser, connected};
use super::*;
use crate::protocol::signalling::{CloseReason, IceCandidate};

async fn end(events: &mut PeerEvents) -> CloseReason {
    let mut reason = None;
    let all = async {
        while let Some(event) = events.next().await {
            assert_eq!(reason, None, "nothing follows the end");
            if let PeerEvent::Closed(why) = event {
                reason = Some(why);
            }
        }
    };
    timeout(Duration::from_secs(15), all).await.unwrap();
    reason.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_close_that_is_asked_for_is_quick_and_told_once_with_the_first_reason() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::H264);
    let browser = Browser::new().await;
    let (peer, mut events) = connected(options(&browser.offer().await, &hub, &sink), &browser).await;
    assert!(until(5, || browser.received.frames.load(Ordering::Relaxed) >= 10).await);
    let begun = Instant::now();
    peer.close(CloseReason::Superseded);
    peer.close(CloseReason::HostShutdown);
    assert_eq!(end(&mut events).await, CloseReason::Superseded);
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert_eq!(hub.subscribers(), 0);
    assert_eq!(
        peer.add_candidate(IceCandidate::default()).await,
        Err(PeerError::Closing)
    );
    source.abort();
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_that_goes_away_ends_the_peer() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::H264);
    let browser = Browser::new().await;
    let (peer, mut events) = connected(options(&browser.offer().await, &hub, &sink), &browser).await;
    browser.connection.close().await.unwrap();
    let reason = end(&mut events).await;
    assert!(
        matches!(reason, CloseReason::Requested | CloseReason::IceFailed),
        "{reason}"
    );
    assert_eq!(hub.subscribers(), 0);
    drop(peer);
    source.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_owner_broke_is_closed_as_a_fault() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let (peer, mut events) = connected(options(&browser.offer().await, &hub, &sink), &browser).await;
    drop(peer);
    assert_eq!(end(&mut events).await, CloseReason::Fault);
    browser.connection.close().await.unwrap();
}

#[test]
fn neither_peers_closed_nor_peers_dropped_leave_files_or_tasks_behind() {
    // A runtime of its own: the tasks of other tests do not count here.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
        // A range that no other test takes ports from: what cannot be bound in the end is a socket left open.
        let ports = 19_000..=19_019;
        let range = PortRange::new(*ports.start(), *ports.end());
        let factory = Arc::new(WebrtcFactory::new(WebrtcOptions {
            ports: range,
            disconnected_timeout: std::time::Duration::from_secs(3),
            failed_timeout: std::time::Duration::from_secs(5),
            addresses: MediaAddresses::of(&[LOCAL]),
            public: PublicAddresses::default(),
        }));
        let mut tasks = 0;
        for cycle in 0..20 {
            let browser = Browser::new().await;
            let mut options = options(&browser.offer().await, &hub, &sink);
            options.factory = Arc::<WebrtcFactory>::clone(&factory);
            let (peer, answer, mut events) = Peer::answer(options).await.unwrap();
            match cycle % 4 {
                // Closed when connected, dropped when connected, closed while connecting, dropped with its events.
                0 => {
                    browser.connect(answer, &mut events).await;
                    peer.close(CloseReason::Requested);
                    end(&mut events).await;
                }
                1 => {
                    browser.connect(answer, &mut events).await;
                    drop(peer);
                    end(&mut events).await;
                }
                2 => {
                    peer.close(CloseReason::HostShutdown);
                    end(&mut events).await;
                }
                _ => drop((peer, events)),
            }
            browser.connection.close().await.unwrap();
            drop(browser);
            let metrics = Handle::current().metrics();
            if cycle == 3 {
                assert!(until(12, || factory.ports_leased() == 0).await);
                tokio::time::sleep(Duration::from_millis(300)).await;
                tasks = metrics.num_alive_tasks();
            }
        }
        assert!(until(12, || factory.ports_leased() == 0).await);
        let metrics = Handle::current().metrics();
        assert!(
            until(5, || metrics.num_alive_tasks() <= tasks).await,
            "{tasks} -> {}",
            metrics.num_alive_tasks()
        );
        assert_eq!(hub.subscribers(), 0);
    });
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_nobody_waits_for_leaves_nothing_behind() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let factory = factory();
    let mut options = options(&browser.offer().await, &hub, &sink);
    options.factory = Arc::<WebrtcFactory>::clone(&factory);
    let answering = tokio::spawn(Peer::answer(options));
    tokio::time::sleep(Duration::from_millis(1)).await;
    answering.abort();
    assert!(until(12, || factory.ports_leased() == 0 && hub.subscribers() == 0).await);
    browser.connection.close().await.unwrap();
}
