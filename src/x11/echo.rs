//! Asks the program with the focus for an answer that comes when it has read everything sent to it before: a ping
//! (EWMH, `_NET_WM_PING`).
//!
//! Nothing else is answered in order. Watching a program fetch the keymap (RECORD) says nothing: Xlib notes a change when
//! it reads its socket, before the program gets round to the events.

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, Window};

use super::X11Error;
use super::connect::Display;
use super::pulse::{Atoms, answers_pings, ping};
use super::uptake::LOW_BITS;

/// Our pings among those of others.
const OURS: u32 = LOW_BITS + 1;
/// How far from the window with the focus to the one that is asked.
const MAX_DEPTH: usize = 16;
/// In units of four bytes: more than a hundred interpreters.
const MAX_REGISTRY: u32 = 4096;

/// What it takes to ask.
#[derive(Debug)]
pub(super) struct Echo {
    atoms: Atoms,
    /// Where Tk's interpreters are registered, if there ever was one.
    registry: Atom,
}

impl Echo {
    pub(super) fn new(display: &Display) -> Result<Self, X11Error> {
        let registry = display.x.intern_atom(false, b"InterpRegistry")?.reply();
        Ok(Self {
            atoms: Atoms::of(display)?,
            registry: registry.map_err(X11Error::reply("an atom"))?.atom,
        })
    }

    /// The type of messages that answers have.
    pub(super) const fn protocols(&self) -> Atom {
        self.atoms.protocols
    }

    /// Whether a message with these data answers one of our pings.
    pub(super) const fn is_ours(&self, protocol: Atom, answer: u32) -> bool {
        protocol == self.atoms.ping && answer & OURS != 0
    }

    /// The window that answers for the keyboard: the one with the focus, or the nearest around it that answers.
    pub(super) fn window(&self, display: &Display) -> Result<Option<Window>, X11Error> {
        let focus = display.x.get_input_focus()?.reply();
        let focus = focus.map_err(X11Error::reply("the focus"))?.focus;
        let mut window = focus;
        for _ in 0..MAX_DEPTH {
            // 0 and 1 are no windows: nobody, or who is under the pointer.
            if window <= 1 || window == display.root() {
                break;
            }
            if answers_pings(display, &self.atoms, window)? {
                return Ok(Some(window));
            }
            // It may have gone meanwhile.
            match display.x.query_tree(window)?.reply() {
                Ok(tree) => window = tree.parent,
                Err(_) => break,
            }
        }
        Ok(self.is_of_tk(display, focus)?.then_some(focus))
    }

    /// Tk answers pings and does not say so. It is known by its interpreters, which are registered for its `send`.
    fn is_of_tk(&self, display: &Display, window: Window) -> Result<bool, X11Error> {
        let property =
            display
                .x
                .get_property(false, display.root(), self.registry, AtomEnum::STRING, 0, MAX_REGISTRY)?;
        let property = property.reply().map_err(X11Error::reply("a property"))?;
        let client = |window: Window| window & !display.x.setup().resource_id_mask;
        Ok(window > 1 && registered(&property.value).any(|other| client(other) == client(window)))
    }

    /// Sends the ping with a mark's number.
    pub(super) fn ask(&self, display: &Display, window: Window, number: u64) -> Result<(), X11Error> {
        let low = u32::try_from(number & u64::from(LOW_BITS)).unwrap_or_default();
        ping(display, &self.atoms, window, OURS | low)
    }
}

/// The windows in a registry of Tk: `600001 name`, each ended by a zero.
fn registered(registry: &[u8]) -> impl Iterator<Item = Window> {
    registry.split(|byte| *byte == 0).filter_map(|entry| {
        let entry = std::str::from_utf8(entry).ok()?;
        Window::from_str_radix(entry.split(' ').next()?, 16).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interpreters_of_tk_are_read() {
        let of = |text: &str| registered(text.as_bytes()).collect::<Vec<_>>();
        assert_eq!(of("600001 tk\0a00001 idle #2\0"), [0x0060_0001, 0x00a0_0001]);
        assert!(of("").is_empty());
        assert!(of("rubbish\0\0ffffffffff x\0\u{e9}").is_empty());
    }
}
