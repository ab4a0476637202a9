//! How often one browser may have a key frame made: a leaky bucket, pure. All who watch share the encoder, so that a key
//! frame for one costs each of them; who asks more often has the next one a little later, and who
//! goes on with it is moved to where fewer watch.

use std::time::Duration;

use tokio::time::Instant;

/// For each key frame asked for.
const EACH: Duration = Duration::from_secs(2);
/// So many at once: the first may be lost as well.
const AT_ONCE: u32 = 3;

/// The requests of one browser.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeyRate {
    /// When all that were made are paid for.
    paid: Option<Instant>,
    /// When what was refused was held against it last.
    held: Option<Instant>,
}

impl KeyRate {
    /// One is asked for: made now, or when it may be.
    ///
    /// # Errors
    /// When it may be.
    pub fn ask(&mut self, now: Instant) -> Result<(), Instant> {
        let paid = self.paid.map_or(now, |paid| paid.max(now));
        let ahead = EACH * (AT_ONCE - 1);
        if paid > now + ahead {
            return Err(paid - ahead);
        }
        self.made(now);
        Ok(())
    }

    /// One was refused: whether that is held against it. Not each request is, since browsers repeat them until a key frame is
    /// there.
    pub fn holds_against(&mut self, now: Instant) -> bool {
        let holds = self.held.is_none_or(|at| now.duration_since(at) >= EACH);
        if holds {
            self.held = Some(now);
        }
        holds
    }

    /// One is made that was put off.
    pub fn made(&mut self, now: Instant) {
        self.paid = Some(self.paid.map_or(now, |paid| paid.max(now)) + EACH);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_at_once_then_one_in_two_seconds_and_a_quiet_time_pays_for_all() {
        let (mut rate, begun) = (KeyRate::default(), Instant::now());
        assert!((0..3).all(|_| rate.ask(begun).is_ok()));
        assert_eq!(rate.ask(begun), Err(begun + EACH));
        let mut made = 0;
        for ms in 0..20_000 {
            made += u32::from(rate.ask(begun + Duration::from_millis(ms)).is_ok());
        }
        assert_eq!(made, 9);
        let later = begun + Duration::from_secs(60);
        assert!((0..3).all(|_| rate.ask(later).is_ok()));
        assert!(rate.ask(later).is_err());
    }

    #[test]
    fn of_what_is_refused_one_in_two_seconds_is_held_against_who_asks() {
        let (mut rate, begun) = (KeyRate::default(), Instant::now());
        let mut held = 0;
        for ms in 0..10_000 {
            let now = begun + Duration::from_millis(ms);
            held += u32::from(rate.ask(now).is_err() && rate.holds_against(now));
        }
        assert_eq!(held, 5);
    }
}
