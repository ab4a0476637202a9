//! Candidates of a host behind 1:1 NAT: the network knows it by another address, under the same ports.

use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

/// The public addresses of this host, as far as they are known now. Clones are one; each connection looks when it has a
/// candidate to tell.
#[derive(Clone, Debug, Default)]
pub struct PublicAddresses(Arc<RwLock<Vec<IpAddr>>>);

impl PublicAddresses {
    /// Those known now.
    #[must_use]
    pub fn now(&self) -> Vec<IpAddr> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// They are these from now on.
    pub fn become_these(&self, addresses: Vec<IpAddr>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = addresses;
    }
}

impl From<Vec<IpAddr>> for PublicAddresses {
    fn from(addresses: Vec<IpAddr>) -> Self {
        Self(Arc::new(RwLock::new(addresses)))
    }
}

/// The candidates (RFC 8839, section 5.1) that stand for `line` at the public addresses: server-reflexive ones, where
/// `line` is a host candidate of the same family that the network beyond the NAT does not know. None for any other line.
#[must_use]
pub fn beyond_nat(line: &str, public: &[IpAddr]) -> Vec<String> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [foundation, component, transport, _, address, port, "typ", "host", ..] = fields[..] else {
        return Vec::new();
    };
    let Ok(local) = address.parse::<IpAddr>() else {
        return Vec::new();
    };
    if !transport.eq_ignore_ascii_case("udp") || local.is_loopback() || public.contains(&local) {
        return Vec::new();
    }
    let of_family = public.iter().filter(|public| public.is_ipv4() == local.is_ipv4());
    of_family
        .zip(0u32..)
        .map(|(public, n)| {
            // Type preference 100, as RFC 8445 (section 5.1.2.2) recommends; earlier addresses first.
            let priority = (100 << 24) | ((65_535 - n.min(65_535)) << 8) | 255;
            format!("{foundation}1 {component} udp {priority} {public} {port} typ srflx raddr {local} rport {port}")
        })
        .collect()
}

/// A description with the candidates [`beyond_nat`] after each of the candidates in it.
#[must_use]
pub fn described_beyond_nat(sdp: &str, public: &[IpAddr]) -> String {
    let mut described = String::with_capacity(sdp.len());
    for line in sdp.split_inclusive('\n') {
        described.push_str(line);
        let candidate = line.strip_prefix("a=").filter(|line| line.starts_with("candidate:"));
        for beyond in candidate.map(|line| beyond_nat(line, public)).unwrap_or_default() {
            described.push_str(&format!("a={beyond}\r\n"));
        }
    }
    described
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    use super::*;

    const HOST: &str = "candidate:3 1 udp 2130706431 10.0.0.5 40123 typ host";

    fn addresses(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn a_host_candidate_is_told_once_more_under_the_public_address() {
        assert_eq!(
            beyond_nat(HOST, &addresses(&["192.0.2.7", "2001:db8::7"])),
            ["candidate:31 1 udp 1694498815 192.0.2.7 40123 typ srflx raddr 10.0.0.5 rport 40123"]
        );
        let six = "candidate:4 1 udp 2130706431 fd00::5 40123 typ host";
        assert!(beyond_nat(six, &addresses(&["192.0.2.7", "2001:db8::7"]))[0].contains(" 2001:db8::7 40123 typ srflx"));
    }

    #[test]
    fn what_is_public_already_or_never_leaves_the_machine_is_not() {
        let public = addresses(&["192.0.2.7"]);
        for line in [
            "candidate:3 1 udp 2130706431 192.0.2.7 40123 typ host",
            "candidate:3 1 udp 2130706431 127.0.0.1 40123 typ host",
            "candidate:3 1 tcp 2130706431 10.0.0.5 9 typ host tcptype active",
            "candidate:3 1 udp 1694498815 10.0.0.5 40123 typ srflx raddr 0.0.0.0 rport 0",
            "",
        ] {
            assert!(beyond_nat(line, &public).is_empty(), "{line}");
        }
        assert!(beyond_nat(HOST, &[]).is_empty());
    }

    #[test]
    fn a_description_gains_a_candidate_after_each_that_stands_for_another() {
        let sdp = format!(
            "v=0\r\nm=video 9\r\na={HOST}\r\na=candidate:3 1 udp 1 127.0.0.1 1 typ host\r\na=end-of-candidates\r\n"
        );
        let described = described_beyond_nat(&sdp, &addresses(&["192.0.2.7"]));
        let lines: Vec<&str> = described.split("\r\n").collect();
        assert_eq!(lines.len(), sdp.split("\r\n").count() + 1);
        assert!(lines[3].starts_with("a=candidate:31 1 udp ") && lines[3].contains(" 192.0.2.7 40123 typ srflx "));
    }

    proptest! {
        #[test]
        fn without_a_public_address_a_description_stays_as_it_is(sdp in "(\\PC{0,40}\r?\n?){0,6}") {
            prop_assert_eq!(described_beyond_nat(&sdp, &[]), sdp);
        }

        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,200}") {
            let told = beyond_nat(&line, &addresses(&["192.0.2.7"]));
            prop_assert!(told.len() <= 1);
        }
    }
}
