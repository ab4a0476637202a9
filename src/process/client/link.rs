//! The task that has the connection: sends calls, matches answers, hands out events.

use std::collections::HashMap;
use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::{KeeperEvent, Message};
use crate::protocol::keeper::{Decoder, Failure, Reply};

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
        } = self;
        let mut waiting: HashMap<u64, oneshot::Sender<Result<Reply, Failure>>> = HashMap::new();
        let mut unsent: Vec<u8> = Vec::new();
        let mut buffer = vec![0; 16 * 1024];
        let why = loop {
            // Reading and writing go on side by side: a keeper that waits to be read does not read either.
            tokio::select! {
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
                        if let Err(error) = hand_out(&mut decoder, &mut waiting, &events) {
                            break Some(error);
                        }
                    }
                    Err(error) => break Some(error),
                },
            }
        };
        if let Some(error) = why {
            log::debug!("keeper connection lost: {error}");
        }
        drop(calls);
        drop(waiting);
        gone.send_replace(true);
        // Nobody may listen.
        let _ = events.send(KeeperEvent::Gone);
    }
}

fn hand_out(
    decoder: &mut Decoder,
    waiting: &mut HashMap<u64, oneshot::Sender<Result<Reply, Failure>>>,
    events: &broadcast::Sender<KeeperEvent>,
) -> io::Result<()> {
    while let Some(message) = decoder.take::<Message>().map_err(io::Error::other)? {
        match message {
            Message::Reply { id, result } => {
                if let Some(answer) = waiting.remove(&id) {
                    // Who asked may have given up.
                    let _ = answer.send(result);
                }
            }
            Message::Event(event) => {
                // Nobody may listen.
                let _ = events.send(KeeperEvent::Said(event));
            }
        }
    }
    Ok(())
}

/// Sends one message and takes the first that comes.
pub(super) async fn exchange(stream: &mut UnixStream, frame: &[u8], decoder: &mut Decoder) -> io::Result<Message> {
    stream.write_all(frame).await?;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(message) = decoder.take().map_err(io::Error::other)? {
            return Ok(message);
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => decoder.push(&buffer[..count]),
        }
    }
}
