use std::sync::atomic::Ordering;

use super::super::channels::{InputChannel, InputCounters, InputSink};
use super::super::fake::{FakeChannel, FakeConnection};
use super::*;
use crate::protocol::input::InputFrame;

struct Deaf;

impl InputSink for Deaf {
    fn accept(&self, _: InputFrame, _: InputChannel) {}
}

struct Running {
    connection: Arc<FakeConnection>,
    operations: mpsc::Sender<AddCandidate>,
    close: watch::Sender<Option<CloseReason>>,
    connection_events: mpsc::Sender<ConnectionEvent>,
    events: mpsc::Receiver<PeerEvent>,
    task: JoinHandle<CloseReason>,
    begun: Instant,
}

/// A peer whose feeder lets go as soon as it is told.
fn run() -> Running {
    let connection = FakeConnection::new();
    let (events_tx, events) = mpsc::channel(8);
    let (connection_tx, connection_events) = mpsc::channel(8);
    let (operations, operations_rx) = mpsc::channel(8);
    let (close, close_rx) = watch::channel(None);
    let (stop_feeder, mut stop) = watch::channel(false);
    let (_, status) = watch::channel(None);
    let dynamic: Arc<dyn Connection> = Arc::<FakeConnection>::clone(&connection);
    let peer = PeerId::new();
    let task = PeerTask {
        peer,
        connection: dynamic,
        connection_events,
        operations: operations_rx,
        close: close_rx,
        events: events_tx,
        channels: Channels::new(peer, Arc::new(Deaf), status, Arc::new(InputCounters::default())),
        feeder: tokio::spawn(async move { drop(stop.wait_for(|s| *s).await) }),
        stop_feeder,
    };
    let task = tokio::spawn(task.run());
    Running {
        connection,
        operations,
        close,
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

    async fn candidate(&self) -> oneshot::Receiver<Result<(), PeerError>> {
        let (done, result) = oneshot::channel();
        self.operations
            .send(AddCandidate {
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
    running.close.send_replace(Some(CloseReason::Requested));
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
    running.close.send_replace(Some(CloseReason::HostShutdown));
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
        close,
        operations,
        task,
        connection,
        ..
    } = running;
    drop((close, operations));
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
    running.close.send_replace(Some(CloseReason::Requested));
    assert_eq!(running.task.await.unwrap(), CloseReason::Requested);
}
