//! Whether a window manager has taken over a display.

use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    Atom, AtomEnum, ConnectionExt as _, CreateWindowAux, EventMask, PropMode, Window, WindowClass,
};
use x11rb::wrapper::ConnectionExt as _;

use super::connect::Display;
use super::wake::wait_readable;
use super::{Cancel, DisplayAddress, X11Error};

/// A window manager that handles requests maps a window within milliseconds. One that is starting may lose the request
/// altogether (openbox does), so it is made again.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Waits until a window manager manages the display: windows that are mapped from then on are placed, sized and given
/// the focus by it. Earlier ones are adopted without focus, or never shown: while openbox starts, it takes their
/// requests and forgets them. Its announcement (EWMH, `_NET_SUPPORTING_WM_CHECK`) comes too early, so that a window of
/// our own is tried.
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
        let announced = atom(display, b"_NET_SUPPORTING_WM_CHECK")?;
        while !is_announced(display, announced)? {
            pause(display, Instant::now() + ASK_AGAIN / 5, until)?;
        }
        let window = try_window(display)?;
        loop {
            display.x.map_window(window)?;
            display.x.flush()?;
            let again = Instant::now() + ASK_AGAIN;
            while Instant::now() < again {
                while let Some(event) = display.x.poll_for_event()? {
                    if matches!(event, Event::MapNotify(e) if e.window == window) {
                        // It goes with the connection, whatever happens; this is only sooner.
                        display.x.destroy_window(window)?;
                        display.x.flush()?;
                        return Ok(());
                    }
                }
                pause(display, again, until)?;
            }
        }
    })
}

/// A window that nobody sees and that takes no focus.
fn try_window(display: &Display) -> Result<Window, X11Error> {
    let window = display.x.generate_id()?;
    let attributes = CreateWindowAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
    let class = WindowClass::INPUT_OUTPUT;
    display
        .x
        .create_window(0, window, display.root(), 0, 0, 1, 1, 0, class, 0, &attributes)?;
    // Of a type that no rule for apps' windows applies to, and without input (ICCCM section 4.1.2.4, EWMH section 5).
    let (kind, splash) = (
        atom(display, b"_NET_WM_WINDOW_TYPE")?,
        atom(display, b"_NET_WM_WINDOW_TYPE_SPLASH")?,
    );
    display
        .x
        .change_property32(PropMode::REPLACE, window, kind, AtomEnum::ATOM, &[splash])?;
    let hints = [1u32, 0, 0, 0, 0, 0, 0, 0, 0];
    display.x.change_property32(
        PropMode::REPLACE,
        window,
        AtomEnum::WM_HINTS,
        AtomEnum::WM_HINTS,
        &hints,
    )?;
    Ok(window)
}

fn pause(display: &Display, next: Instant, until: Instant) -> Result<(), X11Error> {
    if Instant::now() >= until {
        return Err(X11Error::Deadline);
    }
    wait_readable([Some(display.fd())], Some(next.min(until))).map_err(X11Error::io("wait for a window manager"))?;
    Ok(())
}

fn atom(display: &Display, name: &[u8]) -> Result<Atom, X11Error> {
    let reply = display.x.intern_atom(false, name)?.reply();
    Ok(reply.map_err(X11Error::reply("an atom"))?.atom)
}

/// EWMH, "_NET_SUPPORTING_WM_CHECK": the root names a window, and that window names itself. One that was killed leaves
/// its announcement behind, but not its window.
fn is_announced(display: &Display, check: Atom) -> Result<bool, X11Error> {
    let named = |window: Window| -> Result<_, X11Error> {
        let property = display.x.get_property(false, window, check, AtomEnum::WINDOW, 0, 1)?;
        // A window that is gone answers with an error, which only says no.
        let first = property
            .reply()
            .ok()
            .and_then(|p| p.value32().and_then(|mut v| v.next()));
        Ok(first.filter(|window| *window != x11rb::NONE))
    };
    match named(display.root())? {
        Some(window) => Ok(named(window)? == Some(window)),
        None => Ok(false),
    }
}
