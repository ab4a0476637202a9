//! Whether an encoder for narrow lines is the better one, by the rate that those who watch can take. Pure.

/// From three quarters of the full rate on a line is broad …
const BROAD: (u64, u64) = (3, 4);
/// … once it has been so for this long, µs,
const BROAD_AFTER_US: u64 = 2_000_000;
/// and below five eighths it is narrow …
const NARROW: (u64, u64) = (5, 8);
/// … after this long, µs.
const NARROW_AFTER_US: u64 = 250_000;

/// How broad the line is that a rendition is encoded for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Breadth {
    full_kbps: u32,
    narrow: bool,
    /// Since when the rate has said otherwise.
    otherwise_us: Option<u64>,
}

impl Breadth {
    /// Of a rate to begin with. What has no full rate is for narrow lines only.
    pub(super) fn new(kbps: u32, full_kbps: Option<u32>) -> Self {
        let full_kbps = full_kbps.unwrap_or(u32::MAX);
        Self {
            full_kbps,
            narrow: !at_least(kbps, full_kbps, BROAD),
            otherwise_us: None,
        }
    }

    /// Whether it is narrow.
    pub(super) const fn narrow(&self) -> bool {
        self.narrow
    }

    /// Looks at the rate; whether the line has become what it was not.
    pub(super) fn judge(&mut self, kbps: u32, now: u64) -> bool {
        let (otherwise, after) = if self.narrow {
            (at_least(kbps, self.full_kbps, BROAD), BROAD_AFTER_US)
        } else {
            (!at_least(kbps, self.full_kbps, NARROW), NARROW_AFTER_US)
        };
        if !otherwise {
            self.otherwise_us = None;
            return false;
        }
        let since = *self.otherwise_us.get_or_insert(now);
        if now.saturating_sub(since) < after {
            return false;
        }
        self.narrow = !self.narrow;
        self.otherwise_us = None;
        true
    }
}

fn at_least(kbps: u32, full_kbps: u32, (part, of): (u64, u64)) -> bool {
    u64::from(kbps) * of >= u64::from(full_kbps) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MS: u64 = 1000;

    /// When it changes, in ms, looked at each 50 ms, by rates and how long each holds.
    fn changes(breadth: &mut Breadth, rates: &[(u32, u64)]) -> Vec<u64> {
        let (mut at, mut changes) = (0, Vec::new());
        for (kbps, ms) in rates {
            for _ in 0..ms / 50 {
                if breadth.judge(*kbps, at * MS) {
                    changes.push(at);
                }
                at += 50;
            }
        }
        changes
    }

    #[test]
    fn a_line_is_broad_once_it_has_carried_enough_for_two_seconds_and_narrow_soon_after_it_does_not() {
        let mut breadth = Breadth::new(2000, Some(8000));
        assert!(breadth.narrow());
        let rates = [
            (5900, 5000),
            (6000, 1900),
            (5000, 50),
            (6000, 2100),
            (5000, 5000),
            (4900, 1000),
        ];
        assert_eq!(changes(&mut breadth, &rates), [8950, 14_300]);
        assert!(breadth.narrow());
    }

    #[test]
    fn one_that_begins_with_enough_is_broad_from_the_first_picture_and_a_lower_rung_never() {
        assert!(!Breadth::new(3000, Some(4000)).narrow());
        assert!(!Breadth::new(8000, Some(0)).narrow());
        let mut lower = Breadth::new(500_000, None);
        assert!(lower.narrow());
        assert_eq!(changes(&mut lower, &[(500_000, 60_000)]), [] as [u64; 0]);
    }

    proptest! {
        #[test]
        fn it_changes_to_and_fro_no_more_than_once_in_the_time_that_both_take(
            rates in prop::collection::vec((0_u32..10_000, 50_u64..4000), 1..60),
        ) {
            let mut breadth = Breadth::new(8000, Some(8000));
            let all: u64 = rates.iter().map(|(_, ms)| ms).sum();
            let changes = changes(&mut breadth, &rates).len() as u64;
            prop_assert!(changes <= 1 + 2 * all * MS / (BROAD_AFTER_US + NARROW_AFTER_US), "{changes} in {all} ms");
        }
    }
}
