use std::time::Duration;

use bytes::Bytes;
use futures::FutureExt;

use super::super::ladder::tests::usual;
use super::*;
use crate::media::Codec;

fn frame(rendition: impl Into<Rendition>, key: bool, pts_us: u64) -> Frame {
    Frame {
        rendition: rendition.into(),
        data: Bytes::from_static(b"picture"),
        key,
        pts_us,
        stamps: crate::media::Stamps::default(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_gets_nothing_before_a_key_frame() {
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    hub.publish(frame(Codec::H264, false, 1));
    hub.publish(frame(Codec::H264, true, 2));
    hub.publish(frame(Codec::H264, false, 3));
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
        hub.publish(frame(Codec::Vp8, n == 0 || n == 15, n));
        seen += u64::from(quick.next().await.is_some());
    }
    assert_eq!(seen, 20);
    let mut got = Vec::new();
    while let Some(Some(f)) = slow.next().now_or_never() {
        got.push(f.pts_us);
    }
    assert_eq!(got, (0..SLOT as u64).collect::<Vec<_>>());
    hub.publish(frame(Codec::Vp8, false, 20));
    hub.publish(frame(Codec::Vp8, true, 21));
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
    assert!(wanted.borrow().contains(&Codec::Vp8.into()));
    drop(viewer);
    assert!(wanted.borrow().is_empty());
    assert_eq!(hub.subscribers(), 0);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_of_the_source_only_a_key_frame_passes() {
    let hub = Hub::new();
    let mut viewer = hub.subscribe(Codec::H264);
    hub.publish(frame(Codec::H264, true, 1));
    assert_eq!(viewer.next().await.unwrap().pts_us, 1);
    hub.source_restarted();
    hub.publish(frame(Codec::H264, false, 2));
    hub.publish(frame(Codec::H264, true, 3));
    assert_eq!(viewer.next().await.unwrap().pts_us, 3);
}

#[tokio::test(start_paused = true)]
async fn an_encoder_gets_what_the_least_of_its_subscribers_carries_within_bounds() {
    let hub = Hub::with_rate(4000);
    let rates = hub.rates();
    let of = |codec: Codec| rates.borrow().get(&codec.into()).copied();
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
    assert_eq!(requests.next().await, Codec::H264.into());
    hub.publish(frame(Codec::H264, true, 1));
    assert_eq!(viewer.next().await.unwrap().pts_us, 1);
    viewer.pause(true);
    assert!(hub.wanted().borrow().is_empty(), "no encoder runs for it");
    hub.publish(frame(Codec::H264, true, 2));
    viewer.pause(false);
    assert_eq!(requests.next().await, Codec::H264.into());
    hub.publish(frame(Codec::H264, false, 3));
    hub.publish(frame(Codec::H264, true, 4));
    assert_eq!(viewer.next().await.unwrap().pts_us, 4);
}

/// What is waiting for a viewer.
fn waiting(viewer: &mut Subscription) -> Vec<(u8, u64)> {
    let mut got = Vec::new();
    while let Some(Some(frame)) = viewer.next().now_or_never() {
        got.push((frame.rendition.rung, frame.pts_us));
    }
    got
}

#[tokio::test(start_paused = true)]
async fn a_viewer_whose_line_gets_worse_is_moved_at_a_key_frame_and_the_other_sees_nothing_of_it() {
    let hub = Hub::with_ladder(usual());
    let tended = tokio::spawn({
        let hub = Arc::clone(&hub);
        async move { hub.tend().await }
    });
    let [best, middle] = [0, 1].map(|rung| Rendition::new(Codec::H264.into(), rung));
    let (mut slow, mut quick) = (hub.subscribe(Codec::H264), hub.subscribe(Codec::H264));
    quick.set_capacity(50_000);
    slow.set_capacity(50_000);
    hub.publish(frame(best, true, 1));
    slow.set_capacity(800);
    assert_eq!(hub.rates().borrow()[&best], 4000);
    let mut wanted = hub.wanted();
    wanted.wait_for(|wanted| wanted.contains(&middle)).await.unwrap();
    let mut requests = hub.key_requests();
    while requests.next().await != middle {}
    hub.publish(frame(best, false, 2));
    hub.publish(frame(middle, false, 3));
    assert_eq!(slow.rendition(), Some(best), "until a key frame of the other is there");
    hub.publish(frame(middle, true, 4));
    hub.publish(frame(best, false, 5));
    hub.publish(frame(middle, false, 6));
    assert_eq!(waiting(&mut slow), [(0, 1), (0, 2), (1, 4), (1, 6)]);
    assert_eq!(waiting(&mut quick), [(0, 1), (0, 2), (0, 5)]);
    assert_eq!(*hub.rates().borrow(), BTreeMap::from([(best, 4000), (middle, 800)]));
    drop(quick);
    assert_eq!(*hub.wanted().borrow(), BTreeSet::from([middle]));
    tended.abort();
}

#[tokio::test(start_paused = true)]
async fn who_comes_with_a_slow_line_begins_where_that_bears_it() {
    let hub = Hub::with_ladder(usual());
    let mut viewer = hub.subscribe(Codec::Vp8);
    viewer.set_capacity(300);
    let low = Rendition::new(Codec::Vp8.into(), 2);
    assert_eq!(*hub.rates().borrow(), BTreeMap::from([(low, 300)]));
    let mut requests = hub.key_requests();
    while requests.next().await != low {}
    hub.publish(frame(Codec::Vp8, true, 1));
    hub.publish(frame(low, true, 2));
    assert_eq!(waiting(&mut viewer), [(2, 2)]);
}

#[tokio::test(start_paused = true)]
async fn a_viewer_that_skips_again_and_again_is_moved_down() {
    let hub = Hub::with_ladder(usual());
    let mut viewer = hub.subscribe(Codec::H264);
    hub.publish(frame(Codec::H264, true, 1));
    for _ in 0..3 {
        viewer.skip_to_key();
    }
    let middle = Rendition::new(Codec::H264.into(), 1);
    assert!(hub.wanted().borrow().contains(&middle));
    hub.publish(frame(middle, true, 2));
    assert_eq!(viewer.rendition(), Some(middle));
    assert_eq!(waiting(&mut viewer), [(1, 2)]);
}

/// Encodes what a hub wants: a frame of each rendition for each picture.
struct Encoders {
    hub: Arc<Hub>,
    running: BTreeSet<Rendition>,
    grabs: u64,
}

impl Encoders {
    /// Pictures of so many bytes, every 20 ms for so long, that are `new` or the last one again.
    async fn encode(&mut self, bytes: usize, ms: u64, new: bool) {
        let mut requests = self.hub.key_requests();
        for _ in 0..ms / 20 {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.grabs += u64::from(new);
            let wanted = self.hub.wanted().borrow().clone();
            let mut keys: BTreeSet<_> = wanted.difference(&self.running).copied().collect();
            while let Some(rendition) = requests.next().now_or_never() {
                keys.insert(rendition);
            }
            for rendition in &wanted {
                let mut frame = frame(*rendition, keys.contains(rendition), self.grabs);
                frame.data = vec![0; bytes].into();
                frame.stamps.grabbed_us = self.grabs;
                self.hub.publish(frame);
            }
            self.running = wanted;
        }
    }
}

/// What came to a viewer: each rendition once, as long as it goes on. A new one begins with a key frame.
fn came(viewer: &mut Subscription) -> Vec<Codec> {
    let mut came: Vec<Rendition> = Vec::new();
    while let Some(Some(frame)) = viewer.next().now_or_never() {
        if came.last() != Some(&frame.rendition) {
            assert!(frame.key || came.is_empty(), "{}", frame.rendition);
            came.push(frame.rendition);
        }
    }
    came.iter().map(|rendition| rendition.track.codec()).collect()
}

#[tokio::test(start_paused = true)]
async fn who_takes_colours_in_full_gets_them_at_rest_and_shares_what_moves_with_the_others() {
    let hub = Hub::with_ladder(usual());
    let tended = Arc::clone(&hub);
    let tending = tokio::spawn(async move { tended.tend().await });
    let mut encoders = Encoders {
        hub: Arc::clone(&hub),
        running: BTreeSet::new(),
        grabs: 1,
    };
    let wanted = |hub: &Hub| -> Vec<Codec> { hub.wanted().borrow().iter().map(|r| r.track.codec()).collect() };

    let (mut full, mut plain) = (hub.subscribe(Codec::H264Full), hub.subscribe(Codec::H264));
    let (mut seen, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..50 {
        encoders.encode(200, 100, false).await;
        seen.extend(came(&mut full));
        beside.extend(came(&mut plain));
    }
    seen.dedup();
    beside.dedup();
    assert_eq!(seen, [Codec::H264, Codec::H264Full]);
    assert_eq!(beside, [Codec::H264]);
    assert_eq!(full.rendition(), Some(Codec::H264Full.into()));
    assert_eq!(wanted(&hub), [Codec::H264, Codec::H264Full]);

    seen.clear();
    for _ in 0..20 {
        encoders.encode(20_000, 100, true).await;
        seen.extend(came(&mut full));
        came(&mut plain);
    }
    seen.dedup();
    assert_eq!(seen, [Codec::H264Full, Codec::H264]);
    assert_eq!(wanted(&hub), [Codec::H264], "what moves is encoded once");

    drop(plain);
    for _ in 0..80 {
        encoders.encode(200, 100, false).await;
        came(&mut full);
    }
    assert_eq!(wanted(&hub), [Codec::H264Full], "nobody else looks");

    hub.end_full();
    assert_eq!(wanted(&hub), [Codec::H264]);
    encoders.encode(200, 100, false).await;
    assert_eq!(came(&mut full), [Codec::H264]);
    tending.abort();
}
