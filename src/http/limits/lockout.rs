//! Who showed too many wrong tokens. Pure: the time is an argument.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::{Duration, Instant};

/// The first lock; each further failure doubles it.
const FIRST: Duration = Duration::from_secs(60);
/// No lock is longer.
const LONGEST: Duration = Duration::from_secs(3600);
/// Failures are forgotten after this time without another.
const MEMORY: Duration = Duration::from_secs(2 * 3600);
/// Of so many addresses failures are remembered at most.
/// overflow: the one whose last failure is the longest ago is forgotten.
const MOST: usize = 10_000;

#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Instant,
    locked_until: Option<Instant>,
}

/// Failures of each address.
#[derive(Debug)]
pub(super) struct Lockout<K> {
    allowed: u32,
    failures: HashMap<K, Failures>,
}

impl<K: Clone + Eq + Hash> Lockout<K> {
    /// Locks at failure number `allowed`.
    pub(super) fn new(allowed: u32) -> Self {
        Self {
            allowed,
            failures: HashMap::new(),
        }
    }

    /// How long somebody is still locked out.
    pub(super) fn locked_for(&self, key: &K, now: Instant) -> Option<Duration> {
        let until = self.failures.get(key)?.locked_until?;
        Some(until.saturating_duration_since(now)).filter(|left| !left.is_zero())
    }

    /// One more failure; says how long it locks out, if it does.
    pub(super) fn failed(&mut self, key: K, now: Instant) -> Option<Duration> {
        if !self.failures.contains_key(&key) && self.failures.len() >= MOST {
            self.make_room(now);
        }
        let entry = self.failures.entry(key).or_insert(Failures {
            count: 0,
            last: now,
            locked_until: None,
        });
        if now.saturating_duration_since(entry.last) > MEMORY {
            entry.count = 0;
        }
        entry.count = entry.count.saturating_add(1);
        entry.last = now;
        let over = entry.count.checked_sub(self.allowed)?;
        let lock = FIRST.saturating_mul(1 << over.min(10)).min(LONGEST);
        entry.locked_until = Some(now + lock);
        Some(lock)
    }

    /// The right one was shown.
    pub(super) fn succeeded(&mut self, key: &K) {
        self.failures.remove(key);
    }

    fn make_room(&mut self, now: Instant) {
        self.failures
            .retain(|_, f| now.saturating_duration_since(f.last) <= MEMORY);
        if self.failures.len() < MOST {
            return;
        }
        let oldest = self.failures.iter().min_by_key(|(_, f)| f.last);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.failures.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_after_the_allowed_ones_doubles_the_lock_up_to_an_hour() {
        let mut lockout = Lockout::new(3);
        let mut now = Instant::now();
        assert_eq!(lockout.failed("a", now), None);
        assert_eq!(lockout.failed("a", now), None);
        for seconds in [60, 120, 240, 480, 960, 1920, 3600, 3600] {
            let lock = Duration::from_secs(seconds);
            assert_eq!(lockout.failed("a", now), Some(lock));
            assert_eq!(lockout.locked_for(&"a", now), Some(lock));
            assert_eq!(lockout.locked_for(&"b", now), None);
            now += lock;
            assert_eq!(lockout.locked_for(&"a", now), None);
        }
        lockout.succeeded(&"a");
        assert_eq!(lockout.failed("a", now), None);
    }

    #[test]
    fn failures_of_long_ago_are_forgotten() {
        let mut lockout = Lockout::new(2);
        let now = Instant::now();
        lockout.failed("a", now);
        assert_eq!(lockout.failed("a", now + MEMORY + Duration::from_secs(1)), None);
    }

    #[test]
    fn however_many_addresses_fail_memory_is_bounded() {
        let mut lockout = Lockout::new(2);
        let now = Instant::now();
        for key in 0..u32::try_from(MOST).unwrap() + 10 {
            lockout.failed(key, now + Duration::from_millis(u64::from(key)));
        }
        assert_eq!(lockout.failures.len(), MOST);
        assert!(!lockout.failures.contains_key(&0), "the oldest went");
    }
}
