use bytes::Bytes;

use super::super::fake::FakeConnection;
use super::*;
use crate::media::{Codec, Hub};

struct Fed {
    hub: Arc<Hub>,
    connection: Arc<FakeConnection>,
    counters: Arc<FeedCounters>,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

fn feed() -> Fed {
    let (hub, connection, counters) = (Hub::new(), FakeConnection::new(), Arc::new(FeedCounters::default()));
    let (stop, stopped) = watch::channel(false);
    let dynamic: Arc<dyn Connection> = Arc::<FakeConnection>::clone(&connection);
    let feeder = Feeder::new(PeerId::new(), dynamic, hub.subscribe(Codec::Vp8), Arc::clone(&counters));
    Fed {
        hub,
        connection,
        counters,
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
    assert_eq!(fed.connection.marked(), 0);
    fed.connect().await;
    assert_eq!(fed.connection.marked(), 5, "from the last key frame on");
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.marked(), 6);
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
    assert_eq!(fed.connection.marked(), 0);
    assert_eq!(requests.next().await, Codec::Vp8.into());
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.marked(), 0);
    fed.frame(true, 100).await;
    assert_eq!(fed.connection.marked(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_congested_viewer_skips_to_a_key_frame_that_is_asked_for() {
    let fed = feed();
    let mut requests = fed.hub.key_requests();
    requests.next().await;
    fed.connect().await;
    fed.frame(true, 5000).await;
    fed.connection.stuck.store(true, Ordering::Relaxed);
    fed.frame(false, 5000).await;
    tokio::time::sleep(WRITE_WITHIN * 2).await;
    assert_eq!(fed.counters.congested.load(Ordering::Relaxed), 1);
    fed.connection.stuck.store(false, Ordering::Relaxed);
    fed.frame(false, 100).await;
    assert_eq!(fed.connection.marked(), 1, "nothing that builds on what was lost");
    requests.next().await;
    // The screen stands still and the request was lost: it is made again.
    tokio::time::timeout(KEY_WITHIN * 2, requests.next()).await.unwrap();
    fed.frame(true, 100).await;
    assert_eq!(fed.connection.marked(), 2);
    let packets = fed.connection.packets.lock().unwrap();
    let pair = &packets[packets.len() - 2..];
    assert!(
        pair[1].sequence.wrapping_sub(pair[0].sequence) > 1,
        "the browser sees that something is missing"
    );
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
async fn a_feeder_that_is_stopped_lets_go_even_in_the_middle_of_a_write() {
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
