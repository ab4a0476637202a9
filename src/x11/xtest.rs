//! Injects input by the XTEST extension.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xkb::{ConnectionExt as _, ID};
use x11rb::protocol::xproto::{
    AutoRepeatMode, BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ChangeKeyboardControlAux, ChangeWindowAttributesAux,
    ConnectionExt as _, EventMask, KEY_PRESS_EVENT, KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT, Mapping, ModMask,
};
use x11rb::protocol::xtest::ConnectionExt as _;

use super::chord::{Chord, chord, keypad_level};
use super::connect::Display;
use super::held::{HeldInput, KeyName};
use super::keymap::{Keymap, SHIFT_L, Stroke, is_applied, is_printable, keysym_of};
use super::spare::SpareKeys;
use super::usage::{COMMAND_USAGES, keycode};
use super::wheel::Wheel;
use super::{Cancel, DisplayAddress, X11Error};
use crate::protocol::input::InputEvent;

/// Keysyms of `AltGr`.
const ALT_GR: [u32; 2] = [0xfe03, 0xff7e];
/// Usages of the modifiers, which do not repeat.
const MODIFIER_USAGES: std::ops::RangeInclusive<u16> = 0xe0..=0xe7;

/// How keys are injected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyboardMode {
    /// Printable keys by what they mean in the viewer's layout, others by their place.
    #[default]
    Text,
    /// All keys by their place, for programs that read the keyboard as a set of buttons.
    Physical,
}

/// A connection that injects input.
#[derive(Debug)]
pub struct Injector {
    display: Display,
    held: Arc<HeldInput>,
    mode: KeyboardMode,
    keymap: Keymap,
    keymap_is_stale: bool,
    spare: SpareKeys,
    wheel: Wheel,
    alt_gr: bool,
    size: (u16, u16),
}

impl Injector {
    /// Connects, and releases whatever is down on the display: keys pressed by XTEST outlive who pressed them.
    ///
    /// # Errors
    /// No display, no XTEST, too late, or cancelled.
    pub fn connect(
        address: &DisplayAddress,
        held: Arc<HeldInput>,
        mode: KeyboardMode,
        deadline: Duration,
        cancel: &Cancel,
    ) -> Result<Self, X11Error> {
        let display = Display::connect(address, deadline)?;
        cancel.attach(&display)?;
        let keymap = display.within(deadline, |display| {
            display
                .x
                .xtest_get_version(2, 2)?
                .reply()
                .map_err(|_| X11Error::MissingExtension("XTEST"))?;
            let xkb = display.x.xkb_use_extension(1, 0)?.reply();
            if !xkb.is_ok_and(|xkb| xkb.supported) {
                return Err(X11Error::MissingExtension("XKEYBOARD"));
            }
            // Tells when the screen changes its size.
            let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
            display.x.change_window_attributes(display.root(), &watch)?;
            release_whatever_is_down(display, &held)?;
            read_keymap(display)
        })?;
        let size = (display.screen().width_in_pixels, display.screen().height_in_pixels);
        Ok(Self {
            display,
            held,
            mode,
            keymap,
            keymap_is_stale: false,
            spare: SpareKeys::default(),
            wheel: Wheel::default(),
            alt_gr: false,
            size,
        })
    }

    /// What to poll: readable when the server says something or is gone. Call [`Self::drain`] then.
    #[must_use]
    pub fn fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.display.fd()
    }

    /// Looks at what the server said, without waiting.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn drain(&mut self) -> Result<(), X11Error> {
        while let Some(event) = self.display.x.poll_for_event()? {
            match event {
                Event::MappingNotify(event) if event.request == Mapping::KEYBOARD => self.keymap_is_stale = true,
                Event::ConfigureNotify(event) if event.window == self.display.root() => {
                    self.size = (event.width, event.height);
                }
                Event::Error(error) => log::warn!("x11 error while injecting: {:?}", error.error_kind),
                _ => {}
            }
        }
        Ok(())
    }

    /// Hands everything injected so far to the server.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn flush(&self) -> Result<(), X11Error> {
        Ok(self.display.x.flush()?)
    }

    /// Injects one event; it takes effect with the next [`Self::flush`]. Says whether it was one that can have one.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn inject(&mut self, event: &InputEvent) -> Result<bool, X11Error> {
        match event {
            InputEvent::Move { x, y } => self.move_to(*x, *y)?,
            InputEvent::RelativeMove { dx, dy } => self.fake(MOTION_NOTIFY_EVENT, 1, (*dx, *dy))?,
            InputEvent::Button { number, pressed, x, y } => {
                self.move_to(*x, *y)?;
                self.button(*number, *pressed)?;
            }
            InputEvent::Wheel { dx, dy, x, y } => {
                self.move_to(*x, *y)?;
                for button in self.wheel.turn(*dx, *dy) {
                    self.fake(BUTTON_PRESS_EVENT, button, (0, 0))?;
                    self.fake(BUTTON_RELEASE_EVENT, button, (0, 0))?;
                }
            }
            InputEvent::Key { pressed, usage, keysym } => self.key(*pressed, *usage, *keysym)?,
            InputEvent::Repeat { usage, keysym } => self.repeat(*usage, *keysym)?,
            InputEvent::Text(text) => self.text(text)?,
            InputEvent::ReleaseAll => self.release_all()?,
            InputEvent::Hidden | InputEvent::Visible | InputEvent::Ping { .. } => return Ok(false),
        }
        Ok(true)
    }

    /// Releases exactly what is down.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn release_all(&mut self) -> Result<(), X11Error> {
        let (keys, buttons) = self.held.take_all();
        for code in keys {
            self.fake(KEY_RELEASE_EVENT, code, (0, 0))?;
        }
        for button in buttons {
            self.fake(BUTTON_RELEASE_EVENT, button, (0, 0))?;
        }
        self.wheel.reset();
        self.alt_gr = false;
        Ok(())
    }

    fn move_to(&self, x: u16, y: u16) -> Result<(), X11Error> {
        self.fake(MOTION_NOTIFY_EVENT, 0, (pixel(x, self.size.0), pixel(y, self.size.1)))
    }

    fn button(&self, number: u8, pressed: bool) -> Result<(), X11Error> {
        // X has the wheel between the main buttons and the side buttons.
        let Some(button) = [1, 2, 3, 8, 9].get(usize::from(number)).copied() else {
            return Ok(());
        };
        if self.held.set_button(button, pressed) {
            self.fake(
                if pressed {
                    BUTTON_PRESS_EVENT
                } else {
                    BUTTON_RELEASE_EVENT
                },
                button,
                (0, 0),
            )?;
        }
        Ok(())
    }

    fn key(&mut self, pressed: bool, usage: u16, keysym: u32) -> Result<(), X11Error> {
        let name = name_of(usage, keysym);
        if ALT_GR.contains(&keysym) {
            self.alt_gr = pressed;
        }
        if !pressed {
            return match self.held.release_key(name) {
                Some(code) => self.fake(KEY_RELEASE_EVENT, code, (0, 0)),
                None => Ok(()),
            };
        }
        if self.mode == KeyboardMode::Text && is_applied(keysym) {
            return Ok(());
        }
        let (stroke, lifted) = self.stroke(usage, keysym)?;
        let Some(stroke) = stroke else {
            log::debug!("no key for usage {usage:#x}");
            return Ok(());
        };
        if !self.held.press_key(name, stroke.code) {
            return Ok(());
        }
        self.repeat_nothing()?;
        self.with_modifiers(stroke, &lifted, |this| this.fake(KEY_PRESS_EVENT, stroke.code, (0, 0)))
    }

    /// The display repeats no key by itself: it would go on while the viewer's release is stuck on its way. Said before
    /// every press, because programs may turn it on.
    fn repeat_nothing(&self) -> Result<(), X11Error> {
        let off = ChangeKeyboardControlAux::new().auto_repeat_mode(AutoRepeatMode::OFF);
        drop(self.display.x.change_keyboard_control(&off)?);
        Ok(())
    }

    /// Presses a held key once more, as the X server repeats keys: a release and a press at the same time.
    fn repeat(&mut self, usage: u16, keysym: u32) -> Result<(), X11Error> {
        let Some(code) = self.held.repeated_key(name_of(usage, keysym)) else {
            return Ok(());
        };
        if MODIFIER_USAGES.contains(&usage) {
            return Ok(());
        }
        let (stroke, lifted) = self.stroke(usage, keysym)?;
        // Another key by now, because a modifier has come: then that one goes on.
        let (stroke, lifted) = match stroke.filter(|stroke| stroke.code == code) {
            Some(stroke) => (stroke, lifted),
            None => (Stroke { code, shift: None }, Vec::new()),
        };
        self.fake(KEY_RELEASE_EVENT, code, (0, 0))?;
        self.with_modifiers(stroke, &lifted, |this| this.fake(KEY_PRESS_EVENT, code, (0, 0)))
    }

    /// Which key to press, and which modifiers would spoil it.
    fn stroke(&mut self, usage: u16, keysym: u32) -> Result<(Option<Stroke>, Vec<u8>), X11Error> {
        self.refresh_keymap()?;
        let place = keycode(usage);
        let by_place = place.map(|code| Stroke { code, shift: None });
        let by_meaning = self.keymap.find(keysym, place);
        if let Some(digits) = keypad_level(keysym) {
            // What Shift does to the keypad, Num Lock undoes.
            self.num_lock(digits != self.shift_down())?;
            let key = by_meaning.or(by_place).map(|s| Stroke { shift: None, ..s });
            return Ok((key, Vec::new()));
        }
        if self.mode == KeyboardMode::Physical {
            return Ok((by_place.or(by_meaning), Vec::new()));
        }
        if !is_printable(keysym) {
            return Ok((by_place.or(by_meaning), Vec::new()));
        }
        let command = COMMAND_USAGES
            .iter()
            .any(|usage| self.held.key_is_down(KeyName::Usage(*usage)));
        if command && !self.alt_gr {
            let meant = match chord(usage, keysym, self.shift_down()) {
                Chord::Letter(letter) => self.keymap.find(letter, place).map(|s| Stroke { shift: None, ..s }),
                Chord::Character => by_meaning,
                Chord::Place => None,
            };
            return Ok((meant.or(by_place), Vec::new()));
        }
        let stroke = match by_meaning {
            Some(stroke) => Some(stroke),
            None => self.bind(keysym)?,
        };
        // Some systems send AltGr as Control and Alt.
        let lifted = if command { self.command_codes() } else { Vec::new() };
        Ok((stroke.or(by_place), lifted))
    }

    fn text(&mut self, text: &str) -> Result<(), X11Error> {
        // Pasting is usually done with Control held down.
        let lifted = self.command_codes();
        for keysym in text.chars().filter_map(keysym_of) {
            self.refresh_keymap()?;
            let stroke = match self.keymap.find(keysym, None) {
                Some(stroke) => Some(stroke),
                None => self.bind(keysym)?,
            };
            let Some(stroke) = stroke else { continue };
            // Pasted by Ctrl+Shift+V: Shift is no part of Enter.
            let shift = Some(stroke.shift == Some(true));
            let stroke = Stroke { shift, ..stroke };
            self.with_modifiers(stroke, &lifted, |this| {
                this.fake(KEY_PRESS_EVENT, stroke.code, (0, 0))?;
                this.fake(KEY_RELEASE_EVENT, stroke.code, (0, 0))
            })?;
        }
        Ok(())
    }

    /// Does `work` with Shift as the stroke needs it and without the `lifted` keys, then puts everything back.
    fn with_modifiers(
        &self,
        stroke: Stroke,
        lifted: &[u8],
        work: impl FnOnce(&Self) -> Result<(), X11Error>,
    ) -> Result<(), X11Error> {
        let shifts = self.keymap.shift_codes();
        let held = self.held.keycodes();
        let down: Vec<u8> = shifts.iter().copied().filter(|code| held.contains(code)).collect();
        let (mut up, mut press) = (lifted.to_vec(), None);
        match stroke.shift {
            Some(true) if down.is_empty() => press = self.keymap.find(SHIFT_L, None).map(|s| s.code),
            Some(false) => up.extend(&down),
            _ => {}
        }
        for code in &up {
            self.fake(KEY_RELEASE_EVENT, *code, (0, 0))?;
        }
        if let Some(code) = press {
            self.fake(KEY_PRESS_EVENT, code, (0, 0))?;
        }
        work(self)?;
        if let Some(code) = press {
            self.fake(KEY_RELEASE_EVENT, code, (0, 0))?;
        }
        for code in &up {
            self.fake(KEY_PRESS_EVENT, *code, (0, 0))?;
        }
        Ok(())
    }

    /// Makes a spare key mean `keysym`.
    fn bind(&mut self, keysym: u32) -> Result<Option<Stroke>, X11Error> {
        let now = Instant::now();
        let Some((code, wait)) = self.spare.choose(&self.keymap, &self.held.keycodes(), now) else {
            log::warn!("no spare key is left for a keysym");
            return Ok(None);
        };
        if !wait.is_zero() {
            // Programs look a key's meaning up when they read its event: let them read the last ones first.
            self.flush()?;
            thread::sleep(wait);
        }
        let per_code = u8::try_from(self.keymap.per_code()).unwrap_or(1);
        let keysyms = vec![keysym; self.keymap.per_code()];
        self.display.x.change_keyboard_mapping(1, code, per_code, &keysyms)?;
        self.keymap.bind(code, keysym);
        self.spare.bound(code, now + wait);
        Ok(Some(Stroke { code, shift: None }))
    }

    fn refresh_keymap(&mut self) -> Result<(), X11Error> {
        self.drain()?;
        if std::mem::take(&mut self.keymap_is_stale) {
            self.keymap = read_keymap(&self.display)?;
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
        self.keymap.shift_codes().iter().any(|code| held.contains(code))
    }

    fn command_codes(&self) -> Vec<u8> {
        let down = |usage: &&u16| self.held.key_is_down(KeyName::Usage(**usage));
        COMMAND_USAGES
            .iter()
            .filter(down)
            .filter_map(|usage| keycode(*usage))
            .collect()
    }

    fn fake(&self, kind: u8, detail: u8, (x, y): (i16, i16)) -> Result<(), X11Error> {
        fake(&self.display, kind, detail, (x, y))
    }
}

const fn name_of(usage: u16, keysym: u32) -> KeyName {
    if usage != 0 {
        KeyName::Usage(usage)
    } else {
        KeyName::Keysym(keysym)
    }
}

fn fake(display: &Display, kind: u8, detail: u8, (x, y): (i16, i16)) -> Result<(), X11Error> {
    // Its error, if it has one, comes as an event and is logged.
    drop(
        display
            .x
            .xtest_fake_input(kind, detail, x11rb::CURRENT_TIME, display.root(), x, y, 0)?,
    );
    Ok(())
}

fn read_keymap(display: &Display) -> Result<Keymap, X11Error> {
    let setup = display.x.setup();
    let (first, last) = (setup.min_keycode, setup.max_keycode);
    let reply = display
        .x
        .get_keyboard_mapping(first, last - first + 1)?
        .reply()
        .map_err(X11Error::reply("the keymap"))?;
    Ok(Keymap::new(first, reply.keysyms_per_keycode, reply.keysyms))
}

fn release_whatever_is_down(display: &Display, held: &HeldInput) -> Result<(), X11Error> {
    let (_, mut buttons) = held.take_all();
    let keys = display.x.query_keymap()?;
    let pointer = display.x.query_pointer(display.root())?;
    let keys = keys.reply().map_err(X11Error::reply("which keys are down"))?.keys;
    let mask = u16::from(pointer.reply().map_err(X11Error::reply("which buttons are down"))?.mask);
    // Bits 8 to 12 are buttons 1 to 5; the others are known from the table only.
    buttons.extend((1..=5).filter(|button| mask & (0x80 << button) != 0));
    for code in (8..=u8::MAX).filter(|code| keys[usize::from(code / 8)] & (1 << (code % 8)) != 0) {
        fake(display, KEY_RELEASE_EVENT, code, (0, 0))?;
    }
    for button in buttons {
        fake(display, BUTTON_RELEASE_EVENT, button, (0, 0))?;
    }
    Ok(display.x.flush()?)
}

/// The pixel at `place` (0 to 65535 of the picture) on an axis of `size` pixels.
fn pixel(place: u16, size: u16) -> i16 {
    // Half a step is added, so that a place that was made from a pixel's edge gives that pixel back.
    let pixel = (2 * u64::from(place) + 1) * u64::from(size) / (2 * 65535);
    i16::try_from(pixel.min(u64::from(size.max(1) - 1))).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pixel_is_reached_by_the_place_made_from_it() {
        for size in [1u16, 64, 719, 720, 1280, 1920, 7680] {
            for wanted in 0..size {
                let place = (f64::from(wanted) / f64::from(size) * 65535.0).round();
                #[allow(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a place is 0 to 65535"
                )]
                let place = place as u16;
                assert_eq!(pixel(place, size), i16::try_from(wanted).unwrap(), "{wanted} of {size}");
            }
            assert_eq!(pixel(65535, size), i16::try_from(size - 1).unwrap());
        }
    }
}
