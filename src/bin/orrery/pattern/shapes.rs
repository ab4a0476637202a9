//! Shapes that move smoothly, each in a lane of its own, drawn in a pixmap and copied: nothing flickers.

use std::time::Duration;

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{Arc, ConnectionExt as _, CreateGCAux, Rectangle};

use super::layout::{Layout, signed};
use super::paint::gc;
use crate::error::DemoError;
use crate::window::Window;

/// Colour of each lane's shape; odd lanes hold squares, even ones discs.
const COLOURS: [u32; 6] = [0xe8_5d4a, 0xf2_b134, 0x5b_c26a, 0x3f_a7d6, 0x8e_6cd9, 0xe0_6aa8];

/// The shapes and the pixmap they are drawn in.
#[derive(Debug)]
pub struct Shapes {
    black: u32,
    gcs: Vec<u32>,
    pixmap: u32,
    last: Vec<Option<Rectangle>>,
}

impl Shapes {
    /// Makes the shapes for the content area of `layout`.
    ///
    /// # Errors
    /// The display is lost or refuses a resource.
    pub fn new(window: &Window, layout: &Layout) -> Result<Self, DemoError> {
        let gc = |colour| gc(window, &CreateGCAux::new().foreground(colour).graphics_exposures(0));
        let gcs = COLOURS.iter().map(|c| gc(*c)).collect::<Result<_, _>>()?;
        let mut shapes = Self {
            black: gc(0)?,
            gcs,
            pixmap: 0,
            last: vec![None; COLOURS.len()],
        };
        shapes.make_pixmap(window, layout)?;
        Ok(shapes)
    }

    fn make_pixmap(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        let (width, height) = (layout.content.width.max(1), layout.content.height.max(1));
        self.pixmap = window.conn().generate_id()?;
        window
            .conn()
            .create_pixmap(window.depth(), self.pixmap, window.id(), width, height)?;
        self.clear(window, layout)
    }

    fn clear(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        let (width, height) = (layout.content.width, layout.content.height);
        window.conn().poly_fill_rectangle(
            self.pixmap,
            self.black,
            &[Rectangle {
                x: 0,
                y: 0,
                width,
                height,
            }],
        )?;
        self.last.fill(None);
        Ok(())
    }

    /// As [`super::content::Moving::resize`].
    pub fn resize(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        window.conn().free_pixmap(self.pixmap)?;
        self.make_pixmap(window, layout)
    }

    /// As [`super::content::Moving::expose`].
    pub fn expose(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        self.clear(window, layout)
    }

    /// As [`super::content::Moving::frame`].
    pub fn frame(&mut self, window: &Window, layout: &Layout, elapsed: Duration) -> Result<(), DemoError> {
        let conn = window.conn();
        for lane in 0..self.last.len() {
            let Some(now) = place(layout, lane, self.last.len(), elapsed) else {
                continue;
            };
            let changed = self.last[lane].map_or(now, |before| union(before, now));
            conn.poly_fill_rectangle(self.pixmap, self.black, &[changed])?;
            if lane % 2 == 0 {
                let Rectangle { x, y, width, height } = now;
                let disc = Arc {
                    x,
                    y,
                    width,
                    height,
                    angle1: 0,
                    angle2: 360 * 64,
                };
                conn.poly_fill_arc(self.pixmap, self.gcs[lane], &[disc])?;
            } else {
                conn.poly_fill_rectangle(self.pixmap, self.gcs[lane], &[now])?;
            }
            let (x, y) = (layout.content.x + changed.x, layout.content.y + changed.y);
            conn.copy_area(
                self.pixmap,
                window.id(),
                self.black,
                changed.x,
                changed.y,
                x,
                y,
                changed.width,
                changed.height,
            )?;
            self.last[lane] = Some(now);
        }
        Ok(())
    }
}

/// Where the shape of a lane is: to and fro as a sine, faster lane by lane. `None` where there is no room.
fn place(layout: &Layout, lane: usize, lanes: usize, elapsed: Duration) -> Option<Rectangle> {
    let lane = u16::try_from(lane).ok()?;
    let height = layout.content.height / u16::try_from(lanes).ok()?;
    let side = height.saturating_sub(12);
    let room = layout.content.width.checked_sub(side)?;
    if side == 0 {
        return None;
    }
    let turns = elapsed.as_secs_f64() * (0.11 + 0.04 * f64::from(lane)) + f64::from(lane) / 7.0;
    let x = (turns * std::f64::consts::TAU).sin().mul_add(0.5, 0.5) * f64::from(room);
    #[allow(clippy::cast_possible_truncation, reason = "between 0 and `room`, which fits")]
    let x = x.round() as i16;
    Some(Rectangle {
        x,
        y: signed(lane * height + 6),
        width: side,
        height: side,
    })
}

fn union(a: Rectangle, b: Rectangle) -> Rectangle {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    let right = (a.x + signed(a.width)).max(b.x + signed(b.width));
    let bottom = (a.y + signed(a.height)).max(b.y + signed(b.height));
    Rectangle {
        x,
        y,
        width: (right - x).unsigned_abs(),
        height: (bottom - y).unsigned_abs(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Content, Size};

    #[test]
    fn shapes_stay_in_the_content_area_and_move_smoothly() {
        let layout = Layout::new(
            Size {
                width: 1280,
                height: 720,
            },
            Content::Animation,
        );
        for lane in 0..6 {
            let mut before: Option<Rectangle> = None;
            for frame in 0..600 {
                let at = place(&layout, lane, 6, Duration::from_millis(frame * 1000 / 60)).unwrap();
                assert!(at.x >= 0 && at.x + signed(at.width) <= signed(layout.content.width));
                assert!(at.y + signed(at.height) <= signed(layout.content.height));
                assert!(before.is_none_or(|b| (b.x - at.x).abs() <= 20));
                before = Some(at);
            }
        }
    }

    #[test]
    fn a_union_covers_both() {
        let a = Rectangle {
            x: 0,
            y: 5,
            width: 10,
            height: 10,
        };
        let b = Rectangle {
            x: 7,
            y: 0,
            width: 10,
            height: 10,
        };
        let both = union(a, b);
        assert_eq!((both.x, both.y, both.width, both.height), (0, 0, 17, 15));
    }
}
