//! Where the parts of the pattern are, in pixels of the window. Pure.

use std::time::Duration;

use x11rb::protocol::xproto::Rectangle;

use crate::args::{Content, Size};

/// Height of the strip at the bottom: the line of text, then the bar's lane.
const STRIP: u16 = 60;
/// Height of the bar's lane.
const LANE: u16 = 30;
/// Width of the flip area beside moving content.
const COLUMN: u16 = 300;
/// Side of a cell.
pub const CELL: u16 = 8;
/// Cells in a row.
pub const BITS: u16 = 16;
/// Width of the bar.
pub const BAR: u16 = 60;
/// Pixels the bar moves in a second.
const BAR_SPEED: u128 = 240;

/// The parts for one size of window.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Flips at every press; the cells lie in its top left corner.
    pub flip: Rectangle,
    /// Where content moves; empty for still content.
    pub content: Rectangle,
    /// The typed text.
    pub line: Rectangle,
    /// The lane of the bar.
    pub lane: Rectangle,
}

impl Layout {
    /// The layout of a window of `size`.
    pub fn new(size: Size, content: Content) -> Self {
        let (w, h) = (size.width, size.height);
        let above = h.saturating_sub(STRIP);
        let column = if content == Content::Still { w } else { w.min(COLUMN) };
        let rect = |x: u16, y: u16, width, height| Rectangle {
            x: signed(x),
            y: signed(y),
            width,
            height,
        };
        Self {
            flip: rect(0, 0, column, above),
            content: rect(column, 0, w - column, above),
            line: rect(0, above, w, (h - above).saturating_sub(LANE)),
            lane: rect(0, h.saturating_sub(LANE), w, LANE.min(h)),
        }
    }

    /// The flip area without the cells, as rectangles to fill.
    pub fn flip_without_cells(&self) -> [Rectangle; 2] {
        let (cells_w, cells_h) = (CELL * BITS, CELL * 2);
        let Rectangle { width, height, .. } = self.flip;
        [
            Rectangle {
                x: signed(cells_w),
                y: 0,
                width: width.saturating_sub(cells_w),
                height: cells_h.min(height),
            },
            Rectangle {
                x: 0,
                y: signed(cells_h),
                width,
                height: height.saturating_sub(cells_h),
            },
        ]
    }

    /// Left edge of the bar after `elapsed`: it enters at the left and leaves at the right.
    pub fn bar_x(&self, elapsed: Duration) -> i16 {
        let way = u128::from(self.lane.width + BAR);
        let at = elapsed.as_millis() * BAR_SPEED / 1000 % way;
        i16::try_from(at).unwrap_or(i16::MAX) - signed(BAR)
    }
}

/// The cells of row `row` that are white (`white`) or black for `value`, most significant bit leftmost.
pub fn cells(value: u16, row: u16, white: bool) -> Vec<Rectangle> {
    (0..BITS)
        .filter(|i| (value >> (BITS - 1 - i) & 1 == 1) == white)
        .map(|i| Rectangle {
            x: signed(i * CELL),
            y: signed(row * CELL),
            width: CELL,
            height: CELL,
        })
        .collect()
}

/// Window coordinates fit the protocol's signed 16 bits.
pub fn signed(n: u16) -> i16 {
    i16::try_from(n).unwrap_or(i16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HD: Size = Size {
        width: 1280,
        height: 720,
    };

    fn inside(r: &Rectangle, x: u16, y: u16) -> bool {
        let (x, y) = (signed(x), signed(y));
        x >= r.x && y >= r.y && x - r.x < signed(r.width) && y - r.y < signed(r.height)
    }

    #[test]
    fn the_documented_coordinates_hold() {
        let still = Layout::new(HD, Content::Still);
        assert_eq!((still.flip.width, still.flip.height), (1280, 660));
        assert_eq!(still.content.width, 0);
        let text = Layout::new(HD, Content::Text);
        assert_eq!((text.flip.width, text.flip.height), (300, 660));
        assert_eq!(
            (text.content.x, text.content.width, text.content.height),
            (300, 980, 660)
        );
        assert_eq!((text.line.y, text.line.height), (660, 30));
        assert_eq!((text.lane.y, text.lane.height), (690, 30));
    }

    #[test]
    fn the_bar_moves_steadily_over_the_whole_width() {
        let layout = Layout::new(HD, Content::Animation);
        assert_eq!(layout.bar_x(Duration::ZERO), -60);
        assert_eq!(layout.bar_x(Duration::from_secs(1)), 180);
        assert_eq!(
            layout.bar_x(Duration::from_millis(1_340_000 / 240 + 1)),
            -60,
            "begins again"
        );
    }

    proptest! {
        #[test]
        fn the_cells_read_back_as_their_value(value: u16, row in 0_u16..2) {
            let white = cells(value, row, true);
            let black = cells(value, row, false);
            prop_assert_eq!(white.len() + black.len(), 16);
            let mut read = 0_u16;
            for bit in 0..16_u16 {
                let (x, y) = (8 * (15 - bit) + 4, row * 8 + 4);
                prop_assert!(white.iter().any(|r| inside(r, x, y)) != black.iter().any(|r| inside(r, x, y)));
                read |= u16::from(white.iter().any(|r| inside(r, x, y))) << bit;
            }
            prop_assert_eq!(read, value);
        }

        #[test]
        fn every_pixel_belongs_to_one_part(w in 64_u16..2000, h in 64_u16..2000, x in 0_u16..2000, y in 0_u16..2000) {
            prop_assume!(x < w && y < h);
            for content in [Content::Still, Content::Noise] {
                let l = Layout::new(Size { width: w, height: h }, content);
                let parts = [l.flip, l.content, l.line, l.lane];
                prop_assert_eq!(parts.iter().filter(|r| inside(r, x, y)).count(), 1);
                if inside(&l.flip, x, y) {
                    let flips = l.flip_without_cells().iter().any(|r| inside(r, x, y));
                    prop_assert_eq!(flips, x >= 128 || y >= 16);
                }
            }
        }
    }
}
