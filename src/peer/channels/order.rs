//! In which order events of `input` are taken, where copies of them may come first. Pure.

use std::collections::VecDeque;

/// overflow: a copy is left out then, and its event comes by `input`.
const MOST_AHEAD: usize = 256;

/// What has been taken of one peer's `input`.
#[derive(Debug, Default)]
pub(super) struct Order {
    /// The number of the last event taken, by either way.
    last: Option<u32>,
    /// Of those that were taken as copies and have not come by `input` yet, the numbers, in order.
    ahead: VecDeque<u32>,
}

impl Order {
    /// An event came by `input`. Gives whether it is to be taken: not if its copy was.
    pub(super) fn came(&mut self, seq: u32) -> bool {
        if let Some(at) = self.ahead.iter().position(|ahead| *ahead == seq) {
            // The channel keeps the order, so that none of those before it comes any more.
            self.ahead.drain(..=at);
            return false;
        }
        self.last = Some(seq);
        true
    }

    /// A copy came of the event that went out after `before`, or of the first one, which says itself. Gives whether it is to be
    /// taken: only where nothing is missing before it, and it has not been taken itself.
    pub(super) fn copy_came(&mut self, before: u32, seq: u32) -> bool {
        let next =
            self.last.map_or(before == seq, |last| last == before && seq != before) && self.ahead.len() < MOST_AHEAD;
        if next {
            self.last = Some(seq);
            self.ahead.push_back(seq);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_copy_is_taken_once_and_only_where_nothing_is_missing_before_it() {
        let mut order = Order::default();
        assert!(!order.copy_came(0, 1), "the first one is missing");
        assert!(order.copy_came(0, 0) && !order.copy_came(0, 0) && order.copy_came(0, 1));
        assert!(!order.copy_came(0, 1) && !order.copy_came(1, 1), "copies once more");
        assert!(!order.came(0) && !order.came(1), "what is copied comes late");
        assert!(order.came(2));
    }

    #[test]
    fn numbers_that_repeat_lose_nothing_by_input() {
        let mut order = Order::default();
        assert!((0..3).all(|_| order.came(0)));
    }

    proptest! {
        /// Whatever is lost or late of the copies, and however late the events come by `input`: each is taken once, in order.
        #[test]
        fn each_event_is_taken_once_and_in_order(
            first in any::<u32>(),
            steps in prop::collection::vec(1..4_u32, 1..300),
            ways in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..900),
        ) {
            let mut seq = first;
            let sent: Vec<u32> = steps.iter().map(|step| { seq = seq.wrapping_add(*step); seq }).collect();
            let (mut order, mut taken, mut by_input) = (Order::default(), Vec::new(), 0);
            for (copy, which) in ways {
                if copy {
                    let at = which.index(sent.len());
                    if order.copy_came(sent[at.saturating_sub(1)], sent[at]) {
                        taken.push(sent[at]);
                    }
                } else if by_input < sent.len() {
                    if order.came(sent[by_input]) {
                        taken.push(sent[by_input]);
                    }
                    by_input += 1;
                }
            }
            for seq in &sent[by_input..] {
                if order.came(*seq) {
                    taken.push(*seq);
                }
            }
            prop_assert_eq!(taken, sent);
        }
    }
}
