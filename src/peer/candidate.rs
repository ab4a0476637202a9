//! Which of a browser's candidates are used: pure inspection of the line (RFC 8839, section 5.1).
//!
//! The host sends checks to every candidate it takes, so a browser must not be able to point it at what only the host
//! reaches: loopback and link-local addresses are taken only from viewers that are there themselves.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::PeerError;
use crate::protocol::signalling::MAX_CANDIDATE;

/// What to do with a candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Check it.
    Take,
    /// Nothing; the connection does without it.
    Leave,
}

/// The candidates of one viewer: where it is, and how many more it may send.
#[derive(Debug)]
pub struct Intake {
    viewer: IpAddr,
    most: u32,
    taken: AtomicU32,
}

impl Intake {
    /// For a viewer whose requests come from `viewer`; `most` for each offer.
    #[must_use]
    pub const fn new(viewer: IpAddr, most: u32) -> Self {
        Self {
            viewer,
            most,
            taken: AtomicU32::new(0),
        }
    }

    /// Judges one more.
    ///
    /// # Errors
    /// [`PeerError::BadCandidate`], also when there are too many.
    pub fn judge(&self, line: &str) -> Result<Verdict, PeerError> {
        if self.taken.fetch_add(1, Ordering::Relaxed) >= self.most {
            return Err(PeerError::BadCandidate("too many".to_owned()));
        }
        judge(line, self.viewer)
    }

    /// A new offer, without the candidates in it that are not taken. Those that came before it do not count any more.
    #[must_use]
    pub fn sift(&self, offer: &str) -> String {
        self.taken.store(0, Ordering::Relaxed);
        let taken = |line: &&str| match line.strip_prefix("a=candidate:") {
            Some(candidate) => self
                .judge(candidate.trim_end())
                .is_ok_and(|verdict| verdict == Verdict::Take),
            None => true,
        };
        offer.split_inclusive('\n').filter(taken).collect()
    }
}

/// Judges one line of a viewer whose requests come from `viewer`.
///
/// # Errors
/// [`PeerError::BadCandidate`] when it is too large or no candidate.
pub fn judge(line: &str, viewer: IpAddr) -> Result<Verdict, PeerError> {
    let bad = |why: &str| PeerError::BadCandidate(why.to_owned());
    if line.len() > MAX_CANDIDATE {
        return Err(bad("too large"));
    }
    let line = line.strip_prefix("candidate:").unwrap_or(line);
    if line.trim().is_empty() {
        // The end of the candidates.
        return Ok(Verdict::Leave);
    }
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let &[_, _, transport, _, address, port, ..] = fields.as_slice() else {
        return Err(bad("it has too few fields"));
    };
    if fields.len() < 8 {
        return Err(bad("it has too few fields"));
    }
    // A connection by TCP would be one that the host opens to wherever a browser says.
    if !transport.eq_ignore_ascii_case("udp") {
        return Ok(Verdict::Leave);
    }
    port.parse::<u16>().map_err(|_| bad("its port is no number"))?;
    // A name behind mDNS is reached all the same, by the browser's own checks (peer reflexive).
    let Ok(address) = address.parse::<IpAddr>() else {
        return Ok(Verdict::Leave);
    };
    Ok(if may_be_checked(address.to_canonical(), viewer.to_canonical()) {
        Verdict::Take
    } else {
        Verdict::Leave
    })
}

fn may_be_checked(address: IpAddr, viewer: IpAddr) -> bool {
    if address.is_unspecified() || address.is_multicast() || is_broadcast(address) {
        return false;
    }
    if address.is_loopback() {
        return viewer.is_loopback();
    }
    if is_link_local(address) {
        // Who is on this machine is on its links.
        return is_link_local(viewer) || viewer.is_loopback();
    }
    true
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict(address: &str, viewer: &str) -> Verdict {
        let line = format!("candidate:1 1 udp 2113937151 {address} 54321 typ host generation 0");
        judge(&line, viewer.parse().unwrap()).unwrap()
    }

    #[test]
    fn loopback_and_link_local_are_for_viewers_that_are_there_themselves() {
        for (address, viewer, expected) in [
            ("127.0.0.1", "127.0.0.1", Verdict::Take),
            ("::1", "127.0.0.1", Verdict::Take),
            ("127.0.0.1", "::ffff:127.0.0.1", Verdict::Take),
            ("127.0.0.1", "192.0.2.7", Verdict::Leave),
            ("::1", "2001:db8::7", Verdict::Leave),
            ("::ffff:127.0.0.1", "192.0.2.7", Verdict::Leave),
            ("169.254.169.254", "192.0.2.7", Verdict::Leave),
            ("169.254.1.2", "169.254.9.9", Verdict::Take),
            ("fe80::1", "fe80::2", Verdict::Take),
            ("fe80::1", "2001:db8::7", Verdict::Leave),
            ("192.168.1.5", "192.0.2.7", Verdict::Take),
            ("0.0.0.0", "127.0.0.1", Verdict::Leave),
            ("224.0.0.1", "127.0.0.1", Verdict::Leave),
            ("255.255.255.255", "127.0.0.1", Verdict::Leave),
            ("3f0c9c.local", "127.0.0.1", Verdict::Leave),
        ] {
            assert_eq!(verdict(address, viewer), expected, "{address} from {viewer}");
        }
    }

    #[test]
    fn tcp_and_the_end_are_left_and_rubbish_is_told() {
        let here = "127.0.0.1".parse().unwrap();
        let tcp = "candidate:1 1 tcp 1518280447 192.0.2.7 9 typ host tcptype active";
        assert_eq!(judge(tcp, here).unwrap(), Verdict::Leave);
        assert_eq!(judge("", here).unwrap(), Verdict::Leave);
        assert_eq!(judge("candidate:", here).unwrap(), Verdict::Leave);
        let long = "x".repeat(MAX_CANDIDATE + 1);
        for rubbish in [
            "candidate:rubbish",
            "1 1 udp 1 127.0.0.1",
            "1 1 udp 1 192.0.2.7 x typ host",
            &long,
        ] {
            assert_eq!(judge(rubbish, here).unwrap_err().code(), "bad_candidate");
        }
    }

    #[test]
    fn an_offer_keeps_the_candidates_that_are_taken_and_all_its_other_lines() {
        let intake = Intake::new([192, 0, 2, 7].into(), 3);
        let line = |address: &str| format!("a=candidate:1 1 udp 1 {address} 9 typ host\r\n");
        let offer = ["v=0\r\n", &line("127.0.0.1"), "a=mid:0\r\n", &line("192.0.2.7")].concat();
        let sifted = ["v=0\r\na=mid:0\r\n", &line("192.0.2.7")].concat();
        assert_eq!(intake.sift(&offer), sifted);
        assert!(intake.judge("1 1 udp 1 192.0.2.8 9 typ host").is_ok());
        assert_eq!(
            intake.judge("").unwrap_err().code(),
            "bad_candidate",
            "two were in the offer"
        );
        assert_eq!(intake.sift(&offer), sifted, "each offer has its own");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,300}") {
            let _ = judge(&text, IpAddr::from([192, 0, 2, 7]));
        }
    }
}
