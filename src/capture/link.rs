//! The host's side of the capture process: one connection at a time, a new one replaces the old.

use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::thread;

use bytes::BytesMut;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, getsockopt, recv, sockopt};

use super::outbox::Outbox;
use crate::protocol::capture::{CaptureProtocolError, HostMessage, VERSION, split_frame};
use crate::x11::Wake;

/// Messages of the host are a few bytes long: one that claims more is refused by what it leaves unread here.
const READ: usize = 4096;

/// Why the host's connection ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    /// It was closed or reset.
    #[error("the host is gone")]
    Closed,
    /// What came is not of this protocol.
    #[error("the host sent rubbish: {0}")]
    Protocol(#[from] CaptureProtocolError),
}

/// A connected host.
#[derive(Debug)]
pub(super) struct Link {
    socket: UnixStream,
    buffer: BytesMut,
    greeted: bool,
    /// Where to put what the host is to get.
    pub(super) outbox: Arc<Outbox>,
}

impl Link {
    /// Takes the newest waiting connection, if there is one, and starts its writer. An error: one waits still, and cannot
    /// be taken now.
    pub(super) fn accept(listener: &UnixListener, allowed_uid: u32, wake: &Arc<Wake>) -> std::io::Result<Option<Self>> {
        let mut newest = None;
        // The listener does not block: this ends when no connection waits.
        let socket = loop {
            match listener.accept() {
                Ok((socket, _)) => newest = Some(socket),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() != std::io::ErrorKind::WouldBlock && newest.is_none() => return Err(error),
                Err(_) => match newest {
                    Some(socket) => break socket,
                    None => return Ok(None),
                },
            }
        };
        Ok(Self::of(socket, allowed_uid, wake))
    }

    fn of(socket: UnixStream, allowed_uid: u32, wake: &Arc<Wake>) -> Option<Self> {
        match getsockopt(&socket, sockopt::PeerCredentials) {
            Ok(peer) if peer.uid() == 0 || peer.uid() == allowed_uid => {}
            other => {
                log::warn!("refused a connection of {:?}", other.map(|peer| peer.uid()));
                return None;
            }
        }
        let outbox = Arc::new(Outbox::new(Arc::clone(wake)));
        // Blocking, for the writer; reads here do not wait by a flag of their own.
        let writer = socket
            .set_nonblocking(false)
            .and_then(|()| socket.try_clone())
            .and_then(|socket| {
                let outbox = Arc::clone(&outbox);
                thread::Builder::new()
                    .name("host-writer".into())
                    .spawn(move || outbox.write_to(&socket))
            });
        if let Err(error) = writer {
            log::warn!("cannot serve a host: {error}");
            return None;
        }
        Some(Self {
            socket,
            buffer: BytesMut::new(),
            greeted: false,
            outbox,
        })
    }

    /// What to poll for messages.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Reads what has come, without waiting.
    pub(super) fn read(&mut self) -> Result<Vec<HostMessage>, LinkEnd> {
        let mut chunk = [0; READ];
        match recv(self.socket.as_raw_fd(), &mut chunk, MsgFlags::MSG_DONTWAIT) {
            Ok(0) => return Err(LinkEnd::Closed),
            Ok(n) => self.buffer.extend_from_slice(&chunk[..n]),
            Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(_) => return Err(LinkEnd::Closed),
        }
        let mut messages = Vec::new();
        while let Some((kind, body)) = split_frame(&mut self.buffer)? {
            let message = HostMessage::decode(kind, body)?;
            if let HostMessage::Hello { version } = message {
                if version != VERSION {
                    return Err(CaptureProtocolError::Version(version).into());
                }
                self.greeted = true;
            } else if !self.greeted {
                return Err(CaptureProtocolError::UnknownType(kind).into());
            }
            messages.push(message);
        }
        if self.buffer.len() > READ {
            return Err(CaptureProtocolError::BadLength(self.buffer.len()).into());
        }
        Ok(messages)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.outbox.close();
        // Also ends a writer that waits for a host that does not read.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}
