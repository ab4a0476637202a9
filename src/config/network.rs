//! Addresses and ranges of addresses, as `10.0.0.7` or `10.0.0.0/8` (RFC 4632, RFC 4291 section 2.3).

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// One address, or all that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    /// How many leading bits count: at most 32 or 128.
    prefix: u8,
}

/// What is neither an address nor a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a range of addresses")]
pub struct NotANetwork;

impl Network {
    /// Whether `address` is one of these. An IPv4 address that arrives at an IPv6 socket is still an IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let shift = 32 - u32::from(self.prefix);
                let bits = |address: std::net::Ipv4Addr| u32::from(address).checked_shr(shift).unwrap_or(0);
                bits(own) == bits(other)
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let shift = 128 - u32::from(self.prefix);
                let bits = |address: std::net::Ipv6Addr| u128::from(address).checked_shr(shift).unwrap_or(0);
                bits(own) == bits(other)
            }
            _ => false,
        }
    }

    /// Whether every address of its kind is one of these.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.prefix == 0
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let given: IpAddr = address.parse().map_err(|_| NotANetwork)?;
        let address = given.to_canonical();
        let most: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => most,
            // `::ffff:10.0.0.0/104` counts bits of the longer form.
            Some(_) if address != given => return Err(NotANetwork),
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                let prefix = digits.parse().map_err(|_| NotANetwork)?;
                if prefix > most {
                    return Err(NotANetwork);
                }
                prefix
            }
            Some(_) => return Err(NotANetwork),
        };
        Ok(Self { address, prefix })
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(text: &str) -> Network {
        text.parse().unwrap()
    }

    #[test]
    fn a_range_holds_what_begins_as_it_does() {
        let inside = |range: &str, address: &str| network(range).contains(address.parse().unwrap());
        assert!(inside("10.0.0.0/8", "10.255.0.1") && !inside("10.0.0.0/8", "11.0.0.1"));
        assert!(inside("127.0.0.1", "127.0.0.1") && !inside("127.0.0.1", "127.0.0.2"));
        assert!(inside("2001:db8::/32", "2001:db8:ffff::1") && !inside("2001:db8::/32", "2001:db9::1"));
        assert!(inside("0.0.0.0/0", "203.0.113.9") && !inside("0.0.0.0/0", "2001:db8::1"));
        assert!(inside("::/0", "2001:db8::1") && !inside("::/0", "203.0.113.9"));
    }

    #[test]
    fn an_address_of_version_4_at_a_socket_of_version_6_is_the_same() {
        assert!(network("127.0.0.0/8").contains("::ffff:127.0.0.1".parse().unwrap()));
        assert!(network("::ffff:127.0.0.1").contains("127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "10",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::/129",
            "::ffff:10.0.0.0/8",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotANetwork), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_network_is_read_as_it_is_written_and_holds_its_own_address(bits: u128, four: bool, prefix in 0_u8..=128) {
            let address: IpAddr = if four {
                std::net::Ipv4Addr::from((bits & 0xffff_ffff) as u32).into()
            } else {
                std::net::Ipv6Addr::from(bits).to_canonical()
            };
            let prefix = if address.is_ipv4() { prefix % 33 } else { prefix };
            let made = Network { address, prefix };
            prop_assert_eq!(network(&made.to_string()), made);
            prop_assert!(made.contains(address));
        }
    }
}
