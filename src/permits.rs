//! How many of something each may have at once.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The counts. A key that has none is not kept.
#[derive(Debug)]
pub struct Permits<K> {
    most: usize,
    taken: Mutex<HashMap<K, usize>>,
}

impl<K: Clone + Eq + Hash + Send + 'static> Permits<K> {
    /// So many for each key.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most,
            taken: Mutex::default(),
        }
    }

    /// One more, if there is room; given back when the permit is dropped.
    pub fn take(self: &Arc<Self>, key: K) -> Option<Permit> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(key.clone()).or_default();
        if *count >= self.most {
            return None;
        }
        *count += 1;
        let permits = Arc::clone(self);
        Some(Permit(Some(Box::new(move || permits.give_back(&key)))))
    }

    fn give_back(&self, key: &K) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                taken.remove(key);
            }
        }
    }
}

/// One of what was counted, for as long as it lives.
pub struct Permit(Option<Box<dyn FnOnce() + Send>>);

impl Drop for Permit {
    fn drop(&mut self) {
        if let Some(give_back) = self.0.take() {
            give_back();
        }
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permit_that_is_given_back_leaves_no_trace() {
        let permits = Arc::new(Permits::new(2));
        let both: Vec<_> = (0..2).map(|_| permits.take("a").unwrap()).collect();
        assert!(permits.take("a").is_none());
        assert!(permits.take("b").is_some());
        drop(both);
        assert!(permits.taken.lock().unwrap().is_empty());
    }
}
