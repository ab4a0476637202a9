//! What users and the steward ask for, and how the window manager is asked (EWMH, messages to the root window).

use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{Atom, ClientMessageEvent, ConnectionExt as _, EventMask, Window};

use super::super::X11Error;
use super::super::connect::Display;
use super::super::wake::Wake;
use super::look::Atoms;
use super::tend::{Mend, Seen};

/// EWMH, "Source indication in requests": a pager, which acts for the user.
const PAGER: u32 = 2;
/// EWMH, `_NET_WM_STATE`: add.
const ADD: u32 = 1;
/// EWMH, `_NET_MOVERESIZE_WINDOW`: by static gravity the place is the client's own, not its frame's.
const STATIC_GRAVITY: u32 = 10;

/// The window that somebody wants to see.
#[derive(Debug)]
pub(super) struct Orders {
    /// overflow: the latest wish is the one that counts; 0 for none.
    window: AtomicU32,
    wake: Wake,
}

impl Orders {
    pub(super) fn new() -> std::io::Result<Self> {
        Ok(Self {
            window: AtomicU32::new(0),
            wake: Wake::new()?,
        })
    }

    pub(super) fn take(&self) -> Option<Window> {
        Some(self.window.swap(0, Ordering::AcqRel)).filter(|window| *window != 0)
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.wake.fd()
    }

    pub(super) fn clear(&self) {
        self.wake.clear();
    }
}

/// Takes wishes to the steward of a display, from any thread; without effect after its end.
#[derive(Clone, Debug)]
pub struct WindowOrders(Weak<Orders>);

impl WindowOrders {
    pub(super) fn new(orders: &Arc<Orders>) -> Self {
        Self(Arc::downgrade(orders))
    }

    /// Shows a window and gives it the keys. Never waits.
    pub fn activate(&self, window: u32) {
        if let Some(orders) = self.0.upgrade() {
            orders.window.store(window, Ordering::Release);
            orders.wake.raise();
        }
    }
}

/// Shows a window and gives it the keys.
pub(super) fn activate(display: &Display, atoms: &Atoms, window: Window) -> Result<(), X11Error> {
    tell(display, window, atoms._NET_ACTIVE_WINDOW, [PAGER, 0, 0, 0, 0])
}

/// Puts a window right.
pub(super) fn mend(display: &Display, atoms: &Atoms, window: Window, seen: Seen, mend: Mend) -> Result<(), X11Error> {
    match mend {
        Mend::Restore => activate(display, atoms, window),
        Mend::Maximize => {
            let both = [atoms._NET_WM_STATE_MAXIMIZED_HORZ, atoms._NET_WM_STATE_MAXIMIZED_VERT];
            tell(display, window, atoms._NET_WM_STATE, [ADD, both[0], both[1], PAGER, 0])
        }
        Mend::Place(place) => {
            let (left, top) = seen.frame;
            let (wide, high) = seen.frame_size;
            let resized = (place.width, place.height) != (seen.area.width, seen.area.height);
            // Which of x, y, width and height count.
            let which = if resized { 0b1111 } else { 0b0011 };
            let data = [
                STATIC_GRAVITY | which << 8 | PAGER << 12,
                (place.x + left).cast_unsigned(),
                (place.y + top).cast_unsigned(),
                (place.width - wide).max(1).cast_unsigned(),
                (place.height - high).max(1).cast_unsigned(),
            ];
            tell(display, window, atoms._NET_MOVERESIZE_WINDOW, data)
        }
    }
}

fn tell(display: &Display, window: Window, kind: Atom, data: [u32; 5]) -> Result<(), X11Error> {
    let message = ClientMessageEvent::new(32, window, kind, data);
    let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
    display.x.send_event(false, display.root(), mask, message)?;
    display.x.flush()?;
    Ok(())
}
