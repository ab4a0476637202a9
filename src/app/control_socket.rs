//! `control.sock` in the state folder: what the host's own commands ask of it. One request and one answer a connection,
//! each a line of JSON, one connection at a time.
//!
//! Only the host's user and root get an answer. A socket that cannot be made costs `heliostat token`, and nothing else.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::entrance::Entrance;
use crate::files::Folder;
use crate::supervision::{ChildContext, ChildSpec, ExitReason, Restart};

/// The socket's name in the state folder.
pub const SOCKET: &str = "control.sock";
/// From the connection to the answer.
pub const DEADLINE: Duration = Duration::from_secs(5);
/// Between two tries to make the socket.
const RETRY: Duration = Duration::from_secs(10);
/// No request is longer, in bytes.
const MAX_REQUEST: u64 = 1024;

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Request {
    /// A ticket that signs one browser in.
    Ticket,
    /// Another token in the place of the one there is.
    Rotate {
        /// And what was launched is terminated.
        #[serde(default)]
        end: bool,
    },
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The address of this host with the ticket, or the new token: whoever asks need not know where it listens.
    Address(String),
    /// Why there is none.
    Error(String),
}

/// The child that answers.
pub fn control(state: &Path, entrance: &Entrance) -> ChildSpec {
    let (path, entrance) = (state.join(SOCKET), entrance.clone());
    ChildSpec::task("control", Restart::Permanent, move |cx| {
        let (path, entrance) = (path.clone(), entrance.clone());
        async move { answer_all(path, entrance, cx).await }
    })
}

async fn answer_all(path: PathBuf, entrance: Entrance, cx: ChildContext) -> ExitReason {
    let work = async {
        let listener = loop {
            match listen(&path) {
                Ok(listener) => break listener,
                Err(error) => log::error!("{} cannot be listened on: {error}", path.display()),
            }
            tokio::time::sleep(RETRY).await;
        };
        let _gone = Unlink(path.clone());
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of descriptors, perhaps.
                tokio::time::sleep(RETRY).await;
                continue;
            };
            match tokio::time::timeout(DEADLINE, answer(stream, &entrance)).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => log::warn!("control request not answered: {error}"),
                Err(_) => log::warn!("control request not answered in time"),
            }
        }
    };
    tokio::select! {
        () = work => ExitReason::Normal,
        () = cx.stopping() => ExitReason::Shutdown,
    }
}

/// One that an earlier host left is replaced: the state folder is locked, so nobody else listens there.
fn listen(path: &Path) -> io::Result<UnixListener> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    let listener = Folder::open(folder)?.listen(SOCKET)?;
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

struct Unlink(PathBuf);

impl Drop for Unlink {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn answer(stream: UnixStream, entrance: &Entrance) -> io::Result<()> {
    let asker = stream.peer_cred()?.uid();
    if asker != 0 && asker != nix::unistd::geteuid().as_raw() {
        return Err(io::Error::other(format!("user {asker} asks")));
    }
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_REQUEST)).read_line(&mut line).await?;
    let answer = match serde_json::from_str(&line) {
        Ok(Request::Ticket) => entrance.admins.ticket().map_err(|e| e.to_string()),
        Ok(Request::Rotate { end }) => entrance.rotate(end).await.map_err(|e| e.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let answer = match answer {
        Ok(secret) => Answer::Address(entrance.address(Some(&secret))),
        Err(why) => Answer::Error(why),
    };
    let mut text = serde_json::to_string(&answer)?;
    text.push('\n');
    write.write_all(text.as_bytes()).await
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn requests_and_answers_are_lines_of_json() {
        for (line, end) in [
            (r#"{"command":"rotate"}"#, false),
            (r#"{"command":"rotate","end":true}"#, true),
        ] {
            assert_eq!(serde_json::from_str::<Request>(line).unwrap(), Request::Rotate { end });
        }
        let answer = serde_json::to_string(&Answer::Address("a".into())).unwrap();
        assert_eq!(answer, r#"{"address":"a"}"#);
        assert!(serde_json::from_str::<Request>(r#"{"command":"dance"}"#).is_err());
    }

    #[tokio::test]
    async fn a_socket_that_was_left_is_replaced_and_only_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        drop(listen(&path).unwrap());
        let _again = listen(&path).unwrap();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
