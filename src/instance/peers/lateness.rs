//! How late a frame is, judged by the browser's clock and without knowing what time it shows. Pure.

use std::time::Duration;

/// A frame that took this much longer than the fastest one was held up.
const LATE_MS: i64 = 300;
/// Two clocks drift apart by less than this: one part in a thousand.
const DRIFT: i64 = 1000;

/// The fastest frame of one peer.
#[derive(Debug, Default)]
pub(in crate::instance) struct Lateness {
    fastest: Option<Fastest>,
}

#[derive(Clone, Copy, Debug)]
struct Fastest {
    /// Host's clock less browser's clock when it came, in ms.
    offset: i64,
    /// When that was, by the host's clock.
    at: i64,
    /// The newest time of the browser's that was seen, its wraps added up.
    browser: i64,
}

impl Lateness {
    /// A frame with the browser's time `time_ms` (which wraps) came at `now` of a clock of the host's: whether it was
    /// held up on its way.
    pub(in crate::instance) fn is_late(&mut self, time_ms: u32, now: Duration) -> bool {
        let now = i64::try_from(now.as_millis()).unwrap_or(i64::MAX);
        let Some(fastest) = self.fastest else {
            let browser = i64::from(time_ms);
            self.fastest = Some(Fastest {
                offset: now - browser,
                at: now,
                browser,
            });
            return false;
        };
        // The nearest time to the last one that wraps to this value. The difference as a signed number is meant.
        #[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let step = time_ms.wrapping_sub(fastest.browser as u32) as i32;
        let browser = fastest.browser + i64::from(step);
        let offset = now - browser;
        let expected = fastest.offset + (now - fastest.at).max(0) / DRIFT;
        self.fastest = Some(if offset <= expected {
            Fastest {
                offset,
                at: now,
                browser,
            }
        } else {
            Fastest { browser, ..fastest }
        });
        offset - expected > LATE_MS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(n: u64) -> Duration {
        Duration::from_millis(n)
    }

    #[test]
    fn only_what_took_longer_than_the_others_is_late() {
        let mut lateness = Lateness::default();
        assert!(!lateness.is_late(5_000, ms(100)));
        assert!(!lateness.is_late(6_000, ms(1_290)), "190 ms more");
        assert!(lateness.is_late(7_000, ms(2_900)), "800 ms more");
        assert!(!lateness.is_late(8_000, ms(3_050)), "the fastest so far");
        assert!(lateness.is_late(8_500, ms(3_900)), "350 ms more than that");
    }

    #[test]
    fn the_browsers_clock_wraps() {
        let mut lateness = Lateness::default();
        assert!(!lateness.is_late(u32::MAX - 99, ms(0)));
        assert!(!lateness.is_late(100, ms(200)));
        assert!(lateness.is_late(u32::MAX - 10, ms(800)));
        assert!(!lateness.is_late(700, ms(800)));
    }

    #[test]
    fn clocks_that_drift_apart_make_nothing_late() {
        let mut lateness = Lateness::default();
        for second in 0..100_000 {
            // 0.02 percent slower than the host's.
            let browser = u32::try_from(second * 1000 - second / 5).unwrap();
            assert!(!lateness.is_late(browser, ms(second * 1000)), "after {second} s");
        }
    }
}
