//! A browser that opens more data channels than are read, and goes on sending.

use std::time::Instant;

use ::webrtc::data_channel::DataChannel;
use rtc::data_channel::RTCDataChannelState;

use super::browser::{Browser, connected};
use super::*;
use crate::protocol::signalling::CloseReason;

/// As large as browsers send.
static MESSAGE: [u8; 60_000] = [7; 60_000];

async fn opens(browser: &Browser, n: usize) -> Vec<Arc<dyn DataChannel>> {
    let mut channels = Vec::new();
    for n in 0..n {
        let label = format!("more {n}");
        channels.push(browser.connection.create_data_channel(&label, None).await.unwrap());
    }
    channels
}

/// The host's end of a channel is closed: the browser's follows.
async fn closed(channel: &Arc<dyn DataChannel>) -> bool {
    let looking = async {
        while matches!(
            channel.ready_state().await,
            Ok(RTCDataChannelState::Open | RTCDataChannelState::Connecting)
        ) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(10), looking).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_are_not_read_are_closed_each_of_them() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let (peer, _events) = connected(options(&browser.offer().await, &hub, &sink), &browser).await;
    browser.listen().await;
    for channel in opens(&browser, 12).await {
        assert!(closed(&channel).await, "a channel that nobody reads is left open");
    }
    assert_eq!(peer.state(), ConnectionState::Connected);
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_opens_channels_without_end_is_let_go_and_what_is_sent_by_them_is_not_kept() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let (_peer, mut events) = connected(options(&browser.offer().await, &hub, &sink), &browser).await;
    browser.listen().await;
    let begun = Instant::now();
    let channels = opens(&browser, 60).await;
    let flood = tokio::spawn(async move {
        let mut sent = 0_usize;
        for _ in 0..70 {
            for channel in &channels {
                if channel.send(bytes::BytesMut::from(&MESSAGE[..])).await.is_ok() {
                    sent += MESSAGE.len();
                }
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        sent
    });
    let ended = timeout(Duration::from_secs(10), async {
        loop {
            match events.next().await {
                Some(PeerEvent::Closed(reason)) => return reason,
                Some(_) => {}
                None => panic!("no end was told"),
            }
        }
    });
    assert_eq!(
        ended.await.ok(),
        Some(CloseReason::Fault),
        "after {:?}",
        begun.elapsed()
    );
    flood.abort();
    browser.connection.close().await.unwrap();
}

#[test]
fn of_peers_without_end_so_many_lines_are_written_down() {
    let written = (0..1000).filter(|_| LINES.level() == log::Level::Info).count();
    assert!(written <= 300, "{written}");
}
