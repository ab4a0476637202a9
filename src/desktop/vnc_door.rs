//! Where the VNC server of an instance is wanted and found. It belongs to the instance and outlives the server's child.

use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use tokio::net::UnixStream;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};

use crate::source::{NoVnc, Wanted};

/// The name of the server's socket.
pub const VNC_SOCKET: &str = "s";
/// For a server to start and take a viewer.
const OPENS_WITHIN: Duration = Duration::from_secs(10);
/// A server that has just been started has no socket yet.
const LOOK_EVERY: Duration = Duration::from_millis(30);

/// How the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Down,
    Up,
    /// Until the Desktop is started anew.
    Off,
}

/// The door to the server of one instance.
#[derive(Debug)]
pub struct VncDoor {
    wanted: watch::Sender<usize>,
    state: watch::Sender<State>,
    /// Somebody has waited in vain for an answer.
    hangs: Arc<Notify>,
}

impl Default for VncDoor {
    fn default() -> Self {
        Self {
            wanted: watch::Sender::new(0),
            state: watch::Sender::new(State::Down),
            hangs: Arc::new(Notify::new()),
        }
    }
}

impl VncDoor {
    /// Somebody wants to watch.
    #[must_use]
    pub fn want(&self) -> Wanted {
        self.wanted.send_modify(|count| *count += 1);
        Wanted {
            count: self.wanted.clone(),
            hangs: Arc::clone(&self.hangs),
        }
    }

    /// Waits until the server that is up answers no more.
    pub(super) async fn hangs(&self) {
        self.hangs.notified().await;
    }

    /// How many want it.
    pub(super) fn viewers(&self) -> watch::Receiver<usize> {
        self.wanted.subscribe()
    }

    /// Waits until somebody wants it.
    pub(super) async fn wanted(&self) {
        // The sender is this one's own.
        let _ = self.wanted.subscribe().wait_for(|count| *count > 0).await;
    }

    /// Waits until nobody has wanted it for so long.
    pub(super) async fn unwanted(&self, linger: Duration) {
        let mut wanted = self.wanted.subscribe();
        loop {
            let _ = wanted.wait_for(|count| *count == 0).await;
            let again = timeout(linger, wanted.wait_for(|count| *count > 0));
            if again.await.is_err() {
                return;
            }
        }
    }

    pub(super) fn set_up(&self, up: bool) {
        if up {
            // What was said of the one before is not said of this one. A permit that is there is taken at once.
            let _ = self.hangs.notified().now_or_never();
        }
        self.state.send_replace(if up { State::Up } else { State::Down });
    }

    pub(super) fn set_off(&self) {
        self.state.send_replace(State::Off);
    }

    /// Connects to the server whose socket is in this folder; `user`: who runs it.
    ///
    /// # Errors
    /// [`NoVnc`].
    pub(super) async fn connect(&self, folder: &Path, user: u32) -> Result<UnixStream, NoVnc> {
        let until = Instant::now() + OPENS_WITHIN;
        let mut state = self.state.subscribe();
        let socket = folder.join(VNC_SOCKET);
        let mut last = None;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let ready = timeout(left, state.wait_for(|state| *state != State::Down)).await;
            match ready.map(|state| state.map(|state| *state)) {
                Ok(Ok(State::Up)) => {}
                Ok(_) => return Err(NoVnc::Off),
                Err(_) => return Err(NoVnc::Late(last)),
            }
            match reach(socket.clone(), user).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = Some(error),
            }
            sleep(LOOK_EVERY).await;
        }
    }
}

/// Connects to a socket in a folder that is not ours: to none that a link leads to, and to nobody else.
async fn reach(path: PathBuf, user: u32) -> io::Result<UnixStream> {
    let socket = tokio::task::spawn_blocking(move || {
        let flags = OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let file = std::fs::File::from(open(&path, flags, Mode::empty())?);
        if file.metadata()?.file_type().is_socket() {
            Ok(file)
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a socket"))
        }
    });
    let socket = socket.await.map_err(io::Error::other)??;
    let stream = UnixStream::connect(format!("/proc/self/fd/{}", socket.as_raw_fd())).await?;
    if stream.peer_cred()?.uid() == user {
        Ok(stream)
    } else {
        Err(io::Error::new(
            io::ErrorKind::PermissionDenied,
            "somebody else's socket",
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use nix::unistd::geteuid;
    use tokio::net::UnixListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_is_started_is_waited_for_and_found() {
        let folder = tempfile::tempdir().unwrap();
        let door = VncDoor::default();
        let serve = async {
            sleep(Duration::from_millis(50)).await;
            door.set_up(true);
            sleep(Duration::from_millis(50)).await;
            UnixListener::bind(folder.path().join(VNC_SOCKET)).unwrap()
        };
        let (stream, _listener) = tokio::join!(door.connect(folder.path(), geteuid().as_raw()), serve);
        assert!(stream.is_ok(), "{stream:?}");
    }

    #[tokio::test]
    async fn a_link_to_another_socket_and_somebody_elses_are_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let other = folder.path().join("other");
        let _listener = UnixListener::bind(&other).unwrap();
        symlink(&other, folder.path().join(VNC_SOCKET)).unwrap();
        let me = geteuid().as_raw();
        assert!(reach(folder.path().join(VNC_SOCKET), me).await.is_err());
        assert!(reach(other.clone(), me).await.is_ok());
        let refused = reach(other, me + 1).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_up_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let door = VncDoor::default();
        assert!(matches!(door.connect(folder.path(), 0).await, Err(NoVnc::Late(None))));
        door.set_off();
        assert!(matches!(door.connect(folder.path(), 0).await, Err(NoVnc::Off)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_wanted_until_the_last_viewer_has_been_gone_for_a_while() {
        let door = VncDoor::default();
        let (first, second) = (door.want(), door.want());
        door.wanted().await;
        let unwanted = door.unwanted(Duration::from_secs(10));
        tokio::pin!(unwanted);
        drop(first);
        assert!(timeout(Duration::from_secs(60), &mut unwanted).await.is_err());
        drop(second);
        assert!(timeout(Duration::from_secs(9), &mut unwanted).await.is_err());
        let third = door.want();
        assert!(
            timeout(Duration::from_secs(60), &mut unwanted).await.is_err(),
            "it came back"
        );
        drop(third);
        assert!(timeout(Duration::from_secs(11), unwanted).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn that_the_server_hangs_is_said_of_that_one_and_not_of_the_next() {
        let door = VncDoor::default();
        let line = door.want();
        door.set_up(true);
        line.hangs.notify_one();
        assert!(timeout(Duration::from_secs(1), door.hangs()).await.is_ok());
        line.hangs.notify_one();
        door.set_up(false);
        door.set_up(true);
        assert!(timeout(Duration::from_secs(60), door.hangs()).await.is_err());
    }
}
