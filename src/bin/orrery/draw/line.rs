//! Anti-aliased lines and circles.

use super::canvas::Canvas;
use super::sphere::Disc;

/// A point of a polyline.
#[derive(Debug, Clone, Copy)]
pub struct Node {
    /// Pixels from the left.
    pub x: f32,
    /// Pixels from the top.
    pub y: f32,
    /// Opacity here, from 0 to 1.
    pub alpha: f32,
}

/// Draws the line from `a` to `b`, `width` pixels wide. A pixel belongs to the segment only where its foot falls
/// between the ends, so that the segments of a smooth curve meet without drawing a pixel twice.
pub fn segment(canvas: &mut Canvas<'_>, a: Node, b: Node, width: f32, rgb: u32) {
    let (dx, dy) = (b.x - a.x, b.y - a.y);
    let length = dx.hypot(dy);
    let half = width / 2.0 + 0.5;
    let bounds = canvas.touch(
        a.x.min(b.x) - half,
        a.y.min(b.y) - half,
        a.x.max(b.x) + half,
        a.y.max(b.y) + half,
    );
    let Some((x0, y0, x1, y1)) = bounds else { return };
    if length < 1e-3 || a.alpha.max(b.alpha) <= 0.0 {
        return;
    }
    let (ux, uy) = (dx / length, dy / length);
    let mut plot = |x: i32, y: i32| {
        let (px, py) = (x as f32 + 0.5 - a.x, y as f32 + 0.5 - a.y);
        let along = px * ux + py * uy;
        if along < 0.0 || along >= length {
            return;
        }
        let cover = (half - (px * uy - py * ux).abs()).clamp(0.0, 1.0);
        if cover > 0.0 {
            canvas.blend(x, y, rgb, cover * (a.alpha + (b.alpha - a.alpha) * along / length));
        }
    };
    // Along the longer side, so that every step touches only the few pixels across the line.
    if ux.abs() >= uy.abs() {
        let reach = half / ux.abs() + 0.5;
        for x in x0..=x1 {
            let middle = a.y + (x as f32 + 0.5 - a.x) * uy / ux;
            for y in ((middle - reach) as i32).max(y0)..=((middle + reach) as i32).min(y1) {
                plot(x, y);
            }
        }
    } else {
        let reach = half / uy.abs() + 0.5;
        for y in y0..=y1 {
            let middle = a.x + (y as f32 + 0.5 - a.y) * ux / uy;
            for x in ((middle - reach) as i32).max(x0)..=((middle + reach) as i32).min(x1) {
                plot(x, y);
            }
        }
    }
}

/// Draws a curve given by its points, opacity running smoothly from one to the next.
pub fn polyline(canvas: &mut Canvas<'_>, nodes: &[Node], width: f32, rgb: u32) {
    for pair in nodes.windows(2) {
        segment(canvas, pair[0], pair[1], width, rgb);
    }
}

/// Draws four arcs round a disc: the mark of what is selected.
pub fn marks(canvas: &mut Canvas<'_>, round: Disc, rgb: u32, alpha: f32) {
    const QUARTER: f32 = std::f32::consts::FRAC_PI_2;
    const SHARE: f32 = 0.78;
    let steps = ((round.radius * QUARTER * SHARE / 3.0) as u16).clamp(6, 64);
    for arc in 0..4_u16 {
        let from = QUARTER * (f32::from(arc) + 0.5 - SHARE / 2.0);
        let nodes: Vec<Node> = (0..=steps)
            .map(|i| {
                let (s, c) = (from + QUARTER * SHARE * f32::from(i) / f32::from(steps)).sin_cos();
                Node {
                    x: round.x + round.radius * c,
                    y: round.y + round.radius * s,
                    alpha,
                }
            })
            .collect();
        polyline(canvas, &nodes, 1.5, rgb);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tiles::Tiles;
    use super::*;

    fn drawn(f: impl FnOnce(&mut Canvas<'_>)) -> Vec<f32> {
        let (mut tiles, mut pixels) = (Tiles::new(40, 40), vec![0; 1600]);
        f(&mut Canvas::new(&mut pixels, 40, 40, &mut tiles));
        pixels.iter().map(|p| (p & 255) as f32 / 255.0).collect()
    }

    fn node(x: f32, y: f32) -> Node {
        Node { x, y, alpha: 1.0 }
    }

    #[test]
    fn a_line_covers_as_much_as_it_is_long_and_wide() {
        for (b, width) in [
            ((30.0, 5.0), 1.0),
            ((30.0, 30.0), 2.0),
            ((8.0, 33.0), 1.5),
            ((5.0, 5.0), 3.0),
        ] {
            let sum: f32 = drawn(|c| segment(c, node(5.0, 5.0), node(b.0, b.1), width, 0xffffff))
                .iter()
                .sum();
            let wanted = (b.0 - 5.0_f32).hypot(b.1 - 5.0) * width;
            assert!(
                (sum - wanted).abs() <= wanted * 0.08,
                "{b:?}: {sum} instead of {wanted}"
            );
        }
    }

    #[test]
    fn the_segments_of_a_curve_do_not_overlap() {
        // At half opacity a pixel drawn twice would be brighter than half.
        let nodes: Vec<Node> = (0..=60)
            .map(|i| {
                let (s, c) = (i as f32 / 60.0 * std::f32::consts::TAU).sin_cos();
                Node {
                    x: 20.0 + 15.0 * c,
                    y: 20.0 + 15.0 * s,
                    alpha: 0.5,
                }
            })
            .collect();
        let pixels = drawn(|c| polyline(c, &nodes, 2.0, 0xffffff));
        assert!(pixels.iter().all(|p| *p < 0.6));
        let sum: f32 = pixels.iter().sum();
        assert!((sum - 94.2).abs() < 6.0, "{sum}");
    }

    #[test]
    fn a_line_far_outside_draws_nothing() {
        assert!(
            drawn(|c| segment(c, node(-500.0, -3.0), node(900.0, -2.0), 1.0, 0xffffff))
                .iter()
                .all(|p| *p == 0.0)
        );
    }
}
