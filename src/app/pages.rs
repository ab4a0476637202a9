//! How the pages are reached: from the configuration to what the server is started with; and the certificate's child.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::error::chain;
use crate::clock::unix_ms;
use crate::config::{Hsts, ServerConfig, TlsSource};
use crate::http::{Front, OriginPolicy, Proxies, Transport};
use crate::peer::local_addresses;
use crate::supervision::{ChildSpec, ExitReason, Restart};
use crate::tls::{Looked, Source, Tls, TlsError, own_names};

/// Between two looks at the certificate's files.
const LOOK: Duration = Duration::from_secs(10);
/// Between two reminders that the certificate ends soon.
const REMIND: Duration = Duration::from_secs(24 * 3600);
/// In the state folder: the certificate that the host makes itself.
const FOLDER: &str = "tls";

/// Where the certificate comes from; `None` where the pages are not encrypted.
#[must_use]
pub fn source(server: &ServerConfig, state: &Path) -> Option<Source> {
    match &server.tls {
        TlsSource::Off => None,
        TlsSource::Files { certificate, key } => Some(Source::Files {
            certificate: certificate.clone(),
            key: key.clone(),
        }),
        TlsSource::SelfSigned => Some(Source::SelfSigned {
            folder: state.join(FOLDER),
            names: names(server),
        }),
    }
}

/// What the pages are reached by without a proxy.
fn names(server: &ServerConfig) -> Vec<String> {
    let listen = server.listen.ip();
    let addresses: Vec<IpAddr> = if listen.is_unspecified() {
        local_addresses()
    } else {
        vec![listen]
    };
    own_names(&addresses, &machine_names(), &hosts(server))
}

/// What this machine calls itself: its name, and the one that its neighbours find it by (RFC 6762 section 3).
fn machine_names() -> Vec<String> {
    let name = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok());
    name.map_or_else(Vec::new, |name| names_of_machine(&name))
}

fn names_of_machine(name: &str) -> Vec<String> {
    let name = name.to_ascii_lowercase();
    let label = name.split('.').next().unwrap_or_default().to_owned();
    let mut names = vec![format!("{label}.local"), label, name];
    names.dedup();
    names.retain(|name| !name.is_empty() && name != ".local");
    names
}

/// Every name that a browser may reach the pages by: those that are configured, this machine's, and the certificate's.
fn known_hosts(server: &ServerConfig, tls: Option<&Tls>) -> Vec<String> {
    let certified = tls.map_or_else(Vec::new, |tls| tls.facts().names);
    let mut known = hosts(server);
    known.extend(machine_names());
    known.extend(certified.iter().map(|name| name.to_ascii_lowercase()));
    known
}

/// The further host names, without ports.
fn hosts(server: &ServerConfig) -> Vec<String> {
    server.hosts.iter().filter_map(|h| OriginPolicy::name_of(h)).collect()
}

/// Reads the certificate or makes one, if the pages are to be encrypted; says which it is.
///
/// # Errors
/// [`TlsError`]: there is none to use.
pub fn certificate(server: &ServerConfig, state: &Path) -> Result<Option<Arc<Tls>>, TlsError> {
    let Some(source) = source(server, state) else {
        return Ok(None);
    };
    let tls = Tls::open(source, now())?;
    say("in use", &tls);
    Ok(Some(Arc::new(tls)))
}

/// Everything that a server on the listener has to know.
#[must_use]
pub fn front(server: &ServerConfig, tls: Option<Arc<Tls>>) -> Front {
    let from_files = tls.as_ref().is_some_and(|tls| !tls.is_self_signed());
    Front {
        origins: OriginPolicy {
            hosts: known_hosts(server, tls.as_deref()),
            origins: server.embedders.clone(),
        },
        transport: Transport {
            proxies: Proxies {
                trusted: server.trusted_proxies.clone(),
                headers: server.proxy_headers,
            },
            only_https: match server.hsts {
                Hsts::Auto => from_files,
                Hsts::On => true,
                Hsts::Off => false,
            },
        },
        tls,
    }
}

/// The child that exchanges the certificate when its files change.
#[must_use]
pub fn child(tls: &Arc<Tls>) -> ChildSpec {
    let tls = Arc::clone(tls);
    ChildSpec::task("certificate", Restart::Permanent, move |cx| {
        let tls = Arc::clone(&tls);
        async move {
            cx.unless_stopping(follow(&tls)).await;
            ExitReason::Shutdown
        }
    })
}

async fn follow(tls: &Arc<Tls>) {
    let mut reminded = tokio::time::Instant::now();
    loop {
        let anyway = tokio::select! {
            () = tokio::time::sleep(LOOK) => false,
            () = tls.asked() => true,
        };
        let looking = Arc::clone(tls);
        let Ok(looked) = tokio::task::spawn_blocking(move || looking.look(now(), anyway)).await else {
            log::error!("the certificate's files could not be looked at");
            continue;
        };
        match looked {
            Looked::Same => {}
            Looked::Exchanged(_) => say("exchanged", tls),
            Looked::Broken(error) => {
                log::error!(
                    "tls certificate stays as it is, code={}: {}",
                    error.code(),
                    chain(&error)
                );
            }
        }
        if reminded.elapsed() >= REMIND {
            reminded = tokio::time::Instant::now();
            remind(tls);
        }
    }
}

fn say(what: &str, tls: &Tls) {
    let facts = tls.facts();
    log::info!(
        "tls certificate {what}: names={} until={} sha256={}",
        facts.names.join(","),
        facts.last_day(),
        facts.fingerprint
    );
    remind(tls);
}

fn remind(tls: &Tls) {
    if let Some(warning) = tls.facts().warning(now()) {
        log::warn!("tls {warning}");
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    unix_ms() / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_its_names_and_by_what_its_neighbours_call_it() {
        assert_eq!(names_of_machine("Dome"), ["dome.local", "dome"]);
        assert_eq!(
            names_of_machine("dome.museum.example"),
            ["dome.local", "dome", "dome.museum.example"]
        );
        assert!(names_of_machine("").is_empty());
    }
}
