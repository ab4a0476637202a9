//! The token: made at the first start and shown then, once; kept as its hash in the state folder.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::config::{ServerConfig, TlsSource};
use crate::session::{Secret, SecretHash};

const FILE: &str = "token";
/// What the file begins with. One without it is of a host that kept the token itself.
const PREFIX: &str = "sha256:";

/// The token of a host.
#[derive(Debug)]
pub struct Token {
    /// What is kept of it.
    pub hash: SecretHash,
    /// Itself, when it has just been made: it can be shown now and never again.
    pub fresh: Option<Secret>,
    /// Itself, when a host of before kept it, and no longer.
    pub former: Option<Secret>,
}

/// The token of the host with this state folder; made where there is none.
///
/// # Errors
/// When the file can be neither read nor written, or holds something else.
pub fn load_or_create(state: &Path) -> std::io::Result<Token> {
    let text = match std::fs::read_to_string(state.join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let fresh = generate()?;
            let hash = fresh.hash();
            write(state, &hash)?;
            return Ok(Token {
                hash,
                fresh: Some(fresh),
                former: None,
            });
        }
        Err(error) => return Err(error),
    };
    let former = match kept(&text)? {
        Kept::Hash(hash) => {
            return Ok(Token {
                hash,
                fresh: None,
                former: None,
            });
        }
        Kept::Former(former) => former,
    };
    let hash = former.hash();
    write(state, &hash)?;
    log::info!("the token is kept as its hash from now on");
    Ok(Token {
        hash,
        fresh: None,
        former: Some(former),
    })
}

/// What the file holds.
enum Kept {
    Hash(SecretHash),
    /// The token itself, of a host of before.
    Former(Secret),
}

fn kept(text: &str) -> std::io::Result<Kept> {
    let text = text.trim();
    let hash = text.strip_prefix(PREFIX).and_then(SecretHash::parse).map(Kept::Hash);
    hash.or_else(|| Secret::parse(text).map(Kept::Former))
        .ok_or_else(|| std::io::Error::other("the token file holds no token; remove it"))
}

/// Whether [`load_or_create`] would give a token; changes nothing.
///
/// # Errors
/// As of that.
pub fn look(state: &Path) -> std::io::Result<()> {
    match std::fs::read_to_string(state.join(FILE)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        text => kept(&text?).map(drop),
    }
}

/// A new token in the place of the one there is, if any. Whoever uses the folder has to be told.
///
/// # Errors
/// When it cannot be made or written; the former is good still.
pub fn replace(state: &Path) -> std::io::Result<Secret> {
    let fresh = generate()?;
    write(state, &fresh.hash())?;
    Ok(fresh)
}

fn generate() -> std::io::Result<Secret> {
    Secret::generate().map_err(|e| std::io::Error::other(e.to_string()))
}

fn write(state: &Path, hash: &SecretHash) -> std::io::Result<()> {
    let fresh = state.join("token.new");
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&fresh)?;
    writeln!(file, "{PREFIX}{}", hash.as_str())?;
    file.sync_all()?;
    std::fs::rename(fresh, state.join(FILE))
}

/// The address to open in a browser. The token, or a ticket, stands behind `#`, where no log sees it.
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

    fn kept(state: &Path) -> String {
        std::fs::read_to_string(state.join(FILE)).unwrap()
    }

    #[test]
    fn the_token_is_shown_once_and_kept_as_its_hash_for_nobody_else() {
        use std::os::unix::fs::PermissionsExt;
        let state = tempfile::tempdir().unwrap();
        let first = load_or_create(state.path()).unwrap();
        let token = first.fresh.unwrap();
        assert!(!kept(state.path()).contains(token.expose()));
        let later = load_or_create(state.path()).unwrap();
        assert!(later.fresh.is_none() && later.former.is_none());
        assert!(later.hash.matches(&token.hash()));
        let mode = std::fs::metadata(state.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_token_that_a_host_of_before_kept_is_hashed_and_stays_good() {
        let state = tempfile::tempdir().unwrap();
        let token = Secret::generate().unwrap();
        std::fs::write(state.path().join(FILE), format!("{}\n", token.expose())).unwrap();
        let read = load_or_create(state.path()).unwrap();
        assert!(read.hash.matches(&token.hash()) && read.former.is_some_and(|f| f.matches(&token)));
        assert!(!kept(state.path()).contains(token.expose()));
        assert!(load_or_create(state.path()).unwrap().former.is_none());
    }

    #[test]
    fn a_replaced_token_is_another_one_and_rubbish_is_none() {
        let state = tempfile::tempdir().unwrap();
        let first = load_or_create(state.path()).unwrap();
        let second = replace(state.path()).unwrap();
        assert!(!first.hash.matches(&second.hash()));
        assert!(load_or_create(state.path()).unwrap().hash.matches(&second.hash()));
        std::fs::write(state.path().join(FILE), "sha256:rubbish").unwrap();
        assert!(load_or_create(state.path()).is_err());
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
