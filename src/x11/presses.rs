//! Presses keys: which one, and with which modifiers, for what a viewer's key means.

use std::collections::VecDeque;
use std::time::Instant;

use x11rb::protocol::xkb::{ConnectionExt as _, ID};
use x11rb::protocol::xproto::{
    AutoRepeatMode, ChangeKeyboardControlAux, ConnectionExt as _, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, ModMask,
};

use super::X11Error;
use super::chord::{Chord, chord, keypad_level};
use super::held::KeyName;
use super::keymap::{SHIFT_L, Stroke, is_applied, is_printable};
use super::typing::{Reach, keysyms_of};
use super::usage::{COMMAND_USAGES, keycode};
use super::xtest::{Injector, KeyboardMode};
use crate::protocol::input::InputEvent;

/// Keysyms of `AltGr`.
const ALT_GR: [u32; 2] = [0xfe03, 0xff7e];
/// Usages of the modifiers, which do not repeat.
const MODIFIER_USAGES: std::ops::RangeInclusive<u16> = 0xe0..=0xe7;

impl Injector {
    pub(super) fn release(&mut self, usage: u16, keysym: u32) -> Result<(), X11Error> {
        if ALT_GR.contains(&keysym) {
            self.alt_gr = false;
        }
        match self.held.release_key(name_of(usage, keysym)) {
            Some(code) => self.fake(KEY_RELEASE_EVENT, code, (0, 0)),
            None => Ok(()),
        }
    }

    /// Presses a key; or says when to try again, if it has to wait for its character.
    pub(super) fn press(&mut self, usage: u16, keysym: u32, now: Instant) -> Result<Option<Instant>, X11Error> {
        if ALT_GR.contains(&keysym) {
            self.alt_gr = true;
        }
        if self.mode == KeyboardMode::Text && is_applied(keysym) {
            return Ok(None);
        }
        let (reach, lifted) = self.stroke(usage, keysym, now)?;
        let stroke = match reach {
            Some(Reach::Stroke(stroke)) => stroke,
            Some(Reach::Later(due)) => return Ok(Some(due)),
            Some(Reach::Never) => {
                self.not_typed = self.not_typed.saturating_add(1);
                return Ok(None);
            }
            None => {
                log::debug!("no key for usage {usage:#x}");
                return Ok(None);
            }
        };
        if !self.held.press_key(name_of(usage, keysym), stroke.code) {
            return Ok(None);
        }
        self.repeat_nothing()?;
        self.with_modifiers(stroke, &lifted, |this| this.fake(KEY_PRESS_EVENT, stroke.code, (0, 0)))?;
        self.typist.typed(&self.display, stroke, now)?;
        Ok(None)
    }

    /// The display repeats no key by itself: it would go on while the viewer's release is stuck on its way. Said before
    /// every press, because programs may turn it on.
    fn repeat_nothing(&self) -> Result<(), X11Error> {
        let off = ChangeKeyboardControlAux::new().auto_repeat_mode(AutoRepeatMode::OFF);
        drop(self.display.x.change_keyboard_control(&off)?);
        Ok(())
    }

    /// Presses a held key once more, as the X server repeats keys: a release and a press at the same time.
    pub(super) fn repeat(&mut self, usage: u16, keysym: u32) -> Result<(), X11Error> {
        let Some(code) = self.held.repeated_key(name_of(usage, keysym)) else {
            return Ok(());
        };
        if MODIFIER_USAGES.contains(&usage) {
            return Ok(());
        }
        let now = Instant::now();
        let (reach, lifted) = self.stroke(usage, keysym, now)?;
        // Another key by now, because a modifier has come: then that one goes on. A key that is held keeps its meaning.
        let (stroke, lifted) = match reach {
            Some(Reach::Stroke(stroke)) if stroke.code == code => (stroke, lifted),
            _ => (Stroke::new(code, None), Vec::new()),
        };
        self.fake(KEY_RELEASE_EVENT, code, (0, 0))?;
        self.with_modifiers(stroke, &lifted, |this| this.fake(KEY_PRESS_EVENT, code, (0, 0)))?;
        self.typist.typed(&self.display, stroke, now)
    }

    /// Which key to press, and which modifiers would spoil it.
    fn stroke(&mut self, usage: u16, keysym: u32, now: Instant) -> Result<(Option<Reach>, Vec<u8>), X11Error> {
        self.refresh_keymap(now)?;
        let place = keycode(usage);
        let by_place = place.map(|code| Stroke::new(code, None));
        let by_meaning = self.typist.keymap.find(keysym, place);
        if let Some(digits) = keypad_level(keysym) {
            // What Shift does to the keypad, Num Lock undoes.
            self.num_lock(digits != self.shift_down())?;
            let key = by_meaning.or(by_place).map(|s| Stroke { shift: None, ..s });
            return Ok((key.map(Reach::Stroke), Vec::new()));
        }
        if self.mode == KeyboardMode::Physical || !is_printable(keysym) {
            return Ok((by_place.or(by_meaning).map(Reach::Stroke), Vec::new()));
        }
        let command = COMMAND_USAGES
            .iter()
            .any(|usage| self.held.key_is_down(KeyName::Usage(*usage)));
        if command && !self.alt_gr {
            // Only keys of the layout: a character on a key of our own making would be a command that no program knows.
            let meant = match chord(usage, keysym, self.shift_down()) {
                Chord::Letter(letter) => {
                    let stroke = self.typist.keymap.find(letter, place);
                    stroke.map(|s| Stroke { shift: None, ..s })
                }
                Chord::Character => by_meaning,
                Chord::Place => None,
            };
            return Ok((meant.or(by_place).map(Reach::Stroke), Vec::new()));
        }
        let reach = self.reach(keysym, place, now)?;
        // Some systems send AltGr as Control and Alt.
        let lifted = if command { self.command_codes() } else { Vec::new() };
        Ok((Some(reach), lifted))
    }

    fn reach(&mut self, keysym: u32, place: Option<u8>, now: Instant) -> Result<Reach, X11Error> {
        let text = self.text.iter().copied();
        let ahead = text.chain(self.backlog.iter().flat_map(keysyms_in));
        let held = self.held.keycodes();
        self.typist.reach(&self.display, keysym, place, ahead, &held, now)
    }

    /// Types the first character of the text; or says when to try again.
    pub(super) fn type_next(&mut self, keysym: u32, now: Instant) -> Result<Option<Instant>, X11Error> {
        self.refresh_keymap(now)?;
        match self.reach(keysym, None, now)? {
            Reach::Later(due) => return Ok(Some(due)),
            Reach::Never => self.not_typed = self.not_typed.saturating_add(1),
            Reach::Stroke(stroke) => {
                // Pasted by Ctrl+Shift+V: Shift is no part of Enter.
                let shift = Some(stroke.shift == Some(true));
                let stroke = Stroke { shift, ..stroke };
                // Pasting is usually done with Control held down.
                self.with_modifiers(stroke, &self.command_codes(), |this| {
                    this.fake(KEY_PRESS_EVENT, stroke.code, (0, 0))?;
                    this.fake(KEY_RELEASE_EVENT, stroke.code, (0, 0))
                })?;
                self.typist.typed(&self.display, stroke, now)?;
            }
        }
        self.text.pop_front();
        Ok(None)
    }

    /// Does `work` with Shift and the third level as the stroke needs them and without the `lifted` keys, then puts everything back.
    fn with_modifiers(
        &self,
        stroke: Stroke,
        lifted: &[u8],
        work: impl FnOnce(&Self) -> Result<(), X11Error>,
    ) -> Result<(), X11Error> {
        let shifts = self.typist.keymap.shift_codes();
        let held = self.held.keycodes();
        let down: Vec<u8> = shifts.iter().copied().filter(|code| held.contains(code)).collect();
        let (mut up, mut press) = (lifted.to_vec(), Vec::new());
        match stroke.shift {
            Some(true) if down.is_empty() => press.extend(self.typist.keymap.find(SHIFT_L, None).map(|s| s.code)),
            Some(false) => up.extend(&down),
            _ => {}
        }
        if stroke.level_three {
            press.extend(self.typist.level_three());
        }
        for code in &up {
            self.fake(KEY_RELEASE_EVENT, *code, (0, 0))?;
        }
        for code in &press {
            self.fake(KEY_PRESS_EVENT, *code, (0, 0))?;
        }
        work(self)?;
        for code in press.iter().rev() {
            self.fake(KEY_RELEASE_EVENT, *code, (0, 0))?;
        }
        for code in &up {
            self.fake(KEY_PRESS_EVENT, *code, (0, 0))?;
        }
        Ok(())
    }

    fn refresh_keymap(&mut self, now: Instant) -> Result<(), X11Error> {
        self.drain()?;
        if std::mem::take(&mut self.keymap_is_stale) {
            self.typist.reread(&self.display, now)?;
        }
        Ok(())
    }

    /// Sets Num Lock, which programs see in the state of each key, without pressing its key.
    fn num_lock(&self, on: bool) -> Result<(), X11Error> {
        // Of the core keyboard; every keymap of xkeyboard-config has Num Lock on this modifier.
        let (affected, wanted) = (ModMask::M2, if on { ModMask::M2 } else { ModMask::default() });
        let group = 0u8.into();
        drop(self.display.x.xkb_latch_lock_state(
            ID::USE_CORE_KBD.into(),
            affected,
            wanted,
            false,
            group,
            ModMask::default(),
            false,
            0,
        )?);
        Ok(())
    }

    fn shift_down(&self) -> bool {
        let held = self.held.keycodes();
        self.typist.keymap.shift_codes().iter().any(|code| held.contains(code))
    }

    fn command_codes(&self) -> Vec<u8> {
        let down = |usage: &&u16| self.held.key_is_down(KeyName::Usage(**usage));
        COMMAND_USAGES
            .iter()
            .filter(down)
            .filter_map(|usage| keycode(*usage))
            .collect()
    }
}

fn name_of(usage: u16, keysym: u32) -> KeyName {
    if usage != 0 {
        KeyName::Usage(usage)
    } else {
        KeyName::Keysym(keysym)
    }
}

/// The characters that an event types.
fn keysyms_in(event: &InputEvent) -> VecDeque<u32> {
    match event {
        InputEvent::Text(text) => keysyms_of(text).0,
        InputEvent::Key {
            pressed: true, keysym, ..
        } if is_printable(*keysym) => [*keysym].into(),
        _ => VecDeque::new(),
    }
}
