use super::*;
use bytes::Bytes;

fn frame(key: bool, pts_us: u64) -> Frame {
    Frame {
        data: Bytes::from_static(b"picture"),
        key,
        pts_us,
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_nothing_before_a_key_frame() {
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    hub.publish(Codec::H264, frame(false, 1));
    hub.publish(Codec::H264, frame(true, 2));
    hub.publish(Codec::H264, frame(false, 3));
    assert_eq!(viewer.next().await.unwrap().pts_us, 2);
    assert_eq!(viewer.next().await.unwrap().pts_us, 3);
}

#[tokio::test(start_paused = true)]
async fn a_slow_viewer_skips_to_the_next_key_frame_and_others_lose_nothing() {
    let hub = Hub::new();
    let mut slow = hub.subscribe(Codec::Vp8);
    let mut quick = hub.subscribe(Codec::Vp8);
    let mut seen = 0;
    for n in 0..20 {
        hub.publish(Codec::Vp8, frame(n == 0 || n == 15, n));
        seen += u64::from(quick.next().await.is_some());
    }
    assert_eq!(seen, 20);
    let mut got = Vec::new();
    while let Ok(f) = slow.frames.try_recv() {
        got.push(f.pts_us);
    }
    assert_eq!(got, (0..SLOT as u64).collect::<Vec<_>>());
    hub.publish(Codec::Vp8, frame(false, 20));
    hub.publish(Codec::Vp8, frame(true, 21));
    assert_eq!(slow.next().await.unwrap().pts_us, 21);
}

#[tokio::test(start_paused = true)]
async fn many_requests_become_one_key_frame_each_300_ms() {
    let hub = Hub::new();
    let mut requests = hub.key_requests();
    let begin = Instant::now();
    let mut granted = 0;
    while begin.elapsed() < Duration::from_secs(3) {
        hub.request_key(Codec::H264);
        if tokio::time::timeout(Duration::from_millis(10), requests.next())
            .await
            .is_ok()
        {
            granted += 1;
        }
    }
    assert!((9..=11).contains(&granted), "{granted}");
}

#[tokio::test(start_paused = true)]
async fn a_codec_is_wanted_only_while_somebody_watches() {
    let hub = Hub::new();
    let wanted = hub.wanted();
    let viewer = hub.subscribe(Codec::Vp8);
    assert!(wanted.borrow().contains(&Codec::Vp8));
    drop(viewer);
    assert!(wanted.borrow().is_empty());
    assert_eq!(hub.subscribers(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_source_only_a_key_frame_passes() {
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    hub.publish(Codec::H264, frame(true, 1));
    assert_eq!(viewer.next().await.unwrap().pts_us, 1);
    hub.source_restarted(Codec::H264);
    hub.publish(Codec::H264, frame(false, 2));
    hub.publish(Codec::H264, frame(true, 3));
    assert_eq!(viewer.next().await.unwrap().pts_us, 3);
}

#[tokio::test(start_paused = true)]
async fn an_encoder_gets_what_the_least_of_its_subscribers_carries_within_bounds() {
    let hub = Hub::with_rate(4000);
    let rates = hub.rates();
    let of = |codec: Codec| rates.borrow().get(&codec).copied();
    let (one, two) = (hub.subscribe(Codec::H264), hub.subscribe(Codec::H264));
    assert_eq!(of(Codec::H264), Some(4000), "nobody has told");
    one.set_capacity(9000);
    two.set_capacity(1500);
    assert_eq!(of(Codec::H264), Some(1500));
    assert_eq!(of(Codec::Vp8), None);
    two.set_capacity(1540);
    assert_eq!(of(Codec::H264), Some(1500), "less than a twentieth is no change");
    two.set_capacity(0);
    assert_eq!(of(Codec::H264), Some(150));
    two.pause(true);
    assert_eq!(of(Codec::H264), Some(4000), "nobody looks at it");
    two.pause(false);
    assert_eq!(of(Codec::H264), Some(150));
    drop(two);
    assert_eq!(of(Codec::H264), Some(4000));
    drop(one);
    assert_eq!(of(Codec::H264), None);
}

#[tokio::test(start_paused = true)]
async fn a_paused_viewer_gets_nothing_and_goes_on_with_a_key_frame_that_is_asked_for() {
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    let mut requests = hub.key_requests();
    assert_eq!(requests.next().await, Codec::H264);
    hub.publish(Codec::H264, frame(true, 1));
    assert_eq!(viewer.next().await.unwrap().pts_us, 1);
    viewer.pause(true);
    assert!(hub.wanted().borrow().is_empty(), "no encoder runs for it");
    hub.publish(Codec::H264, frame(true, 2));
    viewer.pause(false);
    assert_eq!(requests.next().await, Codec::H264);
    hub.publish(Codec::H264, frame(false, 3));
    hub.publish(Codec::H264, frame(true, 4));
    assert_eq!(viewer.next().await.unwrap().pts_us, 4);
}
