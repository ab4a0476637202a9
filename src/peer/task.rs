//! The task that owns one connection and carries out what `state` says. It lives on the media runtime, outside the
//! actor: one that panics or is aborted drops its [`Peer`](super::Peer), and this task closes the connection.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::LINES;
use super::channels::Channels;
use super::connection::{Connection, ConnectionEvent};
use super::opening::PeerEvent;
use super::operation::Operation;
use super::peer::EndAsked;
use super::state::{CONNECT_WITHIN, ConnectionState, Effect, Input, PeerState};
use crate::ids::PeerId;
use crate::protocol::signalling::CloseReason;

/// Data channels of one peer being read or refused at once.
const MAX_CHANNELS: usize = 8;
/// Data channels of one peer in all, closed ones among them: the page opens two. The crate remembers each, and keeps what
/// comes by one until it is closed.
const MOST_CHANNELS: usize = 16;

/// Everything the task was given.
pub(super) struct PeerTask {
    pub(super) peer: PeerId,
    pub(super) connection: Arc<dyn Connection>,
    pub(super) connection_events: mpsc::Receiver<ConnectionEvent>,
    pub(super) operations: mpsc::Receiver<Operation>,
    pub(super) end: EndAsked,
    pub(super) events: mpsc::Sender<PeerEvent>,
    pub(super) channels: Arc<Channels>,
    pub(super) feeder: JoinHandle<()>,
    pub(super) stop_feeder: watch::Sender<bool>,
}

/// What runs beside the loop.
struct Running {
    state: PeerState,
    begun: Instant,
    operations: JoinSet<()>,
    readers: JoinSet<()>,
    /// Data channels that the browser has opened so far.
    channels: usize,
    closing: Option<JoinHandle<()>>,
    feeding: bool,
    /// The operation that waits for the table's word.
    asked: Option<Operation>,
}

impl PeerTask {
    /// Runs to the peer's end, and says why it ended.
    pub(super) async fn run(mut self) -> CloseReason {
        let mut running = Running {
            state: PeerState::new(),
            begun: Instant::now(),
            operations: JoinSet::new(),
            readers: JoinSet::new(),
            channels: 0,
            closing: None,
            feeding: true,
            asked: None,
        };
        let mut states = self.connection.state();
        states.mark_changed();
        let reason = loop {
            let input = self.next(&mut running, &mut states).await;
            let Some(input) = input else { continue };
            if let Some(reason) = self.apply(&mut running, input) {
                break reason;
            }
        };
        self.feeder.abort();
        running.readers.abort_all();
        let path = *self.connection.path().borrow();
        log::log!(
            LINES.level(),
            "peer={} closed reason={reason} after_ms={} estimate_kbps={} round_trip_ms={} lost_permille={}",
            self.peer,
            running.begun.elapsed().as_millis(),
            path.estimate_kbps,
            path.round_trip.map_or(0, |took| took.as_millis()),
            path.lost_permille
        );
        reason
    }

    /// Waits for the next thing that the table has to know.
    async fn next(&mut self, running: &mut Running, states: &mut watch::Receiver<ConnectionState>) -> Option<Input> {
        let open = running.state.is_open();
        let deadline = running
            .state
            .deadline()
            .map_or_else(|| Instant::now() + CONNECT_WITHIN, |at| running.begun + at);
        tokio::select! {
            biased;
            reason = self.end.reason(), if open => Some(Input::CloseAsked(reason)),
            Ok(()) = states.changed() => {
                let state = *states.borrow_and_update();
                log::log!(LINES.level(), "peer={} connection={} after_ms={}", self.peer, state.as_str(), running.begun.elapsed().as_millis());
                self.post(PeerEvent::State(state));
                Some(Input::Connection(state))
            }
            _ = join(&mut running.closing) => Some(Input::CloseFinished),
            result = &mut self.feeder, if running.feeding => {
                running.feeding = false;
                Some(self.feeder_ended(result))
            }
            Some(result) = running.operations.join_next() => {
                if let Err(error) = result {
                    log::error!("peer={} an operation broke: {error}", self.peer);
                }
                Some(Input::OperationFinished)
            }
            Some(operation) = self.operations.recv() => {
                running.asked = Some(operation);
                Some(Input::OperationAsked)
            }
            Some(event) = self.connection_events.recv() => {
                self.connection_event(event, running)
            }
            Some(result) = running.readers.join_next() => {
                let error = result.err().filter(JoinError::is_panic)?;
                log::error!("peer={} a channel's reader broke: {error}", self.peer);
                Some(Input::ReaderBroke)
            }
            () = sleep_until(deadline) => Some(Input::Tick),
        }
    }

    fn feeder_ended(&self, result: Result<(), JoinError>) -> Input {
        match result.err().filter(JoinError::is_panic) {
            Some(error) => {
                log::error!("peer={} its feeder broke: {error}", self.peer);
                Input::FeederBroke
            }
            None => Input::FeederDetached,
        }
    }

    fn apply(&mut self, running: &mut Running, input: Input) -> Option<CloseReason> {
        let now = running.begun.elapsed();
        for effect in running.state.step(input, now) {
            match effect {
                Effect::RunOperation => {
                    if let Some(operation) = running.asked.take() {
                        running.operations.spawn(operation.run(Arc::clone(&self.connection)));
                    }
                }
                Effect::DenyOperation => {
                    if let Some(operation) = running.asked.take() {
                        operation.deny();
                    }
                }
                Effect::DetachFeeder => {
                    self.stop_feeder.send_replace(true);
                }
                Effect::Farewell(reason) => {
                    running.operations.spawn(Arc::clone(&self.channels).farewell(reason));
                }
                Effect::Close => {
                    running.readers.abort_all();
                    let connection = Arc::clone(&self.connection);
                    running.closing = Some(tokio::spawn(async move { connection.close().await }));
                }
                Effect::Abandon => {
                    log::error!("peer={} its connection did not close in time and is let go", self.peer);
                    if let Some(closing) = running.closing.take() {
                        closing.abort();
                    }
                }
                Effect::Report(reason) => return Some(reason),
            }
        }
        None
    }

    fn connection_event(&self, event: ConnectionEvent, running: &mut Running) -> Option<Input> {
        let channel = match event {
            ConnectionEvent::Candidate(candidate) => {
                self.post(PeerEvent::LocalCandidate(candidate));
                return None;
            }
            ConnectionEvent::Channel(channel) => channel,
        };
        running.channels += 1;
        let open = running.state.is_open();
        if open && running.channels <= MOST_CHANNELS && running.readers.len() < MAX_CHANNELS {
            running.readers.spawn(Arc::clone(&self.channels).serve(channel));
            return None;
        }
        // overflow: a channel too many, or one that comes too late, is never read; dropping it closes it.
        drop(channel);
        log::log!(LINES.level(), "peer={} a data channel is not served", self.peer);
        (open && running.channels > MOST_CHANNELS).then(|| {
            log::log!(
                LINES.level(),
                "peer={} is closed: it opens channels without end",
                self.peer
            );
            Input::CloseAsked(CloseReason::Fault)
        })
    }

    fn post(&self, event: PeerEvent) {
        // overflow: the event is lost; the end of the peer is told apart and is not.
        if let Err(mpsc::error::TrySendError::Full(_)) = self.events.try_send(event) {
            log::log!(
                LINES.level(),
                "peer={} its owner does not read its events, one is lost",
                self.peer
            );
        }
    }
}

/// Waits for a task that may not be there, for ever then.
async fn join(task: &mut Option<JoinHandle<()>>) {
    match task {
        Some(handle) => {
            let _ = handle.await;
            *task = None;
        }
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
