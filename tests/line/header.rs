//! What a firewall reads of an IP packet.

/// Protocol number of UDP.
pub const UDP: u8 = 17;
const TCP: u8 = 6;

/// Protocol, and both ports where it has them, of an IPv4 or IPv6 packet; `None` for what is neither. Extension headers of
/// IPv6 count as protocols of their own.
fn read(packet: &[u8]) -> Option<(u8, Option<[u16; 2]>)> {
    let first = *packet.first()?;
    let (protocol, length) = match first >> 4 {
        4 => (*packet.get(9)?, usize::from(first & 0x0f) * 4),
        6 => (*packet.get(6)?, 40),
        _ => return None,
    };
    let port = |at: usize| {
        Some(u16::from_be_bytes([
            *packet.get(length + at)?,
            *packet.get(length + at + 1)?,
        ]))
    };
    let ports = matches!(protocol, UDP | TCP)
        .then(|| Some([port(0)?, port(2)?]))
        .flatten();
    Some((protocol, ports))
}

/// Whether a packet is of UDP.
pub fn is_udp(packet: &[u8]) -> bool {
    read(packet).is_some_and(|(protocol, _)| protocol == UDP)
}

/// Whether a packet is of TCP, from or to a port.
pub fn is_tcp_of(packet: &[u8], port: u16) -> bool {
    read(packet).is_some_and(|(protocol, ports)| protocol == TCP && ports.is_some_and(|both| both.contains(&port)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(head: &[(usize, u8)], length: usize) -> Vec<u8> {
        let mut packet = vec![0; length];
        for (at, byte) in head {
            packet[*at] = *byte;
        }
        packet
    }

    #[test]
    fn protocol_and_ports_are_read_from_either_family() {
        let udp = packet(&[(0, 0x45), (9, 17), (23, 9)], 28);
        assert!(is_udp(&udp) && !is_tcp_of(&udp, 9));
        // With an option of four bytes, so that the ports come later.
        let tcp = packet(&[(0, 0x46), (9, 6), (24, 1), (25, 187), (27, 80)], 44);
        assert!(!is_udp(&tcp) && is_tcp_of(&tcp, 443) && is_tcp_of(&tcp, 80) && !is_tcp_of(&tcp, 22));
        let six = packet(&[(0, 0x60), (6, 6), (42, 1), (43, 187)], 60);
        assert!(is_tcp_of(&six, 443));
    }

    #[test]
    fn what_is_cut_short_or_no_ip_is_neither() {
        for rubbish in [
            &[][..],
            &[0x45],
            &[0x45; 10],
            &packet(&[(0, 0x45), (9, 6)], 22),
            &[0x12; 60],
        ] {
            assert!(!is_udp(rubbish) && !is_tcp_of(rubbish, 443), "{rubbish:?}");
        }
    }
}
