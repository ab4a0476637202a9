//! The hosts that are connected: one is in control, a later one takes its place.

use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;

use super::connection::Connection;
use crate::ids::InstanceId;
use crate::protocol::keeper::{Call, Event, Failure, FailureCode, Message, Reply, Request, VERSION};

/// Connections at once; the oldest that is not in control goes first.
const MAX_CONNECTIONS: usize = 8;

/// Between two tries to let somebody in for whom there was no descriptor.
const DEAF_US: u64 = 200_000;

/// All connections.
#[derive(Debug)]
pub(super) struct Hosts {
    instance: InstanceId,
    pid: i32,
    pub(super) connections: BTreeMap<u64, Connection>,
    next: u64,
    controlling: Option<u64>,
    epoch: Option<u64>,
    /// Since when nobody is in control, by the host clock.
    absent_since_us: u64,
    /// Nobody is let in before: there was no descriptor for another connection.
    deaf_until_us: u64,
}

impl Hosts {
    pub(super) fn new(instance: InstanceId, pid: i32, now_us: u64) -> Self {
        let connections = BTreeMap::new();
        Self {
            instance,
            pid,
            connections,
            next: 1,
            controlling: None,
            epoch: None,
            absent_since_us: now_us,
            deaf_until_us: 0,
        }
    }

    /// When somebody is let in again, if that is not now.
    pub(super) fn deaf_until_us(&self, now_us: u64) -> Option<u64> {
        (now_us < self.deaf_until_us).then_some(self.deaf_until_us)
    }

    /// Since when nobody is in control.
    pub(super) fn absent_since_us(&self) -> Option<u64> {
        self.controlling.is_none().then_some(self.absent_since_us)
    }

    pub(super) fn accept(&mut self, listener: &UnixListener, now_us: u64) {
        let accepted = match listener.accept() {
            Ok((stream, _)) => Connection::new(stream),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
            Err(error) => {
                // The one who knocks still does, and would be heard again at once and for as long as this lasts.
                self.deaf_until_us = now_us.saturating_add(DEAF_US);
                return log::warn!("no connection accepted: {error}");
            }
        };
        match accepted {
            Err(lost) => log::warn!("connection refused: {lost}"),
            Ok(connection) => {
                if self.connections.len() >= MAX_CONNECTIONS
                    && let Some(oldest) = self
                        .connections
                        .keys()
                        .copied()
                        .find(|&id| Some(id) != self.controlling)
                {
                    self.close(oldest, &"too many of them", now_us);
                }
                self.connections.insert(self.next, connection);
                self.next += 1;
            }
        }
    }

    /// Reads a connection; gives the calls of the one in control.
    pub(super) fn read(&mut self, id: u64, now_us: u64) -> Vec<Call> {
        let Some(connection) = self.connections.get_mut(&id) else {
            return Vec::new();
        };
        let calls = match connection.read() {
            Ok(calls) => calls,
            Err(lost) => {
                self.close(id, &lost, now_us);
                return Vec::new();
            }
        };
        let mut of_control = Vec::new();
        for call in calls {
            if self.controlling == Some(id) {
                of_control.push(call);
            } else {
                self.greet(id, &call, now_us);
            }
        }
        of_control
    }

    fn greet(&mut self, id: u64, call: &Call, now_us: u64) {
        let refusal = match &call.request {
            Request::Hello { version, .. } if *version != VERSION => Failure::new(
                FailureCode::WrongVersion,
                format!("the keeper speaks version {VERSION}"),
            ),
            Request::Hello { instance, .. } if *instance != self.instance => {
                Failure::new(FailureCode::WrongInstance, "the keeper is another instance's")
            }
            Request::Hello { epoch, .. } if self.epoch.is_some_and(|latest| *epoch <= latest) => {
                Failure::new(FailureCode::StaleEpoch, "a later host was here")
            }
            Request::Hello { epoch, .. } => {
                if let Some(earlier) = self.controlling.take() {
                    self.close(earlier, &"a later host came", now_us);
                }
                log::info!("epoch={epoch} host connected");
                self.epoch = Some(*epoch);
                self.controlling = Some(id);
                return self.reply(id, call.id, Ok(Reply::Welcome { pid: self.pid }), now_us);
            }
            _ => Failure::new(FailureCode::HelloFirst, "say hello first"),
        };
        log::warn!("connection refused: {refusal}");
        if let Some(connection) = self.connections.get_mut(&id) {
            connection.closing = true;
        }
        self.reply(id, call.id, Err(refusal), now_us);
    }

    /// Answers a call, if who asked is still there.
    pub(super) fn reply(&mut self, to: u64, id: u64, result: Result<Reply, Failure>, now_us: u64) {
        self.send(to, &Message::Reply { id, result }, now_us);
    }

    /// Tells the host in control, if there is one; another learns the state by asking for it.
    pub(super) fn tell(&mut self, event: Event, now_us: u64) {
        if let Some(id) = self.controlling {
            self.send(id, &Message::Event(event), now_us);
        }
    }

    fn send(&mut self, to: u64, message: &Message, now_us: u64) {
        if let Some(connection) = self.connections.get_mut(&to)
            && let Err(lost) = connection.send(message)
        {
            self.close(to, &lost, now_us);
        }
    }

    pub(super) fn flush(&mut self, id: u64, now_us: u64) {
        if let Some(Err(lost)) = self.connections.get_mut(&id).map(Connection::flush) {
            self.close(id, &lost, now_us);
        }
    }

    fn close(&mut self, id: u64, why: &dyn std::fmt::Display, now_us: u64) {
        self.connections.remove(&id);
        if self.controlling == Some(id) {
            log::info!("host lost: {why}");
            self.controlling = None;
            self.absent_since_us = now_us;
        }
    }
}
