//! Cards and the glow of the sun.

use super::canvas::Canvas;
use super::noise::smooth;
use super::sphere::Disc;

/// A rectangle in pixels: left, top, width, height.
pub type Area = (f32, f32, f32, f32);

/// Fill and edge of a card.
const CARD: (u32, u32) = (0x0b1220, 0xa8c4f0);

/// Draws a card with round corners and a thin edge over what is there; `alpha` is its opacity from 0 to 1.
pub fn card(canvas: &mut Canvas<'_>, area: Area, alpha: f32) {
    let ((x, y, width, height), (fill, edge)) = (area, CARD);
    let radius = 12.0_f32.min(width / 2.0).min(height / 2.0);
    let Some((x0, y0, x1, y1)) = canvas.touch(x, y, x + width, y + height) else {
        return;
    };
    let (mx, my) = (x + width / 2.0, y + height / 2.0);
    for py in y0..=y1 {
        for px in x0..=x1 {
            // Distance to the round rectangle's border, negative inside.
            let qx = (px as f32 + 0.5 - mx).abs() - width / 2.0 + radius;
            let qy = (py as f32 + 0.5 - my).abs() - height / 2.0 + radius;
            let (ox, oy) = (qx.max(0.0), qy.max(0.0));
            let d = (ox * ox + oy * oy).sqrt() + qx.max(qy).min(0.0) - radius;
            let inside = (0.5 - d).clamp(0.0, 1.0);
            if inside > 0.0 {
                canvas.blend(px, py, fill, inside * alpha);
                canvas.blend(px, py, edge, inside * (1.0 - (d + 0.8).abs()).clamp(0.0, 1.0) * 0.28);
            }
        }
    }
}

/// Adds the glow round the sun's disc: a bright corona, a wide haze and faint rays.
pub fn glow(canvas: &mut Canvas<'_>, sun: Disc) {
    const STEPS: usize = 512;
    const REACH: f32 = 9.0;
    let out = sun.radius * REACH;
    let Some((x0, y0, x1, y1)) = canvas.touch(sun.x - out, sun.y - out, sun.x + out, sun.y + out) else {
        return;
    };
    let table: Vec<[f32; 3]> = (0..=STEPS)
        .map(|i| {
            let t = (i as f32 / STEPS as f32 * REACH - 1.0).max(-0.05);
            // Ends at nothing, so that the box has no border.
            let end = (1.0 - i as f32 / STEPS as f32).powf(1.3);
            let (near, far) = ((-t * 3.2).exp() * end, (-t * 0.62).exp() * end);
            [
                near * 150.0 + far * 105.0,
                near * 112.0 + far * 50.0,
                near * 60.0 + far * 19.0,
            ]
        })
        .collect();
    let rays: Vec<f32> = (0..=RAYS).map(ray).collect();
    for y in y0..=y1 {
        for x in x0..=x1 {
            let (dx, dy) = (x as f32 + 0.5 - sun.x, y as f32 + 0.5 - sun.y);
            let d2 = dx * dx + dy * dy;
            if d2 >= out * out {
                continue;
            }
            let light = table[(d2.sqrt() / out * STEPS as f32) as usize];
            let turn = (dy / (dx.abs() + dy.abs()).max(0.5) + 1.0) / 4.0;
            let turn = if dx < 0.0 { 1.0 - turn } else { turn };
            let ray = rays[(turn * RAYS as f32) as usize];
            // A fixed dither hides the steps of 8 bits in the wide haze.
            let dither = ((x * 5 + y * 7) & 7) as f32 / 8.0 - 0.44;
            canvas.add(x, y, light.map(|c| (c * ray + dither).max(0.0)));
        }
    }
}

/// Steps of direction in which rays differ.
const RAYS: usize = 1024;

/// How bright the ray of a direction is: noise on a circle. Directions are counted along the sides of a diamond, from
/// down by the right to up and back by the left, which needs no arc tangent.
fn ray(index: usize) -> f32 {
    let turn = index as f32 / RAYS as f32;
    let (half, side) = if turn < 0.5 { (turn, 1.0) } else { (1.0 - turn, -1.0) };
    let y = half * 4.0 - 1.0;
    let x = (1.0 - y.abs()) * side;
    let length = x.hypot(y).max(0.1);
    0.75 + 0.5 * smooth([x / length * 3.5, y / length * 3.5, 2.5])
}

#[cfg(test)]
mod tests {
    use super::super::tiles::Tiles;
    use super::*;

    #[test]
    fn the_glow_fades_outwards_and_has_no_border() {
        let (mut tiles, mut pixels) = (Tiles::new(400, 400), vec![0; 160_000]);
        let sun = Disc {
            x: 200.0,
            y: 200.0,
            radius: 20.0,
        };
        glow(&mut Canvas::new(&mut pixels, 400, 400, &mut tiles), sun);
        let red = |x: usize| pixels[200 * 400 + x] >> 16;
        assert!(red(225) > red(260) && red(260) > red(320));
        assert!(red(378) <= 2);
    }

    #[test]
    fn a_card_has_round_corners() {
        let (mut tiles, mut pixels) = (Tiles::new(60, 60), vec![0; 3600]);
        card(
            &mut Canvas::new(&mut pixels, 60, 60, &mut tiles),
            (5.0, 5.0, 50.0, 50.0),
            1.0,
        );
        assert_eq!(pixels[5 * 60 + 5], 0);
        assert_eq!(pixels[30 * 60 + 30], CARD.0);
        assert_eq!(pixels[30 * 60 + 2], 0);
    }
}
