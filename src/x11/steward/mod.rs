//! The steward of a display's windows: keeps them where their user can reach them, and knows which there are.
//!
//! A thread with a connection of its own, beside the window manager, which does the work: the steward reads what that and
//! the programs say of windows (EWMH), decides what is out of place ([`tend`]), and asks the window manager to put it
//! right. It takes no keys and no buttons.
//!
//! ```text
//! events ─▶ which windows changed ─▶ look ─▶ Tended ─▶ what is wrong ─▶ the window manager
//!                                      └───▶ list, for who steers
//! ```
//!
//! Faults it survives: windows that vanish while they are looked at, properties of any bytes, hundreds of windows, programs
//! that change theirs without end or insist on where they are.

mod look;
mod orders;
mod tend;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, KeyButMask, Window};

use super::connect::Display;
use super::wake::wait_readable;
use super::{Cancel, DisplayAddress, X11Error};
use crate::protocol::windows::{WindowEntry, choice};
use look::{Atoms, GENERATIONS, Look, look};
use orders::{Orders, activate, mend};
use tend::{Kind, Mend, Tended};

pub use orders::WindowOrders;

/// How long the display may take to answer at start.
const CONNECT: Duration = Duration::from_secs(10);
/// Between two looks at what has changed, however much does.
const LOOK: Duration = Duration::from_millis(100);
/// Between two tellings of which windows there are.
const TELL: Duration = Duration::from_millis(300);
/// While a window is larger than the display, the pointer is followed.
const FOLLOW: Duration = Duration::from_millis(50);
/// So many windows are tended; what comes beyond is as its program made it.
const MAX_TENDED: usize = 64;
/// In units of 4 bytes.
const MAX_LIST: u32 = 4096;

/// What the thread tells others; called on it, so that nothing in here may wait.
pub struct StewardHooks {
    /// The windows that one can switch between are these now.
    pub windows: Box<dyn Fn(Vec<WindowEntry>) + Send>,
    /// So many windows are there now, of all kinds.
    pub count: Box<dyn Fn(usize) + Send>,
    /// The thread ends.
    pub ended: Box<dyn FnOnce(X11Error) + Send>,
}

impl fmt::Debug for StewardHooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StewardHooks").finish_non_exhaustive()
    }
}

/// A running thread. Dropping it ends it.
#[derive(Debug)]
pub struct Steward {
    orders: Arc<Orders>,
    cancel: Arc<Cancel>,
}

impl Steward {
    /// Starts to tend the windows of a display that has a window manager.
    ///
    /// # Errors
    /// No thread can be started, or no file descriptors are left.
    pub fn start(address: DisplayAddress, hooks: StewardHooks) -> std::io::Result<Self> {
        let (orders, cancel) = (Arc::new(Orders::new()?), Arc::<Cancel>::default());
        let steward = Self {
            orders: Arc::clone(&orders),
            cancel: Arc::clone(&cancel),
        };
        thread::Builder::new().name("x-steward".into()).spawn(move || {
            let StewardHooks { windows, count, ended } = hooks;
            let worked = House::open(&address, &cancel).and_then(|house| house.tend(&orders, &windows, &count));
            if let Err(error) = worked
                && !cancel.is_cancelled()
            {
                ended(error);
            }
        })?;
        Ok(steward)
    }

    /// What takes a user's wishes to it.
    #[must_use]
    pub fn orders(&self) -> WindowOrders {
        WindowOrders::new(&self.orders)
    }
}

impl Drop for Steward {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// All windows of a display.
struct House {
    name: String,
    display: Display,
    atoms: Atoms,
    size: (i32, i32),
    windows: BTreeMap<Window, Room>,
    /// In the order in which they were shown first.
    order: Vec<Window>,
    active: Option<Window>,
    changed: BTreeSet<Window>,
    list_changed: bool,
    told: Vec<WindowEntry>,
}

#[derive(Default)]
struct Room {
    tended: Tended,
    look: Look,
}

impl House {
    fn open(address: &DisplayAddress, cancel: &Cancel) -> Result<Self, X11Error> {
        let display = Display::connect(address, CONNECT)?;
        cancel.attach(&display)?;
        let atoms = Atoms::new(&display.x).map_err(X11Error::from)?;
        let atoms = atoms.reply().map_err(X11Error::reply("atoms"))?;
        let mask = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
        let watch = ChangeWindowAttributesAux::new().event_mask(mask);
        display.x.change_window_attributes(display.root(), &watch)?;
        let root = display.x.get_geometry(display.root())?.reply();
        let root = root.map_err(X11Error::reply("the display's size"))?;
        Ok(Self {
            name: address.to_string(),
            display,
            atoms,
            size: (root.width.into(), root.height.into()),
            windows: BTreeMap::new(),
            order: Vec::new(),
            active: None,
            changed: BTreeSet::new(),
            list_changed: true,
            told: Vec::new(),
        })
    }

    /// Ends by its cancel, or with the display.
    fn tend(mut self, orders: &Orders, tell: &dyn Fn(Vec<WindowEntry>), count: &dyn Fn(usize)) -> Result<(), X11Error> {
        let (mut look_at, mut tell_at) = (Instant::now(), Instant::now());
        let mut untold = false;
        loop {
            if let Some(window) = orders.take() {
                self.switch_to(window)?;
            }
            let now = Instant::now();
            if (self.list_changed || !self.changed.is_empty()) && now >= look_at {
                untold |= self.look(now)?;
                count(self.order.len());
                look_at = now + LOOK;
            }
            let due = self.put_right(now)?;
            let follow = self.follow_pointer()?;
            if untold && now >= tell_at {
                untold = false;
                tell_at = now + TELL;
                let windows = self.list();
                if windows != self.told {
                    self.told.clone_from(&windows);
                    tell(windows);
                }
            }
            // Replies bring events along, of which the socket tells no more.
            self.hear()?;
            let looks = (self.list_changed || !self.changed.is_empty()).then_some(look_at);
            let next = [due, follow.then(|| now + FOLLOW), untold.then_some(tell_at), looks];
            let next = next.into_iter().flatten().min();
            let [_, woken] = wait_readable([Some(self.display.fd()), Some(orders.fd())], next)
                .map_err(X11Error::io("wait for windows"))?;
            if woken {
                orders.clear();
            }
            self.hear()?;
        }
    }

    fn hear(&mut self) -> Result<(), X11Error> {
        let root = self.display.root();
        while let Some(event) = self.display.x.poll_for_event()? {
            match event {
                Event::PropertyNotify(e) if e.window == root => {
                    let lists = [self.atoms._NET_CLIENT_LIST, self.atoms._NET_ACTIVE_WINDOW];
                    self.list_changed |= lists.contains(&e.atom);
                }
                Event::PropertyNotify(e) => drop(self.changed.insert(e.window)),
                Event::ConfigureNotify(e) if e.window == root => {
                    self.size = (e.width.into(), e.height.into());
                    self.changed.extend(self.windows.keys());
                }
                Event::ConfigureNotify(e) => drop(self.changed.insert(e.window)),
                // Windows vanish between a message about them and a question about them.
                Event::Error(error) => log::debug!("x11 error while tending windows: {:?}", error.error_kind),
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks at what has changed; says whether any has.
    fn look(&mut self, now: Instant) -> Result<bool, X11Error> {
        if std::mem::take(&mut self.list_changed) {
            self.active = self.property(self.atoms._NET_ACTIVE_WINDOW, 1)?.first().copied();
            self.order = self.property(self.atoms._NET_CLIENT_LIST, MAX_LIST)?;
            self.order.truncate(MAX_TENDED);
            self.windows.retain(|window, _| self.order.contains(window));
            for window in &self.order {
                if !self.windows.contains_key(window) {
                    let mask = EventMask::PROPERTY_CHANGE | EventMask::STRUCTURE_NOTIFY;
                    let watch = ChangeWindowAttributesAux::new().event_mask(mask);
                    self.display.x.change_window_attributes(*window, &watch)?;
                    self.windows.insert(*window, Room::default());
                    self.changed.insert(*window);
                }
            }
        }
        for window in std::mem::take(&mut self.changed) {
            let Some(room) = self.windows.get_mut(&window) else {
                continue;
            };
            match look(&self.display, &self.atoms, window)? {
                Some(look) => {
                    room.tended.see(look.seen, now);
                    room.look = look;
                }
                None => drop(self.windows.remove(&window)),
            }
        }
        Ok(true)
    }

    /// Puts right what has settled out of place; says when the next may have.
    fn put_right(&mut self, now: Instant) -> Result<Option<Instant>, X11Error> {
        let restore = self.to_restore();
        let wrong: Vec<(Window, Mend, Instant)> = self
            .windows
            .iter()
            .filter_map(|(window, room)| {
                let mend = room.tended.wrong(self.size, restore == Some(*window))?;
                Some((*window, mend, room.tended.due()?))
            })
            .collect();
        if wrong.is_empty() {
            self.windows.values_mut().for_each(|room| room.tended.is_well());
            return Ok(None);
        }
        // Whoever drags something decides where it goes.
        if self.pointer()?.is_some_and(|pointer| pointer.dragging) {
            return Ok(Some(now + LOOK));
        }
        let mut next = None;
        for (window, what, due) in wrong {
            if due > now {
                next = Some(next.map_or(due, |at: Instant| at.min(due)));
                continue;
            }
            let Some(room) = self.windows.get_mut(&window) else {
                continue;
            };
            if room.tended.mend(what, now) {
                mend(&self.display, &self.atoms, window, room.tended.seen(), what)?;
                // It may take it without a word; then it is wrong again.
                self.changed.insert(window);
            } else {
                log::warn!(
                    "display={} window={window:#x} title={:?} insists on its place, and is left alone",
                    self.name,
                    room.look.title
                );
            }
        }
        Ok(next)
    }

    /// The minimised window that has to come back, because none is to be seen: the one that was shown last.
    fn to_restore(&self) -> Option<Window> {
        if self.windows.values().any(|room| room.tended.shown()) {
            return None;
        }
        let hidden = |window: &&Window| {
            self.windows
                .get(window)
                .is_some_and(|room| room.tended.seen().hidden && room.tended.seen().kind == Kind::Main)
        };
        self.order.iter().rev().find(hidden).copied()
    }

    /// Moves what is larger than the display to where the pointer asks for; says whether there is such a window.
    fn follow_pointer(&mut self) -> Result<bool, X11Error> {
        let size = self.size;
        let active = self.active.filter(|active| {
            let room = self.windows.get(active);
            room.is_some_and(|room| room.tended.exceeds(size))
        });
        let Some(window) = active else { return Ok(false) };
        let Some(pointer) = self.pointer()? else {
            return Ok(true);
        };
        if let Some(room) = self.windows.get_mut(&window)
            && !pointer.dragging
            && let Some(area) = room.tended.pan(size, pointer.at)
        {
            mend(
                &self.display,
                &self.atoms,
                window,
                room.tended.seen(),
                Mend::Place(area),
            )?;
            room.tended.panned(area);
        }
        Ok(true)
    }

    /// Somebody wants this window.
    fn switch_to(&mut self, window: Window) -> Result<(), X11Error> {
        // Only what was told of: a number of something else is nobody's wish.
        if self.windows.get(&window).is_some_and(|room| room.look.chosen) {
            activate(&self.display, &self.atoms, window)?;
        }
        Ok(())
    }

    fn list(&self) -> Vec<WindowEntry> {
        let active = self.main_of(self.active);
        let entries = self.order.iter().filter_map(|window| {
            let room = self.windows.get(window).filter(|room| room.look.chosen)?;
            Some(WindowEntry {
                id: *window,
                title: room.look.title.clone(),
                active: active == Some(*window),
                hidden: room.tended.seen().hidden,
            })
        });
        choice(entries.collect())
    }

    /// The window that a dialog belongs to, or itself.
    fn main_of(&self, window: Option<Window>) -> Option<Window> {
        let mut window = window?;
        for _ in 0..GENERATIONS {
            match self.windows.get(&window).and_then(|room| room.look.parent) {
                Some(parent) if self.windows.contains_key(&parent) => window = parent,
                _ => break,
            }
        }
        Some(window)
    }

    fn property(&self, atom: u32, length: u32) -> Result<Vec<Window>, X11Error> {
        let x = &self.display.x;
        let reply = x.get_property(false, self.display.root(), atom, AtomEnum::WINDOW, 0, length)?;
        let reply = reply.reply().map_err(X11Error::reply("a property"))?;
        let windows = reply.value32().map(|all| all.filter(|window| *window != x11rb::NONE));
        Ok(windows.map(Iterator::collect).unwrap_or_default())
    }

    fn pointer(&self) -> Result<Option<Pointer>, X11Error> {
        let reply = self.display.x.query_pointer(self.display.root())?.reply();
        let buttons = KeyButMask::BUTTON1 | KeyButMask::BUTTON2 | KeyButMask::BUTTON3;
        Ok(reply.ok().map(|reply| Pointer {
            at: (reply.root_x.into(), reply.root_y.into()),
            dragging: u16::from(reply.mask) & u16::from(buttons) != 0,
        }))
    }
}

struct Pointer {
    at: (i32, i32),
    /// A button is down.
    dragging: bool,
}
