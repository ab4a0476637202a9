//! A terminal that scrolls 20 lines of 14 px a second.

use std::time::Duration;

use x11rb::protocol::xproto::{ConnectionExt as _, CreateGCAux, Rectangle};

use super::layout::{Layout, signed};
use super::paint::{char2b, gc, text_gc};
use crate::error::DemoError;
use crate::window::Window;

const LINE: u16 = 14;
const LINES_A_SECOND: u128 = 20;
const VERBS: [&str; 6] = ["Compiling", "Checking", "Linking", "Fetching", "Testing", "Packing"];
const NOUNS: [&str; 8] = [
    "aphelion", "parallax", "ecliptic", "meridian", "umbra", "zenith", "syzygy", "albedo",
];

/// The terminal.
#[derive(Debug)]
pub struct Terminal {
    black: u32,
    text: u32,
    advance: u16,
    shown: u64,
}

impl Terminal {
    /// Makes the terminal.
    ///
    /// # Errors
    /// The display is lost or refuses a resource.
    pub fn new(window: &Window) -> Result<Self, DemoError> {
        let (text, advance) = text_gc(window, 0xb8_e0b0, &["fixed", "6x13"])?;
        let black = gc(window, &CreateGCAux::new().foreground(0).graphics_exposures(0))?;
        Ok(Self {
            black,
            text,
            advance,
            shown: 0,
        })
    }

    /// As [`super::content::Moving::expose`]: fills the screen with the lines that would be there.
    pub fn expose(&mut self, window: &Window, layout: &Layout) -> Result<(), DemoError> {
        let rows = u64::from(layout.content.height / LINE);
        for row in 0..rows.min(self.shown) {
            self.write(window, layout, self.shown - row, row)?;
        }
        Ok(())
    }

    /// As [`super::content::Moving::frame`].
    pub fn frame(&mut self, window: &Window, layout: &Layout, elapsed: Duration) -> Result<(), DemoError> {
        let due = u64::try_from(elapsed.as_millis() * LINES_A_SECOND / 1000).unwrap_or(u64::MAX);
        let area = layout.content;
        if area.height < LINE {
            return Ok(());
        }
        // After a long pause only what fits the screen is written.
        self.shown = self.shown.max(due.saturating_sub(u64::from(area.height / LINE)));
        while self.shown < due {
            self.shown += 1;
            let (conn, id, top) = (window.conn(), window.id(), area.y + signed(LINE));
            conn.copy_area(
                id,
                id,
                self.text,
                area.x,
                top,
                area.x,
                area.y,
                area.width,
                area.height - LINE,
            )?;
            let y = area.y + signed(area.height - LINE);
            let last = Rectangle {
                x: area.x,
                y,
                width: area.width,
                height: LINE,
            };
            conn.poly_fill_rectangle(id, self.black, &[last])?;
            self.write(window, layout, self.shown, 0)?;
        }
        Ok(())
    }

    /// Writes line `number` into the row that is `row` rows above the last.
    fn write(&self, window: &Window, layout: &Layout, number: u64, row: u64) -> Result<(), DemoError> {
        let area = layout.content;
        let fits = usize::from(area.width.saturating_sub(8) / self.advance).min(255);
        let text: Vec<_> = line(number).chars().take(fits).map(char2b).collect();
        let up = i16::try_from(row).unwrap_or(i16::MAX).saturating_mul(signed(LINE));
        let base = (area.y + signed(area.height) - 3).saturating_sub(up);
        window
            .conn()
            .image_text16(window.id(), self.text, area.x + 4, base, &text)?;
        Ok(())
    }
}

/// The text of line `number`: always the same for the same number, and no two neighbours alike.
fn line(number: u64) -> String {
    let mix = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let pick = |shift: u32, of: u64| usize::try_from((mix >> shift) % of).unwrap_or(0);
    let (verb, noun, other) = (VERBS[pick(8, 6)], NOUNS[pick(16, 8)], NOUNS[pick(24, 8)]);
    let dots = ".".repeat(4 + pick(32, 40));
    format!(
        "[{number:06}] {verb:>9} {noun}-{other} v{}.{}.{} {dots} {mix:016x} ok",
        pick(40, 4),
        pick(44, 20),
        pick(50, 9)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_differ_and_can_be_written_again() {
        assert_ne!(line(1), line(2));
        assert_eq!(line(77), line(77));
        assert!(line(3).starts_with("[000003] "));
    }
}
