//! The rings of a planet, flat in the plane of its equator.

use std::sync::OnceLock;

use super::canvas::{Canvas, join};
use super::noise::smooth;
use super::sphere::Disc;
use crate::space::bodies::Rings;
use crate::space::vec3::{Frame, Vec3};

/// Outer edge in radii of the planet.
pub const EDGE: f32 = 2.3;

/// Inner edge of the table of a ring, in radii of the planet.
const INNER: f32 = 1.2;
const STEPS: usize = 512;

/// Opacity and brightness of a ring at `r` radii of the planet.
fn profile(rings: Rings, r: f32) -> (f32, f32) {
    let band = |from: f32, to: f32| ((r - from) / 0.025).clamp(0.0, 1.0) * ((to - r) / 0.025).clamp(0.0, 1.0);
    match rings {
        Rings::Wide => {
            let grain = smooth([r * 42.0, 0.0, 0.0]) * 0.5 + smooth([r * 90.0, 5.0, 0.0]) * 0.5;
            let (c, b, a) = (band(1.24, 1.53), band(1.51, 1.95), band(2.03, 2.27));
            let encke = 1.0 - band(2.19, 2.235) * 0.8;
            let opacity = c * 0.28 + b * (0.72 + grain * 0.28) + a * 0.68 * encke;
            (opacity.min(1.0), 0.7 + grain * 0.4)
        }
        Rings::Thin => (band(1.92, 2.04) * 0.4, 0.7),
    }
}

/// The profile from `INNER` to `EDGE`.
fn table(rings: Rings) -> &'static [(f32, f32)] {
    static TABLES: [OnceLock<Vec<(f32, f32)>>; 2] = [OnceLock::new(), OnceLock::new()];
    let radius = |i: usize| INNER + (EDGE - INNER) * i as f32 / STEPS as f32;
    TABLES[rings as usize].get_or_init(|| (0..=STEPS).map(|i| profile(rings, radius(i))).collect())
}

/// Draws the rings of the planet at `planet`; `frame` is its equator and `light` the sun's direction, both as the
/// viewer sees them. To be drawn after the planet, which hides the part behind it.
pub fn rings(canvas: &mut Canvas<'_>, kind: Rings, planet: Disc, frame: Frame, light: Vec3, behind: Option<Disc>) {
    let Frame { e1, e2, .. } = frame;
    let det = e1.x * e2.y - e1.y * e2.x;
    let reach = planet.radius * EDGE;
    // Seen from the edge there is nothing to see.
    if det.abs() < 0.02 || reach < 2.0 {
        return;
    }
    let high = reach * (e1.y * e1.y + e2.y * e2.y).sqrt() + 1.0;
    let wide = reach * (e1.x * e1.x + e2.x * e2.x).sqrt() + 1.0;
    let bounds = canvas.touch(planet.x - wide, planet.y - high, planet.x + wide, planet.y + high);
    let Some((x0, y0, x1, y1)) = bounds else { return };
    let table = table(kind);
    let inner = if kind == Rings::Thin { 1.9 } else { INNER };
    // From the screen, in radii from the planet's middle, to the plane of the rings.
    let (e1x, e1y, e2x, e2y) = (e1.x / det, e1.y / det, e2.x / det, e2.y / det);
    let on_plane = |dx: f32, dy: f32| (e2y * dx - e2x * dy, e1x * dy - e1y * dx);
    // Opacity and brightness at a place on the screen.
    let sample = |dx: f32, dy: f32| -> (f32, f32) {
        let (u, v) = on_plane(dx, dy);
        let r = (u * u + v * v).sqrt();
        if !(INNER..EDGE).contains(&r) {
            return (0.0, 0.0);
        }
        let (mut alpha, bright) = table[((r - INNER) * (STEPS as f32 / (EDGE - INNER))) as usize];
        let at = e1 * u + e2 * v;
        if at.z < 0.0 {
            alpha *= 1.0 - ((1.0 - (dx * dx + dy * dy).sqrt()) * planet.radius + 0.5).clamp(0.0, 1.0);
        }
        let along = at.dot(light);
        let shadow = if along < 0.0 && r * r - along * along < 1.05 {
            ((1.02 - (r * r - along * along).max(0.0).sqrt()) / 0.04).clamp(0.0, 1.0)
        } else {
            0.0
        };
        (alpha, bright * (1.0 - 0.88 * shadow))
    };
    // Small rings are thinner than a pixel here and there: several samples a pixel.
    let fine = [4, 3, 2, 1][[16.0, 36.0, 90.0].iter().filter(|r| planet.radius > **r).count()];
    // How far from its middle a pixel reaches, in radii of the rings' plane.
    let pixel = 0.75 / planet.radius / det.abs();
    let near = (inner - pixel).max(0.0).powi(2);
    let far = (EDGE + pixel).powi(2);
    let scale = 1.0 / planet.radius;
    for y in y0..=y1 {
        for x in x0..=x1 {
            let (u, v) = on_plane((x as f32 + 0.5 - planet.x) * scale, (planet.y - y as f32 - 0.5) * scale);
            if !(near..=far).contains(&(u * u + v * v)) {
                continue;
            }
            let (mut alpha, mut light) = (0.0, 0.0);
            for i in 0..fine * fine {
                let inside = |n: i32| (n as f32 + 0.5) / fine as f32;
                let (sx, sy) = (x as f32 + inside(i % fine), y as f32 + inside(i / fine));
                let (a, b) = sample((sx - planet.x) * scale, (planet.y - sy) * scale);
                alpha += a;
                light += a * b;
            }
            if alpha > 0.0 {
                let colour = [226.0, 206.0, 168.0].map(|c: f32| c * light / alpha);
                let seen = behind.map_or(1.0, |disc| 1.0 - disc.cover(x as f32 + 0.5, y as f32 + 0.5));
                canvas.blend(x, y, join(colour), alpha / (fine * fine) as f32 * 0.92 * seen);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wide_rings_have_their_gaps() {
        assert_eq!(profile(Rings::Wide, 1.99).0, 0.0, "Cassini's division");
        assert!(profile(Rings::Wide, 1.75).0 > 0.6);
        assert_eq!(profile(Rings::Wide, EDGE).0, 0.0);
        assert_eq!(profile(Rings::Thin, 1.5).0, 0.0);
    }
}
