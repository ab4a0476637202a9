//! The picture: a background that changes only with the view, and on it what moves.

use super::sky::Sky;
use super::state::{Redraw, State};
use super::{hud, panel};
use crate::args::Size;
use crate::draw::canvas::{Canvas, mix};
use crate::draw::line::{Node, marks, polyline, segment};
use crate::draw::rings::rings;
use crate::draw::shape::{Area, glow};
use crate::draw::sphere::{Disc, Sphere, sphere};
use crate::draw::text::{Pen, Style};
use crate::draw::texture::Texture;
use crate::draw::tiles::Tiles;
use crate::space::bodies::BODIES;
use crate::space::camera::{Lens, Spot};
use crate::space::vec3::{Frame, vec3};
use crate::surface::Part;

/// Segments of an orbit.
const ORBIT: u16 = 288;
/// Length of a planet's trail along its orbit, in radians, and its segments.
const TRAIL: (f64, u16) = (0.85, 48);

/// What is drawn, from far to near.
#[derive(Debug, Clone, Copy)]
struct Item {
    body: usize,
    moon: Option<usize>,
    spot: Spot,
    radius: f32,
}

/// All that is needed to draw, and the background.
#[derive(Debug)]
pub struct Scene {
    sky: Sky,
    sky_pixels: Vec<u32>,
    sky_of: Option<(Size, f32, f32)>,
    textures: Vec<Texture>,
    moons: Vec<Vec<Texture>>,
    pen: Pen,
    base: Vec<u32>,
    /// Cards of the background that moving things pass beneath.
    cards: Vec<Area>,
    last: Tiles,
    now: Tiles,
}

impl Scene {
    /// Makes the sky and the surfaces.
    pub fn new(seed: u64) -> Self {
        let textures = BODIES
            .iter()
            .enumerate()
            .map(|(i, b)| Texture::new(b.look, 3.0 + i as f32 * 5.3))
            .collect();
        let moons = BODIES
            .iter()
            .map(|b| b.moons.iter().map(|m| Texture::plain(m.colour)).collect())
            .collect();
        Self {
            sky: Sky::new(seed),
            sky_pixels: Vec::new(),
            sky_of: None,
            textures,
            moons,
            pen: Pen::default(),
            base: Vec::new(),
            cards: Vec::new(),
            last: Tiles::default(),
            now: Tiles::default(),
        }
    }

    /// Draws `state` into `pixels`, which hold the last picture drawn here, and says which parts have changed.
    pub fn draw(&mut self, state: &State, pixels: &mut [u32], redraw: Redraw) -> Vec<Part> {
        let (width, height) = (i32::from(state.size.width), i32::from(state.size.height));
        let lens = state.lens();
        if redraw == Redraw::All {
            self.background(state, &lens, width, height);
            self.last = Tiles::new(width, height);
            self.last.mark_all();
            self.now = self.last.clone();
        }
        for part in self.last.parts() {
            restore(pixels, &self.base, width, &part);
        }
        self.now.clear();
        let mut now = std::mem::take(&mut self.now);
        self.moving(state, &lens, &mut Canvas::new(pixels, width, height, &mut now));
        let mut changed = std::mem::replace(&mut self.last, now.clone());
        changed.add(&now);
        self.now = now;
        changed.parts()
    }

    fn background(&mut self, state: &State, lens: &Lens, width: i32, height: i32) {
        let mut tiles = Tiles::new(width, height);
        let sky_of = (state.size, state.camera.yaw, state.camera.pitch);
        if self.sky_of != Some(sky_of) {
            self.sky_pixels.resize((width * height) as usize, 0);
            self.sky
                .draw(&mut Canvas::new(&mut self.sky_pixels, width, height, &mut tiles), lens);
            self.sky_of = Some(sky_of);
        }
        self.base.clone_from(&self.sky_pixels);
        let canvas = &mut Canvas::new(&mut self.base, width, height, &mut tiles);
        let sun = lens.project(vec3(0.0, 0.0, 0.0));
        let depth = sun.map_or(0.0, |s| s.depth);
        if let Some(spot) = sun {
            glow(canvas, disc(&spot, BODIES[0].radius));
        }
        orbits(canvas, state, lens, |d| d >= depth);
        if let Some(spot) = sun {
            let item = Item {
                body: 0,
                moon: None,
                spot,
                radius: BODIES[0].radius,
            };
            body(canvas, state, lens, &item, &self.textures[0], None);
        }
        orbits(canvas, state, lens, |d| d < depth);
        self.cards.clear();
        if let Some((body, area)) = state
            .selected
            .and_then(|b| Some((b, panel::area(&mut self.pen, state.size, b)?)))
        {
            panel::draw_still(canvas, &mut self.pen, body, area);
            self.cards.push(area);
        }
        hud::draw_still(canvas, &mut self.pen, state);
        self.cards.extend(hud::help_area(state));
    }

    fn moving(&mut self, state: &State, lens: &Lens, canvas: &mut Canvas<'_>) {
        let sun = lens.project(vec3(0.0, 0.0, 0.0));
        let items = items(state, lens);
        // Only what is farther away than the sun can be hidden by it.
        let hider = |depth: f32| sun.filter(|s| depth > s.depth).map(|s| disc(&s, BODIES[0].radius));
        for item in items.iter().filter(|i| i.moon.is_none()) {
            trail(canvas, state, lens, item.body, &hider);
        }
        for item in &items {
            let texture = item
                .moon
                .map_or(&self.textures[item.body], |m| &self.moons[item.body][m]);
            if item.body != 0 {
                body(canvas, state, lens, item, texture, hider(item.spot.depth));
            }
        }
        if let Some(item) = items
            .iter()
            .find(|i| i.moon.is_none() && Some(i.body) == state.selected)
        {
            let reach = item.radius * item.spot.scale * if BODIES[item.body].rings.is_some() { 1.75 } else { 1.0 };
            // A body that fills the view needs no mark.
            let alpha = ((150.0 - reach) / 60.0).clamp(0.0, 0.9);
            let radius = (reach + 8.0).max(14.0);
            marks(
                canvas,
                Disc {
                    x: item.spot.x,
                    y: item.spot.y,
                    radius,
                },
                0x9fd0ff,
                alpha,
            );
        }
        if state.labels {
            self.labels(canvas, state, &items);
        }
        self.cover(canvas);
        if let (Some(body), Some(area)) = (state.selected, self.cards.first().copied())
            && panel::area(&mut self.pen, state.size, body) == Some(area)
        {
            panel::draw_moving(canvas, &mut self.pen, state, body, &self.textures[body], area);
        }
        hud::draw_moving(canvas, &mut self.pen, state);
    }

    /// Names under the bodies, nearest first; one that would lie over another is left out.
    fn labels(&mut self, canvas: &mut Canvas<'_>, state: &State, items: &[Item]) {
        let mut taken: Vec<Area> = Vec::new();
        for item in items.iter().rev().filter(|i| i.moon.is_none()) {
            let b = &BODIES[item.body];
            let chosen = state.selected == Some(item.body);
            let style = Style::new(8.2, mix(b.colour, 0xffffff, 0.45))
                .spaced(0.7)
                .faint(if chosen { 1.0 } else { 0.78 });
            let flat = if b.rings.is_some() { 1.35 } else { 1.0 };
            let (x, y) = (
                item.spot.x,
                item.spot.y + item.radius * item.spot.scale * flat + if chosen { 28.0 } else { 19.0 },
            );
            let width = self.pen.measure(b.name, &style);
            let place = (x - width / 2.0 - 4.0, y - 12.0, width + 8.0, 18.0);
            let free = taken.iter().all(|t| {
                place.0 >= t.0 + t.2 || t.0 >= place.0 + place.2 || place.1 >= t.1 + t.3 || t.1 >= place.1 + place.3
            });
            if free || chosen {
                let shade = Style {
                    rgb: 0x05070c,
                    stroke: style.stroke + 2.4,
                    alpha: 0.5,
                    ..style
                };
                self.pen.write_middle(canvas, x, y, b.name, &shade);
                self.pen.write_middle(canvas, x, y, b.name, &style);
                taken.push(place);
            }
        }
    }

    /// Brings the cards back over what was drawn on them.
    fn cover(&self, canvas: &mut Canvas<'_>) {
        for (x, y, width, height) in &self.cards {
            // The tiles drawn on are known already and need not be marked again.
            let (x0, y0) = (x.max(0.0) as i32, y.max(0.0) as i32);
            let (x1, y1) = (
                ((x + width) as i32).min(canvas.width),
                ((y + height) as i32).min(canvas.height),
            );
            for row in y0..y1 {
                let (from, to) = ((row * canvas.width + x0) as usize, (row * canvas.width + x1) as usize);
                canvas.pixels[from..to].copy_from_slice(&self.base[from..to]);
            }
        }
    }
}

/// Copies a part of `base` into `pixels`.
fn restore(pixels: &mut [u32], base: &[u32], width: i32, part: &Part) {
    for y in part.y..part.y + part.height {
        let from = usize::from(y) * width as usize + usize::from(part.x);
        let to = from + usize::from(part.width);
        pixels[from..to].copy_from_slice(&base[from..to]);
    }
}

fn disc(spot: &Spot, radius: f32) -> Disc {
    Disc {
        x: spot.x,
        y: spot.y,
        radius: radius * spot.scale,
    }
}

/// All bodies and moons on the screen, from far to near.
fn items(state: &State, lens: &Lens) -> Vec<Item> {
    let mut items = Vec::new();
    for (i, b) in BODIES.iter().enumerate() {
        let place = state.place(i);
        if let Some(spot) = lens.project(place) {
            items.push(Item {
                body: i,
                moon: None,
                spot,
                radius: b.radius,
            });
        }
        for (m, moon) in b.moons.iter().enumerate() {
            if let Some(spot) = lens.project(place + state.moon(i, m)) {
                items.push(Item {
                    body: i,
                    moon: Some(m),
                    spot,
                    radius: moon.radius,
                });
            }
        }
    }
    items.sort_by(|a, b| b.spot.depth.total_cmp(&a.spot.depth));
    items
}

fn body(canvas: &mut Canvas<'_>, state: &State, lens: &Lens, item: &Item, texture: &Texture, behind: Option<Disc>) {
    let b = &BODIES[item.body];
    let mut disc = disc(&item.spot, item.radius);
    // Smaller than this a moon would flicker from pixel to pixel.
    disc.radius = disc.radius.max(0.9);
    // The sun is part of the background, which is not drawn again while it turns.
    let frame = if item.body == 0 {
        Frame::tilted(b.tilt, b.towards, 0.0)
    } else {
        state.frame(item.body)
    };
    let frame = frame.map(|v| lens.turn(v));
    let light = lens.turn(-state.place(item.body)).unit();
    let lit = b.orbit.is_some().then_some(light);
    let air = if item.moon.is_some() { 0 } else { b.air };
    sphere(
        canvas,
        &Sphere {
            disc,
            frame,
            light: lit,
            texture,
            air,
            behind,
        },
    );
    if let (Some(kind), None) = (b.rings, item.moon) {
        rings(canvas, kind, disc, frame, light, behind);
    }
}

/// Draws the orbits where `shown` says so of the depth: nearer parts are brighter.
fn orbits(canvas: &mut Canvas<'_>, state: &State, lens: &Lens, shown: impl Fn(f32) -> bool) {
    for (i, b) in BODIES.iter().enumerate() {
        let Some(orbit) = b.orbit else { continue };
        let chosen = state.selected == Some(i);
        let rgb = mix(b.colour, 0x8fa8d8, if chosen { 0.0 } else { 0.45 });
        let node = |k: u16| {
            let anomaly = f64::from(k) / f64::from(ORBIT) * std::f64::consts::TAU;
            let spot = lens.project(orbit.elements.point(orbit.axis, anomaly))?;
            let far = spot.depth / state.camera.distance;
            let alpha = (0.62 - 0.36 * far).clamp(0.10, 0.5) * if chosen { 1.5 } else { 0.8 };
            Some((
                Node {
                    x: spot.x,
                    y: spot.y,
                    alpha,
                },
                spot.depth,
            ))
        };
        let nodes: Vec<_> = (0..=ORBIT).map(node).collect();
        for pair in nodes.windows(2) {
            if let (Some((a, depth)), Some((b, _))) = (pair[0], pair[1])
                && shown(depth)
            {
                segment(canvas, a, b, if chosen { 1.5 } else { 1.1 }, rgb);
            }
        }
    }
}

/// The light a planet leaves behind on its orbit.
fn trail(canvas: &mut Canvas<'_>, state: &State, lens: &Lens, i: usize, hider: &impl Fn(f32) -> Option<Disc>) {
    let Some(orbit) = BODIES[i].orbit else { return };
    let now = orbit.elements.eccentric_anomaly(state.days);
    let back = if state.speed < 0.0 { TRAIL.0 } else { -TRAIL.0 };
    let nodes: Option<Vec<Node>> = (0..=TRAIL.1)
        .map(|k| {
            let part = f64::from(k) / f64::from(TRAIL.1);
            let spot = lens.project(orbit.elements.point(orbit.axis, now + back * (1.0 - part)))?;
            let seen = hider(spot.depth).map_or(1.0, |disc| 1.0 - disc.cover(spot.x, spot.y));
            Some(Node {
                x: spot.x,
                y: spot.y,
                alpha: (part * part) as f32 * 0.8 * seen,
            })
        })
        .collect();
    if let Some(nodes) = nodes {
        polyline(canvas, &nodes, 1.9, BODIES[i].colour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size {
        width: 320,
        height: 180,
    };

    fn draw(scene: &mut Scene, state: &State, pixels: &mut [u32], redraw: Redraw) -> Vec<Part> {
        scene.draw(state, pixels, redraw)
    }

    #[test]
    fn drawing_only_what_moves_gives_the_same_picture_as_drawing_everything() {
        let mut state = State::new(SIZE, 9_000.0, 10.0, false);
        state.selected = Some(6);
        let (mut scene, mut fresh) = (Scene::new(7), Scene::new(7));
        let mut pixels = vec![0; 320 * 180];
        draw(&mut scene, &state, &mut pixels, Redraw::All);
        for _ in 0..5 {
            state.advance(0.4);
            let before = pixels.clone();
            let parts = draw(&mut scene, &state, &mut pixels, Redraw::Frame);
            let mut whole = vec![0; 320 * 180];
            draw(&mut fresh, &state, &mut whole, Redraw::All);
            assert!(pixels == whole, "a part of the picture was not drawn again");
            for (i, (old, new)) in before.iter().zip(&pixels).enumerate() {
                let (x, y) = ((i % 320) as u16, (i / 320) as u16);
                let told = parts
                    .iter()
                    .any(|p| x >= p.x && x < p.x + p.width && y >= p.y && y < p.y + p.height);
                assert!(old == new || told, "a change at {x},{y} was not told");
            }
        }
    }
}
