//! Screenshots, readiness, access.

use std::sync::Arc;
use std::time::{Duration, Instant};

use heliostat::x11::{Cancel, DisplayAddress, Grabber, X11Error, check_display, screenshot, wait_for_drawn_window};
use x11rb::protocol::xproto::Rectangle;

use crate::SOON;
use crate::support::{Painter, TestDisplay};

/// How long something that must not happen is waited for.
const A_WHILE: Duration = Duration::from_millis(500);

#[test]
fn a_screenshot_has_the_colours_that_were_drawn() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    painter.fill(0x0011_2233);
    painter.rectangle(
        0x00ff_8001,
        Rectangle {
            x: 0,
            y: 0,
            width: 320,
            height: 360,
        },
    );
    painter.sync();
    for (limit, size) in [(None, (640, 360)), (Some(320), (320, 180)), (Some(100), (91, 51))] {
        let png = screenshot(&display.address, limit, SOON).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!((info.width, info.height), size);
        assert_eq!(pixels[..3], [0xff, 0x80, 0x01]);
        assert_eq!(pixels[info.width as usize * 3 - 3..][..3], [0x11, 0x22, 0x33]);
    }
}

#[test]
fn a_change_after_an_input_is_told_though_one_before_it_waits_to_be_grabbed() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    let mut grabber = Grabber::connect(&display.address, 640, 360, SOON).unwrap();
    grabber.grab().unwrap();
    let told = |grabber: &mut Grabber, within: Duration| {
        let until = Instant::now() + within;
        while Instant::now() < until {
            if grabber.drain_damage().unwrap() > 0 {
                return true;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        false
    };
    painter.fill(1);
    assert!(told(&mut grabber, SOON));
    // That of the window's own coming may have been under way before the grab.
    while told(&mut grabber, A_WHILE) {}
    painter.fill(2);
    assert!(!told(&mut grabber, A_WHILE), "a change is told once");
    grabber.listen_again().unwrap();
    // The server may hear of the first of these before it hears of that.
    let heard = (3..50).any(|colour| {
        painter.fill(colour);
        told(&mut grabber, A_WHILE)
    });
    assert!(heard);
}

#[test]
fn a_display_lets_nobody_in_without_its_cookie() {
    let display = TestDisplay::start();
    assert!(check_display(&display.address, SOON).is_ok());
    let without = DisplayAddress {
        authority: None,
        ..display.address.clone()
    };
    assert!(matches!(check_display(&without, SOON), Err(X11Error::Refused(_))));
}

#[test]
fn a_server_that_never_answers_is_given_up() {
    let mut display = TestDisplay::start();
    display.freeze();
    let end = screenshot(&display.address, None, A_WHILE);
    assert!(matches!(end, Err(X11Error::Deadline)), "{end:?}");
    display.kill();
}

#[test]
fn a_program_is_ready_when_its_window_has_drawn_and_not_before() {
    let display = TestDisplay::start();
    let none = wait_for_drawn_window(&display.address, A_WHILE, &Cancel::default());
    assert!(matches!(none, Err(X11Error::Deadline)), "{none:?}");
    let painter = Painter::new(&display);
    let blank = wait_for_drawn_window(&display.address, A_WHILE, &Cancel::default());
    assert!(matches!(blank, Err(X11Error::Deadline)), "{blank:?}");
    painter.rectangle(
        0x00ff_8000,
        Rectangle {
            x: 300,
            y: 100,
            width: 50,
            height: 50,
        },
    );
    let drawn = wait_for_drawn_window(&display.address, SOON, &Cancel::default()).unwrap();
    assert_eq!((drawn.width, drawn.height), (640, 360));
}

#[test]
fn readiness_sees_a_window_that_comes_later() {
    let display = TestDisplay::start();
    let address = display.address.clone();
    let waiting = std::thread::spawn(move || wait_for_drawn_window(&address, SOON, &Cancel::default()));
    // Neither a menu nor a window of one pixel is a program that is ready.
    let menu = Painter::with(&display, (200, 100), true);
    menu.rectangle(
        0x00ff_0000,
        Rectangle {
            x: 10,
            y: 10,
            width: 20,
            height: 20,
        },
    );
    let dot = Painter::with(&display, (1, 1), false);
    dot.fill(0x0000_ff00);
    dot.fill(0x00ff_ff00);
    dot.sync();
    std::thread::sleep(A_WHILE);
    assert!(!waiting.is_finished());
    let painter = Painter::with(&display, (400, 300), false);
    painter.rectangle(
        0x00ff_8000,
        Rectangle {
            x: 100,
            y: 100,
            width: 50,
            height: 50,
        },
    );
    let drawn = waiting.join().unwrap().unwrap();
    assert_eq!((drawn.width, drawn.height), (400, 300));
}

#[test]
fn waiting_for_a_window_can_be_cancelled() {
    let display = TestDisplay::start();
    let (address, cancel) = (display.address.clone(), Arc::new(Cancel::default()));
    let waiting = {
        let cancel = Arc::clone(&cancel);
        std::thread::spawn(move || wait_for_drawn_window(&address, Duration::from_secs(600), &cancel))
    };
    cancel.cancel();
    assert!(matches!(waiting.join().unwrap(), Err(X11Error::DisplayLost)));
}

#[test]
fn under_a_window_manager_a_real_program_is_ready_and_the_manager_alone_is_not() {
    let display = TestDisplay::start();
    let _manager = display.program("openbox", &["--sm-disable"]);
    let none = wait_for_drawn_window(&display.address, A_WHILE * 2, &Cancel::default());
    assert!(matches!(none, Err(X11Error::Deadline)), "{none:?}");
    let address = display.address.clone();
    let waiting = std::thread::spawn(move || wait_for_drawn_window(&address, SOON, &Cancel::default()));
    let _terminal = display.program("xterm", &["-e", "sh", "-c", "echo ready; exec sleep 60"]);
    let drawn = waiting.join().unwrap().unwrap();
    assert!(drawn.width > 100 && drawn.height > 100, "{drawn:?}");
}
