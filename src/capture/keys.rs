//! When a key frame that somebody waits for is made. Pure.
//!
//! All who watch a rendition see its key frames. One of a still screen must not be coarser than what is there, so it waits
//! until the encoder has saved what a sharp one takes; that is less than a second after the one before, where the machine has
//! time.

/// Nobody waits longer than this for a key frame. µs.
const PATIENCE_US: u64 = 2_000_000;

/// What is to be done about key frames now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// None is wanted.
    Never,
    /// With the next picture, whatever it is.
    Now,
    /// With the next picture that is still: the screen is sharp, and a key frame can be.
    Still,
    /// At this time at the latest, or once the picture is sharp.
    At(u64),
}

/// The wishes for key frames of one rendition, which become one.
#[derive(Debug, Default)]
pub(super) struct Keys {
    since_us: Option<u64>,
}

impl Keys {
    /// Somebody waits for one.
    pub(super) fn want(&mut self, now: u64) {
        self.since_us.get_or_insert(now);
    }

    /// `calm`: nothing large has changed for a while. `sharp`: the picture is, and nothing is owed for it.
    pub(super) fn due(&self, now: u64, calm: bool, sharp: bool) -> Due {
        let Some(latest) = self.since_us.map(|since| since + PATIENCE_US) else {
            return Due::Never;
        };
        if !calm || now >= latest {
            Due::Now
        } else if sharp {
            Due::Still
        } else {
            Due::At(latest)
        }
    }

    /// It is made.
    pub(super) const fn take(&mut self) {
        self.since_us = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_the_picture_moves_a_key_frame_comes_at_once() {
        let mut keys = Keys::default();
        assert_eq!(keys.due(5, false, false), Due::Never);
        keys.want(5);
        assert_eq!(keys.due(5, false, false), Due::Now);
        keys.take();
        assert_eq!(keys.due(5, false, false), Due::Never);
    }

    #[test]
    fn a_key_frame_of_a_still_screen_waits_until_it_can_be_sharp_and_not_for_ever() {
        let mut keys = Keys::default();
        keys.want(1_000);
        keys.want(500_000);
        assert_eq!(keys.due(600_000, true, false), Due::At(2_001_000));
        assert_eq!(keys.due(600_000, true, true), Due::Still);
        assert_eq!(keys.due(2_001_000, true, false), Due::Now);
    }
}
