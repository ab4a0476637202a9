//! What reverse proxies say of a request: pure reading of their headers.
//!
//! Each proxy on the way appends what it saw, so that the hop that is nearest to us stands last.

use std::net::{IpAddr, SocketAddr};

use actix_web::http::header::{FORWARDED, HeaderMap, HeaderName};

use crate::config::ProxyHeaders;

const X_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// More proxies than this do not stand between a browser and us.
const MAX_HOPS: usize = 16;

/// What one proxy said of the request that it got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hop {
    /// Whose request it was; `None` where it did not say, or not by address.
    pub from: Option<IpAddr>,
    /// Whether it came by https.
    pub https: Option<bool>,
    /// To which host, with its port if it is not the usual one.
    pub host: Option<String>,
}

/// The hops that the headers tell of, the nearest first. Rubbish is a hop that says nothing.
pub fn hops(headers: &HeaderMap, by: ProxyHeaders) -> Vec<Hop> {
    match by {
        ProxyHeaders::Forwarded => forwarded(headers),
        ProxyHeaders::XForwarded => x_forwarded(headers),
    }
}

/// `Forwarded` (RFC 7239 section 4).
fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let all = listed(headers, &FORWARDED);
    let hop = |element: &String| {
        let mut hop = Hop::default();
        for pair in split(element, ';') {
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            let Some(value) = unquoted(value.trim()) else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.from = address(&value),
                "proto" => hop.https = https(&value),
                "host" => hop.host = Some(value),
                _ => {}
            }
        }
        hop
    };
    all.iter().rev().take(MAX_HOPS).map(hop).collect()
}

/// `X-Forwarded-For` and its siblings, which are a habit and no standard: a list of addresses, and beside it one scheme
/// and one host, or a list of each as long.
fn x_forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let addresses = listed(headers, &X_FOR);
    let (schemes, hosts) = (listed(headers, &X_PROTO), listed(headers, &X_HOST));
    // Where only one is said, the nearest proxy has said it, and of the request as it came to the first.
    let of = |list: &[String], at: usize| {
        let same_length = list.len() == addresses.len().max(1);
        let value = if same_length {
            list.iter().rev().nth(at)
        } else {
            list.last()
        };
        value.cloned()
    };
    (0..addresses.len().clamp(1, MAX_HOPS))
        .map(|at| Hop {
            from: addresses.iter().rev().nth(at).and_then(|text| address(text)),
            https: of(&schemes, at).and_then(|text| https(&text)),
            host: of(&hosts, at),
        })
        .collect()
}

/// The elements of a list that may stand in several headers (RFC 9110 section 5.6.1). Bytes that are no text spoil their
/// own element only.
fn listed(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .flat_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            let elements = split(&text, ',').into_iter().map(|element| element.trim().to_owned());
            elements.collect::<Vec<_>>()
        })
        .filter(|element| !element.is_empty())
        .collect()
}

/// The parts between separators that stand in no quotes. Where a quote is never closed, quotes count for nothing: a
/// client that leaves one open must not swallow what our proxy adds behind it.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + c.len_utf8();
            }
            _ => {}
        }
    }
    if quoted {
        return text.split(separator).collect();
    }
    parts.push(&text[start..]);
    parts
}

/// The content of a token or a quoted string (RFC 9110 section 5.6.4).
fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return Some(text.to_owned());
    };
    let inside = rest.strip_suffix('"')?;
    let mut escaped = false;
    Some(
        inside
            .chars()
            .filter(|c| {
                let drops = *c == '\\' && !escaped;
                escaped = drops;
                !drops
            })
            .collect(),
    )
}

/// An address, with or without a port, an IPv6 one in brackets or not.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    let address = bare
        .parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|socket| socket.ip()))
        .ok()?;
    Some(address.to_canonical())
}

fn https(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("https") {
        Some(true)
    } else if text.eq_ignore_ascii_case("http") {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn hop(from: &str, https: Option<bool>, host: Option<&str>) -> Hop {
        Hop {
            from: from.parse().ok(),
            https,
            host: host.map(str::to_owned),
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_read() {
        let read = |value| hops(&headers(&[("forwarded", value)]), ProxyHeaders::Forwarded);
        assert_eq!(read("for=\"_gazonk\""), [hop("", None, None)]);
        assert_eq!(
            read("For=\"[2001:db8:cafe::17]:4711\""),
            [hop("2001:db8:cafe::17", None, None)]
        );
        assert_eq!(
            read("for=192.0.2.60;proto=https;by=203.0.113.43;host=sky.example"),
            [hop("192.0.2.60", Some(true), Some("sky.example"))]
        );
        assert_eq!(
            read("for=192.0.2.43, for=198.51.100.17"),
            [hop("198.51.100.17", None, None), hop("192.0.2.43", None, None)]
        );
        assert_eq!(read("for=unknown"), [hop("", None, None)]);
    }

    #[test]
    fn separators_within_quotes_separate_nothing() {
        let value = "for=\"1.2.3.4, for=5.6.7.8\";host=\"a\\\"b;c\", for=192.0.2.1";
        let read = hops(&headers(&[("forwarded", value)]), ProxyHeaders::Forwarded);
        assert_eq!(read, [hop("192.0.2.1", None, None), hop("", None, Some("a\"b;c"))]);
    }

    #[test]
    fn a_quote_left_open_swallows_nothing_that_stands_behind_it() {
        for open in ["for=1.2.3.4;x=\"", "for=1.2.3.4;x=\"\\\"", "\"", "for=\"1.2.3.4"] {
            for (own, from) in [("192.0.2.1", "192.0.2.1"), ("\"[2001:db8::1]:80\"", "2001:db8::1")] {
                let value = format!("{open}, for={own};proto=https");
                let read = hops(&headers(&[("forwarded", &value)]), ProxyHeaders::Forwarded);
                assert_eq!(read[0], hop(from, Some(true), None), "{value}");
            }
        }
    }

    #[test]
    fn lists_may_be_spread_over_lines_and_addresses_may_have_ports() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1, 198.51.100.2:4711"),
            ("x-forwarded-for", "[2001:db8::1]:80"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-host", "sky.example:8443"),
        ];
        let read = hops(&headers(&lines), ProxyHeaders::XForwarded);
        let expected = ["2001:db8::1", "198.51.100.2", "192.0.2.1"];
        assert_eq!(
            read,
            expected.map(|from| hop(from, Some(true), Some("sky.example:8443")))
        );
    }

    #[test]
    fn schemes_that_are_a_list_as_long_belong_each_to_its_address() {
        let lines = [
            ("x-forwarded-for", "192.0.2.1, 10.0.0.1"),
            ("x-forwarded-proto", "https, http"),
        ];
        let read = hops(&headers(&lines), ProxyHeaders::XForwarded);
        assert_eq!(
            read,
            [hop("10.0.0.1", Some(false), None), hop("192.0.2.1", Some(true), None)]
        );
    }

    #[test]
    fn the_other_kind_of_header_is_not_looked_at() {
        let both = headers(&[("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "198.51.100.1")]);
        assert_eq!(hops(&both, ProxyHeaders::Forwarded), [hop("192.0.2.1", None, None)]);
        assert_eq!(hops(&both, ProxyHeaders::XForwarded), [hop("198.51.100.1", None, None)]);
    }
}
