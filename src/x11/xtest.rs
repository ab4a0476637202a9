//! Injects input by the XTEST extension.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{
    BUTTON_PRESS_EVENT, BUTTON_RELEASE_EVENT, ChangeWindowAttributesAux, ConnectionExt as _, EventMask,
    KEY_RELEASE_EVENT, MOTION_NOTIFY_EVENT,
};
use x11rb::protocol::xtest::ConnectionExt as _;
use x11rb::protocol::{ErrorKind, Event};

use super::backlog::Backlog;
use super::connect::Display;
use super::held::HeldInput;
use super::input_queue::Waiting;
use super::typing::{Typist, keysyms_of};
use super::wheel::Wheel;
use super::{Cancel, DisplayAddress, X11Error};
use crate::protocol::input::InputEvent;

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
    pub(super) display: Display,
    pub(super) held: Arc<HeldInput>,
    pub(super) mode: KeyboardMode,
    pub(super) typist: Typist,
    pub(super) keymap_is_stale: bool,
    /// What has not been injected yet, behind the rest of a text.
    pub(super) backlog: Backlog,
    pub(super) text: VecDeque<u32>,
    pub(super) not_typed: u32,
    wheel: Wheel,
    pub(super) alt_gr: bool,
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
        let typist = display.within(deadline, |display| {
            display
                .x
                .xtest_get_version(2, 2)?
                .reply()
                .map_err(|_| X11Error::MissingExtension("XTEST"))?;
            // Tells when the screen changes its size, and brings the answers to pings.
            let mask = EventMask::STRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_NOTIFY;
            let watch = ChangeWindowAttributesAux::new().event_mask(mask);
            display.x.change_window_attributes(display.root(), &watch)?;
            release_whatever_is_down(display, &held)?;
            Typist::new(display)
        })?;
        let size = (display.screen().width_in_pixels, display.screen().height_in_pixels);
        Ok(Self {
            display,
            held,
            mode,
            typist,
            keymap_is_stale: false,
            backlog: Backlog::default(),
            text: VecDeque::new(),
            not_typed: 0,
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

    /// Looks at what the server said, without waiting. Says whether it was anything.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn drain(&mut self) -> Result<bool, X11Error> {
        let mut any = false;
        while let Some(event) = self.display.x.poll_for_event()? {
            any = true;
            match event {
                Event::XkbMapNotify(_) | Event::XkbNewKeyboardNotify(_) => self.keymap_is_stale = true,
                Event::ConfigureNotify(event) if event.window == self.display.root() => {
                    self.size = (event.width, event.height);
                }
                Event::ClientMessage(message) if message.type_ == self.typist.protocols() && message.format == 32 => {
                    let [protocol, answer, ..] = message.data.as_data32();
                    self.typist.answered(protocol, answer, Instant::now());
                }
                Event::DestroyNotify(gone) => self.typist.gone(gone.window),
                // Asked a window that had just gone.
                Event::Error(error) if error.error_kind == ErrorKind::Window => self.typist.gone(error.bad_value),
                Event::Error(error) => log::warn!("x11 error while injecting: {:?}", error.error_kind),
                _ => {}
            }
        }
        Ok(any)
    }

    /// Hands everything injected so far to the server.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn flush(&self) -> Result<(), X11Error> {
        Ok(self.display.x.flush()?)
    }

    /// Takes what waits.
    pub(super) fn offer(&mut self, mut waiting: Waiting) {
        if waiting.forget {
            self.backlog.forget();
            self.text.clear();
        }
        self.not_typed = self.not_typed.saturating_add(waiting.events.take_lost());
        while let Some(event) = waiting.events.pop() {
            self.backlog.push(event);
        }
        self.not_typed = self.not_typed.saturating_add(self.backlog.take_lost());
    }

    /// Injects what can be injected now, and hands it to the server. Says whether anything was, and when to call again
    /// at the latest if something waits.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub(super) fn advance(&mut self, now: Instant) -> Result<(bool, Option<Instant>), X11Error> {
        let mut effective = false;
        let mut later = None;
        while later.is_none() {
            if let Some(keysym) = self.text.front().copied() {
                later = self.type_next(keysym, now)?;
                effective |= later.is_none();
                continue;
            }
            let Some(event) = self.backlog.pop() else { break };
            match event {
                InputEvent::Text(text) => {
                    let (keysyms, lost) = keysyms_of(&text);
                    self.text = keysyms;
                    self.not_typed = self.not_typed.saturating_add(lost);
                }
                InputEvent::Key {
                    pressed: true,
                    usage,
                    keysym,
                } => {
                    later = self.press(usage, keysym, now)?;
                    if later.is_some() {
                        self.backlog.put_back(event);
                    } else {
                        effective = true;
                    }
                }
                event => effective |= self.inject(&event)?,
            }
        }
        if later.is_some() {
            while let Some(step) = self.backlog.pop_passing_move() {
                effective |= self.inject(&step)?;
            }
        }
        self.flush()?;
        Ok((effective, later))
    }

    /// Whether a character could not be typed since [`Self::take_not_typed`].
    pub(super) const fn has_not_typed(&self) -> bool {
        self.not_typed > 0
    }

    /// How many characters could not be typed since the last call.
    pub(super) fn take_not_typed(&mut self) -> u32 {
        std::mem::take(&mut self.not_typed)
    }

    /// Injects an event that needs no character. Says whether it was one that can have an effect.
    fn inject(&mut self, event: &InputEvent) -> Result<bool, X11Error> {
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
            InputEvent::Key { usage, keysym, .. } => self.release(*usage, *keysym)?,
            InputEvent::Repeat { usage, keysym } => self.repeat(*usage, *keysym)?,
            InputEvent::ReleaseAll => self.release_all()?,
            InputEvent::Text(_)
            | InputEvent::Hidden
            | InputEvent::Visible
            | InputEvent::Ping { .. }
            | InputEvent::Latency(_)
            | InputEvent::Rendition { .. } => {
                return Ok(false);
            }
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

    pub(super) fn fake(&self, kind: u8, detail: u8, (x, y): (i16, i16)) -> Result<(), X11Error> {
        fake(&self.display, kind, detail, (x, y))
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
