//! Who watches is told when something says nothing any more, well before it counts as hanging and is killed: a picture
//! that stands still without a word looks like a program that does nothing.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::capture::CaptureHandle;
use crate::desktop::parts::CAPTURE;
use crate::desktop::shared::DesktopShared;
use crate::source::{Facts, Part, PartSpec};

/// Between two looks.
pub(in crate::desktop) const TICK: Duration = Duration::from_millis(500);
/// Something that has said nothing for more looks than this is silent. Counted, not timed: a host that was stopped
/// itself goes on counting where it was.
pub(in crate::desktop) const SILENT_TICKS: u32 = 5;

/// What is told of a part that is up, while it is silent.
#[derive(Clone, Copy)]
pub(in crate::desktop) struct Silence {
    /// Which part.
    pub(in crate::desktop) part: PartSpec,
    /// What people read.
    pub(in crate::desktop) words: &'static str,
}

impl Silence {
    /// Keeps the part true to it. What is wrong with the part for another reason stays.
    pub(in crate::desktop) fn tell(self, facts: &mut Facts, silent: bool) {
        let part = &mut facts[self.part];
        let told = matches!(&*part, Part::Held { reason } if reason == self.words);
        if silent && *part == Part::Up {
            let reason = self.words.to_owned();
            *part = Part::Held { reason };
        } else if !silent && told {
            *part = Part::Up;
        }
    }
}

/// Tells when the capture is silent. Never returns.
pub(in crate::desktop) async fn watch_capture(shared: &DesktopShared, capture: &CaptureHandle) {
    let silence = Silence {
        part: CAPTURE,
        words: "the capture does not answer",
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut heard, mut silent, mut told) = (capture.progress(), 0, true);
    loop {
        ticks.tick().await;
        let now = capture.progress();
        silent = if now == heard { silent + 1 } else { 0 };
        heard = now;
        let quiet = silent > SILENT_TICKS;
        if quiet || told {
            shared.facts.update(|f| silence.tell(f, quiet));
        }
        told = quiet;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SILENCE: Silence = Silence {
        part: CAPTURE,
        words: "it says nothing",
    };

    #[test]
    fn a_part_that_is_up_is_held_while_it_is_silent() {
        let mut facts = Facts::of(&[CAPTURE]);
        facts[CAPTURE] = Part::Up;
        SILENCE.tell(&mut facts, false);
        assert_eq!(facts[CAPTURE], Part::Up);
        SILENCE.tell(&mut facts, true);
        let reason = "it says nothing".to_owned();
        assert_eq!(facts[CAPTURE], Part::Held { reason });
        SILENCE.tell(&mut facts, false);
        assert_eq!(facts[CAPTURE], Part::Up);
    }

    #[test]
    fn another_reason_is_left_alone() {
        let reason = "it was stopped by a signal".to_owned();
        let lost = Part::Lost { reason: reason.clone() };
        for part in [Part::Starting, Part::Down, lost, Part::Held { reason }] {
            for silent in [true, false] {
                let mut facts = Facts::of(&[CAPTURE]);
                facts[CAPTURE] = part.clone();
                SILENCE.tell(&mut facts, silent);
                assert_eq!(facts[CAPTURE], part);
            }
        }
    }
}
