use bytes::Bytes;

use super::super::fake::FakeChannel;
use super::*;
use crate::protocol::input::copies::encode_copy;
use crate::protocol::input::{InputEvent, encode, encode_pong};

#[derive(Default)]
struct Sink(Mutex<Vec<InputEvent>>, Arc<Presses>);

impl InputSink for Sink {
    fn accept(&self, frame: InputFrame, _: InputChannel) {
        self.0.lock().unwrap().push(frame.event);
    }

    fn presses(&self) -> Option<Arc<Presses>> {
        Some(Arc::clone(&self.1))
    }
}

struct Served {
    channels: Arc<Channels>,
    sink: Arc<Sink>,
    status: watch::Sender<Option<String>>,
    view: watch::Receiver<View>,
    counters: Arc<InputCounters>,
}

fn serve() -> Served {
    let (sink, counters) = (Arc::new(Sink::default()), Arc::new(InputCounters::default()));
    let (status, status_rx) = watch::channel(None);
    let (view_tx, view) = watch::channel(View::default());
    let dynamic: Arc<dyn InputSink> = Arc::<Sink>::clone(&sink);
    Served {
        channels: Channels::new(PeerId::new(), dynamic, status_rx, view_tx, Arc::clone(&counters)),
        sink,
        status,
        view,
        counters,
    }
}

fn message(event: InputEvent) -> ChannelEvent {
    ChannelEvent::Message {
        data: Bytes::from(encode(&InputFrame {
            seq: 0,
            time_ms: 0,
            event,
        })),
        text: false,
    }
}

fn key(pressed: bool) -> InputEvent {
    InputEvent::Key {
        pressed,
        usage: 4,
        keysym: 0,
    }
}

#[tokio::test(start_paused = true)]
async fn a_flood_is_cut_but_no_release_is_lost() {
    let served = serve();
    let (channel, tx) = FakeChannel::new("input");
    let task = tokio::spawn(Arc::clone(&served.channels).serve(channel));
    for _ in 0..4000 {
        tx.send(message(key(true))).await.unwrap();
        tx.send(message(key(false))).await.unwrap();
    }
    drop(tx);
    task.await.unwrap();
    let taken = served.sink.0.lock().unwrap();
    assert_eq!(taken.iter().filter(|e| e.is_release()).count(), 4000);
    let pressed = taken.len() - 4000;
    assert!((1000..=2000).contains(&pressed), "{pressed}");
    assert_eq!(served.counters.dropped.load(Ordering::Relaxed), 4000 - pressed as u64);
}

#[tokio::test(start_paused = true)]
async fn the_newest_state_is_told_when_the_channel_opens_and_at_every_change() {
    let served = serve();
    served.status.send_replace(Some("old".into()));
    served.status.send_replace(Some("new".into()));
    let (moves, _moves_tx) = FakeChannel::new("moves");
    let (channel, tx) = FakeChannel::new("input");
    for one in [&moves, &channel] {
        let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(one);
        tokio::spawn(Arc::clone(&served.channels).serve(dynamic));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    served.status.send_replace(Some("newer".into()));
    tx.send(message(InputEvent::Ping { t: 5 })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut sent = channel.sent.lock().unwrap().clone();
    sent.sort_by_key(|m| std::cmp::Reverse(m[1]));
    assert_eq!(sent[..2], [encode_status("new"), encode_status("newer")]);
    assert_eq!(sent[2][..10], encode_pong(5, 0)[..10]);
    assert!(moves.sent.lock().unwrap().is_empty());
    assert!(served.sink.0.lock().unwrap().is_empty(), "a ping is not input");
}

#[tokio::test(start_paused = true)]
async fn a_browser_is_told_where_rtp_time_begins_and_which_frame_shows_a_press() {
    let served = serve();
    served.channels.set_rtp_offset(258);
    let (moves, _moves_tx) = FakeChannel::new("moves");
    let (channel, _tx) = FakeChannel::new("input");
    for one in [&moves, &channel] {
        let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(one);
        tokio::spawn(Arc::clone(&served.channels).serve(dynamic));
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(*channel.sent.lock().unwrap(), [encode_rtp_offset(258)]);
    served.sink.1.heard(9, 1).inject(2);
    let stamps = crate::media::Stamps {
        changed_us: 3,
        grabbed_us: 5,
        converted_us: 6,
        encoded_us: 7,
        received_us: 8,
    };
    served.sink.1.sent(4, stamps, 10);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(
        channel.sent.lock().unwrap().last(),
        Some(&encode_shown(9, 4, [1, 2, 3, 5, 6, 7, 8, 10]))
    );
    assert!(moves.sent.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn unknown_labels_second_channels_and_rubbish_are_closed() {
    let served = serve();
    let (first, tx) = FakeChannel::new("input");
    let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(&first);
    let task = tokio::spawn(Arc::clone(&served.channels).serve(dynamic));
    tokio::time::sleep(Duration::from_millis(1)).await;
    for label in ["input", "files", ""] {
        let (other, _tx) = FakeChannel::new(label);
        let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(&other);
        Arc::clone(&served.channels).serve(dynamic).await;
        assert!(other.closed.load(Ordering::Relaxed), "{label:?}");
    }
    for n in 0..MAX_MALFORMED {
        assert!(!first.closed.load(Ordering::Relaxed));
        tx.send(ChannelEvent::Message {
            data: Bytes::from_static(b"{}"),
            text: n % 2 == 0,
        })
        .await
        .unwrap();
    }
    task.await.unwrap();
    assert!(first.closed.load(Ordering::Relaxed));
    // Its place is free again.
    let (next, _tx) = FakeChannel::new("input");
    let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(&next);
    let task = tokio::spawn(Arc::clone(&served.channels).serve(dynamic));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(!task.is_finished() && !next.closed.load(Ordering::Relaxed));
}

#[tokio::test(start_paused = true)]
async fn what_the_page_wants_to_see_is_heard_even_in_a_flood() {
    let served = serve();
    let (channel, tx) = FakeChannel::new("input");
    let task = tokio::spawn(Arc::clone(&served.channels).serve(channel));
    for _ in 0..4000 {
        tx.send(message(key(true))).await.unwrap();
    }
    tx.send(message(InputEvent::Hidden)).await.unwrap();
    let mut view = served.view.clone();
    timeout(SEND_WITHIN, view.wait_for(|view| view.hidden))
        .await
        .unwrap()
        .unwrap();
    tx.send(message(InputEvent::Visible)).await.unwrap();
    timeout(SEND_WITHIN, view.wait_for(|view| !view.hidden))
        .await
        .unwrap()
        .unwrap();
    tx.send(message(InputEvent::Rendition { rung: Some(1) })).await.unwrap();
    timeout(SEND_WITHIN, view.wait_for(|view| view.rung == Some(1)))
        .await
        .unwrap()
        .unwrap();
    task.abort();
}

#[tokio::test(start_paused = true)]
async fn what_input_has_lost_is_taken_from_its_copy_once_and_in_order() {
    let served = serve();
    let (input, by_input) = FakeChannel::new("input");
    let (moves, by_moves) = FakeChannel::new("moves");
    for channel in [&input, &moves] {
        let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(channel);
        tokio::spawn(Arc::clone(&served.channels).serve(dynamic));
    }
    let letter = |seq: u32| InputFrame {
        seq,
        time_ms: 0,
        event: InputEvent::Text(seq.to_string()),
    };
    let first = |seq| ChannelEvent::Message {
        data: encode(&letter(seq)).into(),
        text: false,
    };
    let copy = |seq, before| ChannelEvent::Message {
        data: encode_copy(&encode(&letter(seq)), before).into(),
        text: false,
    };
    let settled = || tokio::time::sleep(Duration::from_millis(1));
    by_input.send(first(1)).await.unwrap();
    settled().await;
    // What is lost of `input`: 2, 3 and 5; a copy that comes before that of 2 is of no use, the next one is.
    for (seq, before) in [(3, 2), (2, 1), (2, 1), (3, 2)] {
        by_moves.send(copy(seq, before)).await.unwrap();
    }
    settled().await;
    for seq in [2, 3, 4] {
        by_input.send(first(seq)).await.unwrap();
    }
    settled().await;
    by_moves.send(copy(5, 4)).await.unwrap();
    settled().await;
    by_input.send(first(5)).await.unwrap();
    settled().await;
    let taken = served.sink.0.lock().unwrap();
    let expected: Vec<_> = (1..=5).map(|seq: u32| InputEvent::Text(seq.to_string())).collect();
    assert_eq!(*taken, expected);
    assert_eq!(served.counters.malformed.load(Ordering::Relaxed), 0);
}
