//! Whether a display and its app still answer.

use std::time::{Duration, Instant};

use heliostat::x11::{Pulse, wait_for_window_manager};

use crate::SOON;
use crate::support::TestDisplay;

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
