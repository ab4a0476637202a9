//! How far the silence of a window means that its program hangs. Pure: counted in beats of the display, not in time.
//!
//! ```text
//!            answers                     silent while the display is drawn on
//! Unknown ───────────▶ Answers ────────────────────────────────────────────────▶ Mute
//!    └──────────────────────────────────────────────────────────────────────────▶
//!                         ◀───────────────────── answers after all ──────────────
//! ```
//!
//! Only the silence of a window that has answered before, on a display that stands still, says anything: many programs
//! announce that they take part in pings and answer none (Stellarium), and some are too busy to answer while they draw.

use std::collections::BTreeMap;

/// So many beats with drawing, while a ping waits for its answer, show that the window's pings say nothing.
const DRAWN_BEATS: u64 = 3;
/// More windows than a user has open; beyond, what is known of them is learnt anew.
const MAX_WINDOWS: usize = 64;

/// What is known of a window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Habit {
    /// It has not been asked, or has not answered yet.
    #[default]
    Unknown,
    /// It answers.
    Answers,
    /// It lives without answering: it is not asked any more.
    Mute,
}

/// A ping that waits for its answer.
#[derive(Clone, Copy, Debug)]
struct Asked {
    window: u32,
    serial: u32,
    /// Beats on which something was drawn meanwhile.
    drawn: u64,
    /// Beats since something was drawn last.
    still: u64,
}

/// The answers of a display's windows.
#[derive(Clone, Debug, Default)]
pub(super) struct Answers {
    habits: BTreeMap<u32, Habit>,
    asked: Option<Asked>,
    serial: u32,
}

impl Answers {
    /// A ping has come back.
    pub(super) fn answered(&mut self, serial: u32) {
        if let Some(asked) = self.asked.take_if(|asked| asked.serial == serial) {
            if self.habits.len() >= MAX_WINDOWS {
                self.habits.clear();
            }
            self.habits.insert(asked.window, Habit::Answers);
        }
    }

    /// A window is gone. The next program is often given the same number for its own, which was never asked.
    pub(super) fn gone(&mut self, window: u32) {
        self.asked.take_if(|asked| asked.window == window);
        self.habits.remove(&window);
    }

    /// One beat of the display: which window has the focus now, and whether anything was drawn since the last one. Gives
    /// the window that is to be asked, if it takes part in pings, and with which number.
    pub(super) fn beat(&mut self, active: Option<u32>, drawn: bool) -> Option<(u32, u32)> {
        // The user looks at another window now, or at none.
        self.asked.take_if(|asked| active != Some(asked.window));
        let window = active?;
        if let Some(asked) = &mut self.asked {
            asked.still = if drawn { 0 } else { asked.still + 1 };
            asked.drawn += u64::from(drawn);
            if asked.drawn >= DRAWN_BEATS {
                self.habits.insert(window, Habit::Mute);
            }
            return None;
        }
        (self.habit(window) != Habit::Mute).then_some((window, self.serial.wrapping_add(1)))
    }

    /// Whether this window is known to take part in pings, so that it need not be asked for that.
    pub(super) fn takes_part(&self, window: u32) -> bool {
        self.habit(window) == Habit::Answers
    }

    /// The ping was sent.
    pub(super) fn asked(&mut self, window: u32, serial: u32) {
        self.serial = serial;
        self.asked = Some(Asked {
            window,
            serial,
            drawn: 0,
            still: 0,
        });
    }

    /// For how many beats in a row the active window has left a ping unanswered that it should answer, while nothing
    /// was drawn.
    pub(super) fn silent(&self) -> u64 {
        self.asked
            .filter(|asked| self.habit(asked.window) == Habit::Answers)
            .map_or(0, |asked| asked.still)
    }

    fn habit(&self, window: u32) -> Habit {
        self.habits.get(&window).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const WINDOW: Option<u32> = Some(7);

    /// A beat, with the ping that it asks for; says whether there was one.
    fn beat(answers: &mut Answers, active: Option<u32>, drawn: bool) -> Option<u32> {
        let (window, serial) = answers.beat(active, drawn)?;
        answers.asked(window, serial);
        Some(serial)
    }

    fn answering() -> Answers {
        let mut answers = Answers::default();
        let serial = beat(&mut answers, WINDOW, false).unwrap();
        answers.answered(serial);
        answers
    }

    fn silence(answers: &mut Answers, beats: usize, drawn: bool) -> u64 {
        for _ in 0..beats {
            beat(answers, WINDOW, drawn);
        }
        answers.silent()
    }

    #[test]
    fn who_answered_and_says_nothing_more_on_a_still_display_is_silent() {
        let mut answers = answering();
        assert_eq!(silence(&mut answers, 1, false), 0, "only asked");
        assert_eq!(silence(&mut answers, 6, false), 6);
        let waiting = answers.serial;
        answers.answered(waiting.wrapping_add(1));
        assert_eq!(answers.silent(), 6, "another ping's answer");
        answers.answered(waiting);
        assert_eq!(answers.silent(), 0);
    }

    #[test]
    fn who_never_answered_is_not_silent_however_long_it_says_nothing() {
        let mut answers = Answers::default();
        assert_eq!(silence(&mut answers, 100, false), 0);
    }

    #[test]
    fn who_draws_is_not_silent_and_one_that_goes_on_drawing_is_not_asked_again() {
        let mut answers = answering();
        assert_eq!(silence(&mut answers, 100, true), 0);
        assert_eq!(silence(&mut answers, 100, false), 0, "its pings say nothing");
        beat(&mut answers, Some(8), false);
        assert_eq!(beat(&mut answers, WINDOW, false), None, "not asked again");
    }

    #[test]
    fn one_picture_in_a_long_silence_only_puts_it_off() {
        let mut answers = answering();
        assert_eq!(silence(&mut answers, 6, false), 5);
        assert_eq!(silence(&mut answers, 1, true), 0);
        assert_eq!(silence(&mut answers, 5, false), 5);
    }

    #[test]
    fn who_was_too_busy_to_answer_and_answers_after_all_is_asked_again() {
        let mut answers = answering();
        silence(&mut answers, 10, true);
        answers.answered(answers.serial);
        assert_eq!(silence(&mut answers, 6, false), 5);
    }

    #[test]
    fn another_window_begins_anew_and_so_does_one_with_the_number_of_one_that_is_gone() {
        let mut answers = answering();
        silence(&mut answers, 6, false);
        beat(&mut answers, Some(8), false);
        assert_eq!(answers.silent(), 0);
        beat(&mut answers, None, false);
        silence(&mut answers, 6, false);
        assert_eq!(answers.silent(), 5, "it is known to answer");
        answers.gone(7);
        assert_eq!(silence(&mut answers, 10, false), 0, "the next of that number never did");
    }

    proptest! {
        #[test]
        fn silence_is_never_longer_than_the_display_stood_still(
            beats in prop::collection::vec((0_u32..3, any::<bool>(), any::<bool>()), 0..200),
        ) {
            let (mut answers, mut still) = (Answers::default(), 0);
            for (window, drawn, answered) in beats {
                beat(&mut answers, (window > 0).then_some(window), drawn);
                still = if drawn { 0 } else { still + 1 };
                if answered {
                    answers.answered(answers.serial);
                }
                prop_assert!(answers.silent() <= still);
                prop_assert!(answers.habits.len() <= MAX_WINDOWS);
            }
        }
    }
}
