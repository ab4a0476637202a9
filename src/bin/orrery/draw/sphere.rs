//! Textured spheres in the light of the sun.

use super::canvas::{Canvas, join, split};
use super::texture::Texture;
use crate::space::vec3::{Frame, Vec3, vec3};

/// A disc that hides what is behind it.
#[derive(Debug, Clone, Copy)]
pub struct Disc {
    /// Pixels from the left.
    pub x: f32,
    /// Pixels from the top.
    pub y: f32,
    /// Pixels.
    pub radius: f32,
}

impl Disc {
    /// How much of the pixel whose middle is (`x`, `y`) the disc covers, from 0 to 1.
    #[inline]
    pub fn cover(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        (self.radius + 0.5 - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0)
    }
}

/// A sphere to draw. Directions are as the viewer sees them: x right, y up, z towards the viewer.
#[derive(Debug, Clone, Copy)]
pub struct Sphere<'a> {
    /// Where and how large.
    pub disc: Disc,
    /// How it is turned.
    pub frame: Frame,
    /// Direction of the sun; `None` when it shines by itself.
    pub light: Option<Vec3>,
    /// The surface.
    pub texture: &'a Texture,
    /// Colour of its air at the limb; 0 for none.
    pub air: u32,
    /// What stands before it.
    pub behind: Option<Disc>,
}

/// Draws a sphere.
pub fn sphere(canvas: &mut Canvas<'_>, s: &Sphere<'_>) {
    let Disc { x: cx, y: cy, radius } = s.disc;
    let halo = if s.air == 0 { 0.0 } else { (radius * 0.09).min(9.0) };
    let out = radius + halo + 1.0;
    let Some((x0, y0, x1, y1)) = canvas.touch(cx - out, cy - out, cx + out, cy + out) else {
        return;
    };
    let air = split(s.air);
    let level = s.texture.level(radius);
    let scale = 1.0 / radius;
    let farthest = (out / radius).powi(2);
    for y in y0..=y1 {
        for x in x0..=x1 {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let (dx, dy) = ((px - cx) * scale, (cy - py) * scale);
            let d2 = dx * dx + dy * dy;
            if d2 > farthest {
                continue;
            }
            let from_middle = d2.sqrt() * radius;
            let seen = s.behind.map_or(1.0, |disc| 1.0 - disc.cover(px, py));
            if halo > 0.0 && from_middle > radius - 0.5 {
                let lit = s
                    .light
                    .map_or(1.0, |l| (vec3(dx, dy, 0.0).dot(l) + 0.35).clamp(0.0, 1.0));
                let fade = 1.0 - ((from_middle - radius) / halo).clamp(0.0, 1.0);
                canvas.blend(x, y, s.air, fade * fade * lit * 0.5 * seen);
            }
            let cover = (radius + 0.5 - from_middle).clamp(0.0, 1.0) * seen;
            if cover <= 0.0 {
                continue;
            }
            // The rim's half-covered pixels lie outside the sphere: they take the colour of the rim.
            let inwards = if d2 > 0.998 { (0.998 / d2).sqrt() } else { 1.0 };
            let n = vec3(dx * inwards, dy * inwards, (1.0 - d2.min(0.998)).sqrt());
            let colour = s
                .texture
                .at(level, vec3(n.dot(s.frame.e1), n.dot(s.frame.e2), n.dot(s.frame.pole)));
            let colour = match s.light {
                Some(light) => lit(colour, n, light, air),
                None => star(colour, n.z),
            };
            canvas.blend(x, y, join(colour), cover);
        }
    }
}

fn lit(colour: [f32; 3], n: Vec3, light: Vec3, air: [f32; 3]) -> [f32; 3] {
    // A little softer than true at the terminator and not black at night: the eye forgives it, an encoder thanks it.
    let day = ((n.dot(light) + 0.18) / 1.18).max(0.0);
    let day = day * (1.35 - 0.35 * day);
    let shade = 0.1 + 1.02 * day;
    let limb = 1.0 - n.z;
    let glow = limb * limb * limb * (day + 0.1) * 0.75;
    [0, 1, 2].map(|i| colour[i] * shade * (1.0 - limb * 0.25) + air[i] * glow)
}

fn star(colour: [f32; 3], towards: f32) -> [f32; 3] {
    // Limb darkening: the rim is cooler, the middle is white.
    let white = towards * towards;
    let rim = [255.0, 168.0, 52.0];
    let hot = [255.0, 252.0, 236.0];
    [0, 1, 2].map(|i| (colour[i] * 0.45 + rim[i] * 0.55) * (1.0 - white) + (hot[i] * 0.7 + colour[i] * 0.3) * white)
}

#[cfg(test)]
mod tests {
    use super::super::tiles::Tiles;
    use super::*;

    fn drawn(light: Option<Vec3>, behind: Option<Disc>) -> Vec<f32> {
        let (mut tiles, mut pixels) = (Tiles::new(40, 40), vec![0; 1600]);
        let texture = Texture::plain(0xffffff);
        let disc = Disc {
            x: 20.0,
            y: 20.0,
            radius: 12.0,
        };
        let frame = Frame::tilted(0.0, 0.0, 0.0);
        let mut canvas = Canvas::new(&mut pixels, 40, 40, &mut tiles);
        sphere(
            &mut canvas,
            &Sphere {
                disc,
                frame,
                light,
                texture: &texture,
                air: 0,
                behind,
            },
        );
        pixels.iter().map(|p| (p >> 16 & 255) as f32 / 255.0).collect()
    }

    #[test]
    fn a_star_covers_the_area_of_its_disc() {
        let sum: f32 = drawn(None, None).iter().sum();
        let area = std::f32::consts::PI * 144.0;
        assert!((sum - area).abs() < area * 0.02, "{sum}");
    }

    #[test]
    fn the_side_towards_the_sun_is_bright() {
        let pixels = drawn(Some(vec3(1.0, 0.0, 0.0)), None);
        assert!(pixels[20 * 40 + 29] > 0.7);
        assert!(pixels[20 * 40 + 11] < 0.1 && pixels[20 * 40 + 11] > 0.0);
    }

    #[test]
    fn what_stands_before_it_hides_it() {
        let pixels = drawn(
            None,
            Some(Disc {
                x: 10.0,
                y: 20.0,
                radius: 10.0,
            }),
        );
        assert_eq!(pixels[20 * 40 + 15], 0.0);
        assert!(pixels[20 * 40 + 25] > 0.5);
    }
}
