//! Which children a failure concerns. Pure.

use std::ops::Range;

use serde::Serialize;

/// What happens to the siblings of a child that is restarted (OTP: restart strategy).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Nothing: only the child itself is restarted.
    OneForOne,
    /// Those started after it are stopped and restarted with it.
    RestForOne,
    /// All are stopped and restarted.
    OneForAll,
}

impl Strategy {
    /// The children to restart, in start order, when the child at `failed` of `count` is. They are stopped in reverse.
    #[must_use]
    pub const fn concerned(self, failed: usize, count: usize) -> Range<usize> {
        match self {
            Self::OneForOne => failed..failed + 1,
            Self::RestForOne => failed..count,
            Self::OneForAll => 0..count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, proptest};

    #[test]
    fn each_strategy_concerns_what_its_name_says() {
        assert_eq!(Strategy::OneForOne.concerned(1, 4), 1..2);
        assert_eq!(Strategy::RestForOne.concerned(1, 4), 1..4);
        assert_eq!(Strategy::OneForAll.concerned(1, 4), 0..4);
    }

    proptest! {
        #[test]
        fn the_failed_child_is_always_concerned_and_nothing_outside_the_list(count in 1usize..20, pick in 0usize..20) {
            let failed = pick % count;
            for strategy in [Strategy::OneForOne, Strategy::RestForOne, Strategy::OneForAll] {
                let range = strategy.concerned(failed, count);
                prop_assert!(range.contains(&failed) && range.end <= count);
            }
        }
    }
}
