//! What has changed is grabbed and converted alone: the picture is the same as if all of it were.

use std::time::{Duration, Instant};

use heliostat::media::{Changes, Layout, Planar, Tiles};
use heliostat::x11::Grabber;
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{ChangeGCAux, ConfigureWindowAux, ConnectionExt as _, Rectangle};

use crate::SOON;
use crate::resizing::resize;
use crate::support::{HEIGHT, Painter, TestDisplay, WIDTH};

/// Copies what is in a rectangle to another place, as programs that scroll do.
pub fn copy(painter: &Painter, from: Rectangle, (x, y): (i16, i16)) {
    let (window, gc) = (painter.window, painter.gc);
    let copied = painter
        .x
        .copy_area(window, window, gc, from.x, from.y, x, y, from.width, from.height);
    copied.unwrap();
    painter.x.flush().unwrap();
}

/// What there is to see, without the bytes that nobody looks at.
fn seen(bgrx: &[u8]) -> Vec<[u8; 3]> {
    bgrx.chunks_exact(4)
        .map(|pixel| [pixel[0], pixel[1], pixel[2]])
        .collect()
}

/// The whole screen, grabbed by somebody who has just come.
fn whole(display: &TestDisplay) -> Vec<[u8; 3]> {
    let mut grabber = Grabber::connect(&display.address, WIDTH, HEIGHT, SOON).unwrap();
    seen(grabber.grab().unwrap().expect("the screen is as large").0)
}

fn count(tiles: &Tiles) -> u32 {
    tiles.areas().iter().map(|area| area.pixels()).sum()
}

/// Numbers that look random, and are the same each time.
struct Dice(u32);

impl Dice {
    fn below(&mut self, most: u16) -> u16 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        (self.0 >> 8) as u16 % most
    }

    fn rectangle(&mut self) -> Rectangle {
        // Odd ones, outside of the screen, and without pixels.
        let width = [0, 1, 3, 17, 100, 399, 700][usize::from(self.below(7))];
        let height = [0, 1, 2, 31, 90, 400][usize::from(self.below(6))];
        let x = self.below(WIDTH + 80).cast_signed() - 40;
        let y = self.below(HEIGHT + 80).cast_signed() - 40;
        Rectangle { x, y, width, height }
    }
}

/// A window with others over it that come, go and move.
struct Scene {
    below: Painter,
    above: Painter,
}

impl Scene {
    fn change(&self, dice: &mut Dice) {
        let colour = u32::from(dice.below(u16::MAX)) * 199;
        match dice.below(8) {
            0 => {
                let (x, y) = (i32::from(dice.below(WIDTH)), i32::from(dice.below(HEIGHT)));
                let place = ConfigureWindowAux::new().x(x).y(y);
                self.above.x.configure_window(self.above.window, &place).unwrap();
            }
            1 => drop(self.above.x.unmap_window(self.above.window).unwrap()),
            2 => drop(self.above.x.map_window(self.above.window).unwrap()),
            3 => self.below.noise(colour),
            4 => {
                let to = dice.rectangle();
                copy(&self.below, dice.rectangle(), (to.x, to.y));
            }
            5 => self.above.rectangle(colour, dice.rectangle()),
            _ => self.below.rectangle(colour, dice.rectangle()),
        }
        self.above.sync();
        self.below.sync();
    }
}

#[test]
fn whatever_is_drawn_the_picture_is_that_of_a_whole_grab_in_both_layouts() {
    let display = TestDisplay::start();
    let scene = Scene {
        below: Painter::new(&display),
        above: Painter::with(&display, (90, 70), true),
    };
    scene.below.noise(1);
    scene.below.sync();
    let mut grabber = Grabber::connect(&display.address, WIDTH, HEIGHT, SOON).unwrap();
    let planars = [Layout::I420, Layout::I444].map(|layout| Planar::new(WIDTH, HEIGHT, layout));
    let fresh = [Layout::I420, Layout::I444].map(|layout| Planar::new(WIDTH, HEIGHT, layout));
    let mut changes = Changes::new((WIDTH, HEIGHT));
    let (mut dice, mut held, mut parts) = (Dice(0x2026_1130), Vec::new(), 0);
    for n in 0..80 {
        for _ in 0..dice.below(4) {
            scene.change(&mut dice);
            if dice.below(3) == 0 {
                grabber.drain_damage().unwrap();
                grabber.listen_again().unwrap();
            }
        }
        let (bgrx, changed) = grabber.grab().unwrap().expect("the screen is as large");
        assert!(seen(bgrx) == whole(&display), "grab {n}, {changed:?}");
        parts += u32::from(count(&changed) < u32::from(WIDTH) * u32::from(HEIGHT) / 2);
        changes.next(changed);
        for (planar, fresh) in planars.iter().zip(&fresh) {
            let picture = planar.convert_changed(bgrx, &changes).unwrap().0;
            assert!(picture.as_ref() == fresh.convert(bgrx).unwrap().as_ref(), "picture {n}");
            held.push(picture);
        }
        // Encoders read on: sometimes none, sometimes several.
        held.drain(..usize::from(dice.below(5)).min(held.len()));
    }
    assert!((40..80).contains(&parts), "{parts} of 80 were of a part");
}

#[test]
fn a_caret_is_a_few_tiles_and_a_screen_that_rests_is_none() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let mut grabber = Grabber::connect(&display.address, WIDTH, HEIGHT, SOON).unwrap();
    let changed = |grabber: &mut Grabber| grabber.grab().unwrap().expect("the screen is as large").1;
    assert_eq!(
        changed(&mut grabber),
        Tiles::all((WIDTH, HEIGHT)),
        "nothing is known of the first"
    );
    let (x, y, width, height) = (333, 111, 2, 18);
    painter.rectangle(0x00ff_ffff, Rectangle { x, y, width, height });
    painter.sync();
    let mut caret = Tiles::none((WIDTH, HEIGHT));
    caret.add((x, y), (width, height));
    assert_eq!(changed(&mut grabber), caret);
    assert!(changed(&mut grabber).is_empty());
}

#[test]
fn what_was_set_aside_for_an_input_is_in_the_next_picture_and_in_no_other() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let mut grabber = Grabber::connect(&display.address, WIDTH, HEIGHT, SOON).unwrap();
    grabber.grab().unwrap();
    let mut wanted = Tiles::none((WIDTH, HEIGHT));
    for (x, y) in [(5, 5), (300, 200), (600, 340)] {
        let (width, height) = (9, 9);
        painter.rectangle(0x0012_3456, Rectangle { x, y, width, height });
        painter.sync();
        wanted.add((x, y), (width, height));
        grabber.drain_damage().unwrap();
        grabber.listen_again().unwrap();
    }
    let (bgrx, changed) = grabber.grab().unwrap().expect("the screen is as large");
    assert!(seen(bgrx) == whole(&display));
    assert_eq!(changed, wanted);
    assert!(grabber.grab().unwrap().unwrap().1.is_empty());
}

#[test]
fn ten_thousand_points_at_once_cost_no_more_than_a_whole_grab_and_are_all_there() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let mut grabber = Grabber::connect(&display.address, WIDTH, HEIGHT, SOON).unwrap();
    grabber.grab().unwrap();
    for round in 0..3 {
        // Each third pixel both ways, so that none are one rectangle.
        for (n, y) in (0..HEIGHT).step_by(3).enumerate() {
            let point = |x: u16| Rectangle {
                x: x.cast_signed(),
                y: y.cast_signed(),
                width: 1,
                height: 1,
            };
            let row: Vec<_> = (0..WIDTH).step_by(6).map(point).collect();
            let colour = ChangeGCAux::new().foreground(round * 0x0030_2010 + n as u32);
            painter.x.change_gc(painter.gc, &colour).unwrap();
            painter.x.poly_fill_rectangle(painter.window, painter.gc, &row).unwrap();
        }
        painter.sync();
        let begun = Instant::now();
        let (bgrx, _) = grabber.grab().unwrap().expect("the screen is as large");
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        assert!(seen(bgrx) == whole(&display), "round {round}");
    }
    // And then a small change is small again.
    let small = (0..100).any(|n| {
        painter.rectangle(
            n,
            Rectangle {
                x: 0,
                y: 0,
                width: 5,
                height: 5,
            },
        );
        painter.sync();
        let (bgrx, changed) = grabber.grab().unwrap().expect("the screen is as large");
        assert!(seen(bgrx) == whole(&display), "after {n}");
        count(&changed) == 256
    });
    assert!(small);
}

#[test]
fn a_screen_that_becomes_smaller_and_large_again_is_grabbed_whole_each_time() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    painter.noise(3);
    painter.sync();
    let mut grabber = Grabber::connect(&display.address, WIDTH, HEIGHT, SOON).unwrap();
    grabber.grab().unwrap();
    for (width, height) in [(400, 300), (WIDTH, HEIGHT), (640, 200), (500, 360), (WIDTH, HEIGHT)] {
        resize(&painter, width, height);
        painter.rectangle(
            u32::from(width),
            Rectangle {
                x: 7,
                y: 7,
                width: 30,
                height: 30,
            },
        );
        painter.sync();
        // It hears of the size by an event, or by a grab that does not fit; the first may still be of the size before.
        let until = Instant::now() + SOON;
        while grabber.size() != (width, height) {
            assert!(Instant::now() < until, "{width}x{height}: {:?}", grabber.screen());
            grabber.drain_damage().unwrap();
            if grabber.screen() != grabber.size() {
                let screen = grabber.screen();
                grabber.resize(screen);
            } else {
                grabber.grab().unwrap();
            }
        }
        let (bgrx, changed) = grabber.grab().unwrap().expect("it fits");
        assert_eq!(changed, Tiles::all((width, height)));
        assert!(seen(bgrx) == whole(&display), "{width}x{height}");
    }
    let root = painter.x.setup().roots[0].root;
    assert_eq!(painter.x.get_geometry(root).unwrap().reply().unwrap().width, WIDTH);
}
