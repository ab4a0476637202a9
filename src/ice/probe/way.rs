//! How bytes get to a server and back.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::error::ProbeError;
use super::trust::Trust;
use crate::config::{IceTransport, IceUrl};

/// From the first packet to a connection that can be used.
pub(super) const CONNECT_WITHIN: Duration = Duration::from_secs(3);
/// The longest message: a STUN header and its 16 bits of length.
const MAX_MESSAGE: usize = 20 + u16::MAX as usize;
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;

/// A stream of bytes in both directions.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

enum Kind {
    Datagrams(UdpSocket),
    /// The socket beneath is kept for its deadlines.
    Stream(Box<dyn Stream>, TcpStream),
}

/// A way to one server.
pub(super) struct Way {
    kind: Kind,
    pub(super) server: SocketAddr,
    /// What came so far of the next message.
    partial: Vec<u8>,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// The addresses of a server.
///
/// # Errors
/// [`ProbeError::Unresolved`].
pub(super) fn addresses(url: &IceUrl) -> Result<Vec<SocketAddr>, ProbeError> {
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let mut all: Vec<SocketAddr> = found.map(Iterator::collect).unwrap_or_default();
    all.sort_by_key(SocketAddr::is_ipv6);
    all.dedup();
    all.truncate(MAX_ADDRESSES);
    if all.is_empty() {
        return Err(ProbeError::Unresolved(url.host.clone()));
    }
    Ok(all)
}

impl Way {
    /// Opens a way to `server`, one of the addresses of `url`.
    ///
    /// # Errors
    /// Nothing listens, nothing answers, or its certificate is not believed.
    pub(super) fn open(url: &IceUrl, server: SocketAddr, trust: &Trust) -> Result<Self, ProbeError> {
        let network = |error| ProbeError::network(error, CONNECT_WITHIN.as_secs());
        if url.transport == IceTransport::Udp {
            let any: SocketAddr = if server.is_ipv4() {
                ([0, 0, 0, 0], 0).into()
            } else {
                ([0u16; 8], 0).into()
            };
            let socket = UdpSocket::bind(any).map_err(network)?;
            socket.connect(server).map_err(network)?;
            return Ok(Self::new(Kind::Datagrams(socket), server));
        }
        let socket = TcpStream::connect_timeout(&server, CONNECT_WITHIN).map_err(network)?;
        socket.set_nodelay(true).map_err(network)?;
        let stream: Box<dyn Stream> = if url.way() == "tls" {
            Box::new(handshake(url, &socket, trust)?)
        } else {
            Box::new(socket.try_clone().map_err(network)?)
        };
        Ok(Self::new(Kind::Stream(stream, socket), server))
    }

    const fn new(kind: Kind, server: SocketAddr) -> Self {
        Self {
            kind,
            server,
            partial: Vec::new(),
        }
    }

    /// Whether messages may be lost, so that they have to be sent again.
    pub(super) const fn is_lossy(&self) -> bool {
        matches!(self.kind, Kind::Datagrams(_))
    }

    /// Sends one message.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match &mut self.kind {
            Kind::Datagrams(socket) => socket.send(message).map(|_| ()),
            Kind::Stream(stream, socket) => {
                socket.set_write_timeout(Some(CONNECT_WITHIN))?;
                stream.write_all(message)?;
                stream.flush()
            }
        }
    }

    /// Waits for the next message, until `deadline`.
    pub(super) fn receive(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        loop {
            if let Kind::Stream(..) = self.kind
                && let Some(message) = self.whole()?
            {
                return Ok(message);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            match &mut self.kind {
                Kind::Datagrams(socket) => {
                    socket.set_read_timeout(Some(left))?;
                    let mut buffer = vec![0; MAX_MESSAGE];
                    let length = socket.recv(&mut buffer)?;
                    buffer.truncate(length);
                    return Ok(buffer);
                }
                Kind::Stream(stream, socket) => {
                    socket.set_read_timeout(Some(left))?;
                    let mut buffer = [0; 4096];
                    let length = stream.read(&mut buffer)?;
                    if length == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    self.partial.extend_from_slice(&buffer[..length]);
                }
            }
        }
    }

    /// The next message of a stream, once all of it is there: STUN says its length (RFC 8489, section 5).
    fn whole(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.partial.len() < 20 {
            return Ok(None);
        }
        // Channels are never bound here, so that everything is STUN, and begins with two zero bits.
        if self.partial[0] & 0xc0 != 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let length = 20 + usize::from(u16::from_be_bytes([self.partial[2], self.partial[3]]));
        if self.partial.len() < length {
            return Ok(None);
        }
        Ok(Some(self.partial.drain(..length).collect()))
    }
}

fn handshake(
    url: &IceUrl,
    socket: &TcpStream,
    trust: &Trust,
) -> Result<StreamOwned<ClientConnection, TcpStream>, ProbeError> {
    let network = |error| ProbeError::network(error, CONNECT_WITHIN.as_secs());
    let name = ServerName::try_from(url.host.clone()).map_err(|_| ProbeError::Unresolved(url.host.clone()))?;
    let tls = |error: rustls::Error| match error {
        rustls::Error::InvalidCertificate(why) => ProbeError::Untrusted(format!("{why:?}")),
        error => ProbeError::Tls(error.to_string()),
    };
    let connection = ClientConnection::new(Arc::clone(&trust.0), name).map_err(tls)?;
    let socket = socket.try_clone().map_err(network)?;
    let mut stream = StreamOwned::new(connection, socket);
    let deadline = Instant::now() + CONNECT_WITHIN;
    while stream.conn.is_handshaking() {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ProbeError::NoAnswer(CONNECT_WITHIN.as_secs()));
        }
        stream.sock.set_read_timeout(Some(left)).map_err(network)?;
        stream.sock.set_write_timeout(Some(left)).map_err(network)?;
        if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
            return Err(match error.downcast::<rustls::Error>() {
                Ok(error) => tls(error),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    ProbeError::Tls("it closes the connection".to_owned())
                }
                Err(error) => network(error),
            });
        }
    }
    Ok(stream)
}
