use std::sync::atomic::Ordering;

use super::browser::{Browser, connected};
use super::*;
use crate::protocol::input::{InputEvent, encode};
use crate::protocol::signalling::CloseReason;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_codecs_reach_a_browser_in_order_under_one_payload_type() {
    for codec in Codec::ALL {
        let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
        let source = source(&hub, codec);
        let browser = Browser::new().await;
        let mut options = options(&browser.offer().await, &hub, &sink);
        options.available = vec![codec];
        let (peer, _events) = connected(options, &browser).await;
        assert!(
            until(10, || browser.received.frames.load(Ordering::Relaxed) >= 100).await,
            "{codec}"
        );
        assert_eq!(peer.codec(), Some(codec));
        assert_eq!(browser.received.payload_types.lock().unwrap().len(), 1);
        let order = browser.received.order.lock().unwrap().clone();
        for pair in order.windows(2) {
            assert_eq!(pair[1].0, pair[0].0.wrapping_add(1), "sequence numbers run on");
            assert!(pair[1].1.wrapping_sub(pair[0].1) < u32::MAX / 2, "time runs on");
        }
        let stats = peer.stats();
        assert!(stats.frames >= 100 && stats.packets > stats.frames, "{stats:?}");
        peer.close(CloseReason::Requested);
        source.abort();
        browser.connection.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_lost_in_the_browser_asks_the_capture_for_a_key_frame() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::Vp8);
    let browser = Browser::new().await;
    let mut options = options(&browser.offer().await, &hub, &sink);
    options.available = vec![Codec::Vp8];
    let (peer, _events) = connected(options, &browser).await;
    assert!(until(5, || browser.received.frames.load(Ordering::Relaxed) >= 20).await);
    let keys = hub.stats().key_frames;
    browser.picture_lost().await;
    assert!(until(5, || hub.stats().key_frames > keys).await);
    assert_eq!(peer.stats().key_requests, 1);
    source.abort();
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn input_arrives_in_order_pings_are_answered_and_the_state_is_told() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let browser = Browser::new().await;
    let options = options(&browser.offer().await, &hub, &sink);
    let (peer, answer, mut events) = Peer::answer(options).await.unwrap();
    peer.send_status("{\"old\":1}");
    peer.send_status("{\"status\":\"RUNNING\"}");
    browser.connect(answer, &mut events).await;
    browser.listen().await;
    let sent: Vec<InputFrame> = (0..200u32)
        .map(|seq| InputFrame {
            seq,
            time_ms: seq,
            event: InputEvent::Key {
                pressed: seq % 2 == 0,
                usage: 4,
                keysym: 0x61,
            },
        })
        .collect();
    for frame in &sent {
        Browser::send(&browser.input, &encode(frame)).await;
    }
    let moved = InputFrame {
        seq: 200,
        time_ms: 0,
        event: InputEvent::Move { x: 7, y: 9 },
    };
    Browser::send(&browser.moves, &encode(&moved)).await;
    let ping = InputFrame {
        seq: 201,
        time_ms: 0,
        event: InputEvent::Ping { t: 77 },
    };
    Browser::send(&browser.input, &encode(&ping)).await;
    assert!(until(5, || sink.taken().len() == 201).await, "{}", sink.taken().len());
    let taken = sink.taken();
    let by_input: Vec<InputFrame> = taken
        .iter()
        .filter(|(_, c)| *c == InputChannel::Input)
        .map(|(f, _)| f.clone())
        .collect();
    assert_eq!(by_input, sent);
    assert!(taken.contains(&(moved, InputChannel::Moves)));
    let messages = || browser.received.messages.lock().unwrap().clone();
    assert!(until(5, || messages().len() == 3).await, "{:?}", messages());
    assert_eq!(messages()[0][..2], [1, 0x86], "where RTP time begins");
    assert_eq!(messages()[1], [&[1, 0x82][..], b"{\"status\":\"RUNNING\"}"].concat());
    assert_eq!(messages()[2][..10], [1, 0x81, 77, 0, 0, 0, 0, 0, 0, 0]);
    browser.connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rubbish_closes_its_channel_and_leaves_the_picture_alone() {
    let (hub, sink) = (Hub::new(), Arc::new(Recorder::default()));
    let source = source(&hub, Codec::H264);
    let browser = Browser::new().await;
    let stranger = browser.connection.create_data_channel("stranger", None).await.unwrap();
    let options = options(&browser.offer().await, &hub, &sink);
    let (peer, _events) = connected(options, &browser).await;
    browser.listen().await;
    for n in 0..30u8 {
        // The channel closes on the way; what is sent after that has nowhere to go.
        let _ = browser.input.send(bytes::BytesMut::from(&[n; 3][..])).await;
    }
    assert!(
        until(5, || peer.stats().input_malformed == 20).await,
        "{:?}",
        peer.stats()
    );
    let closed = async {
        for channel in [&browser.input, &stranger] {
            while !matches!(
                channel.ready_state().await,
                Ok(rtc::data_channel::RTCDataChannelState::Closed) | Err(_)
            ) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    };
    timeout(Duration::from_secs(5), closed).await.unwrap();
    let frames = browser.received.frames.load(Ordering::Relaxed);
    assert!(until(5, || browser.received.frames.load(Ordering::Relaxed) > frames + 20).await);
    assert!(sink.taken().is_empty());
    source.abort();
    browser.connection.close().await.unwrap();
}
