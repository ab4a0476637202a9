//! Grabs the picture of a display when it has changed: XDamage tells when and where, MIT-SHM 1.2 carries the pixels.
//!
//! The memory always holds the whole picture, as it was when it was last grabbed. What has changed since is asked for, and grabbed
//! alone: rows of the whole width land at their place; a narrower piece lies behind the picture and is copied. A screen that changes as a whole
//! is asked for its pixels along with that, so that there is one answer to wait for, as if nothing were known.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::unistd::ftruncate;
use x11rb::connection::Connection as _;
use x11rb::cookie::Cookie;
use x11rb::protocol::Event;
use x11rb::protocol::damage::ConnectionExt as _;
use x11rb::protocol::shm::{ConnectionExt as _, GetImageReply, Seg};
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{ChangeWindowAttributesAux, ConnectionExt as _, EventMask, ImageFormat, ImageOrder};
use x11rb::rust_connection::RustConnection;

use super::connect::Display;
use super::damage::Damaged;
use super::picture::Picture;
use super::{Aborter, DisplayAddress, X11Error};
use crate::media::{Area, Tiles};

/// Pieces of one picture; each is a request.
const MOST_PIECES: usize = 8;
/// From so many percent of the picture on, the next is grabbed as a whole.
const BUSY: u32 = 60;
/// Rectangles that the server may tell of; with more, what changes is not asked for in the next pictures.
const MOST_RECTANGLES: usize = 2000;
/// So many pictures then.
const UNASKED: u32 = 30;

/// A connection that grabs the root window into shared memory.
#[derive(Debug)]
pub struct Grabber {
    display: Display,
    damaged: Damaged,
    segment: Seg,
    picture: Picture,
    width: u16,
    height: u16,
    /// What there is memory for.
    most: (u16, u16),
    /// What the screen has now, as far as there is memory for it.
    screen: (u16, u16),
    /// What is in memory may be old where no change was told.
    unknown: bool,
    /// The last change was of most of the picture.
    busy: bool,
    /// So many pictures are grabbed without asking where they have changed.
    unasked: u32,
}

/// A part of the picture, and where in memory the server puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece {
    area: Area,
    offset: usize,
}

/// The pieces that hold what has changed of a picture of this size. What takes less than half of its width lies behind the picture, in
/// which there is always room for half of one more.
fn pieces(changed: &Tiles, (width, height): (u16, u16)) -> Vec<Piece> {
    let row = usize::from(width) * 4;
    let mut behind = row * usize::from(height);
    let place = |area: Area| {
        if area.width < width / 2 {
            let offset = behind;
            behind += area.pixels() as usize * 4;
            return Piece { area, offset };
        }
        let offset = row * usize::from(area.y);
        Piece {
            area: Area { x: 0, width, ..area },
            offset,
        }
    };
    changed.bands(MOST_PIECES).into_iter().map(place).collect()
}

/// Copies what lies behind a picture of this width to its place.
fn put_in_place(bytes: &mut [u8], width: u16, piece: Piece) {
    let (
        Area {
            x,
            y,
            width: part,
            height,
        },
        row,
    ) = (piece.area, usize::from(width) * 4);
    if part == width {
        return;
    }
    let length = usize::from(part) * 4;
    for n in 0..usize::from(height) {
        let from = piece.offset + n * length;
        bytes.copy_within(from..from + length, (usize::from(y) + n) * row + usize::from(x) * 4);
    }
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
        let size = usize::from(width) * usize::from(height) * 6;
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
        let (damaged, segment) = display.within(deadline, |d| d.prepare(memory))?;
        Ok(Self {
            display,
            damaged,
            segment,
            picture,
            width,
            height,
            most: (width, height),
            screen: (width, height),
            unknown: true,
            busy: false,
            unasked: 0,
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
        self.unknown = true;
    }

    fn screen_is(&mut self, width: u16, height: u16) {
        self.screen = (width.min(self.most.0) & !1, height.min(self.most.1) & !1);
        self.unknown = true;
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
    pub fn listen_again(&mut self) -> Result<(), X11Error> {
        self.damaged.set_aside(&self.display.x)?;
        self.display.x.flush()?;
        Ok(())
    }

    /// Grabs the picture as it is now; what changes from here on is new damage. 4 bytes a pixel (blue, green, red,
    /// unused), rows from the top without padding, in memory that the next grab writes to; and where it has changed since the last grab.
    /// `None`: the screen has become smaller than that, see [`Self::screen`].
    ///
    /// # Errors
    /// [`X11Error::DisplayLost`], or the server refuses the grab.
    pub fn grab(&mut self) -> Result<Option<(&[u8], Tiles)>, X11Error> {
        let size = self.size();
        let (changed, pieces) = match self.grab_pieces() {
            Ok(grabbed) => grabbed,
            Err(refused @ X11Error::Request { .. }) => {
                // What was told is lost with it.
                self.unknown = true;
                let root = self.display.x.get_geometry(self.display.root())?.reply();
                let root = root.map_err(X11Error::reply("the screen's size"))?;
                self.screen_is(root.width, root.height);
                if self.screen.0 < self.width || self.screen.1 < self.height {
                    return Ok(None);
                }
                return Err(refused);
            }
            Err(error) => return Err(error),
        };
        for piece in pieces {
            put_in_place(self.picture.bytes_mut(), self.width, piece);
        }
        let bytes = usize::from(size.0) * usize::from(size.1) * 4;
        Ok(self.picture.bytes().get(..bytes).map(|bytes| (bytes, changed)))
    }

    /// Has the server write what has changed.
    fn grab_pieces(&mut self) -> Result<(Tiles, Vec<Piece>), X11Error> {
        let (size, x) = (self.size(), &self.display.x);
        // First the subtraction: what is drawn between the two is in the picture and reported again, never lost.
        self.damaged.take(x)?;
        let ask = !self.unknown && self.unasked == 0;
        self.unasked = self.unasked.saturating_sub(1);
        let told = ask.then(|| self.damaged.taken(x)).transpose()?;
        let at_once = (!ask || self.busy).then(|| pieces(&Tiles::all(size), size));
        let asked = at_once
            .as_deref()
            .map(|whole| ask_for(&self.display, self.segment, whole))
            .transpose()?;
        let mut changed = Tiles::all(size);
        if let Some(told) = told {
            let told = told.reply().map_err(X11Error::reply("what has changed"))?;
            changed = Tiles::none(size);
            for part in &told.rectangles {
                changed.add((part.x, part.y), (part.width, part.height));
            }
            if told.rectangles.len() > MOST_RECTANGLES {
                self.unasked = UNASKED;
            }
        }
        let wanted = pieces(&changed, size);
        let pixels: u32 = wanted.iter().map(|piece| piece.area.pixels()).sum();
        self.busy = u64::from(pixels) * 100 >= u64::from(Area::whole(size).pixels()) * u64::from(BUSY);
        let asked = asked.map_or_else(|| ask_for(&self.display, self.segment, &wanted), Ok)?;
        for image in asked {
            image.reply().map_err(X11Error::reply("a grab"))?;
        }
        self.unknown = false;
        Ok((changed, at_once.unwrap_or(wanted)))
    }
}

/// Has the server write these, without waiting for it.
fn ask_for<'x>(
    display: &'x Display,
    segment: Seg,
    pieces: &[Piece],
) -> Result<Vec<Cookie<'x, RustConnection, GetImageReply>>, X11Error> {
    let ask = |piece: &Piece| {
        let Area { x, y, width, height } = piece.area;
        let (x, y) = (x.cast_signed(), y.cast_signed());
        let offset = u32::try_from(piece.offset).map_err(|_| X11Error::Unsupported("too many pixels".into()))?;
        let (format, root) = (ImageFormat::Z_PIXMAP.into(), display.root());
        let image = display
            .x
            .shm_get_image(root, x, y, width, height, !0, format, segment, offset);
        Ok(image?)
    };
    pieces.iter().map(ask).collect()
}

impl Display {
    fn require_extensions(&self) -> Result<(), X11Error> {
        let missing = |name| move |_| X11Error::MissingExtension(name);
        self.x.damage_query_version(1, 1)?.reply().map_err(missing("DAMAGE"))?;
        self.x.xfixes_query_version(2, 0)?.reply().map_err(missing("XFIXES"))?;
        let shm = self.x.shm_query_version()?.reply().map_err(missing("MIT-SHM"))?;
        if (shm.major_version, shm.minor_version) < (1, 2) {
            return Err(X11Error::MissingExtension("MIT-SHM 1.2"));
        }
        Ok(())
    }

    /// Unlike System V segments, a file descriptor reaches an X server in another IPC namespace, too.
    fn prepare(&self, memory: OwnedFd) -> Result<(Damaged, Seg), X11Error> {
        let segment = self.x.generate_id()?;
        self.x
            .shm_attach_fd(segment, memory, false)?
            .check()
            .map_err(X11Error::reply("sharing memory"))?;
        // Tells when the screen changes its size.
        let watch = ChangeWindowAttributesAux::new().event_mask(EventMask::STRUCTURE_NOTIFY);
        self.x.change_window_attributes(self.root(), &watch)?;
        Ok((Damaged::watch(&self.x, self.root())?, segment))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A screen whose bytes say where they are, and the server's part of a grab.
    fn pixel(x: usize, y: usize) -> [u8; 4] {
        [x as u8, (x >> 8) as u8, y as u8, (y >> 8) as u8]
    }

    proptest! {
        #[test]
        fn pieces_end_up_at_their_place_and_hold_all_that_has_changed(
            half in (1_u16..300, 1_u16..80),
            drawn in prop::collection::vec(((-9_i16..620, -9_i16..170), (0_u16..200, 0_u16..40)), 0..7),
        ) {
            let size = (half.0 * 2, half.1 * 2);
            let mut changed = Tiles::none(size);
            drawn.iter().for_each(|(at, size)| changed.add(*at, *size));
            let (width, height) = (usize::from(size.0), usize::from(size.1));
            let mut bytes = vec![0xee; width * height * 6];
            let pieces = pieces(&changed, size);
            prop_assert!(pieces.len() <= MOST_PIECES);
            for piece in &pieces {
                let Area { x, y, .. } = piece.area;
                let row = usize::from(piece.area.width) * 4;
                for n in 0..usize::from(piece.area.height) {
                    for column in 0..usize::from(piece.area.width) {
                        let at = piece.offset + n * row + column * 4;
                        bytes[at..at + 4].copy_from_slice(&pixel(usize::from(x) + column, usize::from(y) + n));
                    }
                }
            }
            pieces.iter().for_each(|piece| put_in_place(&mut bytes, size.0, *piece));
            for (x, y) in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
                let at = (y * width + x) * 4;
                let is = &bytes[at..at + 4];
                let right = is == pixel(x, y);
                prop_assert!(right || (is == [0xee; 4] && !changed.has(x / 16, y / 16)), "{} {}", x, y);
            }
        }
    }
}
