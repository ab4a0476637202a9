//! Who a request comes from: the one place that knows of reverse proxies.
//!
//! An address decides nothing about what somebody may do. It is for the log and for limits, and the scheme and the host
//! are for cookies and for the check of where a page comes from.

use std::fmt;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::{Payload, ServiceRequest};
use actix_web::http::header::{HOST, HeaderMap};
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use super::forwarded::hops;
use super::problem::Problem;
use crate::config::{Network, ProxyHeaders};

/// Which reverse proxies are believed, and by what they tell.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    /// Their addresses.
    pub trusted: Vec<Network>,
    /// Their headers.
    pub headers: ProxyHeaders,
}

/// Where a request comes from, as far as that can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// The browser's address, or that of the first proxy that is not ours.
    pub address: IpAddr,
    /// Whether it came to us, or to the first of our proxies, by https.
    pub https: bool,
    /// The host that it asked for, as in a `Host` header.
    pub host: Option<String>,
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl Client {
    /// Who stands behind a connection from `peer` (encrypted or not) with these headers.
    ///
    /// The addresses that proxies added are walked from the nearest: the first that is not one of `proxies` is the
    /// client's. What stands behind it was written by the client itself, and is not looked at.
    #[must_use]
    pub fn of(peer: IpAddr, encrypted: bool, headers: &HeaderMap, proxies: &Proxies) -> Self {
        let trusted = |address: IpAddr| proxies.trusted.iter().any(|network| network.contains(address));
        let mut client = Self {
            address: peer.to_canonical(),
            https: encrypted,
            host: headers
                .get(HOST)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned),
        };
        if !trusted(client.address) {
            return client;
        }
        for hop in hops(headers, proxies.headers) {
            client.https = hop.https.unwrap_or(client.https);
            client.host = hop.host.or(client.host);
            // A proxy that hides the address hides it: what it got from others may be anything.
            let Some(from) = hop.from else { break };
            client.address = from;
            if !trusted(from) {
                break;
            }
        }
        client
    }

    /// Who a request comes from.
    #[must_use]
    pub fn of_request(request: &ServiceRequest, proxies: &Proxies) -> Self {
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        Self::of(peer, request.app_config().secure(), request.headers(), proxies)
    }
}

impl Client {
    /// Who this request comes from.
    ///
    /// # Errors
    /// 503 `not_ready` where no middleware has found it out.
    pub fn known(request: &HttpRequest) -> Result<Self, Problem> {
        let known = request.extensions().get::<Self>().cloned();
        known.ok_or_else(|| Problem::unavailable("not_ready", "the host is starting"))
    }
}

impl FromRequest for Client {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::known(request))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn proxies() -> Proxies {
        Proxies {
            trusted: vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
            headers: ProxyHeaders::XForwarded,
        }
    }

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn behind(peer: &str, lines: &[(&'static str, &str)]) -> Client {
        Client::of(ip(peer), false, &headers(lines), &proxies())
    }

    #[test]
    fn what_anybody_else_says_of_itself_is_ignored() {
        let said = [
            ("host", "sky.example"),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "other.example"),
            ("forwarded", "for=127.0.0.1;proto=https;host=other.example"),
        ];
        for headers in [ProxyHeaders::XForwarded, ProxyHeaders::Forwarded] {
            for trusted in [Vec::new(), proxies().trusted] {
                let proxies = Proxies { trusted, headers };
                let client = Client::of(ip("203.0.113.5"), false, &self::headers(&said), &proxies);
                let expected = Client {
                    address: ip("203.0.113.5"),
                    https: false,
                    host: Some("sky.example".into()),
                };
                assert_eq!(client, expected);
            }
        }
    }

    #[test]
    fn the_address_nearest_to_our_proxies_is_the_clients() {
        let client = behind(
            "127.0.0.1",
            &[
                ("host", "127.0.0.1:8080"),
                ("x-forwarded-for", "1.1.1.1, 203.0.113.5, 10.1.2.3"),
                ("x-forwarded-proto", "https"),
                ("x-forwarded-host", "sky.example"),
            ],
        );
        assert_eq!(client.address, ip("203.0.113.5"));
        assert!(client.https);
        assert_eq!(client.host.as_deref(), Some("sky.example"));
    }

    #[test]
    fn a_proxy_that_does_not_say_is_the_client_itself() {
        assert_eq!(behind("10.0.0.9", &[]).address, ip("10.0.0.9"));
        for hidden in ["unknown", "_secret", "", "1.2.3", "203.0.113.5, unknown"] {
            let client = behind("10.0.0.9", &[("x-forwarded-for", hidden)]);
            assert_eq!(client.address, ip("10.0.0.9"), "{hidden}");
        }
    }

    #[test]
    fn a_proxy_may_speak_version_6_of_a_client_of_version_4() {
        let client = behind("::ffff:127.0.0.1", &[("x-forwarded-for", "::ffff:203.0.113.5")]);
        assert_eq!(client.address, ip("203.0.113.5"));
    }

    #[test]
    fn a_connection_of_our_own_tls_is_https_whatever_the_proxy_leaves_out() {
        let client = Client::of(
            ip("127.0.0.1"),
            true,
            &headers(&[("x-forwarded-for", "1.2.3.4")]),
            &proxies(),
        );
        assert!(client.https);
    }

    fn rubbish() -> impl Strategy<Value = String> {
        prop_oneof![
            ".{0,60}",
            "[0-9a-fA-F:.\\[\\],;=\" forhstp_/\\\\-]{0,80}",
            "((for|by|proto|host)=\"?[a-z0-9.:\\[\\]]{0,20}\"?[,;] ?){0,6}",
            "(([0-9]{1,3}\\.){3}[0-9]{1,3}(:[0-9]{1,6})?, ?){0,6}",
        ]
    }

    proptest! {
        #[test]
        fn no_rubbish_changes_who_an_untrusted_client_is(lines in prop::collection::vec((0_usize..4, rubbish()), 0..6), by_standard: bool) {
            let by = if by_standard { ProxyHeaders::Forwarded } else { ProxyHeaders::XForwarded };
            let proxies = Proxies { headers: by, ..proxies() };
            let plain = Client::of(ip("203.0.113.5"), false, &HeaderMap::new(), &proxies);
            prop_assert_eq!(Client::of(ip("203.0.113.5"), false, &of_rubbish(&lines), &proxies), plain);
        }

        #[test]
        fn whatever_a_client_sends_its_address_is_what_our_proxy_saw(lines in prop::collection::vec((0_usize..4, rubbish()), 0..6), last: u32, by_standard: bool) {
            let by = if by_standard { ProxyHeaders::Forwarded } else { ProxyHeaders::XForwarded };
            let seen = IpAddr::from(Ipv4Addr::from(last));
            let proxies = Proxies { headers: by, ..proxies() };
            prop_assume!(!proxies.trusted.iter().any(|network| network.contains(seen)));
            let (name, value) = if by_standard { ("forwarded", format!("for={seen};proto=https")) } else { ("x-forwarded-for", seen.to_string()) };
            let name = HeaderName::from_static(name);
            // The proxy adds a line of its own to what the client sent.
            let mut headers = of_rubbish(&lines);
            headers.append(name.clone(), HeaderValue::from_str(&value).unwrap());
            prop_assert_eq!(Client::of(ip("127.0.0.1"), false, &headers, &proxies).address, seen);
            // Or it writes behind it on the same line.
            for (_, sent) in &lines {
                let mut headers = HeaderMap::new();
                if let Ok(value) = HeaderValue::from_bytes(format!("{sent}, {value}").as_bytes()) {
                    headers.append(name.clone(), value);
                    prop_assert_eq!(Client::of(ip("127.0.0.1"), false, &headers, &proxies).address, seen, "{}", sent);
                }
            }
        }
    }

    fn of_rubbish(lines: &[(usize, String)]) -> HeaderMap {
        const NAMES: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
                headers.append(HeaderName::from_static(NAMES[*name]), value);
            }
        }
        headers
    }
}
