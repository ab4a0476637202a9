//! Writing with the stroke font.

use std::collections::HashMap;

use super::canvas::Canvas;
use super::font::glyph;

/// Positions of a glyph between two pixels that are told apart.
const SUB: u8 = 4;

/// How to write. Lengths are pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Height of a capital.
    pub height: f32,
    /// Width of a stroke.
    pub stroke: f32,
    /// Added between characters.
    pub tracking: f32,
    /// `0xRRGGBB`.
    pub rgb: u32,
    /// Opacity, from 0 to 1.
    pub alpha: f32,
}

impl Style {
    /// The usual strokes for capitals of `height` pixels.
    pub const fn new(height: f32, rgb: u32) -> Self {
        Self {
            height,
            stroke: 0.9 + height * 0.045,
            tracking: 0.0,
            rgb,
            alpha: 1.0,
        }
    }

    /// Wider spaced by `tracking` pixels.
    pub const fn spaced(mut self, tracking: f32) -> Self {
        self.tracking = tracking;
        self
    }

    /// Fainter.
    pub const fn faint(mut self, alpha: f32) -> Self {
        self.alpha = alpha;
        self
    }
}

/// Coverage of one glyph.
#[derive(Debug)]
struct Mask {
    left: i32,
    top: i32,
    width: i32,
    cover: Vec<f32>,
}

type Key = (char, u32, u32, u8);

/// Writes, and keeps the glyphs it has made.
#[derive(Debug, Default)]
pub struct Pen {
    masks: HashMap<Key, Mask>,
    widths: HashMap<char, f32>,
}

impl Pen {
    fn advance(&mut self, c: char, style: &Style) -> f32 {
        let width = *self.widths.entry(c).or_insert_with(|| glyph(c).0);
        // The space between two strokes is that of a letter's own bowl, more or less.
        (width + 2.5) * style.height / 10.0 + style.tracking
    }

    /// Width in pixels.
    pub fn measure(&mut self, text: &str, style: &Style) -> f32 {
        let sum: f32 = text.chars().map(|c| self.advance(c, style)).sum();
        (sum - 2.5 * style.height / 10.0 - style.tracking).max(0.0)
    }

    /// Writes with the base line at `y`, beginning at `x`.
    pub fn write(&mut self, canvas: &mut Canvas<'_>, x: f32, y: f32, text: &str, style: &Style) {
        let mut at = x;
        for c in text.chars() {
            let whole = at.floor();
            let sub = (((at - whole) * f32::from(SUB)) as u8).min(SUB - 1);
            let key = (c, style.height.to_bits(), style.stroke.to_bits(), sub);
            let mask = self
                .masks
                .entry(key)
                .or_insert_with(|| mask(c, style, f32::from(sub) / f32::from(SUB)));
            place(
                canvas,
                whole as i32 + mask.left,
                y.round() as i32 + mask.top,
                mask,
                style,
            );
            at += self.advance(c, style);
        }
    }

    /// Writes with the middle of the text at `x`.
    pub fn write_middle(&mut self, canvas: &mut Canvas<'_>, x: f32, y: f32, text: &str, style: &Style) {
        let width = self.measure(text, style);
        self.write(canvas, x - width / 2.0, y, text, style);
    }

    /// Writes with the end of the text at `x`.
    pub fn write_end(&mut self, canvas: &mut Canvas<'_>, x: f32, y: f32, text: &str, style: &Style) {
        let width = self.measure(text, style);
        self.write(canvas, x - width, y, text, style);
    }

    /// Breaks text into lines of at most `width` pixels, at spaces; a longer word stands alone.
    pub fn wrap(&mut self, text: &str, style: &Style, width: f32) -> Vec<String> {
        let mut lines: Vec<String> = Vec::new();
        for word in text.split_ascii_whitespace() {
            if let Some(line) = lines.last_mut() {
                let longer = format!("{line} {word}");
                if self.measure(&longer, style) <= width {
                    *line = longer;
                    continue;
                }
            }
            lines.push(word.to_owned());
        }
        lines
    }
}

fn mask(c: char, style: &Style, shift: f32) -> Mask {
    let unit = style.height / 10.0;
    let (width, strokes) = glyph(c);
    let half = style.stroke / 2.0 + 0.5;
    let margin = half.ceil() as i32;
    let (left, top) = (-margin, -(11.5 * unit) as i32 - margin);
    let across = (width * unit + shift).ceil() as i32 + 2 * margin + 1;
    let down = (3.5 * unit) as i32 + 1 + margin - top;
    let mut cover = vec![0.0_f32; usize::try_from(across * down).unwrap_or(0)];
    for pair in strokes.iter().flat_map(|s| s.windows(2)) {
        let to_pixels = |p: (f32, f32)| (p.0 * unit + shift, -p.1 * unit);
        let (a, b) = (to_pixels(pair[0]), to_pixels(pair[1]));
        for (i, pixel) in cover.iter_mut().enumerate() {
            let (x, y) = (i as i32 % across + left, i as i32 / across + top);
            let d = distance((x as f32 + 0.5, y as f32 + 0.5), a, b);
            *pixel = pixel.max((half - d).clamp(0.0, 1.0));
        }
    }
    Mask {
        left,
        top,
        width: across,
        cover,
    }
}

/// Distance of `p` from the line between `a` and `b`.
fn distance(p: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let square = dx * dx + dy * dy;
    let t = if square > 0.0 {
        (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / square).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (p.0 - a.0 - dx * t).hypot(p.1 - a.1 - dy * t)
}

fn place(canvas: &mut Canvas<'_>, x: i32, y: i32, mask: &Mask, style: &Style) {
    let height = mask.cover.len() as i32 / mask.width.max(1);
    let (x1, y1) = ((x + mask.width - 1) as f32, (y + height - 1) as f32);
    let Some((x0, y0, x1, y1)) = canvas.touch(x as f32, y as f32, x1, y1) else {
        return;
    };
    for py in y0..=y1 {
        for px in x0..=x1 {
            let cover = mask.cover[((py - y) * mask.width + px - x) as usize];
            if cover > 0.0 {
                canvas.blend(px, py, style.rgb, cover * style.alpha);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tiles::Tiles;
    use super::*;

    #[test]
    fn text_fills_the_width_it_measures() {
        let (mut tiles, mut pixels) = (Tiles::new(300, 60), vec![0_u32; 300 * 60]);
        let (mut pen, style) = (Pen::default(), Style::new(20.0, 0xffffff));
        let width = pen.measure("HELIOH", &style);
        pen.write(
            &mut Canvas::new(&mut pixels, 300, 60, &mut tiles),
            30.0,
            40.0,
            "HELIOH",
            &style,
        );
        let columns: Vec<usize> = (0..300).filter(|x| (0..60).any(|y| pixels[y * 300 + x] > 0)).collect();
        let (first, last) = (columns[0] as f32, columns[columns.len() - 1] as f32);
        assert!(
            (first - 30.0).abs() <= 2.0 && (last - 30.0 - width).abs() <= 2.0,
            "{first} {last} {width}"
        );
        let rows: Vec<usize> = (0..60).filter(|y| (0..300).any(|x| pixels[y * 300 + x] > 0)).collect();
        assert!((rows[0] as f32 - 20.0).abs() <= 2.0, "capitals are 20 px high");
    }

    #[test]
    fn lines_are_broken_at_spaces_and_fit() {
        let (mut pen, style) = (Pen::default(), Style::new(10.0, 0));
        let lines = pen.wrap("one two three four five six seven", &style, 80.0);
        assert_eq!(lines.join(" "), "one two three four five six seven");
        assert!(lines.len() > 2 && lines.iter().all(|l| pen.measure(l, &style) <= 80.0));
        assert_eq!(pen.wrap("incomprehensibilities", &style, 10.0).len(), 1);
    }
}
