//! The rings of a planet, flat in the plane of its equator.

use super::canvas::{Canvas, join};
use super::noise::smooth;
use super::sphere::Disc;
use crate::space::bodies::Rings;
use crate::space::vec3::{Frame, Vec3};

/// Outer edge in radii of the planet.
pub const EDGE: f32 = 2.3;

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
        Rings::Thin => (band(1.94, 2.02) * 0.4, 0.7),
    }
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
    for y in y0..=y1 {
        for x in x0..=x1 {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            let (dx, dy) = ((px - planet.x) / planet.radius, (planet.y - py) / planet.radius);
            let (u, v) = ((e2.y * dx - e2.x * dy) / det, (e1.x * dy - e1.y * dx) / det);
            let r = u.hypot(v);
            if !(1.2..EDGE).contains(&r) {
                continue;
            }
            let (mut alpha, mut bright) = profile(kind, r);
            let at = e1 * u + e2 * v;
            if at.z < 0.0 {
                alpha *= 1.0 - planet.cover(px, py);
            }
            alpha *= behind.map_or(1.0, |disc| 1.0 - disc.cover(px, py));
            if alpha <= 0.004 {
                continue;
            }
            let along = at.dot(light);
            if along < 0.0 && (at - light * along).length() < 1.0 {
                bright *= 0.12;
            }
            let colour = [226.0, 206.0, 168.0].map(|c: f32| c * bright);
            canvas.blend(x, y, join(colour), alpha * 0.92);
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
