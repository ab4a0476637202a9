//! What the orrery is showing, and what input and time do to it. Pure: no clock, no pixels, no X.

use crate::args::Size;
use crate::keymap::character;
use crate::space::bodies::BODIES;
use crate::space::camera::{Camera, Lens, Spot};
use crate::space::vec3::{Frame, Vec3, vec3};
use crate::window::Happening;

/// Days a second, from slow to fast, as the keys step through them.
pub const SPEEDS: [f64; 10] = [0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 365.25];
/// Pixels the pointer may move between press and release of a click.
const CLICK: i16 = 4;
/// A body is hit at least this many pixels around its middle.
const HIT: f32 = 14.0;
/// Faster than this many days a second, moons and the turning of bodies would only flicker.
const FASTEST_SPIN: f64 = 10.0;
const ARROW_LEFT: u32 = 0xff51;
const ARROW_DOWN: u32 = 0xff54;
const ESCAPE: u32 = 0xff1b;

/// How much has to be drawn again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Redraw {
    /// Nothing.
    Nothing,
    /// What moves.
    Frame,
    /// Everything.
    All,
}

/// A button held down.
#[derive(Debug, Clone, Copy)]
struct Drag {
    from: (i16, i16),
    last: (i16, i16),
    turning: bool,
}

/// The state of the orrery.
#[derive(Debug)]
pub struct State {
    /// The camera as it is.
    pub camera: Camera,
    /// The camera as it is going to be.
    goal: Camera,
    /// The selected body.
    pub selected: Option<usize>,
    /// Days since J2000.
    pub days: f64,
    /// Days that moons and the turning of bodies have lived through: fewer than `days` at high speed.
    pub spin_days: f64,
    /// Days a second.
    pub speed: f64,
    /// Whether time stands still.
    pub paused: bool,
    /// Whether bodies are labelled.
    pub labels: bool,
    /// Whether the help is shown.
    pub help: bool,
    /// Whether the camera stays with the selected body.
    follow: bool,
    /// The window.
    pub size: Size,
    drag: Option<Drag>,
    first_speed: f64,
}

impl State {
    /// The state at the start.
    pub fn new(size: Size, days: f64, speed: f64, paused: bool) -> Self {
        let speed = if speed.is_finite() {
            speed.clamp(-SPEEDS[9], SPEEDS[9])
        } else {
            SPEEDS[4]
        };
        Self {
            camera: Camera::default(),
            goal: Camera::default(),
            selected: None,
            days,
            spin_days: 0.0,
            speed,
            paused,
            labels: true,
            help: false,
            follow: false,
            size,
            drag: None,
            first_speed: speed,
        }
    }

    /// The lens of the camera as it is.
    pub fn lens(&self) -> Lens {
        self.camera.lens(self.size.width.into(), self.size.height.into())
    }

    /// Whether pictures have to follow each other without any input.
    pub fn is_moving(&self) -> bool {
        !self.paused || self.camera != self.goal
    }

    /// Where a body is, in units.
    pub fn place(&self, body: usize) -> Vec3 {
        BODIES[body]
            .orbit
            .map_or(vec3(0.0, 0.0, 0.0), |o| o.elements.place(o.axis, self.days))
    }

    /// How a body is turned.
    pub fn frame(&self, body: usize) -> Frame {
        let b = &BODIES[body];
        let turn = self.spin_days * 0.2 / f64::from(b.day.abs().sqrt() * b.day.signum());
        Frame::tilted(b.tilt, b.towards, (turn % std::f64::consts::TAU) as f32)
    }

    /// Where a moon is, seen from its planet, in units.
    pub fn moon(&self, body: usize, moon: usize) -> Vec3 {
        let m = &BODIES[body].moons[moon];
        let turns = self.spin_days / m.period + moon as f64 * 0.37;
        let (s, c) = ((turns.fract() * std::f64::consts::TAU) as f32).sin_cos();
        let plane = Frame::tilted(BODIES[body].tilt, BODIES[body].towards, 0.0);
        (plane.e1 * c + plane.e2 * s) * m.distance
    }

    /// The body drawn at a pixel, the nearest of several.
    pub fn pick(&self, x: f32, y: f32) -> Option<usize> {
        let lens = self.lens();
        let hit = |i: usize| -> Option<(usize, Spot)> {
            let spot = lens.project(self.place(i))?;
            let reach = (BODIES[i].radius * spot.scale + 3.0).max(HIT);
            ((spot.x - x).hypot(spot.y - y) <= reach).then_some((i, spot))
        };
        // Small ones first: next to the sun or in front of a giant they are meant, as they are harder to hit.
        let worth =
            |i: usize, s: &Spot| (s.x - x).hypot(s.y - y) / (BODIES[i].radius * s.scale).max(HIT) + s.depth * 1e-4;
        (0..BODIES.len())
            .filter_map(hit)
            .min_by(|(i, a), (j, b)| worth(*i, a).total_cmp(&worth(*j, b)))
            .map(|(i, _)| i)
    }

    /// Lets `seconds` pass.
    pub fn advance(&mut self, seconds: f32) -> Redraw {
        let mut redraw = Redraw::Nothing;
        if !self.paused {
            let seconds = f64::from(seconds);
            self.days += self.speed * seconds;
            self.spin_days += self.speed.clamp(-FASTEST_SPIN, FASTEST_SPIN) * seconds;
            redraw = Redraw::Frame;
        }
        if self.follow
            && let Some(body) = self.selected
        {
            self.goal.target = self.place(body);
        }
        if self.camera != self.goal {
            let share = 1.0 - (-seconds * 11.0).exp();
            self.camera.approach(&self.goal.clone(), share);
            redraw = Redraw::All;
        }
        redraw
    }

    /// Takes what happened.
    pub fn happening(&mut self, happening: Happening) -> Redraw {
        match happening {
            Happening::Key {
                keysym, pressed: true, ..
            } => self.key(keysym),
            Happening::Button {
                number: 1,
                pressed: true,
                x,
                y,
            } => {
                self.drag = Some(Drag {
                    from: (x, y),
                    last: (x, y),
                    turning: false,
                });
                Redraw::Nothing
            }
            Happening::Button {
                number: 1,
                pressed: false,
                x,
                y,
            } => match self.drag.take() {
                Some(drag) if !drag.turning => self.select(self.pick(x.into(), y.into())),
                _ => Redraw::Nothing,
            },
            Happening::Button {
                number: number @ 4..=5,
                pressed: true,
                x,
                y,
            } => {
                let factor = if number == 4 { 1.0 / 1.16 } else { 1.16 };
                let (width, height) = (self.size.width.into(), self.size.height.into());
                self.goal.zoom(factor, x.into(), y.into(), width, height);
                Redraw::Frame
            }
            Happening::Motion { x, y } => self.motion(x, y),
            Happening::Resized(size) => {
                self.size = size;
                Redraw::All
            }
            _ => Redraw::Nothing,
        }
    }

    fn motion(&mut self, x: i16, y: i16) -> Redraw {
        let Some(drag) = &mut self.drag else {
            return Redraw::Nothing;
        };
        let far = |a: i16, b: i16| a.saturating_sub(b).saturating_abs() > CLICK;
        drag.turning |= far(x, drag.from.0) || far(y, drag.from.1);
        if !drag.turning {
            return Redraw::Nothing;
        }
        let (dx, dy) = (
            f32::from(x) - f32::from(drag.last.0),
            f32::from(y) - f32::from(drag.last.1),
        );
        drag.last = (x, y);
        // The hand is followed at once, without easing.
        self.goal.turn(dx, dy);
        (self.camera.yaw, self.camera.pitch) = (self.goal.yaw, self.goal.pitch);
        Redraw::All
    }

    fn key(&mut self, keysym: u32) -> Redraw {
        match keysym {
            ARROW_LEFT..=ARROW_DOWN => return self.step_speed(matches!(keysym, 0xff52 | 0xff53)),
            0xffab => return self.step_speed(true),
            0xffad => return self.step_speed(false),
            ESCAPE => {
                self.help = false;
                return self.select(None).max(Redraw::All);
            }
            _ => {}
        }
        let Some(c) = character(keysym).map(|c| c.to_ascii_lowercase()) else {
            return Redraw::Nothing;
        };
        match c {
            '+' | '=' => self.step_speed(true),
            '-' | '_' => self.step_speed(false),
            ' ' => {
                self.paused = !self.paused;
                Redraw::Frame
            }
            'r' => {
                self.goal = Camera::default();
                self.speed = self.first_speed;
                (self.paused, self.follow) = (false, false);
                self.select(None)
            }
            'l' => {
                self.labels = !self.labels;
                Redraw::Frame
            }
            'h' | '?' => {
                self.help = !self.help;
                Redraw::All
            }
            'f' => {
                self.follow = !self.follow && self.selected.is_some();
                Redraw::Frame
            }
            '0'..='9' => self.select(c.to_digit(10).and_then(|n| usize::try_from(n).ok())),
            _ => Redraw::Nothing,
        }
    }

    fn select(&mut self, body: Option<usize>) -> Redraw {
        if body == self.selected {
            return Redraw::Nothing;
        }
        self.selected = body;
        self.follow &= body.is_some();
        Redraw::All
    }

    fn step_speed(&mut self, faster: bool) -> Redraw {
        let next = if faster {
            SPEEDS.iter().find(|s| **s > self.speed * 1.001)
        } else {
            SPEEDS.iter().rev().find(|s| **s < self.speed * 0.999)
        };
        self.speed = next.copied().unwrap_or(self.speed);
        Redraw::Frame
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn state() -> State {
        State::new(
            Size {
                width: 1280,
                height: 720,
            },
            9_821.0,
            5.0,
            false,
        )
    }

    fn press(state: &mut State, keysym: u32) -> Redraw {
        state.happening(Happening::Key {
            code: 0,
            keysym,
            state: 0,
            pressed: true,
        })
    }

    fn click(state: &mut State, x: f32, y: f32) {
        let (x, y) = (x.round() as i16, y.round() as i16);
        state.happening(Happening::Button {
            number: 1,
            pressed: true,
            x,
            y,
        });
        state.happening(Happening::Button {
            number: 1,
            pressed: false,
            x,
            y,
        });
    }

    proptest! {
        #[test]
        fn clicking_where_a_body_is_drawn_selects_it(body in 0_usize..10, days in 0.0_f64..60_000.0, yaw in -3.0_f32..3.0, pitch in 0.3_f32..1.4) {
            let mut state = state();
            state.days = days;
            (state.camera.yaw, state.camera.pitch) = (yaw, pitch);
            state.goal = state.camera;
            let lens = state.lens();
            let spot = lens.project(state.place(body)).unwrap();
            prop_assume!(spot.x > 0.0 && spot.x < 1279.0 && spot.y > 0.0 && spot.y < 719.0);
            // Where two overlap either may be meant.
            let alone = (0..10).filter(|i| *i != body).all(|i| {
                let other = lens.project(state.place(i)).unwrap();
                (other.x - spot.x).hypot(other.y - spot.y) > 20.0 + BODIES[i].radius * other.scale
            });
            prop_assume!(alone);
            click(&mut state, spot.x, spot.y);
            prop_assert_eq!(state.selected, Some(body));
        }
    }

    #[test]
    fn clicking_the_sky_clears_the_selection() {
        let mut state = state();
        assert_eq!(press(&mut state, 0x35), Redraw::All);
        assert_eq!(state.selected, Some(5));
        click(&mut state, 3.0, 3.0);
        assert_eq!(state.selected, None);
    }

    #[test]
    fn a_drag_turns_both_ways_and_selects_nothing() {
        let mut state = state();
        let before = state.camera;
        let sun = state.lens().project(vec3(0.0, 0.0, 0.0)).unwrap();
        let (x, y) = (sun.x as i16, sun.y as i16);
        state.happening(Happening::Button {
            number: 1,
            pressed: true,
            x,
            y,
        });
        assert_eq!(
            state.happening(Happening::Motion { x: x + 2, y }),
            Redraw::Nothing,
            "not yet a drag"
        );
        assert_eq!(state.happening(Happening::Motion { x: x + 60, y: y + 40 }), Redraw::All);
        state.happening(Happening::Motion { x, y });
        state.happening(Happening::Motion { x: x + 60, y: y + 40 });
        state.happening(Happening::Button {
            number: 1,
            pressed: false,
            x: x + 60,
            y: y + 40,
        });
        assert!((state.camera.yaw - before.yaw).abs() > 0.1 && (state.camera.pitch - before.pitch).abs() > 0.1);
        assert_eq!(state.selected, None);
        assert_eq!(
            state.happening(Happening::Motion { x, y }),
            Redraw::Nothing,
            "the button is up"
        );
    }

    #[test]
    fn time_passes_at_its_speed_and_not_while_paused() {
        let mut state = state();
        state.advance(2.0);
        assert!((state.days - 9_831.0).abs() < 1e-6);
        press(&mut state, 0x20);
        assert_eq!(state.advance(2.0), Redraw::Nothing);
        assert!(!state.is_moving());
        assert!((state.days - 9_831.0).abs() < 1e-6);
    }

    #[test]
    fn keys_step_through_the_speeds_and_stop_at_the_ends() {
        let mut state = state();
        press(&mut state, 0x2b);
        assert_eq!(state.speed, 10.0);
        for _ in 0..20 {
            press(&mut state, 0xff51);
        }
        assert_eq!(state.speed, SPEEDS[0]);
        for _ in 0..20 {
            press(&mut state, 0xffab);
        }
        assert_eq!(state.speed, SPEEDS[9]);
    }

    #[test]
    fn r_brings_everything_back_and_q_does_nothing() {
        let mut state = state();
        for keysym in [0x33, 0x2b, 0x20] {
            press(&mut state, keysym);
        }
        state.happening(Happening::Button {
            number: 4,
            pressed: true,
            x: 900,
            y: 300,
        });
        while state.camera != state.goal {
            state.advance(0.016);
        }
        assert!(state.camera.distance < Camera::default().distance);
        assert_eq!(press(&mut state, 0x71), Redraw::Nothing);
        press(&mut state, 0x52);
        while state.camera != state.goal {
            state.advance(0.016);
        }
        assert_eq!(state.camera, Camera::default());
        assert_eq!((state.selected, state.speed, state.paused), (None, 5.0, false));
    }

    #[test]
    fn a_followed_body_comes_to_the_middle() {
        let mut state = state();
        press(&mut state, 0x36);
        press(&mut state, 0x66);
        for _ in 0..300 {
            state.advance(0.016);
        }
        let spot = state.lens().project(state.place(6)).unwrap();
        assert!((spot.x - 640.0).hypot(spot.y - 331.2) < 8.0);
    }
}
