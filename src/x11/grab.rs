//! Grabs the picture of a display when it has changed: XDamage tells when, MIT-SHM 1.2 carries the pixels.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use x11rb::connection::Connection as _;
use x11rb::errors::ReplyError;
use x11rb::protocol::Event;
use x11rb::protocol::damage::{ConnectionExt as _, Damage, ReportLevel};
use x11rb::protocol::shm::{ConnectionExt as _, Seg};
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageFormat, ImageOrder};

use super::connect::Display;
use super::picture::Picture;
use super::{Aborter, DisplayAddress, X11Error};

/// A connection that grabs the root window into shared memory.
#[derive(Debug)]
pub struct Grabber {
    display: Display,
    damage: Damage,
    segment: Seg,
    picture: Picture,
    width: u16,
    height: u16,
    /// What there is memory for.
    most: (u16, u16),
    /// What the screen has now, as far as there is memory for it.
    screen: (u16, u16),
}

impl Grabber {
    /// Connects and prepares to grab the upper left `width` × `height` pixels, at most the whole screen. Both are
    /// rounded down to even numbers, as the encoders' 4:2:0 pictures need.
    ///
    /// # Errors
    /// No display, missing extensions, or a screen that is not 32 bit a pixel in this machine's byte order.
    pub fn connect(address: &DisplayAddress, width: u16, height: u16, deadline: Duration) -> Result<Self, X11Error> {
        let display = Display::connect(address, deadline)?;
        display.within(deadline, |d| d.require_extensions())?;
        let screen = display.screen();
        let width = width.min(screen.width_in_pixels) & !1;
        let height = height.min(screen.height_in_pixels) & !1;
        let format = display
            .x
            .setup()
            .pixmap_formats
            .iter()
            .find(|f| f.depth == screen.root_depth);
        if format.is_none_or(|f| f.bits_per_pixel != 32) || display.x.setup().image_byte_order != ImageOrder::LSB_FIRST
        {
            return Err(X11Error::Unsupported(format!(
                "depth {} is not 32 bit BGRx",
                screen.root_depth
            )));
        }
        if width == 0 || height == 0 {
            return Err(X11Error::Unsupported("no pixels".into()));
        }
        let size = usize::from(width) * usize::from(height) * 4;
        let memory = memfd_create(c"heliostat-picture", MFdFlags::MFD_CLOEXEC).map_err(|e| X11Error::Io {
            what: "make shared memory",
            source: e.into(),
        })?;
        let bytes = i64::try_from(size).map_err(|_| X11Error::Unsupported("too many pixels".into()))?;
        ftruncate(&memory, bytes).map_err(|e| X11Error::Io {
            what: "size shared memory",
            source: e.into(),
        })?;
        let picture = Picture::map(memory.as_fd(), size).map_err(X11Error::io("map shared memory"))?;
        let (damage, segment) = display.within(deadline, |d| d.prepare(memory))?;
        Ok(Self {
            display,
            damage,
            segment,
            picture,
            width,
            height,
            most: (width, height),
            screen: (width, height),
        })
    }

    /// Width and height of every picture, in pixels.
    #[must_use]
    pub const fn size(&self) -> (u16, u16) {
        (self.width, self.height)
    }

    /// The size that the screen has now, as far as it can be grabbed: a program may have changed it (RandR). As of the
    /// last [`Self::drain_damage`].
    #[must_use]
    pub const fn screen(&self) -> (u16, u16) {
        self.screen
    }

    /// Pictures are of this size from now on, which is at most what there was at the start.
    pub fn resize(&mut self, (width, height): (u16, u16)) {
        (self.width, self.height) = (width.min(self.most.0), height.min(self.most.1));
    }

    fn screen_is(&mut self, width: u16, height: u16) {
        self.screen = (width.min(self.most.0) & !1, height.min(self.most.1) & !1);
    }

    /// What to poll for damage. Call [`Self::drain_damage`] first: replies bring events along.
    #[must_use]
    pub fn fd(&self) -> BorrowedFd<'_> {
        self.display.fd()
    }

    /// Ends this connection from another thread.
    ///
    /// # Errors
    /// No file descriptors left.
    pub fn aborter(&self) -> Result<Aborter, X11Error> {
        self.display.aborter()
    }

    /// Counts the damage events that have come, without waiting. After one, no other comes until the next
    /// [`Self::grab`]: a screen that nobody grabs costs nothing.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn drain_damage(&mut self) -> Result<u64, X11Error> {
        let mut seen = 0;
        while let Some(event) = self.display.x.poll_for_event()? {
            match event {
                Event::DamageNotify(_) => seen += 1,
                Event::ConfigureNotify(e) if e.window == self.display.root() => self.screen_is(e.width, e.height),
                Event::Error(error) => log::warn!("x11 error while grabbing: {:?}", error.error_kind),
                _ => {}
            }
        }
        Ok(seen)
    }

    /// Has further changes told again, though nothing was grabbed since the last that was.
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`].
    pub fn listen_again(&self) -> Result<(), X11Error> {
        self.display.x.damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?;
        self.display.x.flush()?;
        Ok(())
    }

    /// Grabs the picture as it is now; what changes from here on is new damage. 4 bytes a pixel (blue, green, red,
    /// unused), rows from the top without padding, in memory that the next grab writes to. `None`: the screen has become
    /// smaller than that, see [`Self::screen`].
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`], or the server refuses the grab.
    pub fn grab(&mut self) -> Result<Option<&[u8]>, X11Error> {
        // First the subtraction: what is drawn between the two is in the picture and reported again, never lost.
        self.display.x.damage_subtract(self.damage, x11rb::NONE, x11rb::NONE)?;
        let grabbed = self
            .display
            .x
            .shm_get_image(
                self.display.root(),
                0,
                0,
                self.width,
                self.height,
                !0,
                ImageFormat::Z_PIXMAP.into(),
                self.segment,
                0,
            )?
            .reply();
        if let Err(ReplyError::X11Error(_)) = grabbed {
            let root = self.display.x.get_geometry(self.display.root())?.reply();
            let root = root.map_err(X11Error::reply("the screen's size"))?;
            self.screen_is(root.width, root.height);
            if self.screen.0 < self.width || self.screen.1 < self.height {
                return Ok(None);
            }
        }
        grabbed.map_err(X11Error::reply("a grab"))?;
        let bytes = usize::from(self.width) * usize::from(self.height) * 4;
        Ok(self.picture.bytes().get(..bytes))
    }
}

impl Display {
    fn require_extensions(&self) -> Result<(), X11Error> {
        let missing = |name| move |_| X11Error::MissingExtension(name);
        self.x.damage_query_version(1, 1)?.reply().map_err(missing("DAMAGE"))?;
        let shm = self.x.shm_query_version()?.reply().map_err(missing("MIT-SHM"))?;
        if (shm.major_version, shm.minor_version) < (1, 2) {
            return Err(X11Error::MissingExtension("MIT-SHM 1.2"));
        }
        Ok(())
    }

    /// Unlike System V segments, a file descriptor reaches an X server in another IPC namespace, too.
    fn prepare(&self, memory: OwnedFd) -> Result<(Damage, Seg), X11Error> {
        let segment = self.x.generate_id()?;
        self.x
            .shm_attach_fd(segment, memory, false)?
            .check()
            .map_err(X11Error::reply("sharing memory"))?;
        // Tells when the screen changes its size.
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        self.x.change_window_attributes(self.root(), &watch)?;
        let damage = self.x.generate_id()?;
        self.x
            .damage_create(damage, self.root(), ReportLevel::NON_EMPTY)?
            .check()
            .map_err(X11Error::reply("watching damage"))?;
        Ok((damage, segment))
    }
}
