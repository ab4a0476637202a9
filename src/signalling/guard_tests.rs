use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::sync::mpsc;

use super::super::frames::MESSAGE_DEADLINE;
use super::*;

/// A whole ping of six bytes.
const PING: [u8; 6] = [0x89, 0x80, 0, 0, 0, 0];

type Item = Result<Bytes, PayloadError>;

fn connection() -> (mpsc::Sender<Item>, impl Stream<Item = Item> + Unpin) {
    // overflow: the test waits.
    let (sender, receiver) = mpsc::channel(16);
    let stream = stream::unfold(receiver, |mut receiver| async move {
        Some((receiver.recv().await?, receiver))
    });
    (sender, Box::pin(stream))
}

/// What a reader takes before it looks at any of it.
fn at_once(guarded: &mut Guarded<impl Stream<Item = Item> + Unpin>) -> Vec<Bytes> {
    let mut context = Context::from_waker(futures::task::noop_waker_ref());
    let mut taken = Vec::new();
    while let Poll::Ready(Some(Ok(bytes))) = guarded.poll_next_unpin(&mut context) {
        taken.push(bytes);
    }
    taken
}

#[tokio::test]
async fn of_many_frames_that_came_together_a_reader_gets_one_at_a_time() {
    let (sender, connection) = connection();
    let mut guarded = Guarded::new(connection, Verdict::default());
    sender.send(Ok(Bytes::from(PING.repeat(1_000)))).await.unwrap();
    for _ in 0..1_000 {
        assert_eq!(at_once(&mut guarded), [Bytes::from_static(&PING)]);
    }
    assert!(at_once(&mut guarded).is_empty());
}

#[tokio::test]
async fn after_a_refusal_nothing_more_is_read() {
    let (sender, connection) = connection();
    let verdict = Verdict::default();
    let mut guarded = Guarded::new(connection, Rc::clone(&verdict));
    let huge = [&[0x81, 0xff][..], &(1_u64 << 62).to_be_bytes()].concat();
    sender.send(Ok(Bytes::from([&PING[..], &huge].concat()))).await.unwrap();
    assert_eq!(guarded.next().await.unwrap().unwrap(), Bytes::from_static(&PING));
    assert!(guarded.next().await.unwrap().is_err());
    assert_eq!(verdict.get(), Some(Refused::TooLarge));
    sender.send(Ok(Bytes::from_static(&PING))).await.unwrap();
    assert!(guarded.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_message_that_trickles_is_refused_when_its_time_is_over() {
    let (sender, connection) = connection();
    let verdict = Verdict::default();
    let mut guarded = Guarded::new(connection, Rc::clone(&verdict));
    let begun = Instant::now();
    let trickle = async {
        // A first frame, and more of them for ever, each whole and with a ping before it.
        let mut first = 0x01;
        loop {
            let frame = [&PING[..], &[first, 0x81, 0, 0, 0, 0, b'x']].concat();
            if sender.send(Ok(Bytes::from(frame))).await.is_err() {
                return;
            }
            first = 0x00;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    let read = async { while let Some(Ok(_)) = guarded.next().await {} };
    tokio::select! {
        () = trickle => unreachable!("it is read as long as it may be"),
        () = read => {}
    }
    assert_eq!(verdict.get(), Some(Refused::TooSlow));
    assert_eq!(begun.elapsed().as_secs(), MESSAGE_DEADLINE.as_secs());
}

#[tokio::test(start_paused = true)]
async fn half_a_head_and_then_silence_is_refused_and_a_quiet_socket_is_not() {
    let (sender, connection) = connection();
    let verdict = Verdict::default();
    let mut guarded = Guarded::new(connection, Rc::clone(&verdict));
    sender.send(Ok(Bytes::from_static(&PING))).await.unwrap();
    assert!(guarded.next().await.unwrap().is_ok());
    let quiet = tokio::time::timeout(MESSAGE_DEADLINE * 3, guarded.next()).await;
    assert!(quiet.is_err(), "it has nothing half-read");
    sender.send(Ok(Bytes::from_static(&PING[..1]))).await.unwrap();
    assert!(guarded.next().await.unwrap().is_ok());
    assert!(guarded.next().await.unwrap().is_err());
    assert_eq!(verdict.get(), Some(Refused::TooSlow));
}
