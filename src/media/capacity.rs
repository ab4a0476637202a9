//! What an encoder gets of what its viewers' paths carry. Pure.

/// Below this no picture is made that anybody could use, in kbit/s.
pub(super) const LEAST_KBPS: u32 = 150;
/// A change by less than one of so many parts is none: each tells an encoder.
const PARTS: u32 = 20;

/// The rate of an encoder: the least of its viewers' capacities, but no more than what is configured.
pub(super) fn rate(capacities: impl Iterator<Item = u32>, max_kbps: u32) -> u32 {
    capacities.min().unwrap_or(max_kbps).max(LEAST_KBPS).min(max_kbps)
}

/// What to tell an encoder that was told `before`: that again unless `wish` differs notably.
pub(super) fn coalesced(before: Option<u32>, wish: u32) -> u32 {
    before
        .filter(|kbps| wish.abs_diff(*kbps) < kbps / PARTS)
        .unwrap_or(wish)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn small_changes_add_up_to_one_that_is_told() {
        let mut told = None;
        let mut changes = 0;
        for wish in (1000..2000).rev() {
            let now = Some(coalesced(told, wish));
            changes += u32::from(now != told);
            told = now;
        }
        assert!((10..=20).contains(&changes), "{changes}");
    }

    proptest! {
        #[test]
        fn a_rate_is_within_bounds_whatever_is_told(capacities: Vec<u32>, max in 50u32..500_000) {
            let rate = rate(capacities.iter().copied(), max);
            prop_assert!(rate <= max && rate >= LEAST_KBPS.min(max));
            if let Some(least) = capacities.iter().min() && (LEAST_KBPS..=max).contains(least) {
                prop_assert_eq!(rate, *least);
            }
        }
    }
}
