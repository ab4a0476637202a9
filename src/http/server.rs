//! The listening socket and the server on it.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_cors::Cors;
use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::dev::{Extensions, Server};
use actix_web::http::header::{CONTENT_TYPE, RETRY_AFTER};
use actix_web::middleware::{Condition, from_fn};
use actix_web::rt::net::TcpStream;
use actix_web::{App, HttpServer, web};
use nix::sys::resource::{Resource, getrlimit};
use socket2::{Domain, SockRef, Socket, Type};

use super::carrying::carry_through;
use super::guard::check_origin;
use super::idle::Connection;
use super::limits::limit_requests;
use super::routes::routes;
use super::transport::transport;
use super::{Api, OriginPolicy, Transport};
use crate::tls::Tls;

/// Threads that parse requests and carry sockets.
const WORKERS: usize = 2;
/// Connections at once and worker, where the host may have files enough.
const MAX_CONNECTIONS: usize = 8192;
/// Each connection has two descriptors, one of them for who watches it: half of all are for connections, so that however
/// many come, there are some left for instances and peers.
const FILES_FOR_A_CONNECTION: usize = 4;
/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;
/// From the connection to the end of the TLS handshake.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(5);
/// From the connection (with TLS, from the handshake's end) to the whole head of the first request.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);
/// A client that acknowledges nothing for this long is gone.
const USER_TIMEOUT: Duration = Duration::from_secs(20);

/// Why the pages cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// Somebody else listens there.
    #[error("{0} is in use by another program; choose another address with --listen")]
    InUse(SocketAddr),
    /// The address is not to be had.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl ServerError {
    /// The stable word.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::InUse(_) => "port_in_use",
            Self::Listen { .. } => "cannot_listen",
        }
    }
}

/// Takes the address. The listener is the program's, so that it survives restarts of the server on it.
///
/// # Errors
/// [`ServerError`].
pub fn bind(address: SocketAddr) -> Result<TcpListener, ServerError> {
    let listen = || -> std::io::Result<TcpListener> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Ok(socket.into())
    };
    listen().map_err(|source| match source.kind() {
        std::io::ErrorKind::AddrInUse => ServerError::InUse(address),
        _ => ServerError::Listen { address, source },
    })
}

/// Lets pages of the configured origins load the viewer's modules and use the REST interface with the browser's cookies
/// (Fetch, section 3.2 "CORS protocol"). Whoever else asks gets no permission, and [`check_origin`] has the last word.
fn embedding(policy: &OriginPolicy) -> Cors {
    policy
        .origins
        .iter()
        .fold(Cors::default(), |cors, origin| cors.allowed_origin(origin))
        .allowed_methods(["GET", "POST", "DELETE"])
        .allowed_header(CONTENT_TYPE)
        .expose_headers([RETRY_AFTER])
        .supports_credentials()
        .block_on_origin_mismatch(false)
        .max_age(600)
}

/// How the pages are reached, for every server on the listener.
#[derive(Clone, Debug)]
pub struct Front {
    /// Under which names, and from whose pages.
    pub origins: OriginPolicy,
    /// Through what.
    pub transport: Transport,
    /// With which certificate; `None`: not encrypted.
    pub tls: Option<Arc<Tls>>,
}

/// How many files this process may have open.
fn open_files() -> usize {
    let files = getrlimit(Resource::RLIMIT_NOFILE).map(|(now, _)| now);
    files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX))
}

/// Connections at once and worker, of so many open files.
fn connections_of_worker(files: usize) -> usize {
    (files / FILES_FOR_A_CONNECTION / WORKERS).clamp(1, MAX_CONNECTIONS)
}

/// Starts a server on the listener. With TLS it speaks HTTP/1.1 like without: WebSockets need it, and HTTP/2 would let one
/// connection have any number of requests under way.
///
/// # Errors
/// When its threads cannot be started.
pub fn serve(listener: &TcpListener, api: Api, front: &Front) -> std::io::Result<Server> {
    let (api, policy) = (web::Data::new(api), web::Data::new(front.origins.clone()));
    let way = web::Data::new(front.transport.clone());
    let connections = connections_of_worker(open_files());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(api.clone())
            .app_data(policy.clone())
            .app_data(way.clone())
            .wrap(from_fn(carry_through))
            .wrap(from_fn(check_origin))
            .wrap(Condition::new(!policy.origins.is_empty(), embedding(&policy)))
            .wrap(from_fn(limit_requests))
            .wrap(from_fn(transport))
            .configure(routes)
    })
    .workers(WORKERS)
    .max_connections(connections)
    // Handshakes that hang take places of connections, and no more.
    .max_connection_rate(connections)
    .tls_handshake_timeout(HANDSHAKE_DEADLINE)
    .client_request_timeout(REQUEST_DEADLINE)
    .shutdown_timeout(2)
    .disable_signals()
    .on_connect(prepare);
    let listener = listener.try_clone()?;
    let server = match &front.tls {
        None => server.listen(listener)?,
        Some(tls) => {
            let config = tls.server_config().map_err(std::io::Error::other)?;
            server.listen_rustls_0_23(listener, config)?
        }
    };
    Ok(server.run())
}

/// Sets what the socket of a new connection needs, and has it watched.
fn prepare(connection: &dyn Any, data: &mut Extensions) {
    let plain = connection.downcast_ref::<TcpStream>();
    let encrypted = || {
        connection
            .downcast_ref::<TlsStream<TcpStream>>()
            .map(|tls| tls.get_ref().0)
    };
    if let Some(stream) = plain.or_else(encrypted) {
        let socket = SockRef::from(stream);
        let _ = socket.set_tcp_user_timeout(Some(USER_TIMEOUT));
        let _ = socket.set_tcp_nodelay(true);
        if let Some(watched) = Connection::watched(socket) {
            data.insert(watched);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_half_of_the_files_to_everything_else() {
        for files in [256, 1024, 4096, 20_000, 32_768, 65_536, 1_048_576, usize::MAX] {
            let connections = connections_of_worker(files) * WORKERS;
            assert!(connections * 2 <= files / 2, "{connections} of {files}");
        }
        assert_eq!(connections_of_worker(20_000), 2500);
        assert_eq!(connections_of_worker(usize::MAX), MAX_CONNECTIONS);
        assert_eq!(connections_of_worker(0), 1, "a host that answers nobody is none");
    }
}
