//! Offers of each session that no connection has come of: those that may yet, and those that never did.
//!
//! ```text
//!   taken ──▶ pending ── connected ──▶ half of the failures are forgiven
//!                └────── ended before that ──▶ a failure, for ten minutes
//! ```
//!
//! Each failure costs a session one of the offers that it may have pending, down to one; when all are lost, it also waits
//! between two. Who has no path to the host notices little of that; who makes offers to fill the places of others does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::ids::SessionId;

/// A failure counts for so long.
const REMEMBERED: Duration = Duration::from_secs(600);
/// Between two offers of a session that nothing ever comes of.
const PAUSE: Duration = Duration::from_secs(60);
/// Pending offers are connected or closed by then, most of them.
const SOON: Duration = Duration::from_secs(2);
/// Sessions remembered without a look at which are worth it.
const SWEEP: usize = 1024;

/// The offers of one session. Pure.
#[derive(Clone, Debug, Default)]
struct Tally {
    pending: usize,
    failures: Vec<Instant>,
}

impl Tally {
    /// One more, or how long it has to wait.
    fn take(&mut self, most: usize, now: Instant) -> Result<(), Duration> {
        self.forget(now);
        if let Some(last) = self.failures.last().filter(|_| self.failures.len() >= most) {
            let waits = PAUSE.saturating_sub(now.saturating_duration_since(*last));
            if !waits.is_zero() {
                return Err(waits);
            }
        }
        if self.pending >= most.saturating_sub(self.failures.len()).max(1) {
            return Err(SOON);
        }
        self.pending += 1;
        Ok(())
    }

    fn ended(&mut self, end: End, most: usize, now: Instant) {
        self.pending = self.pending.saturating_sub(1);
        match end {
            End::Connected => {
                let forgiven = self.failures.len().div_ceil(2);
                self.failures.drain(..forgiven);
            }
            End::Failed => {
                self.failures.push(now);
                // The newest count longest.
                let surplus = self.failures.len().saturating_sub(most);
                self.failures.drain(..surplus);
            }
            End::Excused => {}
        }
    }

    fn forget(&mut self, now: Instant) {
        self.failures
            .retain(|at| now.saturating_duration_since(*at) < REMEMBERED);
    }

    const fn is_blank(&self) -> bool {
        self.pending == 0 && self.failures.is_empty()
    }
}

/// What became of an offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// A connection.
    Connected,
    /// None, or none for as long as it held a place.
    Failed,
    /// None, and its session had no part in that.
    Excused,
}

/// The offers of all sessions.
#[derive(Debug)]
pub struct OfferBook {
    most: usize,
    sessions: Mutex<HashMap<SessionId, Tally>>,
}

impl OfferBook {
    /// So many pending for each session.
    #[must_use]
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            most,
            sessions: Mutex::default(),
        })
    }

    /// One more offer of a session.
    ///
    /// # Errors
    /// It has as many as it may; how long it has to wait at least.
    pub fn take(self: &Arc<Self>, session: SessionId, now: Instant) -> Result<Pending, Duration> {
        let mut sessions = self.lock();
        if sessions.len() >= SWEEP && !sessions.contains_key(&session) {
            // overflow: who has failed stays for ten minutes; new sessions of an address are limited.
            sessions.retain(|_, tally| {
                tally.forget(now);
                !tally.is_blank()
            });
        }
        let tally = sessions.entry(session).or_default();
        tally.take(self.most, now)?;
        Ok(Pending {
            book: Arc::clone(self),
            session,
            settled: false,
        })
    }

    fn ended(&self, session: SessionId, end: End, now: Instant) {
        let mut sessions = self.lock();
        if let Some(tally) = sessions.get_mut(&session) {
            tally.ended(end, self.most, now);
            if tally.is_blank() {
                sessions.remove(&session);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SessionId, Tally>> {
        // Nothing in here is left half done by a panic.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One offer that nothing has come of yet. Dropped without a word, it is excused.
#[derive(Debug)]
pub struct Pending {
    book: Arc<OfferBook>,
    session: SessionId,
    settled: bool,
}

impl Pending {
    /// Says what became of it.
    pub fn end(mut self, end: End) {
        self.settled = true;
        self.book.ended(self.session, end, Instant::now());
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.settled {
            self.book.ended(self.session, End::Excused, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MOST: usize = 16;

    #[test]
    fn offers_that_never_connect_cost_their_session_and_a_connection_forgives_half() {
        let (mut tally, mut now) = (Tally::default(), Instant::now());
        for _ in 0..MOST {
            tally.take(MOST, now).unwrap();
        }
        assert_eq!(tally.take(MOST, now), Err(SOON));
        now += Duration::from_secs(20);
        for _ in 0..MOST {
            tally.ended(End::Failed, MOST, now);
        }
        assert_eq!(tally.take(MOST, now), Err(PAUSE));
        now += PAUSE;
        tally.take(MOST, now).unwrap();
        assert_eq!(tally.take(MOST, now), Err(Duration::from_secs(2)), "one at a time");
        tally.ended(End::Connected, MOST, now);
        for _ in 0..MOST / 2 {
            tally.take(MOST, now).unwrap();
        }
        assert_eq!(tally.take(MOST, now), Err(SOON));
    }

    #[test]
    fn what_is_long_past_or_was_not_their_doing_costs_nothing() {
        let (mut tally, now) = (Tally::default(), Instant::now());
        for _ in 0..100 {
            tally.take(MOST, now).unwrap();
            tally.ended(End::Excused, MOST, now);
        }
        for _ in 0..5 {
            tally.take(MOST, now).unwrap();
            tally.ended(End::Failed, MOST, now);
        }
        assert!(!tally.is_blank());
        for _ in 0..MOST {
            tally.take(MOST, now + REMEMBERED).unwrap();
        }
    }

    #[test]
    fn sessions_that_owe_nothing_are_not_remembered() {
        let book = OfferBook::new(2);
        let (one, other, now) = (SessionId::new(), SessionId::new(), Instant::now());
        let first = book.take(one, now).unwrap();
        let second = book.take(one, now).unwrap();
        assert!(book.take(one, now).is_err());
        book.take(other, now).unwrap().end(End::Connected);
        drop(first);
        second.end(End::Connected);
        assert!(book.lock().is_empty());
        book.take(other, now).unwrap().end(End::Failed);
        assert_eq!(book.lock().len(), 1);
    }

    proptest! {
        /// Whatever becomes of them: a session never has more than it may, is never refused for ever, and one whose
        /// offers all fail has few.
        #[test]
        fn a_session_never_has_more_pending_than_it_may_and_never_waits_for_ever(
            steps in prop::collection::vec((0usize..5, 0u64..90), 1..300),
        ) {
            let (mut tally, mut now, mut pending) = (Tally::default(), Instant::now(), 0usize);
            for (step, pause) in steps {
                now += Duration::from_secs(pause);
                match (step, pending) {
                    (0 | 1, _) | (_, 0) => match tally.take(MOST, now) {
                        Ok(()) => pending += 1,
                        Err(wait) => prop_assert!(wait <= PAUSE && (pending > 0 || tally.take(MOST, now + wait).is_ok())),
                    },
                    (step, _) => {
                        tally.ended([End::Connected, End::Failed, End::Excused][step - 2], MOST, now);
                        pending -= 1;
                    }
                }
                if tally.pending > pending {
                    pending = tally.pending;
                }
                prop_assert!(pending <= MOST && tally.pending == pending);
                prop_assert!(tally.failures.len() <= MOST);
            }
        }
    }
}
