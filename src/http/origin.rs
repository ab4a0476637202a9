//! Which `Host` and `Origin` a request may carry: pure decisions.
//!
//! Any web page that a user visits can send requests to loopback, and a name that its owner points at 127.0.0.1 makes
//! them same-origin to the browser (DNS rebinding). So a `Host` that is a name must be one we know (an address cannot
//! be rebound), and whoever changes something, or opens a socket, must come from our own pages.

/// What is accepted beyond the obvious, from the configuration.
#[derive(Clone, Debug, Default)]
pub struct OriginPolicy {
    /// Names under which this host is reached, lower case, without port.
    pub hosts: Vec<String>,
    /// Foreign origins that may embed viewers, as `scheme://host[:port]`.
    pub origins: Vec<String>,
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// The `Host` header is missing, malformed, or a name that is not ours.
    #[error("this host is not known under the name that the request gives")]
    ForeignHost,
    /// The request comes from another site's page.
    #[error("the request comes from a page of another origin")]
    ForeignOrigin,
}

impl OriginError {
    /// The stable word for it.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::ForeignHost => "foreign_host",
            Self::ForeignOrigin => "foreign_origin",
        }
    }
}

impl OriginPolicy {
    /// A configured host without its port, as [`Self::hosts`] has it.
    #[must_use]
    pub fn name_of(host: &str) -> Option<String> {
        host_name(host)
    }

    /// Checks the `Host` header (RFC 9110 section 7.2).
    ///
    /// # Errors
    /// [`OriginError::ForeignHost`] unless it is an address, `localhost`, or a configured name.
    pub fn check_host(&self, host: Option<&str>) -> Result<(), OriginError> {
        let name = host.and_then(host_name).ok_or(OriginError::ForeignHost)?;
        let known = name == "localhost" || is_address(&name) || self.hosts.contains(&name);
        if known { Ok(()) } else { Err(OriginError::ForeignHost) }
    }

    /// Checks where a request that changes something, or opens a socket, comes from.
    ///
    /// `https`: whether it is known to have come encrypted; an unencrypted page of the same host is another origin then. Where
    /// it is not known, a proxy that we do not know of may have taken the encryption off.
    ///
    /// A browser always sends `Origin` with those (Fetch, section 3.2), and `Sec-Fetch-Site` with everything; a
    /// program that sends neither cannot be a page.
    ///
    /// # Errors
    /// [`OriginError::ForeignOrigin`] for a page of another origin, unless it is configured.
    pub fn check_origin(
        &self,
        host: Option<&str>,
        https: bool,
        origin: Option<&str>,
        fetch_site: Option<&str>,
    ) -> Result<(), OriginError> {
        let Some(origin) = origin else {
            return match fetch_site {
                None | Some("same-origin" | "none") => Ok(()),
                Some(_) => Err(OriginError::ForeignOrigin),
            };
        };
        let own = host.is_some_and(|host| {
            let schemes: &[&str] = if https { &["https://"] } else { &["http://", "https://"] };
            schemes.iter().any(|scheme| {
                origin
                    .strip_prefix(scheme)
                    .is_some_and(|rest| rest.eq_ignore_ascii_case(host))
            })
        });
        if own || self.origins.iter().any(|o| o.eq_ignore_ascii_case(origin)) {
            Ok(())
        } else {
            Err(OriginError::ForeignOrigin)
        }
    }
}

/// The name or address in a `Host` header, lower case, without the port.
fn host_name(host: &str) -> Option<String> {
    let name = if let Some(rest) = host.strip_prefix('[') {
        let (inside, port) = rest.split_once(']')?;
        valid_port(port)?;
        inside
    } else if let Some((name, port)) = host.split_once(':') {
        valid_port(&host[name.len()..]).filter(|()| !port.is_empty())?;
        name
    } else {
        host
    };
    (!name.is_empty()).then(|| name.to_ascii_lowercase())
}

fn valid_port(port: &str) -> Option<()> {
    if port.is_empty() {
        return Some(());
    }
    port.strip_prefix(':')?.parse::<u16>().ok().map(|_| ())
}

fn is_address(name: &str) -> bool {
    name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn policy() -> OriginPolicy {
        OriginPolicy {
            hosts: vec!["sky.example".into()],
            origins: vec!["https://museum.example".into()],
        }
    }

    #[test]
    fn addresses_localhost_and_configured_names_are_ours() {
        for host in [
            "127.0.0.1:8080",
            "localhost:8080",
            "LOCALHOST",
            "[::1]:8080",
            "sky.example",
            "10.0.0.7",
        ] {
            assert_eq!(policy().check_host(Some(host)), Ok(()), "{host}");
        }
    }

    #[test]
    fn a_rebound_name_is_refused() {
        for host in [
            None,
            Some(""),
            Some("evil.example"),
            Some("127.0.0.1.evil.example"),
            Some("localhost:x"),
            Some("[::1"),
        ] {
            assert_eq!(policy().check_host(host), Err(OriginError::ForeignHost), "{host:?}");
        }
    }

    #[test]
    fn only_our_own_pages_and_configured_ones_may_change_things() {
        let host = Some("127.0.0.1:8080");
        let check = |origin, site| policy().check_origin(host, false, origin, site);
        assert_eq!(check(Some("http://127.0.0.1:8080"), Some("same-origin")), Ok(()));
        assert_eq!(check(Some("https://museum.example"), Some("cross-site")), Ok(()));
        assert_eq!(check(None, None), Ok(()));
        for origin in [
            "http://127.0.0.1:9090",
            "http://localhost:8080",
            "null",
            "https://evil.example",
        ] {
            assert_eq!(check(Some(origin), None), Err(OriginError::ForeignOrigin), "{origin}");
        }
        assert_eq!(check(None, Some("cross-site")), Err(OriginError::ForeignOrigin));
    }

    #[test]
    fn over_https_an_unencrypted_page_of_the_same_host_is_foreign() {
        let check = |https, origin| policy().check_origin(Some("sky.example"), https, Some(origin), None);
        assert_eq!(check(true, "https://sky.example"), Ok(()));
        assert_eq!(check(true, "http://sky.example"), Err(OriginError::ForeignOrigin));
        assert_eq!(
            check(false, "https://sky.example"),
            Ok(()),
            "a proxy may have taken it off"
        );
    }

    proptest! {
        #[test]
        fn no_header_makes_it_panic(host in ".*", origin in ".*") {
            let _ = policy().check_host(Some(&host));
            let _ = policy().check_origin(Some(&host), true, Some(&origin), None);
        }
    }
}
