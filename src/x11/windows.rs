//! Readiness: waits until a program has shown something.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::xproto::{
    AtomEnum, ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageFormat, InputFocus, MapState, Window,
};

use super::connect::Display;
use super::wake::wait_readable;
use super::{Cancel, DisplayAddress, X11Error};

/// A window that stays of one colour counts after this long: some programs really begin with a black picture.
const PLAIN_GRACE: Duration = Duration::from_secs(1);
/// A window that has no focus after this time does not want any.
const FOCUS_GRACE: Duration = Duration::from_millis(500);
/// Between two looks at the focus.
const FOCUS_LOOK: Duration = Duration::from_millis(5);
/// The middle of a window is looked at, at most this far in each direction, in pixels. Usually that is all of it: a
/// terminal has drawn no more than a prompt in its corner.
const SAMPLE: u16 = 2048;

/// The first window of a program that has drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrawnWindow {
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
}

/// Waits until the first mapped top-level window of a client has drawn, at most for `deadline`. Menus and other
/// override-redirect windows, the window manager's own, and those of a single pixel do not count; nor does what the X
/// server itself paints when a window is shown or changes its size. Where there is a window manager, it also waits a
/// moment for it to give the keys to a program.
///
/// Blocks; `cancel` ends it from another thread.
///
/// # Errors
/// [`X11Error::Deadline`] if none has drawn by then, [`X11Error::DisplayLost`] also when cancelled.
pub fn wait_for_drawn_window(
    address: &DisplayAddress,
    deadline: Duration,
    cancel: &Cancel,
) -> Result<DrawnWindow, X11Error> {
    let until = Instant::now() + deadline;
    let display = Display::connect(address, deadline)?;
    cancel.attach(&display)?;
    // Also ends it when the server hangs in the middle of an answer.
    display.within(deadline, |display| {
        let mut watch = Watch {
            display,
            windows: BTreeMap::new(),
            manager: None,
        };
        watch.begin()?;
        loop {
            if let Some(drawn) = watch.look()? {
                watch.wait_for_focus(until)?;
                return Ok(drawn);
            }
            let next = watch.next_look().map_or(until, |at| at.min(until));
            wait_readable([Some(display.fd())], Some(next)).map_err(X11Error::io("wait for windows"))?;
        }
    })
}

/// The windows that may become the one.
struct Watch<'a> {
    display: &'a Display,
    windows: BTreeMap<Window, Candidate>,
    manager: Option<u32>,
}

struct Candidate {
    damage: Damage,
    mapped_at: Option<Instant>,
    /// What was drawn is the server's own painting up to here; more is the program's.
    settled: bool,
}

impl Watch<'_> {
    fn begin(&mut self) -> Result<(), X11Error> {
        let display = self.display;
        display
            .x
            .damage_query_version(1, 1)?
            .reply()
            .map_err(|_| X11Error::MissingExtension("DAMAGE"))?;
        let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::SUBSTRUCTURE_NOTIFY);
        display.x.change_window_attributes(display.root(), &mask)?;
        self.find_manager()?;
        // Those that are there already: directly on the root, or within a frame of the window manager's.
        for window in self.children(display.root())? {
            let Some((override_redirect, mapped)) = self.attributes(window)? else {
                continue;
            };
            if !override_redirect && !self.is_managers(window) {
                self.add(window, mapped)?;
            } else if self.is_managers(window) {
                for inner in self.children(window)? {
                    if !self.is_managers(inner)
                        && let Some((false, mapped)) = self.attributes(inner)?
                    {
                        self.add(inner, mapped)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Handles what has happened; the first window that has drawn, if there is one.
    fn look(&mut self) -> Result<Option<DrawnWindow>, X11Error> {
        let plain: Vec<Window> = self
            .windows
            .iter()
            .filter(|(_, c)| c.is_due())
            .map(|(w, _)| *w)
            .collect();
        for window in plain {
            if let Some(size) = self.visible_size(window)? {
                return Ok(Some(size));
            }
        }
        // Last: replies bring events along, of which the socket tells no more.
        while let Some(event) = self.display.x.poll_for_event()? {
            match event {
                Event::CreateNotify(e) if !e.override_redirect && !self.is_managers(e.window) => {
                    self.add(e.window, false)?;
                }
                Event::MapNotify(e) => self.shown(e.window)?,
                Event::ConfigureNotify(e) => self.repainted(e.window)?,
                Event::UnmapNotify(e) => {
                    if let Some(candidate) = self.windows.get_mut(&e.window) {
                        candidate.mapped_at = None;
                    }
                }
                Event::DestroyNotify(e) => drop(self.windows.remove(&e.window)),
                Event::DamageNotify(e) => {
                    if let Some(drawn) = self.damaged(e.drawable)? {
                        return Ok(Some(drawn));
                    }
                }
                // Windows vanish between a message about them and a question about them.
                Event::Error(error) => log::debug!("x11 error while watching windows: {:?}", error.error_kind),
                _ => {}
            }
        }
        Ok(None)
    }

    /// A window manager gives a new window the focus a moment after it is shown: a key that comes before that is lost.
    fn wait_for_focus(&mut self, until: Instant) -> Result<(), X11Error> {
        self.find_manager()?;
        let until = until.min(Instant::now() + FOCUS_GRACE);
        while self.manager.is_some() && Instant::now() < until {
            let focus = self.display.x.get_input_focus()?.reply();
            let focus = focus.map_err(X11Error::reply("the focus"))?.focus;
            let nobodys = [x11rb::NONE, InputFocus::POINTER_ROOT.into(), self.display.root()];
            if !nobodys.contains(&focus) && !self.is_managers(focus) {
                break;
            }
            std::thread::sleep(FOCUS_LOOK);
        }
        Ok(())
    }

    fn next_look(&self) -> Option<Instant> {
        self.windows
            .values()
            .filter_map(|c| c.mapped_at)
            .map(|at| at + PLAIN_GRACE)
            .filter(|at| *at > Instant::now())
            .min()
    }

    fn add(&mut self, window: Window, mapped: bool) -> Result<(), X11Error> {
        if self.windows.contains_key(&window) {
            return Ok(());
        }
        let x = &self.display.x;
        let mask = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        x.change_window_attributes(window, &mask)?;
        let damage = x.generate_id()?;
        x.damage_create(damage, window, ReportLevel::NON_EMPTY)?;
        self.windows.insert(
            window,
            Candidate {
                damage,
                mapped_at: None,
                settled: false,
            },
        );
        // It may have been shown before it was watched.
        if mapped || self.attributes(window)?.is_some_and(|(_, mapped)| mapped) {
            self.shown(window)?;
        }
        Ok(())
    }

    fn shown(&mut self, window: Window) -> Result<(), X11Error> {
        if !self.windows.contains_key(&window) {
            return Ok(());
        }
        // A window manager may have come since.
        self.find_manager()?;
        if self.is_managers(window) {
            self.windows.remove(&window);
            return Ok(());
        }
        if let Some(candidate) = self.windows.get_mut(&window) {
            candidate.mapped_at.get_or_insert_with(Instant::now);
        }
        self.repainted(window)
    }

    /// The server has painted the window's background: that is not the program's drawing.
    fn repainted(&mut self, window: Window) -> Result<(), X11Error> {
        let Some(candidate) = self.windows.get_mut(&window) else {
            return Ok(());
        };
        candidate.settled = false;
        self.display
            .x
            .damage_subtract(candidate.damage, x11rb::NONE, x11rb::NONE)?;
        // A round trip: reports of that painting come before its answer, and whatever comes after is new.
        self.display
            .x
            .get_input_focus()?
            .reply()
            .map_err(X11Error::reply("a round trip"))?;
        Ok(())
    }

    fn damaged(&mut self, window: Window) -> Result<Option<DrawnWindow>, X11Error> {
        let Some(candidate) = self.windows.get_mut(&window) else {
            return Ok(None);
        };
        let settled = std::mem::replace(&mut candidate.settled, true);
        let mapped = candidate.mapped_at.is_some();
        self.display
            .x
            .damage_subtract(candidate.damage, x11rb::NONE, x11rb::NONE)?;
        if !mapped {
            return Ok(None);
        }
        let Some(size) = self.visible_size(window)? else {
            return Ok(None);
        };
        // The first report may be the server's painting: then the content tells. A later one is the program's.
        Ok((settled || self.has_content(window, size)?).then_some(size))
    }

    fn visible_size(&self, window: Window) -> Result<Option<DrawnWindow>, X11Error> {
        let Ok(geometry) = self.display.x.get_geometry(window)?.reply() else {
            return Ok(None);
        };
        let viewable = self.is_viewable(window)?;
        let size = DrawnWindow {
            width: geometry.width,
            height: geometry.height,
        };
        Ok((viewable && (size.width > 1 || size.height > 1)).then_some(size))
    }

    /// Whether the middle of the window has more than one colour.
    fn has_content(&self, window: Window, size: DrawnWindow) -> Result<bool, X11Error> {
        let (width, height) = (size.width.min(SAMPLE), size.height.min(SAMPLE));
        let middle = |all: u16, part: u16| i16::try_from((all - part) / 2).unwrap_or(0);
        let (x, y) = (middle(size.width, width), middle(size.height, height));
        // Refused if the window is partly off the screen: then its reports have to do.
        let image = self
            .display
            .x
            .get_image(ImageFormat::Z_PIXMAP, window, x, y, width, height, !0)?
            .reply();
        Ok(image.is_ok_and(|image| {
            let mut pixels = image.data.chunks_exact(4);
            let first = pixels.next();
            pixels.any(|pixel| Some(pixel) != first)
        }))
    }

    /// The client that the window manager is, by its check window (EWMH, `_NET_SUPPORTING_WM_CHECK`).
    fn find_manager(&mut self) -> Result<(), X11Error> {
        let x = &self.display.x;
        let atom = x
            .intern_atom(false, b"_NET_SUPPORTING_WM_CHECK")?
            .reply()
            .map_err(X11Error::reply("an atom"))?;
        let property = x.get_property(false, self.display.root(), atom.atom, AtomEnum::WINDOW, 0, 1)?;
        let window = property
            .reply()
            .ok()
            .and_then(|reply| reply.value32().and_then(|mut values| values.next()));
        self.manager = window.map(|window| self.client_of(window));
        Ok(())
    }

    fn is_managers(&self, window: Window) -> bool {
        self.manager == Some(self.client_of(window))
    }

    /// Clients are told apart by the upper bits of what they create.
    fn client_of(&self, window: Window) -> u32 {
        window & !self.display.x.setup().resource_id_mask
    }

    fn children(&self, window: Window) -> Result<Vec<Window>, X11Error> {
        Ok(self
            .display
            .x
            .query_tree(window)?
            .reply()
            .map(|tree| tree.children)
            .unwrap_or_default())
    }

    /// Whether a window overrides redirection and whether it is mapped; `None` if it is gone.
    fn attributes(&self, window: Window) -> Result<Option<(bool, bool)>, X11Error> {
        let reply = self.display.x.get_window_attributes(window)?.reply();
        // Mapped in a frame that is not yet: no event will tell when the frame is, so it counts from here.
        Ok(reply
            .ok()
            .map(|a| (a.override_redirect, a.map_state != MapState::UNMAPPED)))
    }

    /// Whether a window and everything around it is mapped.
    fn is_viewable(&self, window: Window) -> Result<bool, X11Error> {
        let reply = self.display.x.get_window_attributes(window)?.reply();
        Ok(reply.is_ok_and(|a| a.map_state == MapState::VIEWABLE))
    }
}

impl Candidate {
    fn is_due(&self) -> bool {
        self.mapped_at.is_some_and(|at| at.elapsed() >= PLAIN_GRACE)
    }
}
