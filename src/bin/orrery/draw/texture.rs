//! Surfaces of bodies, made of noise once at the start.

use super::canvas::{join, split};
use super::noise::{fractal, smooth};
use crate::space::bodies::Look;
use crate::space::vec3::{Vec3, vec3};

/// Texels round the equator; half as many from pole to pole. Unoptimised builds make do with fewer, to start quickly.
const ROUND: usize = if cfg!(debug_assertions) { 96 } else { 320 };
const DOWN: usize = ROUND / 2;
/// Sizes kept, each half of the one before.
const LEVELS: usize = 5;

/// The colours of a sphere, in rows of equal area (by the sine of the latitude), each by longitude; at full size and
/// halved again and again, for spheres too small to show all of it.
#[derive(Debug)]
pub struct Texture {
    levels: Vec<Vec<u32>>,
}

impl Texture {
    /// The surface of a look; bodies of the same look differ by `seed`.
    pub fn new(look: Look, seed: f32) -> Self {
        let texels = (0..DOWN)
            .flat_map(|row| (0..ROUND).map(move |column| (row, column)))
            .map(|(row, column)| {
                let z = (row as f32 + 0.5) / DOWN as f32 * 2.0 - 1.0;
                let (s, c) = (column as f32 / ROUND as f32 * std::f32::consts::TAU).sin_cos();
                let r = (1.0 - z * z).max(0.0).sqrt();
                join(colour(look, vec3(r * c, r * s, z), seed))
            })
            .collect();
        let mut levels: Vec<Vec<u32>> = vec![texels];
        for level in 1..LEVELS {
            let half = halved(&levels[level - 1], ROUND >> (level - 1));
            levels.push(half);
        }
        Self { levels }
    }

    /// A surface of one colour.
    pub fn plain(rgb: u32) -> Self {
        Self {
            levels: (0..LEVELS).map(|l| vec![rgb; (ROUND >> l) * (DOWN >> l)]).collect(),
        }
    }

    /// The level whose texels are about as large as pixels on a sphere of `radius` pixels.
    pub fn level(&self, radius: f32) -> usize {
        let texels = ROUND as f32 / (radius.max(0.1) * std::f32::consts::TAU);
        (texels.log2().round().max(0.0) as usize).min(LEVELS - 1)
    }

    /// The colour at a point of the unit sphere, between the four nearest texels of a level.
    #[inline]
    pub fn at(&self, level: usize, p: Vec3) -> [f32; 3] {
        let (texels, round, down) = (&self.levels[level], ROUND >> level, DOWN >> level);
        let turns = turns(p.y, p.x);
        let (u, v) = (turns * round as f32, ((p.z + 1.0) / 2.0 * down as f32 - 0.5).max(0.0));
        let (u0, v0) = (u as usize, v as usize);
        let (fu, fv) = (u - u0 as f32, v - v0 as f32);
        let texel = |u: usize, v: usize| split(texels[v.min(down - 1) * round + u % round]);
        let (a, b, c, d) = (
            texel(u0, v0),
            texel(u0 + 1, v0),
            texel(u0, v0 + 1),
            texel(u0 + 1, v0 + 1),
        );
        [0, 1, 2].map(|i| {
            let (top, bottom) = (a[i] + (b[i] - a[i]) * fu, c[i] + (d[i] - c[i]) * fu);
            top + (bottom - top) * fv
        })
    }
}

/// The direction of (x, y) as a share of a turn plus one, to 0.0001: an arc tangent by a polynomial, many times faster.
#[inline]
fn turns(y: f32, x: f32) -> f32 {
    let (short, long) = (x.abs().min(y.abs()), x.abs().max(y.abs()).max(1e-9));
    let t = short / long;
    let s = t * t;
    let octant = ((-0.046_496_5 * s + 0.159_314_2) * s - 0.327_622_8) * s * t + t;
    let octant = octant / std::f32::consts::TAU;
    let quarter = if y.abs() > x.abs() { 0.25 - octant } else { octant };
    let half = if x < 0.0 { 0.5 - quarter } else { quarter };
    if y < 0.0 { 1.0 - half } else { 1.0 + half }
}

/// A level of half the size in both directions: each texel the mean of four.
fn halved(texels: &[u32], round: usize) -> Vec<u32> {
    let rows: Vec<&[u32]> = texels.chunks(round).collect();
    rows.chunks_exact(2)
        .flat_map(|two| {
            (0..round / 2).map(|i| {
                let four = [two[0][2 * i], two[0][2 * i + 1], two[1][2 * i], two[1][2 * i + 1]].map(split);
                join([0, 1, 2].map(|c| four.iter().map(|f| f[c]).sum::<f32>() / 4.0))
            })
        })
        .collect()
}

fn blend(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    let t = t.clamp(0.0, 1.0);
    [0, 1, 2].map(|i| a[i] + (b[i] - a[i]) * t)
}

/// 0 below `from`, 1 above `to`, smooth in between.
fn step(from: f32, to: f32, v: f32) -> f32 {
    let t = ((v - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

fn colour(look: Look, p: Vec3, seed: f32) -> [f32; 3] {
    let at = |scale: f32| [p.x * scale + seed, p.y * scale - seed, p.z * scale + seed * 0.7];
    match look {
        Look::Star => {
            let grain = fractal(at(9.0), 4);
            blend([255.0, 176.0, 64.0], [255.0, 250.0, 226.0], 0.35 + grain * 0.9)
        }
        Look::Rock(dark, light) => {
            let land = fractal(at(2.6), 5);
            let pits = step(0.62, 0.7, smooth(at(7.0))) * 0.25 + step(0.66, 0.72, smooth(at(13.0))) * 0.2;
            blend(split(dark), split(light), (land - 0.25) * 1.9 - pits)
        }
        Look::Earth => earth(at(1.9), at(3.1), p),
        Look::Mars => {
            let land = fractal(at(2.2), 5);
            let soil = blend([112.0, 54.0, 34.0], [222.0, 134.0, 84.0], (land - 0.28) * 2.1);
            let ice = step(0.93, 0.96, p.z + land * 0.06) + step(0.95, 0.98, -p.z + land * 0.05);
            blend(soil, [246.0, 240.0, 236.0], ice)
        }
        Look::Clouds(dark, light) => {
            let swirl = fractal(at(2.0), 3) * 1.4;
            let veil = fractal([p.x * 2.0 + swirl, p.y * 2.0 - swirl, p.z * 6.0 + swirl], 4);
            blend(split(dark), split(light), (veil - 0.2) * 1.5)
        }
        Look::Bands(stops, wild) => {
            let stir = fractal([p.x * 3.0 + seed, p.y * 3.0, p.z * 9.0], 4) - 0.5;
            let place = ((p.z + stir * wild * 2.0 + 1.0) / 2.0 * stops.len() as f32 - 0.5).max(0.0);
            let low = (place as usize).min(stops.len() - 1);
            let high = (low + 1).min(stops.len() - 1);
            let band = blend(
                split(stops[low]),
                split(stops[high]),
                step(0.2, 0.8, place - low as f32),
            );
            let fine = fractal([p.x * 5.0, p.y * 5.0 + seed, p.z * 40.0], 3) - 0.5;
            let band = band.map(|v| v * (1.0 + fine * wild * 5.0));
            // Only the most turbulent of the warm ones has a great spot.
            if stops.len() < 16 {
                return band;
            }
            let (along, up) = ((p.y.atan2(p.x) - 0.7) / 0.26, (p.z + 0.36) / 0.1);
            let spot = 1.0 - step(0.55, 1.0, along.hypot(up));
            blend(band, [190.0, 84.0, 52.0], spot * 0.85)
        }
    }
}

fn earth(land_at: [f32; 3], cloud_at: [f32; 3], p: Vec3) -> [f32; 3] {
    let height = fractal(land_at, 5);
    let sea = blend([8.0, 34.0, 88.0], [30.0, 96.0, 168.0], step(0.3, 0.52, height));
    let dry = step(0.15, 0.5, 1.0 - (p.z.abs() - 0.38).abs() * 3.0) * step(0.5, 0.62, height);
    let green = blend([44.0, 98.0, 50.0], [98.0, 118.0, 62.0], (height - 0.5) * 5.0);
    let land = blend(green, [190.0, 160.0, 108.0], dry * 0.8);
    let ground = blend(sea, land, step(0.515, 0.53, height));
    let ice = step(0.87, 0.93, p.z.abs() + height * 0.08);
    let ground = blend(ground, [240.0, 246.0, 250.0], ice);
    let cloud = fractal([cloud_at[0] + height, cloud_at[1], cloud_at[2] * 2.2], 5);
    blend(ground, [252.0, 252.0, 255.0], step(0.53, 0.7, cloud) * 0.9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_surface_is_the_same_all_over_even_at_the_seam_and_the_poles() {
        let texture = Texture::plain(0x204060);
        for p in [
            vec3(-1.0, 1e-9, 0.0),
            vec3(-1.0, -1e-9, 0.0),
            vec3(0.0, 0.0, 1.0),
            vec3(0.0, 0.0, -1.0),
        ] {
            for level in 0..LEVELS {
                assert_eq!(join(texture.at(level, p)), 0x204060);
            }
        }
    }

    #[test]
    fn the_fast_arc_tangent_is_close_enough() {
        for i in 0..1000 {
            let angle = (i as f32 / 1000.0 - 0.4999) * std::f32::consts::TAU;
            let wrong = turns(angle.sin(), angle.cos()) - 1.0 - angle / std::f32::consts::TAU;
            assert!((wrong - wrong.round()).abs() < 1e-4, "{angle}");
        }
        assert!(turns(0.0, 0.0).is_finite());
    }

    #[test]
    fn small_spheres_use_small_levels_of_the_same_mean_colour() {
        let texture = Texture::new(Look::Mars, 1.0);
        assert_eq!((texture.level(1e4), texture.level(0.5)), (0, LEVELS - 1));
        let mean = |level: &Vec<u32>| level.iter().map(|t| split(*t)[0]).sum::<f32>() / level.len() as f32;
        assert!((mean(&texture.levels[0]) - mean(&texture.levels[4])).abs() < 1.0);
    }

    #[test]
    fn mars_has_white_poles_and_a_red_equator() {
        let [r, g, b] = colour(Look::Mars, vec3(0.0, 0.0, 1.0), 1.0);
        assert!(r > 220.0 && g > 220.0 && b > 220.0);
        let [r, _, b] = colour(Look::Mars, vec3(1.0, 0.0, 0.0), 1.0);
        assert!(r > b * 1.3);
    }
}
