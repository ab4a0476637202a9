//! What the service manager is told (`sd_notify(3)`): readiness, signs of life, the end. Without one nothing happens.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Names the service manager's socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// Pages are served.
    Ready,
    /// The host lives (`WatchdogSec=`).
    Alive,
    /// A new binary takes over; [`News::Ready`] follows.
    Reloading,
    /// It ends.
    Stopping,
}

/// Tells the service manager, if there is one. Never waits.
pub fn tell(news: News) {
    let Some(address) = std::env::var_os(SOCKET) else {
        return;
    };
    let text = match news {
        News::Ready => "READY=1\n".to_owned(),
        News::Alive => "WATCHDOG=1\n".to_owned(),
        News::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}\n", crate::clock::monotonic_us()),
        News::Stopping => "STOPPING=1\n".to_owned(),
    };
    if let Err(error) = send(address.as_encoded_bytes(), text.as_bytes()) {
        log::debug!("the service manager was not told: {error}");
    }
}

/// A name that begins with `@` is one of the abstract name space (unix(7)).
fn send(address: &[u8], text: &[u8]) -> std::io::Result<()> {
    use std::os::unix::ffi::OsStrExt;
    let address = match address {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        path => SocketAddr::from_pathname(std::ffi::OsStr::from_bytes(path))?,
    };
    let socket = UnixDatagram::unbound()?;
    socket.set_nonblocking(true)?;
    socket.send_to_addr(text, &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_by_path_and_one_by_name_both_hear_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = format!("heliostat-test-{}", std::process::id());
        let by_name = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        send(path.as_os_str().as_encoded_bytes(), b"READY=1\n").unwrap();
        send(format!("@{name}").as_bytes(), b"WATCHDOG=1\n").unwrap();
        let mut buffer = [0; 64];
        assert_eq!(by_path.recv(&mut buffer).unwrap(), 8);
        assert_eq!(&buffer[..8], b"READY=1\n");
        assert_eq!(by_name.recv(&mut buffer).unwrap(), 11);
    }
}
