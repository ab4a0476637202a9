//! The access token: made at the first start, kept in the state folder, so that an address once printed stays good.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::{ServerConfig, TlsSource};
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

/// The address to open in a browser. The token stands behind `#`, where no log sees it.
#[must_use]
pub fn address(server: &ServerConfig, token: Option<&Secret>) -> String {
    // A certificate from files is for a name, and hardly for an address.
    let name = match &server.tls {
        TlsSource::Files { .. } => server.hosts.first(),
        TlsSource::Off | TlsSource::SelfSigned => None,
    };
    let page = page(server.scheme(), name.map(String::as_str), server.listen);
    token.map_or_else(|| page.clone(), |token| format!("{page}#token={}", token.expose()))
}

/// The home page at `name` (which may have a port of its own), or at the address on this machine.
fn page(scheme: &str, name: Option<&str>, listen: SocketAddr) -> String {
    let host = match name {
        Some(name) if name.contains(':') => name.to_owned(),
        Some(name) => format!("{name}:{}", listen.port()),
        None => {
            let mut host = listen;
            match listen {
                SocketAddr::V4(v4) if v4.ip().is_unspecified() => host.set_ip(Ipv4Addr::LOCALHOST.into()),
                SocketAddr::V6(v6) if v6.ip().is_unspecified() => host.set_ip(Ipv6Addr::LOCALHOST.into()),
                _ => {}
            }
            host.to_string()
        }
    };
    let usual = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}/", host.strip_suffix(usual).unwrap_or(&host))
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
        let at = |scheme, name, listen: &str| page(scheme, name, listen.parse().unwrap());
        assert_eq!(at("http", None, "0.0.0.0:8080"), "http://127.0.0.1:8080/");
        assert_eq!(at("http", None, "[::1]:80"), "http://[::1]/");
        assert_eq!(at("https", None, "[::]:8443"), "https://[::1]:8443/");
        let named = |listen| at("https", Some("sky.example"), listen);
        assert_eq!(named("0.0.0.0:443"), "https://sky.example/");
        assert_eq!(named("0.0.0.0:8443"), "https://sky.example:8443/");
        assert_eq!(
            at("https", Some("sky.example:443"), "0.0.0.0:8443"),
            "https://sky.example/"
        );
    }
}
