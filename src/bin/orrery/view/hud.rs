//! Title, date, speed and help.

use super::state::{SPEEDS, State};
use crate::args::Size;
use crate::draw::canvas::Canvas;
use crate::draw::shape::{Area, card};
use crate::draw::text::{Pen, Style};
use crate::space::date;

const BRIGHT: u32 = 0xf2f6fc;
const DIM: u32 = 0x93a4bd;
const ACCENT: u32 = 0xffcf7a;
const MARGIN: f32 = 28.0;

/// What the help says.
const HELP: [(&str, &str); 11] = [
    ("Click", "select a planet or the sun"),
    ("0 – 9", "select the sun, Mercury ... Pluto"),
    ("Drag", "turn the view"),
    ("Wheel", "zoom to the pointer"),
    ("+ and -", "faster and slower, arrows too"),
    ("Space", "pause"),
    ("F", "follow the selected body"),
    ("L", "labels on and off"),
    ("R", "reset"),
    ("Esc", "clear the selection"),
    ("H", "close this help"),
];

/// Where the help is; `None` when it is hidden or does not fit.
pub fn help_area(state: &State) -> Option<Area> {
    let (width, height) = (430.0, 96.0 + 27.0 * HELP.len() as f32);
    let (across, down) = (f32::from(state.size.width), f32::from(state.size.height));
    (state.help && across > width && down > height).then(|| {
        (
            ((across - width) / 2.0).round(),
            ((down - height) / 2.0).round(),
            width,
            height,
        )
    })
}

/// Draws title, hint and help: all that stands still.
pub fn draw_still(canvas: &mut Canvas<'_>, pen: &mut Pen, state: &State) {
    let Size { width, height } = state.size;
    if width >= 560 && height >= 300 {
        pen.write(canvas, MARGIN, 44.0, "ORRERY", &Style::new(12.0, BRIGHT).spaced(5.0));
        let note = "Real orbits and positions; sizes and distances not to scale";
        pen.write(
            canvas,
            MARGIN,
            66.0,
            note,
            &Style::new(7.2, DIM).spaced(0.3).faint(0.85),
        );
        let hint = Style::new(8.0, DIM).spaced(0.4);
        pen.write_end(
            canvas,
            f32::from(width) - MARGIN,
            f32::from(height) - MARGIN,
            "H for help",
            &hint,
        );
    }
    let Some(area) = help_area(state) else { return };
    card(canvas, area, 0.88);
    let (x, y, ..) = area;
    pen.write(canvas, x + 32.0, y + 48.0, "Help", &Style::new(17.0, BRIGHT));
    for (i, (key, what)) in HELP.iter().enumerate() {
        let at = y + 88.0 + 27.0 * i as f32;
        pen.write(canvas, x + 32.0, at, key, &Style::new(8.8, ACCENT));
        pen.write(canvas, x + 130.0, at, what, &Style::new(8.8, BRIGHT).faint(0.9));
    }
}

/// Draws the date and the speed.
pub fn draw_moving(canvas: &mut Canvas<'_>, pen: &mut Pen, state: &State) {
    let bottom = f32::from(state.size.height);
    pen.write(
        canvas,
        MARGIN,
        bottom - 58.0,
        &date::text(state.days),
        &Style::new(21.0, BRIGHT),
    );
    let text = if state.paused {
        "Paused".to_owned()
    } else {
        speed(state.speed)
    };
    let style = Style::new(8.8, if state.paused { ACCENT } else { DIM }).spaced(0.3);
    let end = MARGIN + 10.0 * SPEEDS.len() as f32 + 8.0;
    pen.write(canvas, end, bottom - MARGIN, &text, &style);
    // One bar a step of speed, those reached are lit.
    for (i, step) in SPEEDS.iter().enumerate() {
        let on = *step <= state.speed.abs() * 1.001 && !state.paused;
        let (x, tall) = (MARGIN + 10.0 * i as f32, 3.0 + i as f32 * 0.8);
        let Some((x0, y0, x1, y1)) = canvas.touch(x, bottom - MARGIN - tall, x + 5.0, bottom - MARGIN - 1.0) else {
            continue;
        };
        for py in y0..=y1 {
            for px in x0..=x1 {
                canvas.blend(px, py, if on { ACCENT } else { DIM }, if on { 0.95 } else { 0.32 });
            }
        }
    }
}

/// A speed in words.
fn speed(days: f64) -> String {
    let amount = (days * 100.0).round() / 100.0;
    if amount.abs() >= 365.0 {
        "1 year per second".to_owned()
    } else if (amount - 1.0).abs() < 1e-9 {
        "1 day per second".to_owned()
    } else {
        format!("{amount} days per second")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_read_well() {
        let all: Vec<String> = SPEEDS.iter().map(|s| speed(*s)).collect();
        assert_eq!(all[0], "0.1 days per second");
        assert_eq!(all[2], "1 day per second");
        assert_eq!(all[9], "1 year per second");
    }

    #[test]
    fn the_help_fits_its_card() {
        let mut pen = Pen::default();
        for (key, what) in HELP {
            assert!(pen.measure(key, &Style::new(8.8, 0)) < 90.0, "{key}");
            assert!(pen.measure(what, &Style::new(8.8, 0)) < 280.0, "{what}");
        }
    }
}
