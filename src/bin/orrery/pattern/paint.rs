//! The flip area, the cells, the text and the bar, in core requests: the shortest way from an event to the screen.

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{Char2b, ConnectionExt as _, CreateGCAux, Rectangle};

use super::layout::{BAR, CELL, Layout, cells, signed};
use super::typed::Typed;
use crate::error::DemoError;
use crate::window::Window;

/// The colours of the flip area, for even and odd numbers of flips.
const COLOURS: [u32; 2] = [0x0000a0, 0xffe000];
const BLACK: u32 = 0;
const WHITE: u32 = 0xff_ffff;
const TEXT: u32 = 0xd8_d8d8;

/// One graphics context a colour, so that a flip needs no change of one.
#[derive(Debug)]
pub struct Painter {
    flip: [u32; 2],
    black: u32,
    white: u32,
    text: u32,
    /// Advance of a character in pixels.
    advance: u16,
}

impl Painter {
    /// Makes what is needed to paint on `window`.
    ///
    /// # Errors
    /// The display is lost or refuses a resource.
    pub fn new(window: &Window) -> Result<Self, DemoError> {
        let gc = |colour| gc(window, &CreateGCAux::new().foreground(colour).graphics_exposures(0));
        let (text, advance) = text_gc(window, TEXT, &["10x20", "9x15", "fixed"])?;
        Ok(Self {
            flip: [gc(COLOURS[0])?, gc(COLOURS[1])?],
            black: gc(BLACK)?,
            white: gc(WHITE)?,
            text,
            advance,
        })
    }

    /// Draws the state after `flips` flips and sends it at once: first the bits, then the colour.
    pub fn flip(&self, window: &Window, layout: &Layout, flips: u16, crc: u16) -> Result<(), DemoError> {
        let (conn, id) = (window.conn(), window.id());
        for (white, gc) in [(true, self.white), (false, self.black)] {
            let mut rects = cells(flips, 0, white);
            rects.extend(cells(crc, 1, white));
            rects.retain(|r| r.x < signed(layout.flip.width) && r.y + signed(CELL) <= signed(layout.flip.height));
            conn.poly_fill_rectangle(id, gc, &rects)?;
        }
        conn.poly_fill_rectangle(id, self.flip[usize::from(flips % 2)], &layout.flip_without_cells())?;
        conn.flush()?;
        Ok(())
    }

    /// Draws the line of typed text: its end, where it is too long.
    pub fn typed(&self, window: &Window, layout: &Layout, text: String) -> Result<(), DemoError> {
        let (conn, id) = (window.conn(), window.id());
        let fits = usize::from(layout.line.width.saturating_sub(16) / self.advance.max(1)).min(255);
        let chars: Vec<Char2b> = text.chars().map(char2b).collect();
        let tail = &chars[chars.len().saturating_sub(fits)..];
        conn.poly_fill_rectangle(id, self.black, &[layout.line])?;
        conn.image_text16(id, self.text, 8, layout.line.y + 20, tail)?;
        conn.flush()?;
        Ok(())
    }

    /// Moves the bar; `from` is its last place, `None` when the lane has to be cleared.
    pub fn bar(&self, window: &Window, layout: &Layout, from: Option<i16>, to: i16) -> Result<(), DemoError> {
        let (conn, id, lane) = (window.conn(), window.id(), layout.lane);
        let piece = |x: i16, width: i16| Rectangle {
            x,
            y: lane.y,
            width: width.unsigned_abs(),
            height: lane.height,
        };
        match from {
            // Only the edges change.
            Some(from) if from <= to && to - from < signed(BAR) => {
                conn.poly_fill_rectangle(id, self.black, &[piece(from, to - from)])?;
                conn.poly_fill_rectangle(id, self.white, &[piece(from + signed(BAR), to - from)])?;
            }
            _ => {
                conn.poly_fill_rectangle(id, self.black, &[lane])?;
                conn.poly_fill_rectangle(id, self.white, &[piece(to, signed(BAR))])?;
            }
        }
        Ok(())
    }

    /// Draws everything but the content.
    pub fn all(&self, window: &Window, layout: &Layout, flips: u16, typed: &Typed) -> Result<(), DemoError> {
        self.flip(window, layout, flips, typed.crc())?;
        window
            .conn()
            .poly_fill_rectangle(window.id(), self.black, &[layout.lane, layout.content])?;
        self.typed(window, layout, typed.text())
    }
}

/// A graphics context of `window`.
pub fn gc(window: &Window, aux: &CreateGCAux) -> Result<u32, DemoError> {
    let gc = window.conn().generate_id()?;
    window.conn().create_gc(gc, window.id(), aux)?;
    Ok(gc)
}

/// A graphics context with the first of `fonts` the server has, and the advance of its characters in pixels. A server
/// without fonts draws no text, nothing else is lost.
pub fn text_gc(window: &Window, colour: u32, fonts: &[&str]) -> Result<(u32, u16), DemoError> {
    let conn = window.conn();
    let aux = CreateGCAux::new()
        .foreground(colour)
        .background(BLACK)
        .graphics_exposures(0);
    for name in fonts {
        let font = conn.generate_id()?;
        if conn.open_font(font, name.as_bytes())?.check().is_err() {
            continue;
        }
        let info = conn.query_font(font)?.reply()?;
        let advance = u16::try_from(info.max_bounds.character_width).unwrap_or(0).max(1);
        let gc = gc(window, &aux.font(font))?;
        conn.close_font(font)?;
        return Ok((gc, advance));
    }
    log::warn!("the X server has none of the fonts {fonts:?}: no text is shown");
    Ok((gc(window, &aux)?, 8))
}

/// A character for the core protocol's two-byte fonts; those outside the first plane show as `?`.
pub fn char2b(c: char) -> Char2b {
    let code = u16::try_from(u32::from(c)).unwrap_or(u16::from(b'?'));
    let [byte1, byte2] = code.to_be_bytes();
    Char2b { byte1, byte2 }
}
