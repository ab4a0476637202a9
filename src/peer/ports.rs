//! UDP ports for media: one per peer, out of a configured range.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::PeerError;

/// Of so many ports one is kept for viewers who may steer.
const KEPT_OF: u32 = 16;

/// A range of UDP ports, shared by all peers of the host.
#[derive(Debug)]
pub struct PortRange {
    first: u16,
    last: u16,
    leased: Mutex<BTreeSet<u16>>,
}

/// One port, free again when dropped.
#[derive(Debug)]
pub struct PortLease {
    range: Arc<PortRange>,
    port: u16,
}

impl PortLease {
    /// The port.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The port on each of `addresses`.
    #[must_use]
    pub fn on(&self, addresses: &[IpAddr]) -> Vec<SocketAddr> {
        addresses.iter().map(|ip| SocketAddr::new(*ip, self.port)).collect()
    }
}

impl Drop for PortLease {
    fn drop(&mut self) {
        self.range
            .leased
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.port);
    }
}

impl PortRange {
    /// The ports `first` to `last`, both included; in the other order they are swapped.
    #[must_use]
    pub fn new(first: u16, last: u16) -> Arc<Self> {
        Arc::new(Self {
            first: first.min(last),
            last: first.max(last),
            leased: Mutex::default(),
        })
    }

    /// Takes a port that can be bound on every one of `addresses`, beginning anywhere in the range so that a port
    /// just given back is not at once somebody else's.
    ///
    /// The last sixteenth of them is for viewers who may steer (`steers`), so that those who only watch, or only ask to,
    /// do not keep them out.
    ///
    /// # Errors
    /// [`PeerError::NoUdpPort`] when there is none.
    pub fn lease(self: &Arc<Self>, addresses: &[IpAddr], steers: bool) -> Result<PortLease, PeerError> {
        let count = u32::from(self.last - self.first) + 1;
        let kept = if steers { 0 } else { count / KEPT_OF };
        let begin = random() % count;
        for n in 0..count {
            let offset = u16::try_from((begin + n) % count).unwrap_or(0);
            let port = self.first + offset;
            {
                let mut leased = self.leased.lock().unwrap_or_else(PoisonError::into_inner);
                if leased.len() >= (count - kept) as usize {
                    break;
                }
                if !leased.insert(port) {
                    continue;
                }
            }
            let lease = PortLease {
                range: Arc::clone(self),
                port,
            };
            if lease
                .on(addresses)
                .into_iter()
                .all(|address| UdpSocket::bind(address).is_ok())
            {
                return Ok(lease);
            }
        }
        Err(PeerError::NoUdpPort {
            first: self.first,
            last: self.last,
        })
    }

    /// How many ports are taken.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.leased.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// A random number; where the system has none, the process's identity does: it only spreads ports and streams.
pub(super) fn random() -> u32 {
    getrandom::u32().unwrap_or_else(|_| std::process::id().wrapping_mul(0x9E37_79B9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    #[test]
    fn every_port_is_given_once_and_comes_back() {
        let range = PortRange::new(39_003, 39_000);
        let leases: Vec<_> = (0..4).map(|_| range.lease(&[LOCAL], true).unwrap()).collect();
        let ports: BTreeSet<u16> = leases.iter().map(PortLease::port).collect();
        assert_eq!(ports, (39_000..=39_003).collect());
        let error = range.lease(&[LOCAL], true).unwrap_err();
        assert_eq!(
            error,
            PeerError::NoUdpPort {
                first: 39_000,
                last: 39_003
            }
        );
        assert_eq!(error.code(), "no_udp_port");
        drop(leases);
        assert_eq!(range.leased(), 0);
        assert!(range.lease(&[LOCAL], true).is_ok());
    }

    #[test]
    fn the_last_ports_are_for_those_who_may_steer() {
        let range = PortRange::new(39_020, 39_051);
        let watching: Vec<_> = std::iter::from_fn(|| range.lease(&[LOCAL], false).ok()).collect();
        assert_eq!(watching.len(), 30);
        let steering: Vec<_> = std::iter::from_fn(|| range.lease(&[LOCAL], true).ok()).collect();
        assert_eq!(steering.len(), 2);
        assert_eq!(range.leased(), 32);
    }

    #[test]
    fn a_port_that_somebody_else_has_is_passed_over() {
        let other = UdpSocket::bind((LOCAL, 0)).unwrap();
        let port = other.local_addr().unwrap().port();
        let range = PortRange::new(port, port);
        assert!(range.lease(&[LOCAL], true).is_err());
        assert_eq!(range.leased(), 0);
        drop(other);
        assert_eq!(range.lease(&[LOCAL], true).unwrap().port(), port);
    }

    #[test]
    fn an_address_this_machine_does_not_have_gives_no_port() {
        let elsewhere = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
        assert!(PortRange::new(39_010, 39_012).lease(&[LOCAL, elsewhere], true).is_err());
    }
}
