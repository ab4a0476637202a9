//! RTP time from the machine's clock.

use super::Track;

/// Turns frame times into RTP timestamps of one stream (RFC 3550, section 5.1): a random start, then the host clock.
#[derive(Clone, Debug)]
pub struct RtpClock {
    hz: u32,
    offset: u32,
    last_us: u64,
}

impl RtpClock {
    /// The clock of a track, which starts at `offset`: random per stream.
    #[must_use]
    pub fn new(track: impl Into<Track>, offset: u32) -> Self {
        Self {
            hz: track.into().clock_hz(),
            offset,
            last_us: 0,
        }
    }

    /// The timestamp of a frame grabbed at 0.
    #[must_use]
    pub const fn offset(&self) -> u32 {
        self.offset
    }

    /// The timestamp of a frame grabbed at `pts_us`. Never goes back: a frame that claims to be older than the one
    /// before, as one of another rendition may be, is given that one's time plus one tick.
    pub fn timestamp(&mut self, pts_us: u64) -> u32 {
        let at = if self.last_us > 0 && pts_us <= self.last_us {
            self.last_us + 12
        } else {
            pts_us
        };
        self.last_us = at;
        let ticks = u128::from(at) * u128::from(self.hz) / 1_000_000;
        #[allow(
            clippy::cast_possible_truncation,
            reason = "RTP timestamps wrap around by definition"
        )]
        self.offset.wrapping_add(ticks as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Codec;
    use proptest::prelude::*;

    #[test]
    fn a_second_is_ninety_thousand_ticks() {
        let mut clock = RtpClock::new(Codec::Vp8, u32::MAX);
        let first = clock.timestamp(5_000_000);
        assert_eq!(clock.timestamp(6_000_000).wrapping_sub(first), 90_000);
    }

    proptest! {
        #[test]
        fn time_always_moves_forward(times in prop::collection::vec(1u64..10_000_000_000, 2..50)) {
            let mut clock = RtpClock::new(Codec::H264, 7);
            let mut last = clock.timestamp(1);
            for t in times {
                let now = clock.timestamp(t);
                // A step of up to 10 000 s is 900 000 000 ticks: forward is less than half the circle.
                prop_assert!((1..u32::MAX / 2).contains(&now.wrapping_sub(last)));
                last = now;
            }
        }
    }
}
