//! The sky behind everything: stars and the faint band of the Milky Way.

use crate::draw::canvas::Canvas;
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

/// All stars, and the band.
#[derive(Debug)]
pub struct Sky {
    stars: Vec<Star>,
    band: Band,
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
        Self {
            stars,
            band: Band::new(),
        }
    }

    /// Draws the sky over everything.
    pub fn draw(&self, canvas: &mut Canvas<'_>, lens: &Lens) {
        self.band.draw(canvas, lens);
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
    let Some((x0, y0, x1, y1)) = canvas.touch(x - reach, y - reach, x + reach, y + reach) else {
        return;
    };
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

/// Places of the band kept: round the north axis and from pole to pole.
const ROUND: usize = 256;
const DOWN: usize = 128;

/// The light of the band in every direction, red, green and blue from 0 to 255.
#[derive(Debug)]
struct Band {
    map: Vec<[f32; 3]>,
}

impl Band {
    fn new() -> Self {
        let map = (0..DOWN * ROUND)
            .map(|i| {
                let z = (i / ROUND) as f32 / (DOWN - 1) as f32 * 2.0 - 1.0;
                let (s, c) = ((i % ROUND) as f32 / ROUND as f32 * std::f32::consts::TAU).sin_cos();
                let r = (1.0 - z * z).max(0.0).sqrt();
                light(vec3(r * c, r * s, z))
            })
            .collect();
        Self { map }
    }

    fn at(&self, direction: Vec3) -> [f32; 3] {
        let p = direction.unit();
        let u = (p.y.atan2(p.x) / std::f32::consts::TAU + 1.0) * ROUND as f32;
        let v = (p.z.clamp(-1.0, 1.0) + 1.0) / 2.0 * (DOWN - 1) as f32;
        let (u0, v0) = (u as usize, (v as usize).min(DOWN - 2));
        let (fu, fv) = (u - u0 as f32, v - v0 as f32);
        let at = |u: usize, v: usize| self.map[v * ROUND + u % ROUND];
        let (a, b, c, d) = (at(u0, v0), at(u0 + 1, v0), at(u0, v0 + 1), at(u0 + 1, v0 + 1));
        [0, 1, 2].map(|i| {
            let (low, high) = (a[i] + (b[i] - a[i]) * fu, c[i] + (d[i] - c[i]) * fu);
            low + (high - low) * fv
        })
    }

    /// Fills the canvas: exact at the corners of squares of `STEP` pixels, linear in between.
    fn draw(&self, canvas: &mut Canvas<'_>, lens: &Lens) {
        let (width, height) = (canvas.width, canvas.height);
        canvas.touch(0.0, 0.0, width as f32, height as f32);
        let corners = |y: i32| -> Vec<[f32; 3]> {
            (0..=width / STEP + 1)
                .map(|i| self.at(lens.ray((i * STEP) as f32, y as f32)))
                .collect()
        };
        let mut below = corners(0);
        for top in (0..height).step_by(STEP as usize) {
            let above = std::mem::replace(&mut below, corners(top + STEP));
            for y in top..(top + STEP).min(height) {
                let v = (y - top) as f32 / STEP as f32;
                // 16 bits before the point and 16 after; light is never negative.
                let line: Vec<[i32; 3]> = above
                    .iter()
                    .zip(&below)
                    .map(|(a, b)| [0, 1, 2].map(|i| ((a[i] + (b[i] - a[i]) * v) * 65_536.0) as i32))
                    .collect();
                let row = &mut canvas.pixels[(y * width) as usize..((y + 1) * width) as usize];
                for (square, pixels) in row.chunks_mut(STEP as usize).enumerate() {
                    let (mut at, next) = (line[square], line[square + 1]);
                    let step = [0, 1, 2].map(|i| (next[i] - at[i]) / STEP);
                    for (x, pixel) in pixels.iter_mut().enumerate() {
                        // A fixed dither hides the steps of 8 bits.
                        let dither = ((x as i32 * 3 + y * 5) & 3) << 14;
                        let [r, g, b] = at.map(|c| ((c + dither) >> 16) as u32);
                        *pixel = r << 16 | g << 8 | b;
                        at = [0, 1, 2].map(|i| at[i] + step[i]);
                    }
                }
            }
        }
    }
}

fn light(p: Vec3) -> [f32; 3] {
    let latitude = p.dot(POLE.unit());
    let square = latitude * latitude;
    let clouds = fractal([p.x * 3.0 + 4.0, p.y * 3.0, p.z * 3.0], 4);
    let dust = fractal([p.x * 5.0, p.y * 5.0 + 9.0, p.z * 5.0], 3);
    let glow = (-square * 22.0).exp() * (0.2 + 1.3 * clouds * clouds);
    let glow = glow * (1.0 - (dust - 0.44).clamp(0.0, 0.25) * 3.2 * (-square * 140.0).exp());
    let warm = (-square * 60.0).exp() * clouds;
    [
        5.0 + glow * 34.0 + warm * 9.0,
        7.0 + glow * 36.0 + warm * 3.0,
        14.0 + glow * 54.0,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::tiles::Tiles;
    use crate::space::camera::Camera;

    fn drawn(seed: u64) -> Vec<u32> {
        let (mut tiles, mut pixels) = (Tiles::new(160, 90), vec![0; 160 * 90]);
        Sky::new(seed).draw(
            &mut Canvas::new(&mut pixels, 160, 90, &mut tiles),
            &Camera::default().lens(160.0, 90.0),
        );
        pixels
    }

    #[test]
    fn the_sky_is_that_of_its_seed_and_covers_everything() {
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert!(drawn(7).iter().all(|p| *p != 0));
    }
}
