//! The sky behind everything: stars and the faint band of the Milky Way.

use crate::draw::canvas::{Canvas, join};
use crate::draw::noise::{Random, fractal};
use crate::space::camera::Lens;
use crate::space::vec3::{Vec3, vec3};

const STARS: usize = 11_000;
/// The band is computed for every 8th pixel, and is smooth in between.
const STEP: i32 = 8;
/// Pole of the band.
const POLE: Vec3 = vec3(-0.62, 0.34, 0.707);

/// A star.
#[derive(Debug, Clone, Copy)]
struct Star {
    at: Vec3,
    bright: f32,
    colour: [f32; 3],
}

/// All stars.
#[derive(Debug)]
pub struct Sky {
    stars: Vec<Star>,
}

impl Sky {
    /// The sky of a seed.
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut stars = Vec::with_capacity(STARS);
        while stars.len() < STARS {
            let (z, turn) = (random.next() * 2.0 - 1.0, random.next() * std::f32::consts::TAU);
            let r = (1.0 - z * z).sqrt();
            let at = vec3(r * turn.cos(), r * turn.sin(), z);
            let latitude = at.dot(POLE.unit());
            // Twice as many near the band.
            if random.next() > 0.4 + 0.6 * (-latitude * latitude * 14.0).exp() {
                continue;
            }
            let bright = 0.10 + 0.9 * random.next().powi(7);
            let warm = random.next();
            let colour = [200.0 + 55.0 * warm, 214.0 + 16.0 * warm, 255.0 - 75.0 * warm * warm];
            stars.push(Star { at, bright, colour });
        }
        Self { stars }
    }

    /// Draws the sky over everything.
    pub fn draw(&self, canvas: &mut Canvas<'_>, lens: &Lens) {
        band(canvas, lens);
        for star in &self.stars {
            if let Some(spot) = lens.project_direction(star.at) {
                dot(canvas, spot.x, spot.y, star.bright, star.colour);
            }
        }
    }
}

/// A star as a small round spot; the brightest have a halo.
fn dot(canvas: &mut Canvas<'_>, x: f32, y: f32, bright: f32, colour: [f32; 3]) {
    let (core, halo) = (0.55 + bright * 0.75, (bright - 0.45).max(0.0) * 0.30);
    let reach = if halo > 0.0 { 7.0 } else { 2.5 };
    if x < -8.0 || y < -8.0 || x > canvas.width as f32 + 8.0 || y > canvas.height as f32 + 8.0 {
        return;
    }
    let Some((x0, y0, x1, y1)) = canvas.touch(x - reach, y - reach, x + reach, y + reach) else { return };
    for py in y0..=y1 {
        for px in x0..=x1 {
            let (dx, dy) = (px as f32 + 0.5 - x, py as f32 + 0.5 - y);
            let d2 = dx * dx + dy * dy;
            let light = bright * (-d2 / (core * core)).exp() + halo * (-d2 / 9.0).exp();
            if light > 0.004 {
                canvas.add(px, py, colour.map(|c| c * light));
            }
        }
    }
}

fn band_at(direction: Vec3) -> [f32; 3] {
    let p = direction.unit();
    let latitude = p.dot(POLE.unit());
    let clouds = fractal([p.x * 3.0 + 4.0, p.y * 3.0, p.z * 3.0], 4);
    let glow = (-latitude * latitude * 26.0).exp() * (0.25 + 1.1 * clouds * clouds);
    let dust = fractal([p.x * 6.0, p.y * 6.0 + 9.0, p.z * 6.0], 3);
    let glow = glow * (1.0 - (dust - 0.46).clamp(0.0, 0.25) * 3.0 * (-latitude * latitude * 160.0).exp());
    [5.0 + glow * 33.0, 7.0 + glow * 34.0, 14.0 + glow * 50.0]
}

fn band(canvas: &mut Canvas<'_>, lens: &Lens) {
    let (width, height) = (canvas.width, canvas.height);
    canvas.touch(0.0, 0.0, width as f32, height as f32);
    let row_at = |y: i32| -> Vec<[f32; 3]> {
        (0..=width / STEP + 1).map(|i| band_at(lens.ray((i * STEP) as f32, y as f32))).collect()
    };
    let mut below = row_at(0);
    for top in (0..height).step_by(STEP as usize) {
        let above = std::mem::replace(&mut below, row_at(top + STEP));
        for y in top..(top + STEP).min(height) {
            let v = (y - top) as f32 / STEP as f32;
            let line: Vec<[f32; 3]> =
                above.iter().zip(&below).map(|(a, b)| [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * v)).collect();
            for x in 0..width {
                let (i, u) = ((x / STEP) as usize, (x % STEP) as f32 / STEP as f32);
                let (a, b) = (line[i], line[i + 1]);
                // A fixed dither hides the steps of 8 bits.
                let dither = ((x * 3 + y * 5) & 3) as f32 / 4.0 - 0.375;
                canvas.pixels[(y * width + x) as usize] = join([0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * u + dither));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::tiles::Tiles;
    use crate::space::camera::Camera;

    fn drawn(seed: u64) -> Vec<u32> {
        let (mut tiles, mut pixels) = (Tiles::new(160, 90), vec![0; 160 * 90]);
        Sky::new(seed).draw(&mut Canvas::new(&mut pixels, 160, 90, &mut tiles), &Camera::default().lens(160.0, 90.0));
        pixels
    }

    #[test]
    fn the_sky_is_that_of_its_seed_and_covers_everything() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert!(drawn(7).iter().all(|p| *p != 0));
    }
}
