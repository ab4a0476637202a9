//! One connection of a host: framed messages in and out, never blocking.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::geteuid;

use crate::protocol::keeper::{Call, Decoder, FrameError, Message, encode};

/// More than a host that reads ever lets pile up.
const MAX_UNSENT: usize = 4 << 20;

/// Why a connection is of no more use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Lost {
    #[error("closed by the host")]
    Closed,
    #[error("the host does not read")]
    Unread,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("it belongs to user {0}")]
    Foreign(u32),
}

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    stream: UnixStream,
    decoder: Decoder,
    // overflow: at MAX_UNSENT the connection is given up.
    unsent: Vec<u8>,
    /// Close once everything is sent.
    pub(super) closing: bool,
}

impl Connection {
    /// Takes an accepted stream of this user or of root.
    pub(super) fn new(stream: UnixStream) -> Result<Self, Lost> {
        let peer = getsockopt(&stream, PeerCredentials).map_err(io::Error::from)?;
        if peer.uid() != 0 && peer.uid() != geteuid().as_raw() {
            return Err(Lost::Foreign(peer.uid()));
        }
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            decoder: Decoder::default(),
            unsent: Vec::new(),
            closing: false,
        })
    }

    /// Reads once and gives the calls that are now whole.
    pub(super) fn read(&mut self) -> Result<Vec<Call>, Lost> {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => return Err(Lost::Closed),
            Ok(count) => self.decoder.push(&buffer[..count]),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error.into()),
        }
        let mut calls = Vec::new();
        while let Some(call) = self.decoder.take()? {
            calls.push(call);
        }
        Ok(calls)
    }

    /// Sends a message, now or when the host reads on.
    pub(super) fn send(&mut self, message: &Message) -> Result<(), Lost> {
        self.unsent.extend(encode(message)?);
        if self.unsent.len() > MAX_UNSENT {
            return Err(Lost::Unread);
        }
        self.flush()
    }

    /// Sends what can be sent.
    pub(super) fn flush(&mut self) -> Result<(), Lost> {
        while !self.unsent.is_empty() {
            match self.stream.write(&self.unsent) {
                Ok(0) => return Err(Lost::Closed),
                Ok(count) => drop(self.unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        if self.closing { Err(Lost::Closed) } else { Ok(()) }
    }

    /// Something waits for the host to read.
    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
