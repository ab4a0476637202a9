//! Whether a window manager has taken over a display (Extended Window Manager Hints, `_NET_SUPPORTING_WM_CHECK`).

use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask};

use super::connect::Display;
use super::wake::wait_readable;
use super::{Cancel, DisplayAddress, X11Error};

/// Waits until a window manager manages the display: windows that are mapped from then on are placed, sized and given
/// the focus by it; those before are only adopted, and get no focus.
///
/// Blocks; `cancel` ends it from another thread.
///
/// # Errors
/// [`X11Error::Deadline`] if none does by then, [`X11Error::DisplayLost`] also when cancelled.
pub fn wait_for_window_manager(address: &DisplayAddress, deadline: Duration, cancel: &Cancel) -> Result<(), X11Error> {
    let until = Instant::now() + deadline;
    let display = Display::connect(address, deadline)?;
    cancel.attach(&display)?;
    // Also ends it when the server hangs in the middle of an answer.
    display.within(deadline, |display| {
        let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::PROPERTY_CHANGE);
        display.x.change_window_attributes(display.root(), &mask)?;
        let check = display
            .x
            .intern_atom(false, b"_NET_SUPPORTING_WM_CHECK")?
            .reply()
            .map_err(X11Error::reply("intern atom"))?
            .atom;
        while !is_managed(display, check)? {
            while display.x.poll_for_event()?.is_some() {}
            wait_readable([Some(display.fd())], Some(until)).map_err(X11Error::io("wait for a window manager"))?;
            if Instant::now() >= until {
                return Err(X11Error::Deadline);
            }
        }
        Ok(())
    })
}

fn is_managed(display: &Display, check: Atom) -> Result<bool, X11Error> {
    let property = display
        .x
        .get_property(false, display.root(), check, AtomEnum::WINDOW, 0, 1)?;
    let property = property.reply().map_err(X11Error::reply("get property"))?;
    Ok(property
        .value32()
        .is_some_and(|mut v| v.next().is_some_and(|window| window != 0)))
}
