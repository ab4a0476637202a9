//! What a window is, and where: read from the properties that its program and the window manager set. All of them may be
//! anything: what cannot be read is taken as not said.

use x11rb::atom_manager;
use x11rb::properties::WmSizeHints;
use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, GetPropertyReply, Window};

use super::super::X11Error;
use super::super::connect::Display;
use super::tend::{Area, Kind, Seen};
use crate::protocol::windows::clean_title;

/// In units of 4 bytes: more than any title that is told.
const TITLE: u32 = 128;
/// More atoms than a window ever has in one property.
const ATOMS: u32 = 64;
/// A dialog of a dialog of a dialog: so far up a main window is looked for.
pub(super) const GENERATIONS: usize = 8;

atom_manager! {
    /// The names used (EWMH, ICCCM).
    pub(super) Atoms:
    /// The replies still to come.
    AtomsCookie {
        _NET_ACTIVE_WINDOW,
        _NET_CLIENT_LIST,
        _NET_FRAME_EXTENTS,
        _NET_MOVERESIZE_WINDOW,
        _NET_WM_NAME,
        _NET_WM_STATE,
        _NET_WM_STATE_FULLSCREEN,
        _NET_WM_STATE_HIDDEN,
        _NET_WM_STATE_MAXIMIZED_HORZ,
        _NET_WM_STATE_MAXIMIZED_VERT,
        _NET_WM_STATE_SKIP_TASKBAR,
        _NET_WM_WINDOW_TYPE,
        _NET_WM_WINDOW_TYPE_DIALOG,
        _NET_WM_WINDOW_TYPE_MENU,
        _NET_WM_WINDOW_TYPE_NORMAL,
        _NET_WM_WINDOW_TYPE_TOOLBAR,
        _NET_WM_WINDOW_TYPE_UTILITY,
    }
}

/// A window as it is now.
#[derive(Clone, Debug, Default)]
pub(super) struct Look {
    pub(super) seen: Seen,
    pub(super) title: String,
    /// Whose dialog it is.
    pub(super) parent: Option<Window>,
    /// Whether users choose it: a main window, or a dialog that is nobody's.
    pub(super) chosen: bool,
}

/// Looks at a window. `None`: it is gone.
pub(super) fn look(display: &Display, atoms: &Atoms, window: Window) -> Result<Option<Look>, X11Error> {
    let x = &display.x;
    let ask = |property: Atom, kind: Atom, length: u32| x.get_property(false, window, property, kind, 0, length);
    let (any, list) = (AtomEnum::ANY.into(), AtomEnum::ATOM.into());
    // All at once: one round trip.
    let geometry = x.get_geometry(window)?;
    let place = x.translate_coordinates(window, display.root(), 0, 0)?;
    let kinds = ask(atoms._NET_WM_WINDOW_TYPE, list, ATOMS)?;
    let states = ask(atoms._NET_WM_STATE, list, ATOMS)?;
    let frame = ask(atoms._NET_FRAME_EXTENTS, AtomEnum::CARDINAL.into(), 4)?;
    let parent = ask(AtomEnum::WM_TRANSIENT_FOR.into(), AtomEnum::WINDOW.into(), 1)?;
    let hints = ask(AtomEnum::WM_NORMAL_HINTS.into(), any, 18)?;
    let name = ask(atoms._NET_WM_NAME, any, TITLE)?;
    let old_name = ask(AtomEnum::WM_NAME.into(), any, TITLE)?;
    let geometry = geometry.reply().ok();
    let place = place.reply().ok();
    let numbers = |reply: Option<GetPropertyReply>| -> Vec<u32> {
        reply
            .and_then(|reply| reply.value32().map(Iterator::collect))
            .unwrap_or_default()
    };
    let (kinds, states) = (numbers(kinds.reply().ok()), numbers(states.reply().ok()));
    let frame = numbers(frame.reply().ok());
    let parent = numbers(parent.reply().ok()).first().copied();
    let hints = hints.reply().ok().and_then(|reply| size_hints(&reply));
    let (name, old_name) = (name.reply().ok(), old_name.reply().ok());
    let (Some(geometry), Some(place)) = (geometry, place) else {
        return Ok(None);
    };
    let has = |state: Atom| states.contains(&state);
    let parent = parent.filter(|parent| ![x11rb::NONE, display.root(), window].contains(parent));
    let kind = kind_of(atoms, &kinds, parent.is_some());
    let side = |n: usize| frame.get(n).map_or(0, |pixels| (*pixels).min(1000).cast_signed());
    let seen = Seen {
        kind,
        hidden: has(atoms._NET_WM_STATE_HIDDEN),
        maximized: has(atoms._NET_WM_STATE_MAXIMIZED_HORZ) && has(atoms._NET_WM_STATE_MAXIMIZED_VERT),
        fullscreen: has(atoms._NET_WM_STATE_FULLSCREEN),
        resizable: hints.is_none_or(|(least, most)| least.is_none() || least != most),
        area: Area {
            x: i32::from(place.dst_x) - side(0),
            y: i32::from(place.dst_y) - side(2),
            width: i32::from(geometry.width) + side(0) + side(1),
            height: i32::from(geometry.height) + side(2) + side(3),
        },
        frame: (side(0), side(2)),
        frame_size: (side(0) + side(1), side(2) + side(3)),
    };
    Ok(Some(Look {
        seen,
        title: title(name, old_name),
        parent,
        chosen: kind != Kind::Other && parent.is_none() && !has(atoms._NET_WM_STATE_SKIP_TASKBAR),
    }))
}

/// The first kind that is known counts (EWMH, `_NET_WM_WINDOW_TYPE`).
fn kind_of(atoms: &Atoms, kinds: &[Atom], has_parent: bool) -> Kind {
    let plain = if has_parent { Kind::Dialog } else { Kind::Main };
    let beside = [
        atoms._NET_WM_WINDOW_TYPE_DIALOG,
        atoms._NET_WM_WINDOW_TYPE_UTILITY,
        atoms._NET_WM_WINDOW_TYPE_TOOLBAR,
        atoms._NET_WM_WINDOW_TYPE_MENU,
    ];
    let known = kinds.iter().find_map(|kind| {
        if *kind == atoms._NET_WM_WINDOW_TYPE_NORMAL {
            Some(plain)
        } else {
            beside.contains(kind).then_some(Kind::Dialog)
        }
    });
    known.unwrap_or(if kinds.is_empty() { plain } else { Kind::Other })
}

/// The least and the most size, where they are said.
#[allow(clippy::type_complexity)] // Two sizes.
fn size_hints(reply: &GetPropertyReply) -> Option<(Option<(i32, i32)>, Option<(i32, i32)>)> {
    let hints = WmSizeHints::from_reply(reply).ok()??;
    Some((hints.min_size, hints.max_size))
}

fn title(name: Option<GetPropertyReply>, old_name: Option<GetPropertyReply>) -> String {
    let said = |reply: &GetPropertyReply| reply.format == 8 && !reply.value.is_empty();
    if let Some(name) = name.filter(said) {
        return clean_title(&String::from_utf8_lossy(&name.value));
    }
    let Some(name) = old_name.filter(said) else {
        return String::new();
    };
    if name.type_ == u32::from(AtomEnum::STRING) {
        // ISO 8859-1 (ICCCM section 2.7.1).
        let text: String = name.value.iter().map(|byte| char::from(*byte)).collect();
        return clean_title(&text);
    }
    clean_title(&String::from_utf8_lossy(&name.value))
}
