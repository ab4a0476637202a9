use std::sync::atomic::Ordering;

use super::super::channels::{InputChannel, InputSink, View};
use super::super::connection::{Channel, ChannelEvent};
use super::super::events::InputCounters;
use std::time::Duration;

use tokio::sync::oneshot;

use super::super::fake::{FakeChannel, FakeConnection};
use super::super::{Peer, PeerError};
use super::*;
use crate::protocol::input::{InputEvent, InputFrame, encode, encode_closed};
use crate::protocol::signalling::IceCandidate;

/// Breaks at the first event.
struct Brittle;

impl InputSink for Brittle {
    fn accept(&self, _: InputFrame, _: InputChannel) {
        panic!("a fault of the instance's");
    }
}

struct Running {
    connection: Arc<FakeConnection>,
    peer: Peer,
    connection_events: mpsc::Sender<ConnectionEvent>,
    events: mpsc::Receiver<PeerEvent>,
    task: JoinHandle<CloseReason>,
    begun: Instant,
}

/// A peer whose feeder lets go as soon as it is told.
fn run() -> Running {
    run_feeding(|mut stop| async move { drop(stop.wait_for(|s| *s).await) })
}

fn run_feeding<F: Future<Output = ()> + Send + 'static>(feeder: impl FnOnce(watch::Receiver<bool>) -> F) -> Running {
    let connection = FakeConnection::new();
    // overflow: no test says so much at once.
    let (events_tx, events) = mpsc::channel(8);
    let (connection_tx, connection_events) = mpsc::channel(8);
    let (said, orders) = Peer::new();
    let (stop_feeder, stop) = watch::channel(false);
    let dynamic: Arc<dyn Connection> = Arc::<FakeConnection>::clone(&connection);
    let peer = PeerId::new();
    let task = PeerTask {
        peer,
        connection: dynamic,
        connection_events,
        operations: orders.operations,
        end: orders.end,
        events: events_tx,
        channels: Channels::new(
            peer,
            Arc::new(Brittle),
            orders.status,
            watch::Sender::new(View::default()),
            Arc::new(InputCounters::default()),
        ),
        feeder: tokio::spawn(feeder(stop)),
        stop_feeder,
    };
    let task = tokio::spawn(task.run());
    Running {
        connection,
        peer: said,
        connection_events: connection_tx,
        events,
        task,
        begun: Instant::now(),
    }
}

impl Running {
    async fn settle(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    /// The browser opens the channel `input`.
    async fn channel(&self) -> (Arc<FakeChannel>, mpsc::Sender<ChannelEvent>) {
        let (channel, events) = FakeChannel::new("input");
        let dynamic: Arc<dyn Channel> = Arc::<FakeChannel>::clone(&channel);
        self.connection_events
            .send(ConnectionEvent::Channel(dynamic))
            .await
            .unwrap();
        self.settle().await;
        (channel, events)
    }

    async fn answer(&self) -> oneshot::Receiver<Result<String, PeerError>> {
        let (done, result) = oneshot::channel();
        let offer = "offer".to_owned();
        self.peer
            .operations
            .send(Operation::Answer { offer, done })
            .await
            .unwrap();
        result
    }

    async fn candidate(&self) -> oneshot::Receiver<Result<(), PeerError>> {
        let (done, result) = oneshot::channel();
        self.peer
            .operations
            .send(Operation::AddCandidate {
                candidate: IceCandidate::default(),
                done,
            })
            .await
            .unwrap();
        result
    }

    fn closes(&self) -> u32 {
        self.connection.closes.load(Ordering::Relaxed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_hangs_in_everything_is_let_go_after_seven_seconds() {
    let running = run();
    running.connection.state.send_replace(ConnectionState::Connected);
    running.connection.hangs.store(true, Ordering::Relaxed);
    let hanging = running.candidate().await;
    running.settle().await;
    running.peer.close(CloseReason::Requested);
    running.settle().await;
    assert_eq!(running.candidate().await.await.unwrap(), Err(PeerError::Closing));
    assert_eq!(running.closes(), 0, "not while an operation runs");
    let (begun, connection) = (running.begun, Arc::clone(&running.connection));
    assert_eq!(running.task.await.unwrap(), CloseReason::Requested);
    assert!(
        (Duration::from_secs(6)..Duration::from_secs(8)).contains(&begun.elapsed()),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(connection.closes.load(Ordering::Relaxed), 1);
    assert!(
        hanging
            .await
            .is_ok_and(|r| r == Err(PeerError::Timeout("adding a candidate")))
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_connection_is_closed_at_once() {
    let running = run();
    running.connection.state.send_replace(ConnectionState::Connected);
    running.settle().await;
    running.connection.state.send_replace(ConnectionState::Failed);
    let begun = running.begun;
    assert_eq!(running.task.await.unwrap(), CloseReason::IceFailed);
    assert!(begun.elapsed() < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_never_comes_is_given_up_and_closing_while_connecting_waits_for_it_to_settle() {
    let running = run();
    running.connection.state.send_replace(ConnectionState::Connecting);
    let begun = running.begun;
    assert_eq!(running.task.await.unwrap(), CloseReason::IceFailed);
    assert_eq!(begun.elapsed().as_secs(), 25);

    let running = run();
    running.connection.state.send_replace(ConnectionState::Connecting);
    running.settle().await;
    running.peer.close(CloseReason::HostShutdown);
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(running.closes(), 0);
    running.connection.state.send_replace(ConnectionState::Connected);
    let begun = running.begun;
    assert_eq!(running.task.await.unwrap(), CloseReason::HostShutdown);
    assert!(begun.elapsed() < Duration::from_millis(600));
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_is_gone_ends_the_peer_as_a_fault() {
    let running = run();
    running.settle().await;
    let Running {
        peer, task, connection, ..
    } = running;
    drop(peer);
    assert_eq!(task.await.unwrap(), CloseReason::Fault);
    assert_eq!(connection.closes.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn candidates_and_states_are_told_and_an_owner_that_does_not_read_holds_nobody_up() {
    let mut running = run();
    for n in 0..30u16 {
        let candidate = IceCandidate {
            sdp_m_line_index: Some(n),
            ..IceCandidate::default()
        };
        running
            .connection_events
            .send(ConnectionEvent::Candidate(Some(candidate)))
            .await
            .unwrap();
    }
    let (channel, _tx) = FakeChannel::new("input");
    running
        .connection_events
        .send(ConnectionEvent::Channel(channel))
        .await
        .unwrap();
    running.settle().await;
    let mut told = 0;
    while let Ok(event) = running.events.try_recv() {
        assert!(matches!(
            event,
            PeerEvent::LocalCandidate(Some(_)) | PeerEvent::State(ConnectionState::New)
        ));
        told += 1;
    }
    assert_eq!(told, 8);
    running.peer.close(CloseReason::Requested);
    assert_eq!(running.task.await.unwrap(), CloseReason::Requested);
}

#[tokio::test(start_paused = true)]
async fn who_opens_a_channel_and_closes_it_again_and_again_is_let_go() {
    let running = run();
    running.connection.state.send_replace(ConnectionState::Connected);
    for n in 0..MOST_CHANNELS {
        let (channel, events) = running.channel().await;
        assert!(!running.task.is_finished(), "after {n}");
        // One that the browser has closed can be opened again.
        assert!(running.connection_events.capacity() > 0 && !channel.closed.load(Ordering::Relaxed));
        drop(events);
        running.settle().await;
    }
    let (channel, _events) = running.channel().await;
    assert_eq!(running.task.await.unwrap(), CloseReason::Fault);
    assert_eq!(Arc::strong_count(&channel), 1, "nobody keeps it");
}

#[tokio::test(start_paused = true)]
async fn a_close_waits_for_the_answer_in_the_making_but_not_for_ever_and_denies_one_that_comes_later() {
    let running = run();
    running.connection.hangs.store(true, Ordering::Relaxed);
    let answer = running.answer().await;
    running.settle().await;
    // What hangs goes on hanging.
    running.connection.hangs.store(false, Ordering::Relaxed);
    running.peer.close(CloseReason::Requested);
    running.settle().await;
    let denied = running.answer().await;
    assert_eq!(denied.await.unwrap(), Err(PeerError::Closing));
    assert_eq!(running.closes(), 0);
    assert_eq!(answer.await.unwrap(), Err(PeerError::Timeout("answering")));
    let begun = running.begun;
    assert_eq!(running.task.await.unwrap(), CloseReason::Requested);
    assert!(begun.elapsed() <= Duration::from_secs(6), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_browser_is_told_the_reason_before_the_connection_is_closed_but_need_not_acknowledge_it() {
    for deaf in [false, true] {
        let running = run();
        running.connection.state.send_replace(ConnectionState::Connected);
        let (channel, _events) = running.channel().await;
        channel.deaf.store(deaf, Ordering::Relaxed);
        running.peer.close(CloseReason::ResumeExpired);
        let (connection, asked) = (Arc::clone(&running.connection), Instant::now());
        running.settle().await;
        assert_eq!(running.closes(), u32::from(!deaf), "while the farewell is under way");
        assert_eq!(running.task.await.unwrap(), CloseReason::ResumeExpired);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        assert_eq!(connection.closes.load(Ordering::Relaxed), 1);
        assert_eq!(
            *channel.sent.lock().unwrap(),
            [encode_closed(CloseReason::ResumeExpired)]
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_feeder_or_a_reader_that_breaks_ends_the_peer_as_a_fault_at_once() {
    let feeder = run_feeding(|_| async { panic!("a fault of the feeder's") });
    let reader = run();
    let (_channel, events) = reader.channel().await;
    let release = InputFrame {
        seq: 1,
        time_ms: 0,
        event: InputEvent::ReleaseAll,
    };
    let message = ChannelEvent::Message {
        data: encode(&release).into(),
        text: false,
    };
    events.send(message).await.unwrap();
    for running in [feeder, reader] {
        let connection = Arc::clone(&running.connection);
        assert_eq!(running.task.await.unwrap(), CloseReason::Fault);
        assert!(running.begun.elapsed() < Duration::from_secs(1));
        assert_eq!(connection.closes.load(Ordering::Relaxed), 1);
    }
}
