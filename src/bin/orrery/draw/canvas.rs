//! Pixels to draw on.

use super::tiles::Tiles;

/// A picture being drawn: `0x00RRGGBB`, rows from the top. Notes the tiles it touches.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// The pixels, `width * height` of them.
    pub pixels: &'a mut [u32],
    /// Pixels across.
    pub width: i32,
    /// Pixels down.
    pub height: i32,
    touched: &'a mut Tiles,
}

impl<'a> Canvas<'a> {
    /// A canvas on `pixels`, of `width * height`.
    pub fn new(pixels: &'a mut [u32], width: i32, height: i32, touched: &'a mut Tiles) -> Self {
        debug_assert_eq!(pixels.len(), (width * height) as usize);
        Self {
            pixels,
            width,
            height,
            touched,
        }
    }

    /// Takes a box of pixels that is about to be drawn on and cuts it to the canvas; `None` when nothing is left.
    /// All are included: x0, y0, x1, y1.
    pub fn touch(&mut self, x0: f32, y0: f32, x1: f32, y1: f32) -> Option<(i32, i32, i32, i32)> {
        let (x0, y0) = (x0.floor().max(0.0) as i32, y0.floor().max(0.0) as i32);
        let (x1, y1) = (
            (x1.ceil() as i32).min(self.width - 1),
            (y1.ceil() as i32).min(self.height - 1),
        );
        if x0 > x1 || y0 > y1 {
            return None;
        }
        self.touched.mark(x0, y0, x1, y1);
        Some((x0, y0, x1, y1))
    }

    /// Blends `rgb` over the pixel with `alpha` from 0 to 1. The pixel must lie in a touched box.
    #[inline]
    pub fn blend(&mut self, x: i32, y: i32, rgb: u32, alpha: f32) {
        let pixel = &mut self.pixels[(y * self.width + x) as usize];
        *pixel = mix(*pixel, rgb, alpha);
    }

    /// Adds light to the pixel: red, green, blue from 0 to 255. The pixel must lie in a touched box.
    #[inline]
    pub fn add(&mut self, x: i32, y: i32, light: [f32; 3]) {
        let pixel = &mut self.pixels[(y * self.width + x) as usize];
        let old = split(*pixel);
        *pixel = join([old[0] + light[0], old[1] + light[1], old[2] + light[2]]);
    }
}

/// `below` with `above` blended over it by `alpha` from 0 to 1.
#[inline]
pub fn mix(below: u32, above: u32, alpha: f32) -> u32 {
    let a = (alpha * 256.0 + 0.5) as u32;
    if a == 0 {
        return below;
    }
    let a = a.min(256);
    // Red and blue together, green apart: each product stays within its 16 bits.
    let (rb0, g0) = (below & 0xff_00ff, below & 0x00_ff00);
    let (rb1, g1) = (above & 0xff_00ff, above & 0x00_ff00);
    let rb = (rb0 * (256 - a) + rb1 * a) >> 8 & 0xff_00ff;
    let g = (g0 * (256 - a) + g1 * a) >> 8 & 0x00_ff00;
    rb | g
}

/// Red, green, blue from 0 to 255.
#[inline]
pub fn split(rgb: u32) -> [f32; 3] {
    [(rgb >> 16 & 255) as f32, (rgb >> 8 & 255) as f32, (rgb & 255) as f32]
}

/// The nearest colour to red, green, blue; beyond 0 to 255 cut off.
#[inline]
pub fn join(c: [f32; 3]) -> u32 {
    // Conversions of floats saturate.
    let byte = |v: f32| u32::from((v + 0.5) as u8);
    byte(c[0]) << 16 | byte(c[1]) << 8 | byte(c[2])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn mixing_stays_between_both_colours(a in 0_u32..0x100_0000, b in 0_u32..0x100_0000, alpha in 0.0_f32..=1.0) {
            let mixed = split(mix(a, b, alpha));
            for ((m, x), y) in mixed.iter().zip(split(a)).zip(split(b)) {
                prop_assert!(*m >= x.min(y) - 1.0 && *m <= x.max(y));
            }
            prop_assert_eq!(mix(a, b, 0.0), a);
            prop_assert_eq!(mix(a, b, 1.0), b);
            prop_assert_eq!(join(split(a)), a);
        }
    }

    #[test]
    fn light_saturates() {
        let mut tiles = Tiles::new(1, 1);
        let mut pixels = [0x80_f0_10];
        Canvas::new(&mut pixels, 1, 1, &mut tiles).add(0, 0, [1.0, 100.0, 0.0]);
        assert_eq!(pixels[0], 0x81_ff_10);
    }

    #[test]
    fn boxes_are_cut_to_the_canvas() {
        let (mut tiles, mut pixels) = (Tiles::new(10, 5), [0; 50]);
        let mut canvas = Canvas::new(&mut pixels, 10, 5, &mut tiles);
        assert_eq!(canvas.touch(-3.5, 1.2, 4.1, 99.0), Some((0, 1, 5, 4)));
        assert_eq!(canvas.touch(10.0, 0.0, 12.0, 4.0), None);
        assert_eq!(canvas.touch(f32::NEG_INFINITY, -9.0, 5.0, -2.0), None);
    }
}
