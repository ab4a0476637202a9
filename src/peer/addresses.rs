//! The addresses a peer binds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Where peers are reached. Read anew for each, because a machine's addresses come and go while the host runs.
#[derive(Clone, Debug)]
pub enum MediaAddresses {
    /// [`local_addresses`].
    OfMachine,
    /// These and no others.
    Named(Vec<IpAddr>),
}

impl MediaAddresses {
    /// The key `media.bind`.
    #[must_use]
    pub fn of(bind: &[IpAddr]) -> Self {
        if bind.is_empty() {
            Self::OfMachine
        } else {
            Self::Named(bind.to_vec())
        }
    }

    /// Those that can be bound now: not one that is gone, nor one of IPv6 that the machine still asks its neighbours
    /// about (RFC 4862, section 5.4).
    #[must_use]
    pub fn now(&self) -> Vec<IpAddr> {
        let mut addresses = match self {
            Self::OfMachine => local_addresses(),
            Self::Named(addresses) => addresses.clone(),
        };
        addresses.retain(|address| UdpSocket::bind((*address, 0)).is_ok());
        addresses
    }
}

/// Loopback (`127.0.0.1`), then every address of the machine's interfaces that are up (`getifaddrs(3)`), without other
/// loopback and link-local ones, which a browser cannot use.
#[must_use]
pub fn local_addresses() -> Vec<IpAddr> {
    let mut all = vec![IpAddr::V4(Ipv4Addr::LOCALHOST)];
    for address in interface_addresses() {
        let link_local = match address {
            IpAddr::V4(v4) => v4.is_link_local(),
            IpAddr::V6(v6) => v6.is_unicast_link_local(),
        };
        if !address.is_loopback() && !address.is_unspecified() && !link_local && !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

fn interface_addresses() -> Vec<IpAddr> {
    let mut head: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: `head` is a valid place for the list's address; the list is freed below.
    if unsafe { libc::getifaddrs(&raw mut head) } != 0 {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut at = head;
    while !at.is_null() {
        // SAFETY: a non-null entry of the list stays valid until it is freed.
        let entry = unsafe { &*at };
        #[allow(clippy::cast_sign_loss, reason = "a flag, which is positive")]
        if entry.ifa_flags & libc::IFF_UP as u32 != 0 {
            // SAFETY: `ifa_addr` is null or the address of this entry, see `socket_address`.
            all.extend(unsafe { socket_address(entry.ifa_addr) });
        }
        at = entry.ifa_next;
    }
    // SAFETY: `head` came from getifaddrs and is freed once.
    unsafe { libc::freeifaddrs(head) };
    all
}

/// # Safety
/// `address` is null or points to a socket address as long as its family says.
unsafe fn socket_address(address: *const libc::sockaddr) -> Option<IpAddr> {
    if address.is_null() {
        return None;
    }
    // SAFETY: by contract every such address begins with its family.
    match i32::from(unsafe { (*address).sa_family }) {
        libc::AF_INET => {
            // SAFETY: the family says that it is a sockaddr_in; read_unaligned asks nothing of its alignment.
            let v4 = unsafe { address.cast::<libc::sockaddr_in>().read_unaligned() };
            Some(IpAddr::V4(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr))))
        }
        libc::AF_INET6 => {
            // SAFETY: as above, a sockaddr_in6.
            let v6 = unsafe { address.cast::<libc::sockaddr_in6>().read_unaligned() };
            Some(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_the_machine_does_not_have_is_left_out() {
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let elsewhere = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 1));
        assert_eq!(MediaAddresses::of(&[elsewhere, here]).now(), [here]);
        assert_eq!(MediaAddresses::of(&[elsewhere]).now(), [] as [IpAddr; 0]);
        assert_eq!(MediaAddresses::of(&[]).now()[0], here);
    }

    #[test]
    fn every_address_can_be_bound_and_loopback_comes_first() {
        let all = local_addresses();
        assert_eq!(all[0], IpAddr::V4(Ipv4Addr::LOCALHOST));
        for address in &all {
            assert!(UdpSocket::bind((*address, 0)).is_ok(), "{address}");
        }
        assert_eq!(all.iter().filter(|a| a.is_loopback()).count(), 1);
    }

    #[test]
    fn the_interfaces_are_really_read() {
        assert!(interface_addresses().contains(&IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
}
