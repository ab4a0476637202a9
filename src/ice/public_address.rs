//! Candidates of a host behind 1:1 NAT: the network knows it by another address, under the same ports. Pure.

use std::net::IpAddr;

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

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop_assert, proptest};

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

    proptest! {
        #[test]
        fn no_line_makes_it_panic(line in "\\PC{0,200}") {
            let told = beyond_nat(&line, &addresses(&["192.0.2.7"]));
            prop_assert!(told.len() <= 1);
        }
    }
}
