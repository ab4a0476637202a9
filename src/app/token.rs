//! The access token: made at the first start, kept in the state folder, so that an address once printed stays good.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::session::Secret;

const FILE: &str = "token";

/// The token of the host with this state folder; made where there is none.
///
/// # Errors
/// When the file can be neither read nor written.
pub fn load_or_create(state: &Path) -> std::io::Result<Secret> {
    match load(state) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        other => return other,
    }
    let secret = Secret::generate().map_err(|e| std::io::Error::other(e.to_string()))?;
    let fresh = state.join("token.new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    writeln!(file, "{}", secret.expose())?;
    std::fs::rename(fresh, state.join(FILE))?;
    Ok(secret)
}

/// The token of the host with this state folder.
///
/// # Errors
/// When there is none, or it cannot be read.
pub fn load(state: &Path) -> std::io::Result<Secret> {
    let text = std::fs::read_to_string(state.join(FILE))?;
    Secret::parse(text.trim()).ok_or_else(|| std::io::Error::other("the token file holds no token; remove it"))
}

/// The address to open in a browser on this machine. The token stands behind `#`, where no log sees it.
#[must_use]
pub fn address(listen: SocketAddr, token: Option<&Secret>) -> String {
    let mut host = listen;
    if listen.ip().is_unspecified() {
        host.set_ip(match listen {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    token.map_or_else(
        || format!("http://{host}/"),
        |token| format!("http://{host}/#token={}", token.expose()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_stays_the_same_and_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        let token = load_or_create(state.path()).unwrap();
        assert!(load_or_create(state.path()).unwrap().matches(&token));
        let mode = std::fs::metadata(state.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_address_is_one_that_a_browser_can_open() {
        assert_eq!(address("0.0.0.0:8080".parse().unwrap(), None), "http://127.0.0.1:8080/");
        assert_eq!(address("[::1]:80".parse().unwrap(), None), "http://[::1]:80/");
    }
}
