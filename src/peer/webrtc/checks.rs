//! How far away a browser is, by our own checks of the path to it (STUN, RFC 8489) and its answers. Pure: `now` is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::stun::{HEADER, REQUEST, SUCCESS, is};

/// overflow: of checks that nobody answers the oldest is forgotten.
const MOST: usize = 16;

/// By what an answer is known.
type Transaction = [u8; 12];

/// Checks that have left and were not answered yet.
#[derive(Debug, Default)]
pub(super) struct Checks {
    sent: VecDeque<(Transaction, Instant)>,
    quickest: Option<Duration>,
}

impl Checks {
    /// A datagram leaves.
    pub(super) fn leaves(&mut self, datagram: &[u8], now: Instant) {
        let Some(transaction) = of(datagram, REQUEST) else {
            return;
        };
        if self.sent.len() >= MOST {
            self.sent.pop_front();
        }
        self.sent.push_back((transaction, now));
    }

    /// A datagram has come. The round trip, where it is quicker than all before.
    pub(super) fn comes(&mut self, datagram: &[u8], now: Instant) -> Option<Duration> {
        let transaction = of(datagram, SUCCESS)?;
        let place = self.sent.iter().position(|(sent, _)| *sent == transaction)?;
        let (_, at) = self.sent.remove(place)?;
        let took = now.saturating_duration_since(at);
        if self.quickest.is_some_and(|quickest| quickest <= took) {
            return None;
        }
        self.quickest = Some(took);
        self.quickest
    }
}

/// Of a message of this type.
fn of(datagram: &[u8], kind: [u8; 2]) -> Option<Transaction> {
    is(datagram, kind)
        .then(|| datagram[8..HEADER].try_into().ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::stun::COOKIE;
    use super::*;

    fn message(kind: [u8; 2], transaction: u8) -> Vec<u8> {
        [&kind[..], &[0, 0], &COOKIE, &[transaction; 12], b"more"].concat()
    }

    #[test]
    fn the_quickest_answer_counts_and_each_once() {
        let (mut checks, begun) = (Checks::default(), Instant::now());
        let at = |ms| begun + Duration::from_millis(ms);
        for (n, ms) in [(1, 0), (2, 10), (3, 20)] {
            checks.leaves(&message(REQUEST, n), at(ms));
        }
        assert_eq!(
            checks.comes(&message(SUCCESS, 1), at(9)),
            Some(Duration::from_millis(9))
        );
        assert_eq!(checks.comes(&message(SUCCESS, 2), at(30)), None, "slower");
        assert_eq!(
            checks.comes(&message(SUCCESS, 3), at(23)),
            Some(Duration::from_millis(3))
        );
        assert_eq!(checks.comes(&message(SUCCESS, 3), at(23)), None, "answered already");
        assert_eq!(checks.comes(&message(SUCCESS, 9), at(23)), None, "never asked");
    }

    proptest! {
        #[test]
        fn whatever_comes_little_is_kept(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..60)) {
            let (mut checks, now) = (Checks::default(), Instant::now());
            for datagram in &datagrams {
                checks.leaves(datagram, now);
                checks.comes(datagram, now);
                checks.leaves(&message(REQUEST, datagram.len() as u8), now);
                prop_assert!(checks.sent.len() <= MOST);
            }
        }
    }
}
