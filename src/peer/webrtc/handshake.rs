//! Flights of the DTLS handshake (RFC 6347, section 4.2.4) that are sent again until the next one is due. Pure: `now` is an
//! argument.
//!
//! The crate stops its timer at whatever comes, and answers a flight that comes again with nothing (rtc-dtls 0.21.1,
//! `DTLSConn::wait`). So where a packet of ours is lost and the browser's timer is the shorter one, which it is (50 ms against
//! 1 s), both wait until the connection is given up. Here the same datagrams leave once more: what has arrived is dropped by
//! the other side as a replay, what has not is what it waits for.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

/// As long as no round trip is known, a flight is sent again after this time; then that doubles.
const FIRST: Duration = Duration::from_millis(200);
/// After twice the round trip, but not before this time.
const LEAST: Duration = Duration::from_millis(60);
/// Nor later than this.
const LAST: Duration = Duration::from_secs(1);
/// No flight is sent again more often.
const MOST: u32 = 10;
/// What leaves within this time is one flight.
const BURST: Duration = Duration::from_millis(20);
/// overflow: of a flight that is larger, which none of ours is, no more is kept, in datagrams …
const DATAGRAMS: usize = 16;
/// … and bytes.
const BYTES: usize = 24 * 1024;

/// First bytes of DTLS records, RFC 5246 section 6.2.1 …
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// … and of RTP and RTCP (RFC 7983, section 7).
const RTP: std::ops::RangeInclusive<u8> = 128..=191;

/// Something that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) to: SocketAddr,
    pub(super) bytes: Bytes,
}

/// Our last flight, and when it leaves again.
#[derive(Debug)]
pub(super) struct Flights {
    flight: Vec<Datagram>,
    /// When the last of it left.
    left: Option<Instant>,
    /// Something has come since: what leaves next is another flight.
    answered: bool,
    due: Option<Instant>,
    wait: Duration,
    times: u32,
    done: bool,
}

impl Flights {
    pub(super) const fn new() -> Self {
        Self {
            flight: Vec::new(),
            left: None,
            answered: false,
            due: None,
            wait: FIRST,
            times: 0,
            done: false,
        }
    }

    /// Whether the handshake is over: nothing is sent again any more.
    pub(super) const fn done(&self) -> bool {
        self.done
    }

    /// When something leaves again.
    pub(super) const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// A datagram leaves.
    pub(super) fn leaves(&mut self, to: SocketAddr, datagram: &[u8], now: Instant) {
        match datagram.first() {
            Some(&(CHANGE_CIPHER_SPEC | HANDSHAKE)) => {}
            // Keys are agreed on. Should our last flight be lost now, the crate answers each repeat of the browser's.
            Some(first) if *first == APPLICATION_DATA || RTP.contains(first) => return self.finish(),
            _ => return,
        }
        if self.answered {
            self.times = 0;
        }
        let goes_on = self.left.is_some_and(|left| now.duration_since(left) < BURST);
        if self.answered || !goes_on {
            self.flight.clear();
        }
        self.answered = false;
        let kept: usize = self.flight.iter().map(|datagram| datagram.bytes.len()).sum();
        if self.flight.len() < DATAGRAMS && kept + datagram.len() <= BYTES {
            let bytes = Bytes::copy_from_slice(datagram);
            self.flight.push(Datagram { to, bytes });
        }
        self.left = Some(now);
        self.wait_from(now);
    }

    /// A datagram has come.
    pub(super) fn comes(&mut self, datagram: &[u8], now: Instant) {
        match datagram.first() {
            Some(&(CHANGE_CIPHER_SPEC | HANDSHAKE)) => {}
            // The browser is through, so it has all of ours.
            Some(&APPLICATION_DATA) => return self.finish(),
            _ => return,
        }
        // Once: what comes later may be the browser's flight once more, which says nothing about the way.
        if let Some(left) = self.left
            && self.wait == FIRST
            && self.times == 0
        {
            self.wait = (now.duration_since(left) * 2).clamp(LEAST, LAST);
        }
        self.answered = true;
    }

    /// What leaves again now.
    pub(super) fn again(&mut self, now: Instant) -> Vec<Datagram> {
        if self.due.is_none_or(|due| now < due) {
            return Vec::new();
        }
        self.times += 1;
        self.wait_from(now);
        self.flight.clone()
    }

    /// Nothing is sent again any more.
    pub(super) fn finish(&mut self) {
        self.done = true;
        self.due = None;
        self.flight = Vec::new();
    }

    fn wait_from(&mut self, now: Instant) {
        let wait = (self.wait * (1 << self.times.min(8))).min(LAST);
        self.due = (self.times < MOST).then(|| now + wait);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELLO: &[u8] = &[HANDSHAKE, 1];
    const FINISHED: &[u8] = &[CHANGE_CIPHER_SPEC, 1];

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn browser() -> SocketAddr {
        "192.0.2.1:5000".parse().unwrap()
    }

    /// What leaves again until a time, and when.
    fn repeats(flights: &mut Flights, from: Instant, until: Duration) -> Vec<(u128, usize)> {
        let mut seen = Vec::new();
        while let Some(due) = flights.due().filter(|due| *due <= from + until) {
            seen.push((due.duration_since(from).as_millis(), flights.again(due).len()));
        }
        seen
    }

    #[test]
    fn a_flight_that_nothing_follows_leaves_again_and_again_and_not_for_ever() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        flights.leaves(browser(), HELLO, now);
        flights.leaves(browser(), FINISHED, now + ms(1));
        assert!(flights.again(now + ms(200)).is_empty());
        let seen = repeats(&mut flights, now, Duration::from_secs(60));
        assert_eq!(seen[..4], [(201, 2), (601, 2), (1401, 2), (2401, 2)]);
        assert_eq!(seen.len(), MOST as usize);
    }

    #[test]
    fn a_flight_that_comes_again_does_not_keep_ours_from_leaving_again() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        flights.leaves(browser(), HELLO, now);
        flights.comes(HELLO, now + ms(50));
        flights.leaves(browser(), FINISHED, now + ms(52));
        // The browser's timer, which is shorter than ours.
        for at in [100, 200, 400] {
            flights.comes(HELLO, now + ms(at));
        }
        let seen = repeats(&mut flights, now, ms(500));
        // Twice the round trip, and twice that.
        assert_eq!(seen, [(152, 1), (352, 1)]);
    }

    #[test]
    fn what_the_crate_sends_again_by_itself_takes_the_place_of_what_it_repeats() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        flights.leaves(browser(), HELLO, now);
        flights.leaves(browser(), FINISHED, now + ms(150));
        let again = flights.again(now + ms(350));
        assert_eq!(again.len(), 1);
        assert_eq!(again[0].bytes, FINISHED);
    }

    #[test]
    fn when_keys_are_agreed_on_nothing_leaves_again() {
        type Event = fn(&mut Flights, Instant);
        let events: [Event; 3] = [
            |f, now| f.leaves(browser(), &[APPLICATION_DATA], now),
            |f, now| f.leaves(browser(), &[0x80], now),
            |f, now| f.comes(&[APPLICATION_DATA], now),
        ];
        for event in events {
            let (mut flights, now) = (Flights::new(), Instant::now());
            flights.leaves(browser(), HELLO, now);
            // STUN, and nothing at all.
            flights.leaves(browser(), &[0, 1], now);
            flights.comes(&[0, 1], now);
            flights.comes(&[], now);
            assert!(!flights.done());
            event(&mut flights, now);
            assert!(flights.done());
            assert_eq!(flights.due(), None);
        }
    }

    #[test]
    fn a_flight_without_end_is_not_kept_without_end() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        for _ in 0..1000 {
            flights.leaves(browser(), &[HANDSHAKE; 2000], now);
        }
        let kept = flights.again(now + FIRST);
        assert!(kept.len() <= DATAGRAMS && kept.iter().map(|d| d.bytes.len()).sum::<usize>() <= BYTES);
        assert!(!kept.is_empty());
    }
}
