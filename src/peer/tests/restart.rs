use std::sync::atomic::Ordering;

use super::browser::{Browser, connected};
use super::*;
use crate::protocol::signalling::CloseReason;

/// Restarts ICE as a page does, and takes what the host says to it.
async fn restart(peer: &Peer, browser: &Browser, events: &mut PeerEvents) {
    let answer = peer.restart(&browser.offer_again().await).await.unwrap();
    browser.connect(answer, events).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_keeps_the_peer_its_stream_and_its_channels() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::Vp8);
    let browser = Browser::new().await;
    let mut options = options(&browser.offer().await, &hub, &sink);
    options.available = vec![Codec::Vp8];
    let (peer, mut events) = connected(options, &browser).await;
    browser.listen().await;
    for round in 0..3u8 {
        let frames = browser.received.frames.load(Ordering::Relaxed);
        assert!(until(10, || browser.received.frames.load(Ordering::Relaxed) > frames + 20).await);
        restart(&peer, &browser, &mut events).await;
        let messages = browser.received.messages.lock().unwrap().len();
        peer.send_status(&format!("{{\"round\":{round}}}"));
        assert!(until(10, || browser.received.messages.lock().unwrap().len() > messages).await);
    }
    let frames = browser.received.frames.load(Ordering::Relaxed);
    assert!(until(10, || browser.received.frames.load(Ordering::Relaxed) > frames + 20).await);
    let stats = peer.stats();
    assert_eq!((stats.congested, stats.key_requests), (0, 0), "{stats:?}");
    let order = browser.received.order.lock().unwrap().clone();
    // Nothing is written while there is no path: what a browser that restarts lets go of is all that is missing.
    for pair in order.windows(2) {
        assert!(pair[1].1.wrapping_sub(pair[0].1) < 90_000, "time runs on");
    }
    peer.close(CloseReason::Requested);
    source.abort();
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_that_cannot_be_read_leaves_the_connection_as_it_was() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::H264);
    let browser = Browser::new().await;
    let (peer, _events) = connected(options(&browser.offer().await, &hub, &sink), &browser).await;
    let error = peer.restart("v=0\r\nrubbish").await.unwrap_err();
    assert_eq!(error.code(), "bad_sdp");
    let same = browser.connection.local_description().await.unwrap().sdp;
    assert_eq!(peer.restart(&same).await.unwrap_err().code(), "bad_sdp");
    assert_eq!(peer.state(), ConnectionState::Connected);
    let frames = browser.received.frames.load(Ordering::Relaxed);
    assert!(until(10, || browser.received.frames.load(Ordering::Relaxed) > frames + 20).await);
    peer.close(CloseReason::Requested);
    assert_eq!(
        peer.restart(&same).await.unwrap_err().code(),
        "closing",
        "a peer that closes restarts nothing"
    );
    source.abort();
    browser.connection.close().await.unwrap();
}
