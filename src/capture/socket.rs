//! Connecting to a socket whose path may be longer than an address holds.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use nix::fcntl::{OFlag, open};
use nix::sys::stat::Mode;
use tokio::net::UnixStream;

/// Connects to the Unix socket at `path`. Addresses end after 108 bytes (`unix(7)`), state folders need not: the
/// folder is opened and the socket reached through its descriptor.
///
/// # Errors
/// As `open(2)` and `connect(2)`.
pub(super) async fn connect(path: &Path) -> io::Result<UnixStream> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name: &OsStr = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let folder = open(
        folder,
        OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC,
        Mode::empty(),
    )?;
    let short = PathBuf::from(format!("/proc/self/fd/{}", folder.as_raw_fd())).join(name);
    UnixStream::connect(short).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_deep_in_a_long_path_is_reached() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("x".repeat(120)).join("y".repeat(120));
        std::fs::create_dir_all(&folder).unwrap();
        let fd = open(&folder, OFlag::O_PATH, Mode::empty()).unwrap();
        let short = format!("/proc/self/fd/{}/capture.sock", fd.as_raw_fd());
        let _listener = tokio::net::UnixListener::bind(short).unwrap();
        connect(&folder.join("capture.sock")).await.unwrap();
    }
}
