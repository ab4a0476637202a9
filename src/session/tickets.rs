//! Tickets: each signs one browser in, once and for a while. Pure: `now` is an argument.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::secret::SecretHash;

/// A ticket is good for this long.
pub const LIFE: Duration = Duration::from_secs(600);
/// Tickets at once.
const MOST: usize = 64;

/// The tickets that were made and not used. They are nowhere but in memory, and there only as hashes.
#[derive(Debug, Default)]
pub struct Tickets(VecDeque<(SecretHash, Instant)>);

impl Tickets {
    /// A new one was made.
    pub fn add(&mut self, ticket: SecretHash, now: Instant) {
        self.0.retain(|(_, until)| *until > now);
        if self.0.len() >= MOST {
            // overflow: the oldest is good no more.
            self.0.pop_front();
        }
        self.0.push_back((ticket, now + LIFE));
    }

    /// Uses a ticket up; says whether it was good.
    pub fn take(&mut self, ticket: &SecretHash, now: Instant) -> bool {
        let found = self.0.iter().position(|(hash, _)| hash == ticket);
        let taken = found.and_then(|at| self.0.remove(at));
        taken.is_some_and(|(_, until)| until > now)
    }

    /// None is good any more.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::secret::Secret;
    use super::*;

    fn ticket() -> SecretHash {
        Secret::generate().unwrap().hash()
    }

    #[test]
    fn a_ticket_is_good_once_and_for_a_while() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        let (one, two) = (ticket(), ticket());
        tickets.add(one.clone(), now);
        tickets.add(two.clone(), now);
        assert!(!tickets.take(&ticket(), now));
        assert!(tickets.take(&one, now + LIFE / 2));
        assert!(!tickets.take(&one, now + LIFE / 2));
        assert!(!tickets.take(&two, now + LIFE));
    }

    #[test]
    fn many_tickets_cost_the_oldest() {
        let (mut tickets, now) = (Tickets::default(), Instant::now());
        let all: Vec<_> = (0..=MOST).map(|_| ticket()).collect();
        for one in &all {
            tickets.add(one.clone(), now);
        }
        assert!(!tickets.take(&all[0], now));
        assert!(tickets.take(&all[1], now) && tickets.take(&all[MOST], now));
    }
}
