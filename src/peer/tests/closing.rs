//! Closing the real connection: at every moment, in every way, from everywhere. All end in time, and nothing is left.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;

use super::browser::Browser;
use super::call::{Call, Ended, Way};
use super::*;
use crate::protocol::input::{InputEvent, encode, encode_closed};
use crate::protocol::signalling::CloseReason;

/// After the offer.
pub(super) const MOMENTS_MS: [u64; 12] = [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
/// Everything has ended by then: 5 s to settle, 2 s to close, and a busy machine.
pub(super) const ALL_END_WITHIN: Duration = Duration::from_secs(8);

/// Nothing holds a port, a frame or a socket any more.
pub(super) async fn nothing_is_left(factory: &WebrtcFactory, hub: &Hub) {
    assert!(
        until(10, || factory.ports_leased() == 0 && hub.subscribers() == 0).await,
        "{} ports, {} subscribers",
        factory.ports_leased(),
        hub.subscribers()
    );
}

/// One call for each moment, all at once, each ended in the way that falls to it in this round.
pub(super) async fn round_of_closes(factory: &Arc<WebrtcFactory>, hub: &Arc<Hub>, round: usize) -> Vec<Ended> {
    let calls = MOMENTS_MS.iter().enumerate().map(async |(n, ms)| {
        let way = Way::ALL[(n + round) % Way::ALL.len()];
        let call = Call::begin(factory, hub, Arc::new(Recorder::default())).await;
        tokio::time::sleep(Duration::from_millis(*ms)).await;
        let ended = call.end(way).await;
        assert_eq!(ended.reason, way.reason(), "{way:?} after {ms} ms");
        assert!(ended.took < ALL_END_WITHIN, "{way:?} after {ms} ms: {ended:?}");
        ended
    });
    join_all(calls).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_ends_in_time_at_whatever_moment_after_the_offer_and_in_whatever_way() {
    let (hub, factory) = (Hub::new(), factory());
    let source = source(&hub, Codec::H264);
    for round in 0..Way::ALL.len() {
        round_of_closes(&factory, &hub, round).await;
    }
    source.abort();
    nothing_is_left(&factory, &hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_whose_remote_description_is_being_set_closes_when_that_is_done() {
    let (hub, factory) = (Hub::new(), factory());
    // The description is set in the first few milliseconds: every 200 µs one of these is closed.
    for n in 0..20 {
        let call = Call::begin(&factory, &hub, Arc::new(Recorder::default())).await;
        tokio::time::sleep(Duration::from_micros(200 * n)).await;
        let ended = call.end(Way::ALL[n as usize % Way::ALL.len()]).await;
        assert!(ended.took < ALL_END_WITHIN, "after {} µs: {ended:?}", 200 * n);
    }
    nothing_is_left(&factory, &hub).await;
}

/// Ends its own peer when an event arrives: on the task that reads the data channel.
struct Ender {
    peer: Mutex<Option<Peer>>,
    drops: bool,
    called: OnceLock<()>,
}

impl InputSink for Ender {
    fn accept(&self, _: InputFrame, _: InputChannel) {
        let _ = self.called.set(());
        let mut peer = self.peer.lock().unwrap();
        if self.drops {
            drop(peer.take());
        } else if let Some(peer) = peer.as_ref() {
            peer.close(CloseReason::Superseded);
        }
    }
}

fn click() -> Vec<u8> {
    encode(&InputFrame {
        seq: 1,
        time_ms: 0,
        event: InputEvent::ReleaseAll,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_may_be_ended_from_within_its_own_callback() {
    let (hub, factory) = (Hub::new(), factory());
    for drops in [false, true] {
        let ender = Arc::new(Ender {
            peer: Mutex::default(),
            drops,
            called: OnceLock::new(),
        });
        let call = Call::begin(&factory, &hub, Arc::<Ender>::clone(&ender)).await;
        assert!(call.connected().await);
        let browser = Arc::clone(call.browser());
        browser.listen().await;
        let (peer, follow) = call.split();
        *ender.peer.lock().unwrap() = Some(peer);
        Browser::send(&browser.input, &click()).await;
        let reason = timeout(ALL_END_WITHIN, follow.end()).await.unwrap().0;
        assert_eq!(
            reason,
            if drops {
                CloseReason::Fault
            } else {
                CloseReason::Superseded
            }
        );
        assert!(ender.called.get().is_some());
    }
    nothing_is_left(&factory, &hub).await;
}

/// Breaks at the first event.
#[derive(Default)]
struct Brittle(AtomicBool);

impl InputSink for Brittle {
    fn accept(&self, _: InputFrame, _: InputChannel) {
        self.0.store(true, Ordering::Relaxed);
        panic!("a fault of the instance's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_within_a_callback_ends_that_peer_as_a_fault_and_no_other() {
    let (hub, factory) = (Hub::new(), factory());
    let source = source(&hub, Codec::H264);
    let brittle = Arc::new(Brittle::default());
    let call = Call::begin(&factory, &hub, Arc::<Brittle>::clone(&brittle)).await;
    let bystander = Call::begin(&factory, &hub, Arc::new(Recorder::default())).await;
    assert!(call.connected().await && bystander.connected().await);
    let browser = Arc::clone(call.browser());
    browser.listen().await;
    let (peer, follow) = call.split();
    Browser::send(&browser.input, &click()).await;
    assert_eq!(
        timeout(ALL_END_WITHIN, follow.end()).await.unwrap().0,
        CloseReason::Fault
    );
    assert!(brittle.0.load(Ordering::Relaxed));
    drop(peer);
    let frames = || bystander.browser().received.frames.load(Ordering::Relaxed);
    let before = frames();
    assert!(until(10, || frames() > before + 20).await);
    assert_eq!(bystander.end(Way::Close).await.reason, CloseReason::Superseded);
    source.abort();
    nothing_is_left(&factory, &hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_browser_is_told_the_reason_over_the_data_channel() {
    let (hub, factory) = (Hub::new(), factory());
    for reason in CloseReason::ALL {
        let call = Call::begin(&factory, &hub, Arc::new(Recorder::default())).await;
        assert!(call.connected().await);
        let browser = Arc::clone(call.browser());
        browser.listen().await;
        // The host's end of the channel is open when it answers.
        let ping = InputFrame {
            seq: 1,
            time_ms: 0,
            event: InputEvent::Ping { t: 1 },
        };
        Browser::send(&browser.input, &encode(&ping)).await;
        let received = Arc::clone(&browser.received);
        let answered = || {
            received
                .messages
                .lock()
                .unwrap()
                .iter()
                .any(|message| message[1] == 0x81)
        };
        assert!(until(10, answered).await);
        call.peer().close(*reason);
        let (_peer, follow) = call.split();
        assert!(
            until(10, || received.messages.lock().unwrap().last()
                == Some(&encode_closed(*reason)))
            .await
        );
        assert_eq!(follow.end().await.0, *reason);
    }
    nothing_is_left(&factory, &hub).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_viewers_of_one_instance_end_together_while_some_are_still_connecting() {
    let (hub, factory) = (Hub::new(), factory());
    let source = source(&hub, Codec::H264);
    let begin = async || Call::begin(&factory, &hub, Arc::new(Recorder::default())).await;
    let mut calls = Vec::new();
    for _ in 0..4 {
        calls.push(begin().await);
    }
    for call in &calls {
        assert!(call.connected().await);
    }
    for _ in 0..4 {
        calls.push(begin().await);
    }
    let ended = join_all(calls.into_iter().map(|call| call.end(Way::Close))).await;
    let connected = ended.iter().filter(|e| e.state == ConnectionState::Connected).count();
    assert!((4..8).contains(&connected), "{ended:?}");
    for end in ended {
        assert_eq!(end.reason, CloseReason::Superseded);
        assert!(end.took < ALL_END_WITHIN, "{end:?}");
    }
    source.abort();
    nothing_is_left(&factory, &hub).await;
}
