//! A program that changes the size of the screen (RandR), and restores it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::media::{Codec, Frame, Hub, Subscription};
use heliostat::protocol::input::InputEvent;
use heliostat::x11::{HeldInput, InputHooks, InputQueue, InputThread, KeyboardMode};
use x11rb::connection::Connection as _;
use x11rb::protocol::randr::{ConnectionExt as _, Rotation};
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::SOON;
use crate::support::{Capture, HEIGHT, Painter, TestDisplay, WIDTH, frame_within};

/// Gives the screen another size, as `xrandr` does: without a monitor, for that would not fit in a smaller one.
pub fn resize(painter: &Painter, width: u16, height: u16) {
    let x = &painter.x;
    let root = x.setup().roots[0].root;
    let resources = x.randr_get_screen_resources_current(root).unwrap().reply().unwrap();
    for crtc in resources.crtcs {
        let off = x.randr_set_crtc_config(crtc, 0, resources.config_timestamp, 0, 0, 0, Rotation::ROTATE0, &[]);
        off.unwrap().reply().unwrap();
    }
    let millimetres = |pixels: u16| u32::from(pixels) / 4;
    x.randr_set_screen_size(root, width, height, millimetres(width), millimetres(height))
        .unwrap()
        .check()
        .unwrap();
}

/// The size that the header of a key frame in VP8 says (RFC 6386 section 9.1).
pub fn size_of(frame: &Frame) -> Option<(u16, u16)> {
    let side = |at: usize| u16::from_le_bytes([frame.data[at], frame.data[at + 1]]) & 0x3fff;
    frame.key.then(|| (side(6), side(8)))
}

async fn size_becomes(viewer: &mut Subscription, wanted: (u16, u16)) {
    let comes = async {
        loop {
            let frame = frame_within(viewer, SOON).await.expect("a frame");
            if size_of(&frame) == Some(wanted) {
                return;
            }
        }
    };
    tokio::time::timeout(SOON, comes).await.expect("the other size");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_picture_takes_on_the_size_of_the_screen_and_back_in_the_same_process() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let mut capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::Vp8);
    size_becomes(&mut viewer, (WIDTH, HEIGHT)).await;
    painter.fill(0x00ff_8000);
    resize(&painter, 401, 300);
    size_becomes(&mut viewer, (400, 300)).await;
    resize(&painter, WIDTH, HEIGHT);
    size_becomes(&mut viewer, (WIDTH, HEIGHT)).await;
    painter.fill(0x0000_80ff);
    frame_within(&mut viewer, SOON).await.expect("a frame of a change");
    assert_eq!(capture.exit_within(Duration::ZERO), None, "it is the same process");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_screen_of_a_few_pixels_and_one_that_changes_without_end_cost_no_capture() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let mut capture = Capture::start(&display, &[]);
    let hub = Hub::new();
    let _client = capture.client(&hub);
    let mut viewer = hub.subscribe(Codec::Vp8);
    size_becomes(&mut viewer, (WIDTH, HEIGHT)).await;
    resize(&painter, 8, 8);
    for n in 0..200_u16 {
        resize(&painter, 200 + n, 200);
        painter.fill(u32::from(n));
    }
    resize(&painter, 300, 200);
    size_becomes(&mut viewer, (300, 200)).await;
    assert_eq!(capture.exit_within(Duration::ZERO), None);
}

#[test]
fn the_pointer_points_to_the_same_part_of_the_picture_on_a_screen_of_another_size() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let queue = InputQueue::new().unwrap();
    let hooks = InputHooks {
        ready: Box::new(|| ()),
        injected: Box::new(|| ()),
        ended: Box::new(|_| ()),
        not_typed: Box::new(|_| ()),
    };
    let held = Arc::new(HeldInput::new());
    let (address, mode) = (display.address.clone(), KeyboardMode::Text);
    let _thread = InputThread::start(address, mode, Arc::clone(&queue), held, hooks).unwrap();
    for (width, height) in [(WIDTH, HEIGHT), (400, 300), (WIDTH, HEIGHT)] {
        resize(&painter, width, height);
        let until = Instant::now() + SOON;
        loop {
            queue.push(InputEvent::Move { x: 65535, y: 32768 });
            let root = painter.x.setup().roots[0].root;
            let at = painter.x.query_pointer(root).unwrap().reply().unwrap();
            if (at.root_x.cast_unsigned(), at.root_y.cast_unsigned()) == (width - 1, height / 2) {
                break;
            }
            assert!(Instant::now() < until, "{width}x{height}: {} {}", at.root_x, at.root_y);
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
