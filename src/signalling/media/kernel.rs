//! What the kernel knows of one connection, and how fast it sends on it.
//!
//! TCP finds a line's rate by filling its queue, which takes what is sent a long time and loses some of it where the queue is
//! short. What the page has taken tells the rate before: the kernel is to send no faster (`SO_MAX_PACING_RATE`, with any
//! congestion control). Where a proxy stands between, it is the way to the proxy that is paced, which comes to the same.
//!
//! A page that is slow to take what has come looks like a line with a queue. The kernel tells them apart (`TCP_INFO`), since the
//! browser's answers: where nothing waits by its word, nothing does. Behind a proxy it knows only the way to that.

use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::rc::{Rc, Weak};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::{setsockopt_impl, sockopt_impl};
use socket2::Socket;

sockopt_impl!(
    /// Bytes a second.
    MaxPacingRate,
    SetOnly,
    libc::SOL_SOCKET,
    libc::SO_MAX_PACING_RATE,
    u32
);

/// What the kernel takes for no limit.
const UNLIMITED: u32 = u32::MAX;
/// Changes by less than one of so many parts are not told.
const PARTS: u32 = 20;

/// The kernel's side of one connection, without holding it open.
#[derive(Debug, Default)]
pub struct Kernel {
    socket: Weak<Socket>,
    /// It leads to the browser.
    direct: bool,
    pace_kbps: Option<u32>,
}

impl Kernel {
    /// That of this connection; `direct`: there is no proxy between.
    #[must_use]
    pub fn of(socket: &Rc<Socket>, direct: bool) -> Self {
        Self {
            socket: Rc::downgrade(socket),
            direct,
            pace_kbps: None,
        }
    }

    /// That of a connection that nobody knows.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// It sends no faster than so many kbit/s, or as it likes.
    pub(super) fn pace(&mut self, kbps: Option<u32>) {
        let same = match (self.pace_kbps, kbps) {
            (None, None) => true,
            (Some(before), Some(now)) => before.abs_diff(now) <= before / PARTS,
            _ => false,
        };
        let Some(socket) = self.socket.upgrade().filter(|_| !same) else {
            return;
        };
        let bytes = kbps.map_or(UNLIMITED, |kbps| kbps.saturating_mul(125));
        if let Err(error) = setsockopt(&*socket, MaxPacingRate, &bytes) {
            log::debug!("a connection cannot be paced: {error}");
        }
        self.pace_kbps = kbps;
    }

    /// How long what is sent waits on its way, beyond what the way takes when it is empty; `None` where that is not known.
    pub(super) fn queue(&self) -> Option<Duration> {
        let socket = self.socket.upgrade().filter(|_| self.direct)?;
        let info = info(&socket)?;
        let on_the_way = info.rtt.saturating_sub(info.min_rtt);
        // At most 2^32 bytes, at no less than one a second.
        let unsent = u64::from(info.notsent_bytes) * 1_000_000 / info.pacing_rate.max(1);
        Some(Duration::from_micros(u64::from(on_the_way).saturating_add(unsent)))
    }
}

/// The first part of `struct tcp_info` (linux/tcp.h), whose fields stay where they are; times in µs. libc's own ends before.
#[repr(C)]
#[derive(Clone, Copy, Default)]
struct TcpInfo {
    bytes: [u8; 8],
    /// From `rto` to `rcv_ssthresh`.
    words: [u32; 15],
    rtt: u32,
    /// From `rttvar` to `total_retrans`.
    more_words: [u32; 8],
    pacing_rate: u64,
    /// From `max_pacing_rate` to `bytes_received`.
    long_words: [u64; 3],
    segments: [u32; 2],
    notsent_bytes: u32,
    min_rtt: u32,
}

/// What the kernel tells; `None` from one that knows less, before Linux 4.9, and of what is no TCP.
fn info(socket: &Socket) -> Option<TcpInfo> {
    let mut info = TcpInfo::default();
    let mut length = libc::socklen_t::try_from(size_of::<TcpInfo>()).ok()?;
    // SAFETY: `info` is plain numbers, and `length` its size, which the kernel writes no more than.
    let got = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut info).cast(),
            &raw mut length,
        )
    };
    let whole = usize::try_from(length).is_ok_and(|length| length == size_of::<TcpInfo>());
    (got == 0 && whole).then_some(info)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use std::time::Instant;

    use socket2::{Domain, Type};

    use super::*;

    sockopt_impl!(MaxSegment, SetOnly, libc::IPPROTO_TCP, libc::TCP_MAXSEG, u32);

    /// Both ends of a connection over loopback, with packets as of a network: the first ten are never paced.
    fn connection() -> (Rc<Socket>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        setsockopt(&ours, MaxSegment, &1400).unwrap();
        ours.connect(&listener.local_addr().unwrap().into()).unwrap();
        let (theirs, _) = listener.accept().unwrap();
        (Rc::new(ours), theirs)
    }

    /// How long so many bytes take over loopback, at this pace.
    fn takes(bytes: usize, kbps: Option<u32>) -> Duration {
        let (socket, mut theirs) = connection();
        let mut kernel = Kernel::of(&socket, true);
        kernel.pace(Some(300));
        kernel.pace(kbps);
        let begun = Instant::now();
        let reader = std::thread::spawn(move || theirs.read_exact(&mut vec![0; bytes]).map(|()| Instant::now()));
        (&*socket).write_all(&vec![7; bytes]).unwrap();
        reader.join().unwrap().unwrap() - begun
    }

    #[test]
    fn the_kernel_sends_no_faster_than_it_is_told_and_as_it_likes_again() {
        // 200 kB are 1.6 s of 1 Mbit/s; the first packets go at once.
        let paced = takes(200_000, Some(1000));
        assert!(paced > Duration::from_millis(800), "{paced:?}");
        let free = takes(200_000, None);
        assert!(free < paced / 2, "{free:?}, paced {paced:?}");
    }

    #[test]
    fn what_waits_is_known_where_nothing_is_between() {
        let (socket, _theirs) = connection();
        let mut kernel = Kernel::of(&socket, true);
        let empty = kernel.queue();
        assert!(
            empty.is_some_and(|queue| queue < Duration::from_millis(50)),
            "{empty:?}"
        );
        kernel.pace(Some(1000));
        socket.set_nonblocking(true).unwrap();
        let _ = (&*socket).write(&vec![7; 400_000]).unwrap();
        let queue = kernel.queue();
        assert!(
            queue.is_some_and(|queue| queue > Duration::from_millis(100)),
            "{queue:?}"
        );
        assert_eq!(Kernel::of(&socket, false).queue(), None, "that would be the proxy's");
    }

    #[test]
    fn of_a_connection_that_is_gone_nothing_is_known() {
        let (socket, _theirs) = connection();
        let mut kernel = Kernel::of(&socket, true);
        drop(socket);
        kernel.pace(Some(500));
        assert_eq!((kernel.pace_kbps, kernel.queue()), (None, None));
        assert_eq!(Kernel::unknown().queue(), None);
    }
}
