//! Checks of the browser that nominate a pair before a check of ours has succeeded there (RFC 8445, section 7.3.1.5). Pure.
//!
//! The crate checks the pair then, and answers nothing (rtc-ice 0.21.1, `ControlledSelector::handle_binding_request`): it
//! waits for the browser to ask again, which Chromium does after 50 ms, and if that is before our check has succeeded again
//! 50 ms later. So the browser's check is kept here, and given to the crate once more as soon as ours has succeeded, as if the
//! network had doubled it: then it is answered, and the pair is selected.

use std::net::SocketAddr;

use super::stun::{HEADER, REQUEST, SUCCESS, is};

const USE_CANDIDATE: [u8; 2] = [0x00, 0x25];
/// overflow: checks from further addresses are not kept; the browser asks again.
const ADDRESSES: usize = 16;
/// A check that is larger is not kept; they have a hundred bytes.
const BYTES: usize = 1_200;

/// A datagram as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Check {
    pub(super) from: SocketAddr,
    pub(super) bytes: Vec<u8>,
}

/// The last check of each address that is without an answer.
#[derive(Debug, Default)]
pub(super) struct Nominations {
    unanswered: Vec<Check>,
    again: Option<Check>,
}

impl Nominations {
    /// A datagram has come, and is given to the crate.
    pub(super) fn comes(&mut self, from: SocketAddr, datagram: &[u8]) {
        let known = self.unanswered.iter().position(|check| check.from == from);
        if is(datagram, SUCCESS) {
            if let Some(known) = known {
                self.again = Some(self.unanswered.swap_remove(known));
            }
        } else if is(datagram, REQUEST) && nominates(datagram) && datagram.len() <= BYTES {
            let bytes = datagram.to_vec();
            match known {
                Some(known) => self.unanswered[known].bytes = bytes,
                None if self.unanswered.len() < ADDRESSES => self.unanswered.push(Check { from, bytes }),
                None => {}
            }
        }
    }

    /// What is to be given to the crate once more.
    pub(super) fn again(&mut self) -> Option<Check> {
        self.again.take()
    }
}

fn nominates(message: &[u8]) -> bool {
    let mut rest = &message[HEADER..];
    while let [kind @ .., high, low] = &rest[..rest.len().min(4)] {
        if *kind == USE_CANDIDATE {
            return true;
        }
        // Padded to four bytes.
        let length = usize::from(u16::from_be_bytes([*high, *low])).next_multiple_of(4);
        rest = rest.get(4 + length..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stun::COOKIE;
    use super::*;

    fn browser(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn message(kind: [u8; 2], attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (kind, value) in attributes {
            body.extend(kind.to_be_bytes());
            body.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(*value);
            body.resize(body.len().next_multiple_of(4), 0);
        }
        let mut all = kind.to_vec();
        all.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
        all.extend(COOKIE);
        all.extend([7; 12]);
        all.extend(body);
        all
    }

    const NOMINATES: &[(u16, &[u8])] = &[(0x0006, b"abcd:ef"), (0x0025, b""), (0x0008, &[1; 20])];
    const CHECKS: &[(u16, &[u8])] = &[(0x0006, b"abcd:ef"), (0x0008, &[1; 20])];

    #[test]
    fn a_check_that_nominates_comes_once_more_when_ours_has_succeeded_there() {
        let mut nominations = Nominations::default();
        let check = message(REQUEST, NOMINATES);
        nominations.comes(browser(1), &check);
        assert_eq!(nominations.again(), None, "ours has not succeeded");
        nominations.comes(browser(2), &message(SUCCESS, &[]));
        assert_eq!(nominations.again(), None, "that is another pair");
        nominations.comes(browser(1), &message(SUCCESS, &[]));
        let again = nominations.again().unwrap();
        assert_eq!((again.from, again.bytes), (browser(1), check));
        nominations.comes(browser(1), &message(SUCCESS, &[]));
        assert_eq!(nominations.again(), None, "and only once");
    }

    #[test]
    fn the_last_check_counts_and_one_that_does_not_nominate_is_answered_by_the_crate() {
        let mut nominations = Nominations::default();
        nominations.comes(browser(1), &message(REQUEST, CHECKS));
        nominations.comes(browser(1), &message(SUCCESS, &[]));
        assert_eq!(nominations.again(), None);
        let last = message(REQUEST, &[(0x0006, b"x"), (0x0025, b"")]);
        nominations.comes(browser(1), &message(REQUEST, NOMINATES));
        nominations.comes(browser(1), &last);
        nominations.comes(browser(1), &message(SUCCESS, &[]));
        assert_eq!(nominations.again().map(|check| check.bytes), Some(last));
    }

    #[test]
    fn not_every_address_of_a_flood_is_kept() {
        let mut nominations = Nominations::default();
        for port in 1..1000 {
            nominations.comes(browser(port), &message(REQUEST, NOMINATES));
        }
        assert_eq!(nominations.unanswered.len(), ADDRESSES);
        nominations.comes(browser(1), &message(REQUEST, &[(0x0025, b""), (0x0022, &[0; BYTES])]));
        assert!(nominations.unanswered.iter().all(|check| check.bytes.len() <= BYTES));
    }

    proptest! {
        #[test]
        fn whatever_comes_is_no_harm(datagrams in prop::collection::vec((0_u16..4, prop::collection::vec(any::<u8>(), 0..80), any::<bool>()), 0..40)) {
            let mut nominations = Nominations::default();
            for (port, mut bytes, stun) in datagrams {
                if stun && bytes.len() >= 8 {
                    bytes[..2].copy_from_slice(if port % 2 == 0 { &REQUEST } else { &SUCCESS });
                    bytes[4..8].copy_from_slice(&COOKIE);
                }
                nominations.comes(browser(port / 2), &bytes);
                if let Some(check) = nominations.again() {
                    prop_assert!(check.bytes.starts_with(&REQUEST));
                }
            }
        }
    }
}
