//! Whether a window manager has taken over a display (Extended Window Manager Hints, `_NET_SUPPORTING_WM_CHECK`).

use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, CreateWindowAux, EventMask, WindowClass,
};
use x11rb::{COPY_DEPTH_FROM_PARENT, COPY_FROM_PARENT};

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
        while !maps_a_window(display)? {
            if Instant::now() >= until {
                return Err(X11Error::Deadline);
            }
        }
        Ok(())
    })
}

/// How long a manager that is at work may take to map a window.
const PROBE: Duration = Duration::from_millis(100);

/// Whether the manager maps a window of ours. It announces itself before it is at work, and drops the requests to map
/// that come in between: openbox forgets the windows of an app that is as quick as that.
fn maps_a_window(display: &Display) -> Result<bool, X11Error> {
    let window = display.x.generate_id()?;
    let aux = CreateWindowAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    let (root, class) = (display.root(), WindowClass::INPUT_OUTPUT);
    display.x.create_window(
        COPY_DEPTH_FROM_PARENT,
        window,
        root,
        0,
        0,
        1,
        1,
        0,
        class,
        COPY_FROM_PARENT,
        &aux,
    )?;
    display.x.map_window(window)?;
    display.x.flush()?;
    let until = Instant::now() + PROBE;
    let mut mapped = false;
    while !mapped && Instant::now() < until {
        wait_readable([Some(display.fd())], Some(until)).map_err(X11Error::io("wait for a window manager"))?;
        while let Some(event) = display.x.poll_for_event()? {
            mapped |= matches!(event, Event::MapNotify(e) if e.window == window);
        }
    }
    display.x.destroy_window(window)?;
    display.x.flush()?;
    Ok(mapped)
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
