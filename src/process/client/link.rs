//! The task that has the connection: sends calls, matches answers, hands out events.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::Instant;

use super::lost::{Lost, Parting};
use super::{KeeperEvent, Message, bounded};
use crate::process::ProcessError;
use crate::protocol::keeper::{Decoder, Event, Failure, Reply};

/// In a second no instance causes so many events; one that does would keep the host busy.
const FLOOD: u32 = 1000;
const SECOND: Duration = Duration::from_secs(1);

/// A call on its way.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub id: u64,
    pub frame: Vec<u8>,
    pub answer: oneshot::Sender<Result<Reply, Failure>>,
}

/// The connection's task.
#[derive(Debug)]
pub(super) struct Link {
    pub read: OwnedReadHalf,
    pub write: OwnedWriteHalf,
    pub decoder: Decoder,
    pub calls: mpsc::Receiver<Outgoing>,
    pub events: broadcast::Sender<KeeperEvent>,
    pub gone: watch::Sender<bool>,
    pub parting: Parting,
}

impl Link {
    /// Until the connection or the last client is gone.
    pub(super) async fn run(self) {
        let Self {
            mut read,
            mut write,
            mut decoder,
            mut calls,
            events,
            gone,
            parting,
        } = self;
        let mut waiting: HashMap<u64, oneshot::Sender<Result<Reply, Failure>>> = HashMap::new();
        let mut pace = Pace::default();
        let mut unsent: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        let why = loop {
            // Reading and writing go on side by side: a keeper that waits to be read does not read either.
            tokio::select! {
                () = parting.parted() => break None,
                call = calls.recv(), if unsent.is_empty() => match call {
                    None => break None,
                    Some(call) => {
                        // Who gave up waiting leaves an entry only until its answer comes.
                        waiting.insert(call.id, call.answer);
                        unsent = call.frame;
                    }
                },
                sent = write.write(&unsent), if !unsent.is_empty() => match sent {
                    Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
                    Ok(count) => drop(unsent.drain(..count)),
                    Err(error) => break Some(error),
                },
                count = read.read(&mut buffer) => match count {
                    Ok(0) => break Some(io::ErrorKind::UnexpectedEof.into()),
                    Ok(count) => {
                        decoder.push(&buffer[..count]);
                        if let Err(text) = hand_out(&mut decoder, &mut waiting, &events, &mut pace) {
                            parting.part(Lost::Protocol(text));
                            break None;
                        }
                    }
                    Err(error) => break Some(error),
                },
            }
        };
        if let Some(error) = why {
            log::debug!("keeper connection lost: {error}");
        }
        parting.part(Lost::Closed);
        drop(calls);
        drop(waiting);
        gone.send_replace(true);
        // Nobody may listen.
        let _ = events.send(KeeperEvent::Gone);
    }
}

/// How fast events come.
#[derive(Debug, Default)]
struct Pace {
    since: Option<Instant>,
    events: u32,
}

impl Pace {
    /// Counts another one.
    fn floods(&mut self) -> bool {
        let now = Instant::now();
        if self.since.is_none_or(|since| now - since > SECOND) {
            *self = Self {
                since: Some(now),
                events: 0,
            };
        }
        self.events += 1;
        self.events > FLOOD
    }
}

fn hand_out(
    decoder: &mut Decoder,
    waiting: &mut HashMap<u64, oneshot::Sender<Result<Reply, Failure>>>,
    events: &broadcast::Sender<KeeperEvent>,
    pace: &mut Pace,
) -> Result<(), String> {
    while let Some(message) = decoder.take::<Message>().map_err(|error| error.to_string())? {
        match message {
            Message::Reply { id, result } => {
                let answer = waiting.remove(&id).ok_or_else(|| format!("nobody asked {id}"))?;
                // Who asked may have given up.
                let _ = answer.send(result);
            }
            Message::Event(_) if pace.floods() => return Err(format!("more than {FLOOD} events in a second")),
            Message::Event(mut event) => {
                if let Event::Exited { tail, .. } = &mut event {
                    *tail = bounded(tail);
                }
                // Nobody may listen.
                let _ = events.send(KeeperEvent::Said(event));
            }
        }
    }
    Ok(())
}

/// Sends one message and takes the first that comes.
///
/// # Errors
/// [`ProcessError::Io`] when the connection breaks, [`ProcessError::Protocol`] when what comes is no message.
pub(super) async fn exchange(
    stream: &mut UnixStream,
    frame: &[u8],
    decoder: &mut Decoder,
) -> Result<Message, ProcessError> {
    let broken = || ProcessError::io("the keeper did not greet");
    stream.write_all(frame).await.map_err(broken())?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(message) = decoder.take()? {
            return Ok(message);
        }
        match stream.read(&mut buffer).await.map_err(broken())? {
            0 => return Err(broken()(io::ErrorKind::UnexpectedEof.into())),
            count => decoder.push(&buffer[..count]),
        }
    }
}
