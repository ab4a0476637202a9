//! The sockets of a connection, which send flights of its handshake again (see [`handshake`](super::handshake)), and give the
//! crate checks of the browser once more (see [`nomination`](super::nomination)).

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout};
use webrtc::runtime::{
    AsyncInterval, AsyncTcpListener, AsyncTcpStream, AsyncUdpSocket, JoinHandle, RecvMeta, Runtime, TokioRuntime,
    Transmit,
};

use super::handshake::Flights;
use super::nomination::Nominations;

/// For the system to take a datagram: after that it is sent again anyway.
const SENT_WITHIN: Duration = Duration::from_millis(100);

/// Tokio's, with such sockets.
#[derive(Debug)]
pub(super) struct Sockets;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

impl Runtime for Sockets {
    fn spawn(&self, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn(future)
    }

    fn spawn_reactor(&self, size: usize, future: Boxed<'static, ()>) -> Box<dyn JoinHandle> {
        TokioRuntime.spawn_reactor(size, future)
    }

    fn wrap_udp_socket(&self, socket: std::net::UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        let shared = Arc::new(Shared {
            over: AtomicBool::new(false),
            flights: Mutex::new(Flights::new()),
            nominations: Mutex::new(Nominations::default()),
            changed: Notify::new(),
        });
        let inner = TokioRuntime.wrap_udp_socket(socket)?;
        tokio::spawn(repeat(Arc::clone(&inner), Arc::clone(&shared)));
        Ok(Arc::new(Socket { inner, shared }))
    }

    fn wrap_tcp_listener(&self, listener: std::net::TcpListener) -> io::Result<Arc<dyn AsyncTcpListener>> {
        TokioRuntime.wrap_tcp_listener(listener)
    }

    fn connect_tcp(&self, to: SocketAddr) -> Boxed<'_, io::Result<Arc<dyn AsyncTcpStream>>> {
        // It borrows a runtime that has nothing to be borrowed.
        Box::pin(async move { TokioRuntime.connect_tcp(to).await })
    }

    fn resolve_host<'a>(&'a self, host: &'a str) -> Boxed<'a, io::Result<Vec<SocketAddr>>> {
        Box::pin(async move { TokioRuntime.resolve_host(host).await })
    }

    fn sleep(&self, duration: Duration) -> Boxed<'static, ()> {
        TokioRuntime.sleep(duration)
    }

    fn interval(&self, period: Duration) -> Box<dyn AsyncInterval> {
        TokioRuntime.interval(period)
    }

    fn block_on(&self, future: Pin<Box<dyn Future<Output = ()> + '_>>) {
        TokioRuntime.block_on(future);
    }

    fn yield_now(&self) -> Boxed<'static, ()> {
        TokioRuntime.yield_now()
    }

    fn name(&self) -> &'static str {
        TokioRuntime.name()
    }
}

#[derive(Debug)]
struct Shared {
    /// The handshake is, which is asked for each packet.
    over: AtomicBool,
    flights: Mutex<Flights>,
    nominations: Mutex<Nominations>,
    changed: Notify,
}

impl Shared {
    fn over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn nominations(&self) -> MutexGuard<'_, Nominations> {
        self.nominations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Flights)) {
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        let before = flights.due();
        change(&mut flights);
        if flights.done() {
            self.over.store(true, Ordering::Relaxed);
        }
        if flights.done() || flights.due() != before {
            self.changed.notify_one();
        }
    }
}

/// Sends flights again until the handshake is over, or the socket is gone.
async fn repeat(socket: Arc<dyn AsyncUdpSocket>, shared: Arc<Shared>) {
    while !shared.over() {
        let due = shared.flights.lock().unwrap_or_else(PoisonError::into_inner).due();
        tokio::select! {
            () = shared.changed.notified() => {}
            () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                let mut again = Vec::new();
                shared.change(|flights| again = flights.again(Instant::now()));
                for datagram in again {
                    // What cannot leave now is sent again later.
                    let _ = timeout(SENT_WITHIN, socket.send_to(&datagram.bytes, datagram.to)).await;
                }
            }
        }
    }
}

#[derive(Debug)]
struct Socket {
    inner: Arc<dyn AsyncUdpSocket>,
    shared: Arc<Shared>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.shared.change(Flights::finish);
    }
}

impl AsyncUdpSocket for Socket {
    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }

    fn poll_send(&self, cx: &mut Context<'_>, transmit: &Transmit<'_>) -> Poll<io::Result<usize>> {
        let sent = self.inner.poll_send(cx, transmit);
        if !self.shared.over() && matches!(sent, Poll::Ready(Ok(_))) {
            let one = transmit.segment_size.unwrap_or(transmit.contents.len()).max(1);
            self.shared.change(|flights| {
                let now = Instant::now();
                for datagram in transmit.contents.chunks(one) {
                    flights.leaves(transmit.destination, datagram, now);
                }
            });
        }
        sent
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        if !self.shared.over()
            && let Some(again) = self.shared.nominations().again()
            && let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut())
            && let Some(room) = buf.get_mut(..again.bytes.len())
        {
            room.copy_from_slice(&again.bytes);
            *meta = RecvMeta::default();
            (meta.addr, meta.len, meta.stride) = (again.from, again.bytes.len(), again.bytes.len());
            return Poll::Ready(Ok(1));
        }
        let came = self.inner.poll_recv(cx, bufs, meta);
        if let Poll::Ready(Ok(count)) = came
            && !self.shared.over()
        {
            self.shared.change(|flights| {
                let now = Instant::now();
                for (buf, meta) in bufs.iter().zip(meta.iter()).take(count) {
                    for datagram in buf.get(..meta.len).unwrap_or_default().chunks(meta.stride.max(1)) {
                        flights.comes(datagram, now);
                        self.shared.nominations().comes(meta.addr, datagram);
                    }
                }
            });
        }
        came
    }

    fn max_gso_segments(&self) -> usize {
        self.inner.max_gso_segments()
    }

    fn max_gro_segments(&self) -> usize {
        self.inner.max_gro_segments()
    }
}
