//! Connections to a display that can neither hang at set-up nor hold on to a thread for ever.

use std::fmt;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{Screen, Window};
use x11rb::rust_connection::{DefaultStream, RustConnection};

use super::auth::{COOKIE_NAME, read_cookie};
use super::{X11Error, lock};

/// How often a connect is tried again while the X server's backlog is full.
const RETRY: Duration = Duration::from_millis(10);

/// Where a display is and what opens it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisplayAddress {
    /// The display's number: 7 is `:7`.
    pub number: u32,
    /// Its authority file; `None` for a display that lets everyone in.
    pub authority: Option<PathBuf>,
}

impl DisplayAddress {
    fn socket(&self) -> PathBuf {
        PathBuf::from(format!("/tmp/.X11-unix/X{}", self.number))
    }
}

impl fmt::Display for DisplayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ":{}", self.number)
    }
}

/// A living connection to a display.
pub(super) struct Display {
    pub(super) x: RustConnection,
    screen: usize,
    aborter: Aborter,
}

impl fmt::Debug for Display {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Display")
            .field("screen", &self.screen)
            .finish_non_exhaustive()
    }
}

/// Ends a connection from any thread: whoever waits in it gets [`X11Error::DisplayLost`].
#[derive(Debug)]
pub struct Aborter {
    // A second descriptor of the same socket: closing the first one would not wake a thread that polls it.
    socket: UnixStream,
}

impl Aborter {
    /// Ends the connection. May be called again.
    pub fn abort(&self) {
        // Fails only when the connection is gone already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn try_clone(&self) -> Result<Self, X11Error> {
        let socket = self
            .socket
            .try_clone()
            .map_err(X11Error::io("duplicate the display's socket"))?;
        Ok(Self { socket })
    }

    /// Runs `work`; if it takes until `until`, aborts the connection, so that it ends in any case.
    fn limit<T>(&self, until: Instant, work: impl FnOnce() -> Result<T, X11Error>) -> Result<T, X11Error> {
        let aborter = self.try_clone()?;
        // overflow: holds nothing, its end being dropped is the message.
        let (done, waiting) = mpsc::sync_channel::<()>(1);
        let guard = thread::Builder::new()
            .name("x-deadline".into())
            .spawn(move || {
                let rest = until.saturating_duration_since(Instant::now());
                let late = waiting.recv_timeout(rest) == Err(mpsc::RecvTimeoutError::Timeout);
                if late {
                    aborter.abort();
                }
                late
            })
            .map_err(X11Error::io("start the deadline's thread"))?;
        let result = work();
        drop(done);
        // Ends at once: either its time has come or its channel is closed.
        let late = guard.join().unwrap_or(false);
        if late && result.is_err() {
            Err(X11Error::Deadline)
        } else {
            result
        }
    }
}

impl Display {
    /// Connects within `deadline`.
    ///
    /// # Errors
    /// No such display, a refused cookie, or too late.
    pub(super) fn connect(address: &DisplayAddress, deadline: Duration) -> Result<Self, X11Error> {
        let until = Instant::now() + deadline;
        let cookie = address
            .authority
            .as_ref()
            .map(|path| read_cookie(path, address.number))
            .transpose()?;
        let stream = open(address, until)?;
        let aborter = Aborter {
            socket: stream
                .try_clone()
                .map_err(X11Error::io("duplicate the display's socket"))?,
        };
        let (name, data) = cookie.map_or((Vec::new(), Vec::new()), |cookie| (COOKIE_NAME.to_vec(), cookie));
        let (stream, _) =
            DefaultStream::from_unix_stream(stream).map_err(X11Error::io("prepare the display's socket"))?;
        let x = aborter.limit(until, || {
            Ok(RustConnection::connect_to_stream_with_auth_info(stream, 0, name, data)?)
        })?;
        Ok(Self { x, screen: 0, aborter })
    }

    pub(super) fn screen(&self) -> &Screen {
        // connect() checked that the screen exists.
        &self.x.setup().roots[self.screen]
    }

    pub(super) fn root(&self) -> Window {
        self.screen().root
    }

    /// What to poll for events. Drain `poll_for_event` first: replies bring events along.
    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.x.stream().as_fd()
    }

    pub(super) fn aborter(&self) -> Result<Aborter, X11Error> {
        self.aborter.try_clone()
    }

    /// Runs `work` on this connection and aborts the connection if it takes longer than `deadline`.
    pub(super) fn within<T>(
        &self,
        deadline: Duration,
        work: impl FnOnce(&Self) -> Result<T, X11Error>,
    ) -> Result<T, X11Error> {
        self.aborter.limit(Instant::now() + deadline, || work(self))
    }
}

/// Connects the socket. A non-blocking connect of a Unix socket succeeds or fails at once, except when the backlog is
/// full: then it is tried again until the time is over.
fn open(address: &DisplayAddress, until: Instant) -> Result<UnixStream, X11Error> {
    let path = UnixAddr::new(&address.socket()).map_err(|e| X11Error::Io {
        what: "name the socket",
        source: e.into(),
    })?;
    loop {
        let fd = socket(
            AddressFamily::Unix,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            None,
        )
        .map_err(|e| X11Error::Io {
            what: "make a socket",
            source: e.into(),
        })?;
        let Err(error) = connect(std::os::fd::AsRawFd::as_raw_fd(&fd), &path) else {
            return Ok(fd.into());
        };
        let error = std::io::Error::from(error);
        if error.kind() != ErrorKind::WouldBlock {
            log::debug!("display={address} cannot connect: {error}");
            return Err(X11Error::DisplayLost);
        }
        if Instant::now() + RETRY > until {
            return Err(X11Error::Deadline);
        }
        thread::sleep(RETRY);
    }
}

/// Says whether anything answers as an X server at `address` within `deadline`.
///
/// # Errors
/// Why not.
pub fn check_display(address: &DisplayAddress, deadline: Duration) -> Result<(), X11Error> {
    Display::connect(address, deadline).map(drop)
}

/// Ends one connection from another thread, before or after it exists.
#[derive(Debug, Default)]
pub struct Cancel {
    inner: std::sync::Mutex<CancelState>,
}

#[derive(Debug, Default)]
struct CancelState {
    cancelled: bool,
    aborter: Option<Aborter>,
}

impl Cancel {
    /// Ends the connection that uses this, and every one that tries to from now on.
    pub fn cancel(&self) {
        let mut state = lock(&self.inner);
        state.cancelled = true;
        if let Some(aborter) = state.aborter.take() {
            aborter.abort();
        }
    }

    /// Whether [`Self::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        lock(&self.inner).cancelled
    }

    /// Ties a connection to this; it is ended at once if it comes too late.
    pub(super) fn attach(&self, display: &Display) -> Result<(), X11Error> {
        let aborter = display.aborter()?;
        let mut state = lock(&self.inner);
        if state.cancelled {
            aborter.abort();
        }
        state.aborter = Some(aborter);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_that_does_not_exist_is_lost_at_once() {
        let address = DisplayAddress {
            number: 4_000_000,
            authority: None,
        };
        assert!(matches!(
            check_display(&address, Duration::from_secs(5)),
            Err(X11Error::DisplayLost)
        ));
    }

    #[test]
    fn work_that_hangs_is_aborted_at_its_deadline() {
        let (mine, silent) = UnixStream::pair().unwrap();
        let aborter = Aborter {
            socket: mine.try_clone().unwrap(),
        };
        let result: Result<(), _> = aborter.limit(Instant::now() + Duration::from_millis(20), || {
            let n = std::io::Read::read(&mut &mine, &mut [0]).unwrap();
            assert_eq!(n, 0, "the abort ends the stream");
            Err(X11Error::DisplayLost)
        });
        assert!(matches!(result, Err(X11Error::Deadline)));
        drop(silent);
    }
}
