//! How often the viewers of an instance are told of each other. Pure.
//!
//! ```text
//!            changed            changed, within the gap           the gap is over
//!   quiet ────────────▶ told ───────────────────────────▶ due ────────────────────▶ told
//! ```
//!
//! Each telling goes to everybody. Told at every change, so many viewers that come at once would cost their number
//! squared; with a gap that grows with them, an instance says so much a second at most, however many come and go.

use std::time::{Duration, Instant};

/// Between two tellings, at least.
const LEAST: Duration = Duration::from_millis(100);
/// For each viewer that is told.
const EACH: Duration = Duration::from_millis(1);

/// When the viewers were told last, and when they are due to be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Announcing {
    last: Option<Instant>,
    due: Option<Instant>,
}

impl Announcing {
    /// Something has changed that `viewers` have to be told. Says whether they are told now; otherwise they are due.
    pub fn changed(&mut self, viewers: usize, now: Instant) -> bool {
        let at = self.last.map_or(now, |last| last + gap(viewers));
        // What is due already is not put off by those who come meanwhile.
        let due = *self.due.get_or_insert(at);
        self.tell(due, now)
    }

    /// When they are due to be told.
    #[must_use]
    pub const fn due(&self) -> Option<Instant> {
        self.due
    }

    /// Whether they are told now, because they are due.
    pub fn come(&mut self, now: Instant) -> bool {
        self.due.is_some_and(|due| self.tell(due, now))
    }

    fn tell(&mut self, due: Instant, now: Instant) -> bool {
        if now < due {
            return false;
        }
        self.due = None;
        self.last = Some(now);
        true
    }
}

/// Between two tellings of so many.
fn gap(viewers: usize) -> Duration {
    LEAST.max(EACH * u32::try_from(viewers).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_change_after_a_quiet_time_is_told_at_once_and_the_next_after_the_gap() {
        let begun = Instant::now();
        let mut announcing = Announcing::default();
        assert!(announcing.changed(1, begun));
        assert_eq!(announcing.due(), None);
        let soon = begun + Duration::from_millis(1);
        assert!(!announcing.changed(2, soon));
        assert_eq!(announcing.due(), Some(begun + LEAST));
        assert!(!announcing.changed(500, soon), "nobody is put off");
        assert_eq!(announcing.due(), Some(begun + LEAST));
        assert!(!announcing.come(soon));
        assert!(announcing.come(begun + LEAST));
        assert!(!announcing.come(begun + LEAST), "once");
        assert!(announcing.changed(2, begun + LEAST * 3));
    }

    proptest! {
        /// Viewers come at any times; somebody looks whenever something is due.
        #[test]
        fn however_many_come_at_once_each_is_told_of_the_last_and_no_more_than_so_often(
            pauses in prop::collection::vec(0_u64..60, 1..400),
        ) {
            let begun = Instant::now();
            let (mut announcing, mut now) = (Announcing::default(), begun);
            let (mut times, mut messages, mut here) = (Vec::new(), 0, 0);
            for pause in pauses {
                let next = now + Duration::from_millis(pause);
                if let Some(due) = announcing.due().filter(|due| *due <= next) {
                    prop_assert!(announcing.come(due));
                    times.push(due);
                    messages += here;
                }
                now = next;
                here += 1;
                if announcing.changed(here, now) {
                    times.push(now);
                    messages += here;
                }
            }
            if let Some(due) = announcing.due() {
                prop_assert!(due <= now + gap(here), "the last change is told in time");
                prop_assert!(announcing.come(due));
                times.push(due);
                messages += here;
            }
            prop_assert_eq!(announcing.due(), None);
            prop_assert!(times.windows(2).all(|two| two[1] - two[0] >= LEAST));
            let took = times.last().map_or(Duration::ZERO, |last| *last - begun);
            // A message a millisecond, but for the first telling and the last.
            let most = usize::try_from(took.as_millis()).unwrap() + 2 * here;
            prop_assert!(messages <= most, "{} messages to {} in {:?}", messages, here, took);
        }
    }
}
