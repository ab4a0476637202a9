//! Addresses of STUN and TURN servers, as browsers take them (RFC 7064, RFC 7065).

use std::fmt;
use std::str::FromStr;

/// Where STUN and TURN are served when nobody says (RFC 8489, section 18.6).
const PORT: u16 = 3478;
/// The same over TLS.
const TLS_PORT: u16 = 5349;

/// What a server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceScheme {
    /// One's own public address.
    Stun,
    /// A relay.
    Turn,
    /// A relay, reached over TLS.
    Turns,
}

/// How a server is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IceTransport {
    /// By datagrams.
    Udp,
    /// By a connection, which TLS needs, too.
    Tcp,
}

/// The address of one server: `stun:HOST[:PORT]`, `turn:HOST[:PORT][?transport=udp|tcp]`, `turns:HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IceUrl {
    /// What it is asked for.
    pub scheme: IceScheme,
    /// A name, or an IP address; an IPv6 one without its brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How it is reached.
    pub transport: IceTransport,
}

impl IceUrl {
    /// Whether it wants credentials.
    #[must_use]
    pub const fn is_relay(&self) -> bool {
        matches!(self.scheme, IceScheme::Turn | IceScheme::Turns)
    }

    /// How it is reached, in a word: `udp`, `tcp` or `tls`.
    #[must_use]
    pub const fn way(&self) -> &'static str {
        match (self.scheme, self.transport) {
            (IceScheme::Turns, _) => "tls",
            (_, IceTransport::Udp) => "udp",
            (_, IceTransport::Tcp) => "tcp",
        }
    }
}

/// Not an address of a STUN or TURN server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not `stun:HOST[:PORT]`, `turn:HOST[:PORT][?transport=udp|tcp]` or `turns:HOST[:PORT]`")]
pub struct BadIceUrl;

impl FromStr for IceUrl {
    type Err = BadIceUrl;

    fn from_str(text: &str) -> Result<Self, BadIceUrl> {
        let (scheme, rest) = text.split_once(':').ok_or(BadIceUrl)?;
        let scheme = match scheme {
            "stun" => IceScheme::Stun,
            "turn" => IceScheme::Turn,
            "turns" => IceScheme::Turns,
            _ => return Err(BadIceUrl),
        };
        let (place, query) = match rest.split_once('?') {
            Some((place, query)) => (place, Some(query)),
            None => (rest, None),
        };
        let transport = match (scheme, query) {
            (IceScheme::Stun | IceScheme::Turn, None) | (IceScheme::Turn, Some("transport=udp")) => IceTransport::Udp,
            // No browser speaks DTLS to a relay.
            (IceScheme::Turns, None) | (IceScheme::Turn | IceScheme::Turns, Some("transport=tcp")) => IceTransport::Tcp,
            _ => return Err(BadIceUrl),
        };
        let (host, port) = match place.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(BadIceUrl)?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| BadIceUrl)?;
                let port = match port {
                    "" => None,
                    port => Some(port.strip_prefix(':').ok_or(BadIceUrl)?),
                };
                (host, port)
            }
            None => match place.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if host.is_empty() || !(place.starts_with('[') || host.chars().all(of_a_name)) {
            return Err(BadIceUrl);
        }
        let port = match port {
            Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or(BadIceUrl)?,
            None if scheme == IceScheme::Turns => TLS_PORT,
            None => PORT,
        };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            transport,
        })
    }
}

impl fmt::Display for IceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            IceScheme::Stun => "stun",
            IceScheme::Turn => "turn",
            IceScheme::Turns => "turns",
        };
        if self.host.contains(':') {
            write!(f, "{scheme}:[{}]:{}", self.host, self.port)?;
        } else {
            write!(f, "{scheme}:{}:{}", self.host, self.port)?;
        }
        match (self.scheme, self.transport) {
            (IceScheme::Stun, _) => Ok(()),
            (_, IceTransport::Udp) => f.write_str("?transport=udp"),
            (_, IceTransport::Tcp) => f.write_str("?transport=tcp"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    #[test]
    fn what_an_address_leaves_out_is_filled_in() {
        for (text, full) in [
            ("stun:example.org", "stun:example.org:3478"),
            ("stun:192.0.2.1:19302", "stun:192.0.2.1:19302"),
            ("turn:example.org", "turn:example.org:3478?transport=udp"),
            (
                "turn:[2001:db8::1]:80?transport=tcp",
                "turn:[2001:db8::1]:80?transport=tcp",
            ),
            ("turns:example.org", "turns:example.org:5349?transport=tcp"),
            (
                "turns:example.org:443?transport=tcp",
                "turns:example.org:443?transport=tcp",
            ),
        ] {
            assert_eq!(text.parse::<IceUrl>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn the_way_to_a_server_is_one_word() {
        let way = |text: &str| text.parse::<IceUrl>().unwrap().way();
        assert_eq!(
            ["stun:a", "turn:a", "turn:a?transport=tcp", "turns:a",].map(way),
            ["udp", "udp", "tcp", "tls"]
        );
    }

    #[test]
    fn what_no_browser_takes_is_refused() {
        for wrong in [
            "",
            "stun:",
            "example.org",
            "http://example.org",
            "stun://example.org",
            "stun:example.org?transport=udp",
            "turn:example.org?transport=sctp",
            "turns:example.org?transport=udp",
            "turn:example.org:0",
            "turn:example.org:70000",
            "turn:user@example.org",
            "turn:2001:db8::1",
            "turn:[2001:db8::1",
            "turn:[example.org]",
            "turn:a b",
        ] {
            assert_eq!(wrong.parse::<IceUrl>(), Err(BadIceUrl), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_written_the_same(text in "(stun|turn|turns):\\PC{0,40}") {
            if let Ok(url) = text.parse::<IceUrl>() {
                prop_assert_eq!(url.to_string().parse::<IceUrl>(), Ok(url));
            }
        }
    }
}
