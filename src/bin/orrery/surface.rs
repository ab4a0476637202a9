//! A picture in memory that can be shown in the window: shared with the server (MIT-SHM over a memfd) where possible,
//! else sent by core PutImage.

use std::os::fd::OwnedFd;
use std::ptr::NonNull;

use nix::libc::c_void;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::mman::{MapFlags, ProtFlags, mmap, munmap};
use x11rb::connection::{Connection, RequestConnection};
use x11rb::protocol::shm::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, ImageFormat};

use crate::args::Size;
use crate::error::DemoError;
use crate::window::Window;

/// A part of a picture in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Pixels from the left.
    pub x: u16,
    /// Pixels from the top.
    pub y: u16,
    /// Pixels across.
    pub width: u16,
    /// Pixels down.
    pub height: u16,
}

/// Pages shared with the X server. Zero at first.
#[derive(Debug)]
struct Pages {
    at: NonNull<c_void>,
    pixels: usize,
}

impl Pages {
    fn new(pixels: usize) -> nix::Result<(Self, OwnedFd)> {
        let fd = memfd_create("orrery", MFdFlags::MFD_CLOEXEC)?;
        let bytes = std::num::NonZeroUsize::new(pixels * 4).ok_or(nix::Error::EINVAL)?;
        nix::unistd::ftruncate(&fd, i64::try_from(bytes.get()).map_err(|_| nix::Error::EFBIG)?)?;
        // SAFETY: a new mapping at an address the kernel chooses; nothing else of this process lies there.
        let at = unsafe {
            mmap(
                None,
                bytes,
                ProtFlags::PROT_READ | ProtFlags::PROT_WRITE,
                MapFlags::MAP_SHARED,
                &fd,
                0,
            )?
        };
        Ok((Self { at, pixels }, fd))
    }

    fn as_mut(&mut self) -> &mut [u32] {
        // SAFETY: the mapping is `pixels` u32 long, page-aligned, lives as long as `self`, and this is the only
        // reference into it; the server only reads.
        unsafe { std::slice::from_raw_parts_mut(self.at.as_ptr().cast(), self.pixels) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: mapped by `new` with this length, and no slice outlives `self`.
        if let Err(error) = unsafe { munmap(self.at, self.pixels * 4) } {
            log::warn!("cannot unmap the picture: {error}");
        }
    }
}

#[derive(Debug)]
enum Store {
    Shared { pages: Pages, segment: u32 },
    Own(Vec<u32>),
}

/// A picture of fixed size, one `0x00RRGGBB` a pixel, rows from the top without gaps.
#[derive(Debug)]
pub struct Surface {
    size: Size,
    store: Store,
    gc: u32,
    /// Puts whose completion the server has still to tell.
    pending: bool,
}

impl Surface {
    /// Makes a black picture of `size` pixels for `window`.
    ///
    /// # Errors
    /// The display is lost or refuses a graphics context.
    pub fn new(window: &Window, size: Size) -> Result<Self, DemoError> {
        let conn = window.conn();
        let gc = conn.generate_id()?;
        conn.create_gc(gc, window.id(), &CreateGCAux::new().graphics_exposures(0))?;
        let pixels = usize::from(size.width) * usize::from(size.height);
        let store = match share(window, pixels) {
            Ok(Some((pages, segment))) => Store::Shared { pages, segment },
            Ok(None) => Store::Own(vec![0; pixels]),
            Err(error) => return Err(error),
        };
        Ok(Self {
            size,
            store,
            gc,
            pending: false,
        })
    }

    /// Whether the picture is shared memory.
    pub fn is_shared(&self) -> bool {
        matches!(self.store, Store::Shared { .. })
    }

    /// Whether the server may still be reading what was put last; writing now could tear.
    pub fn is_pending(&self) -> bool {
        self.pending
    }

    /// To be called at [`crate::window::Happening::Shown`].
    pub fn shown(&mut self) {
        self.pending = false;
    }

    /// The pixels.
    pub fn pixels(&mut self) -> &mut [u32] {
        match &mut self.store {
            Store::Shared { pages, .. } => pages.as_mut(),
            Store::Own(pixels) => pixels,
        }
    }

    /// Shows `parts` of the picture with its top left corner at (`x`, `y`) of the window. All parts lie inside.
    ///
    /// # Errors
    /// The display is lost.
    pub fn put(&mut self, window: &Window, x: i16, y: i16, parts: &[Part]) -> Result<(), DemoError> {
        let (conn, size, gc) = (window.conn(), self.size, self.gc);
        let place = |p: &Part| (x.saturating_add_unsigned(p.x), y.saturating_add_unsigned(p.y));
        match &self.store {
            Store::Shared { segment, .. } => {
                for (i, p) in parts.iter().enumerate() {
                    let (left, top) = place(p);
                    let last = i + 1 == parts.len();
                    conn.shm_put_image(
                        window.id(),
                        gc,
                        size.width,
                        size.height,
                        p.x,
                        p.y,
                        p.width,
                        p.height,
                        left,
                        top,
                        window.depth(),
                        ImageFormat::Z_PIXMAP.into(),
                        last,
                        *segment,
                        0,
                    )?;
                    self.pending |= last;
                }
            }
            Store::Own(pixels) => {
                let room = conn.maximum_request_bytes().saturating_sub(64);
                for p in parts {
                    let (left, top) = place(p);
                    let rows = (room / (usize::from(p.width).max(1) * 4)).clamp(1, 0xffff);
                    for first in (0..p.height).step_by(rows) {
                        let count = (p.height - first).min(u16::try_from(rows).unwrap_or(u16::MAX));
                        let mut bytes = Vec::with_capacity(usize::from(p.width) * usize::from(count) * 4);
                        for row in 0..count {
                            let from = usize::from(p.y + first + row) * usize::from(size.width) + usize::from(p.x);
                            let line = &pixels[from..from + usize::from(p.width)];
                            bytes.extend(line.iter().flat_map(|pixel| pixel.to_le_bytes()));
                        }
                        let top = top.saturating_add_unsigned(first);
                        conn.put_image(
                            ImageFormat::Z_PIXMAP,
                            window.id(),
                            gc,
                            p.width,
                            count,
                            left,
                            top,
                            0,
                            window.depth(),
                            &bytes,
                        )?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Gives the server's side back; for a surface that is replaced.
    ///
    /// # Errors
    /// The display is lost.
    pub fn free(self, window: &Window) -> Result<(), DemoError> {
        if let Store::Shared { segment, .. } = &self.store {
            window.conn().shm_detach(*segment)?;
        }
        window.conn().free_gc(self.gc)?;
        Ok(())
    }
}

/// Pages known to the server, or `None` when it cannot share memory (remote, or without MIT-SHM 1.2).
fn share(window: &Window, pixels: usize) -> Result<Option<(Pages, u32)>, DemoError> {
    let conn = window.conn();
    if conn
        .extension_information(x11rb::protocol::shm::X11_EXTENSION_NAME)?
        .is_none()
    {
        return Ok(None);
    }
    let version = conn.shm_query_version()?.reply()?;
    if (version.major_version, version.minor_version) < (1, 2) {
        return Ok(None);
    }
    let (pages, fd) = match Pages::new(pixels) {
        Ok(made) => made,
        Err(error) => {
            log::warn!("no shared memory, pictures are sent through the socket: {error}");
            return Ok(None);
        }
    };
    let segment = conn.generate_id()?;
    // The server maps the picture read-only: it never writes into it.
    match conn.shm_attach_fd(segment, fd, true)?.check() {
        Ok(()) => Ok(Some((pages, segment))),
        Err(error) => {
            log::warn!("the X server cannot share memory, pictures are sent through the socket: {error}");
            Ok(None)
        }
    }
}
