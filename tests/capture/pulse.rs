//! Whether a display and its app still answer.

use std::time::{Duration, Instant};

use heliostat::x11::{Pulse, wait_for_window_manager};
use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, PropMode};
use x11rb::wrapper::ConnectionExt as _;

use crate::SOON;
use crate::support::{Painter, TestDisplay};

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !holds() {
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_display_that_is_frozen_has_no_pulse_and_gets_it_back() {
    let mut display = TestDisplay::start();
    let pulse = Pulse::start(display.address.clone()).unwrap();
    until("the first beats", || pulse.beats() >= 2);
    display.freeze();
    // One answer may have been on its way.
    std::thread::sleep(Duration::from_millis(100));
    let frozen = pulse.beats();
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(pulse.beats(), frozen);
    display.thaw();
    until("it beats again", || pulse.beats() > frozen);
    display.kill();
}

#[test]
fn a_program_that_hangs_leaves_pings_unanswered_and_answers_again() {
    let display = TestDisplay::start();
    let _manager = display.program("openbox", &["--sm-disable"]);
    wait_for_window_manager(&display.address, SOON, &heliostat::x11::Cancel::default()).unwrap();
    let demo = display.program(env!("CARGO_BIN_EXE_heliostat-orrery"), &["--pattern"]);
    let pulse = Pulse::start(display.address.clone()).unwrap();
    until("some beats", || pulse.beats() >= 4);
    assert!(pulse.unanswered() <= 1, "it answers");
    demo.signal(nix::sys::signal::Signal::SIGSTOP);
    until("it does not answer", || pulse.unanswered() >= 3);
    demo.signal(nix::sys::signal::Signal::SIGCONT);
    until("it answers again", || pulse.unanswered() == 0);
}

#[test]
fn the_program_after_one_that_hung_is_not_taken_for_it() {
    let display = TestDisplay::start();
    let _manager = display.program("openbox", &["--sm-disable"]);
    wait_for_window_manager(&display.address, SOON, &heliostat::x11::Cancel::default()).unwrap();
    let pulse = Pulse::start(display.address.clone()).unwrap();
    let hung = display.program(env!("CARGO_BIN_EXE_heliostat-orrery"), &["--pattern"]);
    until("some beats", || pulse.beats() >= 4);
    hung.signal(nix::sys::signal::Signal::SIGSTOP);
    until("it does not answer", || pulse.unanswered() >= 2);
    // The X server gives the next program the same numbers for its windows.
    drop(hung);
    let _next = display.program(env!("CARGO_BIN_EXE_heliostat-orrery"), &["--pattern"]);
    until("the next one answers", || pulse.unanswered() == 0);
    let since = pulse.beats();
    until("some beats", || pulse.beats() >= since + 3);
    assert!(pulse.unanswered() <= 1, "it goes on to answer");
}

/// A window that says that it takes part in pings, and answers none.
fn mute(display: &TestDisplay) -> Painter {
    let painter = Painter::with(display, (200, 100), false);
    let atom = |name: &[u8]| painter.x.intern_atom(false, name).unwrap().reply().unwrap().atom;
    let (protocols, ping) = (atom(b"WM_PROTOCOLS"), atom(b"_NET_WM_PING"));
    let window = painter.window;
    let set = painter
        .x
        .change_property32(PropMode::REPLACE, window, protocols, AtomEnum::ATOM, &[ping]);
    set.unwrap().check().unwrap();
    painter
}

#[test]
fn a_program_that_never_answered_a_ping_is_not_taken_for_hanging() {
    let display = TestDisplay::start();
    let _manager = display.program("openbox", &["--sm-disable"]);
    wait_for_window_manager(&display.address, SOON, &heliostat::x11::Cancel::default()).unwrap();
    let _mute = mute(&display);
    let pulse = Pulse::start(display.address.clone()).unwrap();
    until("it had time to answer", || {
        assert_eq!(pulse.unanswered(), 0);
        pulse.beats() >= 8
    });
}

#[test]
fn a_program_that_hangs_while_the_display_is_drawn_on_is_told_of_when_the_drawing_ends() {
    let display = TestDisplay::start();
    let _manager = display.program("openbox", &["--sm-disable"]);
    wait_for_window_manager(&display.address, SOON, &heliostat::x11::Cancel::default()).unwrap();
    let demo = display.program(env!("CARGO_BIN_EXE_heliostat-orrery"), &["--pattern"]);
    let pulse = Pulse::start(display.address.clone()).unwrap();
    until("some beats", || pulse.beats() >= 4);
    demo.signal(nix::sys::signal::Signal::SIGSTOP);
    until("it does not answer", || pulse.unanswered() >= 3);
    let painter = Painter::with(&display, (50, 50), true);
    painter.fill(0x00ff_0000);
    until("somebody draws", || pulse.unanswered() <= 1);
    until("it still does not answer", || pulse.unanswered() >= 3);
    // The pointer is drawn by the server, which says nothing of any program.
    let before = pulse.unanswered();
    let beats = pulse.beats();
    until("the pointer has moved for a while", || {
        let n = i16::try_from(pulse.beats() - beats).unwrap();
        let root = painter.x.setup().roots[0].root;
        painter
            .x
            .warp_pointer(x11rb::NONE, root, 0, 0, 0, 0, 10 * n, 20)
            .unwrap();
        painter.sync();
        n >= 3
    });
    assert!(pulse.unanswered() >= before);
}
