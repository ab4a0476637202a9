use bytes::Bytes;

use super::super::fake::FakeConnection;
use super::*;
use crate::media::{Codec, Hub, KeyRequests, Ladder, Rendition, Rung};

struct Fed {
    hub: Arc<Hub>,
    connection: Arc<FakeConnection>,
    counters: Arc<FeedCounters>,
    view: watch::Sender<View>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

fn feed() -> Fed {
    feed_from(Hub::new())
}

fn feed_from(hub: Arc<Hub>) -> Fed {
    let (connection, counters) = (FakeConnection::new(), Arc::new(FeedCounters::default()));
    let (stop, stopped) = watch::channel(false);
    let dynamic: Arc<dyn Connection> = Arc::<FakeConnection>::clone(&connection);
    let view = watch::Sender::new(View::default());
    let feeder = Feeder::new(
        PeerId::new(),
        dynamic,
        hub.subscribe(Codec::Vp8),
        view.subscribe(),
        Arc::clone(&counters),
    );
    Fed {
        hub,
        connection,
        counters,
        view,
        stop,
        task: tokio::spawn(feeder.run(stopped)),
    }
}

impl Fed {
    async fn frame(&self, key: bool, len: usize) {
        let data = Bytes::from(vec![u8::from(!key); len]);
        self.hub.publish(Frame {
            rendition: Codec::Vp8.into(),
            data,
            key,
            pts_us: crate::clock::monotonic_us(),
            stamps: crate::media::Stamps::default(),
        });
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    async fn connect(&self) {
        self.connection.state.send_replace(ConnectionState::Connected);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn frames_that_come_before_the_connection_are_there_with_it() {
    let fed = feed();
    for n in 0..10 {
        fed.frame(n == 0 || n == 5, 100).await;
    }
    assert_eq!(fed.connection.sent(), 0);
    fed.connect().await;
    assert_eq!(fed.connection.sent(), 5, "from the last key frame on");
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.sent(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_press_is_shown_by_a_frame_that_was_sent_and_not_by_one_that_never_left() {
    let (hub, connection, presses) = (Hub::new(), FakeConnection::new(), Arc::new(Presses::default()));
    let (_stop, stopped) = watch::channel(false);
    let feeder = Feeder::new(
        PeerId::new(),
        Arc::<FakeConnection>::clone(&connection),
        hub.subscribe(Codec::Vp8),
        watch::Sender::new(View::default()).subscribe(),
        Arc::default(),
    )
    .showing(Some(Arc::clone(&presses)));
    tokio::spawn(feeder.run(stopped));
    connection.state.send_replace(ConnectionState::Connected);
    let pts = crate::clock::monotonic_us;
    presses.heard(1, pts()).inject(pts());
    let changed_us = pts();
    let publish = async |pts_us| {
        hub.publish(Frame {
            rendition: Codec::Vp8.into(),
            data: Bytes::from_static(&[0]),
            key: true,
            pts_us,
            stamps: Stamps {
                changed_us,
                ..Stamps::default()
            },
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    connection.congested.store(true, Ordering::Relaxed);
    publish(pts()).await;
    assert_eq!(presses.take(), None);
    connection.congested.store(false, Ordering::Relaxed);
    let second = pts();
    publish(second).await;
    let shown = presses.take().expect("it was sent");
    assert_eq!((shown.pts_us, shown.stamps.changed_us), (second, changed_us));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_comes_up_late_begins_with_a_new_key_frame() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    assert_eq!(requests.next().await, Codec::Vp8.into());
    for n in 0..EARLY_FRAMES + 2 {
        fed.frame(n == 0, 100).await;
    }
    fed.connect().await;
    assert_eq!(fed.connection.sent(), 0);
    assert_eq!(requests.next().await, Codec::Vp8.into());
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.sent(), 0);
    fed.frame(true, 100).await;
    assert_eq!(fed.connection.sent(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_congested_viewer_skips_to_a_key_frame_that_is_asked_for() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 5000).await;
    fed.connection.congested.store(true, Ordering::Relaxed);
    fed.frame(false, 5000).await;
    assert_eq!(fed.counters.congested.load(Ordering::Relaxed), 1);
    fed.connection.congested.store(false, Ordering::Relaxed);
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.sent(), 1, "nothing that builds on what was lost");
    requests.next().await;
    // The screen stands still and the request was lost: it is made again.
    tokio::time::timeout(KEY_WITHIN * 2, requests.next()).await.unwrap();
    fed.frame(true, 100).await;
    assert_eq!(fed.connection.sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn frames_wait_for_a_slow_one_until_it_is_too_much_and_none_is_sent_without_those_before_it() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 5000).await;
    fed.connection.stuck.store(true, Ordering::Relaxed);
    // The one that is being sent, and 15 ms each of a line of 1.7 Mbit/s.
    for _ in 0..11 {
        fed.frame(false, 3200).await;
    }
    assert_eq!(fed.counters.congested.load(Ordering::Relaxed), 0);
    fed.connection.stuck.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(fed.connection.sent(), 12);
    fed.connection.stuck.store(true, Ordering::Relaxed);
    for _ in 0..30 {
        fed.frame(false, 3200).await;
    }
    let early = tokio::time::timeout(Duration::from_millis(1), requests.next()).await;
    assert!(early.is_err(), "a key frame would have to wait as well");
    fed.connection.stuck.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(fed.counters.congested.load(Ordering::Relaxed), 1);
    requests.next().await;
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.sent(), 13, "the one that was being sent");
    fed.frame(true, 100).await;
    assert_eq!(fed.connection.sent(), 14);
}

#[tokio::test(start_paused = true)]
async fn the_encoder_is_told_what_the_line_carries_less_what_waits() {
    let fed = feed();
    fed.connect().await;
    fed.frame(true, 5000).await;
    let told = || fed.counters.told_kbps.load(Ordering::Relaxed);
    assert_eq!(told(), 1700);
    fed.connection.path.send_modify(|path| path.media_kbps = 1650);
    fed.frame(false, 10).await;
    assert_eq!(told(), 1700, "that is no change");
    fed.connection.path.send_modify(|path| path.media_kbps = 800);
    fed.frame(false, 10).await;
    assert_eq!(told(), 800);
    fed.connection.stuck.store(true, Ordering::Relaxed);
    fed.frame(false, 10).await;
    fed.frame(false, 12_500).await;
    assert_eq!(told(), 700);
    fed.connection.stuck.store(false, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(told(), 800);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_lost_its_picture_gets_a_key_frame() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 100).await;
    fed.connection.key.notify_one();
    assert_eq!(requests.next().await, Codec::Vp8.into());
    assert_eq!(fed.counters.key_requests.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_asks_for_key_frames_without_end_has_one_in_two_seconds_made() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 100).await;
    let begun = Instant::now();
    let mut made = 0;
    while begun.elapsed() < Duration::from_secs(20) {
        fed.connection.key.notify_one();
        tokio::select! {
            _ = requests.next() => {
                made += 1;
                fed.frame(true, 100).await;
            }
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    assert!((9..=13).contains(&made), "{made} key frames");
    assert!(fed.counters.key_requests.load(Ordering::Relaxed) > 500);
}

#[tokio::test(start_paused = true)]
async fn a_feeder_that_is_stopped_lets_go_even_in_the_middle_of_a_frame() {
    let fed = feed();
    fed.connect().await;
    fed.connection.stuck.store(true, Ordering::Relaxed);
    fed.frame(true, 5000).await;
    fed.stop.send_replace(true);
    tokio::time::timeout(Duration::from_millis(1), fed.task)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(fed.hub.subscribers(), 0);
    assert_eq!(Arc::strong_count(&fed.connection), 1);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_nobody_sees_is_sent_nothing_and_goes_on_with_a_key_frame() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 100).await;
    fed.view.send_modify(|view| view.hidden = true);
    tokio::time::sleep(Duration::from_millis(1)).await;
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.sent(), 1);
    fed.connection.key.notify_one();
    assert!(
        tokio::time::timeout(KEY_WITHIN * 4, requests.next()).await.is_err(),
        "nobody needs a key frame"
    );
    fed.view.send_modify(|view| view.hidden = false);
    requests.next().await;
    fed.frame(true, 100).await;
    assert_eq!(fed.connection.sent(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_hidden_and_seen_again_without_end_has_one_key_frame_in_two_seconds_made() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 100).await;
    let begun = Instant::now();
    let mut made = 0;
    while begun.elapsed() < Duration::from_secs(20) {
        fed.view.send_modify(|view| view.hidden = !view.hidden);
        tokio::select! {
            _ = requests.next() => {
                made += 1;
                fed.frame(true, 100).await;
            }
            () = tokio::time::sleep(Duration::from_millis(20)) => {}
        }
    }
    assert!((4..=14).contains(&made), "{made} key frames");
}

#[tokio::test(start_paused = true)]
async fn a_user_gets_the_rendition_that_was_chosen_and_what_fits_again_afterwards() {
    let fed = feed_from(Hub::with_ladder(two_rungs()));
    let hub = Arc::clone(&fed.hub);
    tokio::spawn(async move { hub.tend().await });
    let mut requests = fed.hub.key_requests();
    fed.connect().await;
    assert_eq!(asked(&mut requests).await, 0);
    fed.frame(true, 100).await;
    fed.view.send_modify(|view| view.rung = Some(1));
    assert_eq!(asked(&mut requests).await, 1);
    fed.hub.publish(key_of(1));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(fed.connection.sent(), 2);
    fed.view.send_modify(|view| view.rung = None);
    assert_eq!(asked(&mut requests).await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_user_who_chooses_without_end_has_one_key_frame_in_two_seconds() {
    let fed = feed_from(Hub::with_ladder(two_rungs()));
    let hub = Arc::clone(&fed.hub);
    tokio::spawn(async move { hub.tend().await });
    let mut requests = fed.hub.key_requests();
    fed.connect().await;
    let (begun, mut made, mut rung) = (Instant::now(), 0, 0);
    while begun.elapsed() < Duration::from_secs(20) {
        rung = 1 - rung;
        fed.view.send_modify(|view| view.rung = Some(rung));
        tokio::select! {
            request = requests.next() => {
                made += 1;
                fed.hub.publish(key_of(request.rung));
            }
            () = tokio::time::sleep(Duration::from_millis(30)) => {}
        }
    }
    assert!((4..=14).contains(&made), "{made} key frames");
}

fn two_rungs() -> Ladder {
    let rung = |fps, kbps| Rung {
        percent: 100,
        fps,
        kbps,
    };
    Ladder::new(vec![rung(60, 1200), rung(30, 0)], 4000)
}

fn key_of(rung: u8) -> Frame {
    Frame {
        rendition: Rendition::new(Codec::Vp8.into(), rung),
        data: Bytes::from_static(&[0; 100]),
        key: true,
        pts_us: crate::clock::monotonic_us(),
        stamps: crate::media::Stamps::default(),
    }
}

/// Of which rung a key frame is asked for next.
async fn asked(requests: &mut KeyRequests) -> u8 {
    let request = tokio::time::timeout(Duration::from_secs(30), requests.next());
    request.await.unwrap().rung
}
