//! The card that tells about the selected body.

use crate::args::Size;
use crate::draw::canvas::Canvas;
use crate::draw::rings::rings;
use crate::draw::shape::{Area, card};
use crate::draw::sphere::{Disc, Sphere, sphere};
use crate::draw::text::{Pen, Style};
use crate::draw::texture::Texture;
use crate::space::bodies::{BODIES, Look};
use crate::space::camera::Camera;
use crate::space::vec3::vec3;
use crate::view::state::State;

const WIDTH: f32 = 300.0;
const MARGIN: f32 = 24.0;
const PAD: f32 = 22.0;
const ROW: f32 = 25.0;
const LINE: f32 = 19.0;
const FIRST_ROW: f32 = 132.0;
const DIM: u32 = 0x93a4bd;
const BRIGHT: u32 = 0xf2f6fc;
const LABEL: Style = Style::new(8.4, DIM);
const VALUE: Style = Style::new(8.6, BRIGHT);
const FACTS: Style = Style::new(8.2, 0xbac7da);

/// Where the card of a body is; `None` in a window too small for it.
pub fn area(pen: &mut Pen, size: Size, body: usize) -> Option<Area> {
    let lines = pen.wrap(BODIES[body].facts, &FACTS, WIDTH - 2.0 * PAD).len();
    let rows = BODIES[body].rows.len() + usize::from(BODIES[body].orbit.is_some());
    let height = FIRST_ROW + rows as f32 * ROW + 14.0 + lines as f32 * LINE + PAD - 10.0;
    let (width, down) = (f32::from(size.width), f32::from(size.height));
    (width >= WIDTH + 2.0 * MARGIN && down >= height + 2.0 * MARGIN).then_some((
        width - WIDTH - MARGIN,
        MARGIN,
        WIDTH,
        height,
    ))
}

/// Draws what does not change while the body is selected.
pub fn draw_still(canvas: &mut Canvas<'_>, pen: &mut Pen, body: usize, area: Area) {
    let (b, (x, y, width, _)) = (&BODIES[body], area);
    card(canvas, area, 0.8);
    pen.write(
        canvas,
        x + PAD,
        y + 48.0,
        &b.kind.to_uppercase(),
        &Style::new(7.4, b.colour).spaced(1.6),
    );
    pen.write(canvas, x + PAD, y + 84.0, b.name, &Style::new(21.0, BRIGHT));
    line(canvas, x + PAD, y + 108.0, width - 2.0 * PAD);
    let mut at = y + FIRST_ROW + 4.0;
    for (label, value) in b.rows {
        pen.write(canvas, x + PAD, at, label, &LABEL);
        pen.write_end(canvas, x + width - PAD, at, value, &VALUE);
        at += ROW;
    }
    if b.orbit.is_some() {
        pen.write(canvas, x + PAD, at, "From the sun today", &LABEL);
        at += ROW;
    }
    line(canvas, x + PAD, at - 12.0, width - 2.0 * PAD);
    at += 14.0;
    for text in pen.wrap(b.facts, &FACTS, width - 2.0 * PAD) {
        pen.write(canvas, x + PAD, at, &text, &FACTS);
        at += LINE;
    }
}

/// Draws what moves: the portrait and today's distance.
pub fn draw_moving(canvas: &mut Canvas<'_>, pen: &mut Pen, state: &State, body: usize, texture: &Texture, area: Area) {
    let (b, (x, y, width, _)) = (&BODIES[body], area);
    let lens = Camera {
        yaw: -1.2,
        pitch: 0.12,
        ..Camera::default()
    }
    .lens(100.0, 100.0);
    let light = vec3(-0.62, 0.42, 0.66).unit();
    let frame = state.frame(body).map(|v| lens.turn(v));
    let radius = if b.rings.is_some() { 23.0 } else { 33.0 };
    let disc = Disc {
        x: x + width - PAD - 36.0,
        y: y + 58.0,
        radius,
    };
    let shines = matches!(b.look, Look::Star);
    let light_on = (!shines).then_some(light);
    sphere(
        canvas,
        &Sphere {
            disc,
            frame,
            light: light_on,
            texture,
            air: b.air,
            behind: None,
        },
    );
    if let Some(kind) = b.rings {
        rings(canvas, kind, disc, frame, light, None);
    }
    if let Some(orbit) = b.orbit {
        let au = distance_au(
            orbit.elements.period,
            orbit.elements.eccentricity,
            orbit.elements.eccentric_anomaly(state.days),
        );
        let at = y + FIRST_ROW + 4.0 + b.rows.len() as f32 * ROW;
        pen.write_end(canvas, x + width - PAD, at, &format!("{au:.3} AU"), &VALUE);
    }
}

/// Distance from the sun in astronomical units: the axis by Kepler's third law, then the ellipse.
fn distance_au(period: f64, eccentricity: f64, anomaly: f64) -> f64 {
    (period / 365.256_f64).powf(2.0 / 3.0) * (1.0 - eccentricity * anomaly.cos())
}

fn line(canvas: &mut Canvas<'_>, x: f32, y: f32, width: f32) {
    if let Some((x0, y0, x1, _)) = canvas.touch(x, y, x + width, y) {
        for px in x0..=x1 {
            canvas.blend(px, y0, 0xa8c4f0, 0.16);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_fits_a_window_of_1280_by_720_and_none_a_tiny_one() {
        let mut pen = Pen::default();
        for body in 0..BODIES.len() {
            let (x, y, w, h) = area(
                &mut pen,
                Size {
                    width: 1280,
                    height: 720,
                },
                body,
            )
            .unwrap();
            assert!(x + w <= 1280.0 && y + h <= 720.0);
            assert!(
                area(
                    &mut pen,
                    Size {
                        width: 320,
                        height: 200
                    },
                    body
                )
                .is_none()
            );
        }
    }

    #[test]
    fn rows_leave_room_between_label_and_value() {
        let mut pen = Pen::default();
        for (label, value) in BODIES.iter().flat_map(|b| b.rows) {
            assert!(
                pen.measure(label, &LABEL) + pen.measure(value, &VALUE) + 10.0 < WIDTH - 2.0 * PAD,
                "{label}"
            );
        }
    }

    #[test]
    fn the_earth_is_one_unit_away() {
        assert!((distance_au(365.256, 0.0167, std::f64::consts::FRAC_PI_2) - 1.0).abs() < 1e-6);
        assert!(
            (distance_au(4_332.59, 0.0484, 0.0) - 4.95).abs() < 0.02,
            "Jupiter at perihelion"
        );
    }
}
