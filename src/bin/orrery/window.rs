//! The window: a normal, managed X11 window and the events that matter to the demo.

use std::os::fd::AsFd;
use std::time::Instant;

use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::time::TimeSpec;
use x11rb::connection::Connection;
use x11rb::properties::{WmHints, WmSizeHints};
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{
    AtomEnum, ButtonPressEvent, ClientMessageEvent, ConnectionExt as _, CreateWindowAux, EventMask, KeyPressEvent,
    PropMode, VisualClass, WindowClass,
};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::args::Size;
use crate::error::DemoError;
use crate::keymap::Keymap;

x11rb::atom_manager! {
    /// The atoms used.
    Atoms:
    /// The replies still to come.
    AtomsCookie {
        WM_PROTOCOLS,
        WM_DELETE_WINDOW,
        _NET_WM_PING,
        _NET_WM_NAME,
        _NET_WM_PID,
        UTF8_STRING,
    }
}

/// Something that happened to the window. Coordinates are pixels of the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A key went down (`pressed`) or up; `keysym` under the modifiers of that moment, 0 when it has none.
    Key {
        /// Key code of the server.
        code: u8,
        /// X11 keysym.
        keysym: u32,
        /// The modifiers and buttons of that moment, as the event has them.
        state: u16,
        /// Down or up.
        pressed: bool,
    },
    /// A button went down or up; 4 to 7 are the wheel.
    Button {
        /// X11 number, 1 is the left button.
        number: u8,
        /// Down or up.
        pressed: bool,
        /// Pixels from the left.
        x: i16,
        /// Pixels from the top.
        y: i16,
    },
    /// The pointer moved.
    Motion {
        /// Pixels from the left.
        x: i16,
        /// Pixels from the top.
        y: i16,
    },
    /// The window has a new size.
    Resized(Size),
    /// The picture, or part of it, has to be shown again.
    Exposed,
    /// The server has read the last shared picture; its memory may be written again.
    Shown,
    /// The user asked to close the window.
    Close,
}

/// The one window of the demo and its connection.
#[derive(Debug)]
pub struct Window {
    conn: RustConnection,
    id: u32,
    root: u32,
    depth: u8,
    size: Size,
    atoms: Atoms,
    keymap: Keymap,
}

impl Window {
    /// Connects to `$DISPLAY` and shows a window of `size` pixels, black until drawn on.
    ///
    /// # Errors
    /// No display, a screen of another pixel format, or a server that refuses the window.
    pub fn open(title: &str, size: Size) -> Result<Self, DemoError> {
        let (conn, screen) = RustConnection::connect(None).map_err(DemoError::Connect)?;
        let screen = &conn.setup().roots[screen];
        let (depth, root, visual) = (screen.root_depth, screen.root, screen.root_visual);
        let bgrx = screen.allowed_depths.iter().flat_map(|d| &d.visuals).any(|v| {
            v.visual_id == visual
                && v.class == VisualClass::TRUE_COLOR
                && v.red_mask == 0xff_0000
                && v.blue_mask == 0xff
        });
        if depth != 24 || !bgrx {
            return Err(DemoError::Visual { depth });
        }
        let atoms = Atoms::new(&conn)?.reply()?;
        let id = conn.generate_id()?;
        let mask = EventMask::KEY_PRESS
            | EventMask::KEY_RELEASE
            | EventMask::BUTTON_PRESS
            | EventMask::BUTTON_RELEASE
            | EventMask::POINTER_MOTION
            | EventMask::EXPOSURE
            | EventMask::STRUCTURE_NOTIFY;
        let aux = CreateWindowAux::new().background_pixel(0).event_mask(mask);
        conn.create_window(
            depth,
            id,
            root,
            0,
            0,
            size.width,
            size.height,
            0,
            WindowClass::INPUT_OUTPUT,
            visual,
            &aux,
        )?
        .check()?;
        conn.change_property8(
            PropMode::REPLACE,
            id,
            AtomEnum::WM_NAME,
            AtomEnum::STRING,
            title.as_bytes(),
        )?;
        conn.change_property8(
            PropMode::REPLACE,
            id,
            atoms._NET_WM_NAME,
            atoms.UTF8_STRING,
            title.as_bytes(),
        )?;
        let class = b"heliostat-orrery\0HeliostatOrrery\0";
        conn.change_property8(PropMode::REPLACE, id, AtomEnum::WM_CLASS, AtomEnum::STRING, class)?;
        conn.change_property32(
            PropMode::REPLACE,
            id,
            atoms.WM_PROTOCOLS,
            AtomEnum::ATOM,
            &[atoms.WM_DELETE_WINDOW, atoms._NET_WM_PING],
        )?;
        conn.change_property32(
            PropMode::REPLACE,
            id,
            atoms._NET_WM_PID,
            AtomEnum::CARDINAL,
            &[std::process::id()],
        )?;
        let mut hints = WmHints::new();
        hints.input = Some(true);
        hints.set(&conn, id)?;
        let mut normal = WmSizeHints::new();
        normal.min_size = Some((64, 64));
        normal.set_normal_hints(&conn, id)?;
        conn.map_window(id)?;
        let mut window = Self {
            conn,
            id,
            root,
            depth,
            size,
            atoms,
            keymap: Keymap::default(),
        };
        window.read_keymap()?;
        Ok(window)
    }

    /// The connection, for drawing.
    pub fn conn(&self) -> &RustConnection {
        &self.conn
    }

    /// The X identifier of the window.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Depth of the window in bits.
    pub fn depth(&self) -> u8 {
        self.depth
    }

    /// Size in pixels, as last told by the server.
    pub fn size(&self) -> Size {
        self.size
    }

    /// What `$DISPLAY` says.
    pub fn display_name(&self) -> String {
        std::env::var("DISPLAY").unwrap_or_default()
    }

    /// Sends what is buffered and waits for the next happening, at most until `deadline` (`None`: without end, for a
    /// window in which nothing moves). `Ok(None)` when the deadline has passed.
    ///
    /// # Errors
    /// The display is lost.
    pub fn next(&mut self, deadline: Option<Instant>) -> Result<Option<Happening>, DemoError> {
        loop {
            self.conn.flush()?;
            // Flushing may have read events into the connection's queue, so the queue is looked at before the socket.
            while let Some(event) = self.conn.poll_for_event()? {
                if let Some(happening) = self.translate(event)? {
                    return Ok(Some(happening));
                }
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            if left.is_some_and(|d| d.is_zero()) {
                return Ok(None);
            }
            let mut fds = [PollFd::new(self.conn.stream().as_fd(), PollFlags::POLLIN)];
            match ppoll(&mut fds, left.map(TimeSpec::from_duration), None) {
                Ok(_) | Err(nix::Error::EINTR) => {}
                Err(error) => return Err(DemoError::Wait(error)),
            }
        }
    }

    fn translate(&mut self, event: Event) -> Result<Option<Happening>, DemoError> {
        Ok(match event {
            Event::KeyPress(e) => Some(self.key(&e, true)),
            Event::KeyRelease(e) => Some(self.key(&e, false)),
            Event::ButtonPress(e) => Some(button(&e, true)),
            Event::ButtonRelease(e) => Some(button(&e, false)),
            Event::MotionNotify(e) => Some(Happening::Motion {
                x: e.event_x,
                y: e.event_y,
            }),
            Event::Expose(e) => (e.count == 0).then_some(Happening::Exposed),
            Event::ConfigureNotify(e) if e.window == self.id => {
                let size = Size {
                    width: e.width,
                    height: e.height,
                };
                let changed = size != self.size;
                self.size = size;
                changed.then_some(Happening::Resized(size))
            }
            Event::MappingNotify(_) => {
                self.read_keymap()?;
                None
            }
            Event::ShmCompletion(_) => Some(Happening::Shown),
            Event::ClientMessage(e) if e.type_ == self.atoms.WM_PROTOCOLS => {
                if e.data.as_data32()[0] == self.atoms._NET_WM_PING {
                    self.answer_ping(e)?;
                }
                (e.data.as_data32()[0] == self.atoms.WM_DELETE_WINDOW).then_some(Happening::Close)
            }
            Event::DestroyNotify(e) if e.window == self.id => Some(Happening::Close),
            Event::Error(error) => {
                log::warn!("the X server reported {error:?}");
                None
            }
            _ => None,
        })
    }

    /// EWMH, "_NET_WM_PING": sent on to the root window, it says that this program still handles its events.
    fn answer_ping(&self, mut ping: ClientMessageEvent) -> Result<(), DemoError> {
        ping.window = self.root;
        let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
        self.conn.send_event(false, self.root, mask, ping)?;
        self.conn.flush()?;
        Ok(())
    }

    fn key(&self, event: &KeyPressEvent, pressed: bool) -> Happening {
        Happening::Key {
            code: event.detail,
            keysym: self.keymap.keysym(event.detail, event.state.into()),
            state: event.state.into(),
            pressed,
        }
    }

    fn read_keymap(&mut self) -> Result<(), DemoError> {
        let setup = self.conn.setup();
        let (first, last) = (setup.min_keycode, setup.max_keycode);
        let reply = self.conn.get_keyboard_mapping(first, last - first + 1)?.reply()?;
        self.keymap = Keymap::new(first, reply.keysyms_per_keycode, reply.keysyms);
        Ok(())
    }
}

fn button(event: &ButtonPressEvent, pressed: bool) -> Happening {
    Happening::Button {
        number: event.detail,
        pressed,
        x: event.event_x,
        y: event.event_y,
    }
}
