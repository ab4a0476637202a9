//! Input, from the queue to a window.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use heliostat::protocol::input::InputEvent;
use heliostat::x11::{HeldInput, InputHooks, InputQueue, InputThread, KeyboardMode, X11Error};
use x11rb::protocol::Event;

use crate::SOON;
use crate::support::{Painter, TestDisplay};

struct Fixture {
    display: TestDisplay,
    painter: Painter,
    queue: Arc<InputQueue>,
    held: Arc<HeldInput>,
    thread: Option<InputThread>,
    ended: mpsc::Receiver<Option<X11Error>>,
    injected: Arc<AtomicU32>,
}

impl Fixture {
    fn new(mode: KeyboardMode) -> Self {
        let display = TestDisplay::start();
        let painter = Painter::new(&display);
        painter.focus();
        let (queue, held) = (InputQueue::new().unwrap(), Arc::new(HeldInput::new()));
        let injected = Arc::new(AtomicU32::new(0));
        let (thread, ended) = start(&display, mode, &queue, &held, &injected);
        Self {
            display,
            painter,
            queue,
            held,
            thread: Some(thread),
            ended,
            injected,
        }
    }

    fn key(&self, pressed: bool, usage: u16, keysym: u32) {
        self.queue.push(InputEvent::Key { pressed, usage, keysym });
    }
}

/// Starts a thread and waits until it is connected.
pub fn start(
    display: &TestDisplay,
    mode: KeyboardMode,
    queue: &Arc<InputQueue>,
    held: &Arc<HeldInput>,
    injected: &Arc<AtomicU32>,
) -> (InputThread, mpsc::Receiver<Option<X11Error>>) {
    // overflow: one message is ever sent through each.
    let (ended_sender, ended) = mpsc::sync_channel(1);
    let (ready_sender, ready) = mpsc::sync_channel(1);
    let injected = Arc::clone(injected);
    let hooks = InputHooks {
        ready: Box::new(move || ready_sender.send(()).unwrap()),
        injected: Box::new(move || {
            injected.fetch_add(1, Ordering::Relaxed);
        }),
        not_typed: Box::new(|_| ()),
        ended: Box::new(move |end| ended_sender.send(end).unwrap()),
    };
    let thread = InputThread::start(
        display.address.clone(),
        mode,
        Arc::clone(queue),
        Arc::clone(held),
        hooks,
    )
    .unwrap();
    ready.recv_timeout(SOON).expect("the thread connects");
    (thread, ended)
}

#[test]
fn clicks_arrive_where_they_were_made() {
    let fixture = Fixture::new(KeyboardMode::Text);
    // The middle of the picture, and the side button.
    for (number, button) in [(0, 1), (1, 2), (2, 3), (3, 8), (4, 9)] {
        for pressed in [true, false] {
            fixture.queue.push(InputEvent::Button {
                number,
                pressed,
                x: 32768,
                y: 32768,
            });
        }
        let press = fixture.painter.wait_for("a press", |e| match e {
            Event::ButtonPress(e) => Some((e.detail, e.event_x, e.event_y)),
            _ => None,
        });
        assert_eq!(press, (button, 320, 180));
        let release = fixture.painter.wait_for("a release", |e| match e {
            Event::ButtonRelease(e) => Some(e.detail),
            _ => None,
        });
        assert_eq!(release, button);
    }
    assert!(fixture.injected.load(Ordering::Relaxed) > 0, "the hook is called");
}

#[test]
fn moves_and_the_wheel_arrive() {
    let fixture = Fixture::new(KeyboardMode::Text);
    fixture.queue.push(InputEvent::Move { x: 0, y: 0 });
    fixture.painter.wait_for("a move to the corner", |e| match e {
        Event::MotionNotify(e) if (e.event_x, e.event_y) == (0, 0) => Some(()),
        _ => None,
    });
    fixture.queue.push(InputEvent::RelativeMove { dx: 30, dy: 20 });
    fixture.painter.wait_for("a relative move", |e| match e {
        Event::MotionNotify(e) if (e.event_x, e.event_y) == (30, 20) => Some(()),
        _ => None,
    });
    fixture.queue.push(InputEvent::Wheel {
        dx: 0,
        dy: 60,
        x: 65535,
        y: 65535,
    });
    fixture.queue.push(InputEvent::Wheel {
        dx: -120,
        dy: 60,
        x: 65535,
        y: 65535,
    });
    for button in [5, 6] {
        let press = fixture.painter.wait_for("a wheel click", |e| match e {
            Event::ButtonPress(e) => Some((e.detail, e.event_x, e.event_y)),
            _ => None,
        });
        assert_eq!(press, (button, 639, 359));
    }
}

#[test]
fn typed_characters_arrive_whatever_the_keymap() {
    let fixture = Fixture::new(KeyboardMode::Text);
    // As a German, a French and a Russian keyboard send them: the places mean other letters in the display's keymap.
    for (usage, keysym, text) in [
        (0x04, 0x61, "a"),
        (0x1c, 0x7a, "z"),
        (0x1f, 0xe9, "é"),
        (0x08, 0x20ac, "€"),
        (0x1d, 0x06d1, "я"),
        (0x14, 0x40, "@"),
        (0x1e, 0x21, "!"),
        (0x04, 0x41, "A"),
        (0x28, 0xff0d, "\n"),
    ] {
        fixture.key(true, usage, keysym);
        fixture.key(false, usage, keysym);
        assert_eq!(fixture.painter.typed(), text, "keysym {keysym:#x}");
        fixture
            .painter
            .wait_for("its release", |e| matches!(e, Event::KeyRelease(_)).then_some(()));
    }
    assert!(fixture.held.is_empty());
}

#[test]
fn shift_as_the_viewer_holds_it_does_not_spoil_what_is_typed() {
    let fixture = Fixture::new(KeyboardMode::Text);
    fixture.key(true, 0xe1, 0xffe1);
    // A French keyboard has the digits on Shift; a German one has the slash there.
    for (usage, keysym, text) in [
        (0x1e, 0x31, "1"),
        (0x24, 0x2f, "/"),
        (0x04, 0x41, "A"),
        (0x1f, 0xc9, "É"),
    ] {
        fixture.key(true, usage, keysym);
        fixture.key(false, usage, keysym);
        assert_eq!(fixture.painter.typed(), text, "keysym {keysym:#x}");
    }
    fixture.key(false, 0xe1, 0xffe1);
    fixture.key(true, 0x04, 0x61);
    fixture.key(false, 0x04, 0x61);
    assert_eq!(fixture.painter.typed(), "a");
}

#[test]
fn text_is_typed_with_every_character_even_while_control_is_down() {
    let fixture = Fixture::new(KeyboardMode::Text);
    fixture.key(true, 0xe0, 0xffe3);
    // More characters than can be lent a key at once, so that some have to be lent twice.
    let many = (0x4e00..0x4e00 + 100).filter_map(char::from_u32);
    let text: String = "Aé€я ".chars().chain(many).collect();
    fixture.queue.push(InputEvent::Text(text.clone()));
    let typed: String = text.chars().map(|_| fixture.painter.typed()).collect();
    assert_eq!(typed, text);
}

#[test]
fn commands_go_by_the_letter_and_physical_keys_by_their_place() {
    let fixture = Fixture::new(KeyboardMode::Text);
    fixture.key(true, 0xe0, 0xffe3);
    // Control and A of a French keyboard, where A lies on the place of Q.
    fixture.key(true, 0x14, 0x61);
    assert_eq!(fixture.painter.pressed_code(), 37);
    assert_eq!(fixture.painter.pressed_code(), 38);
    // Control and я: no such letter, so its place (Z) counts.
    fixture.key(true, 0x1d, 0x06d1);
    assert_eq!(fixture.painter.pressed_code(), 52);
    let games = Fixture::new(KeyboardMode::Physical);
    games.key(true, 0x14, 0x61);
    assert_eq!(games.painter.pressed_code(), 24);
}

#[test]
fn everything_that_is_held_is_released_and_nothing_else() {
    let fixture = Fixture::new(KeyboardMode::Text);
    fixture.key(true, 0x04, 0x61);
    fixture.key(true, 0xe1, 0xffe1);
    fixture.queue.push(InputEvent::Button {
        number: 2,
        pressed: true,
        x: 0,
        y: 0,
    });
    fixture
        .painter
        .wait_for("the button", |e| matches!(e, Event::ButtonPress(_)).then_some(()));
    assert_eq!(fixture.painter.down(), (vec![38, 50], 0x400));
    fixture.queue.push(InputEvent::ReleaseAll);
    fixture
        .painter
        .wait_for("its release", |e| matches!(e, Event::ButtonRelease(_)).then_some(()));
    assert_eq!(fixture.painter.down(), (vec![], 0));
    assert!(fixture.held.is_empty());
}

#[test]
fn a_new_thread_releases_what_an_old_one_left_down() {
    let mut fixture = Fixture::new(KeyboardMode::Text);
    fixture.key(true, 0x04, 0x61);
    fixture.queue.push(InputEvent::Button {
        number: 0,
        pressed: true,
        x: 0,
        y: 0,
    });
    fixture
        .painter
        .wait_for("the button", |e| matches!(e, Event::ButtonPress(_)).then_some(()));
    // Cut off, as by a panic.
    drop(fixture.thread.take());
    assert!(
        fixture.ended.recv_timeout(SOON).expect("it ends").is_none(),
        "it was asked to"
    );
    assert_eq!(fixture.painter.down(), (vec![38], 0x100), "the server keeps them down");
    let (_thread, _) = start(
        &fixture.display,
        KeyboardMode::Text,
        &fixture.queue,
        &fixture.held,
        &fixture.injected,
    );
    fixture
        .painter
        .wait_for("its release", |e| matches!(e, Event::ButtonRelease(_)).then_some(()));
    assert_eq!(fixture.painter.down(), (vec![], 0));
}

#[test]
fn a_display_that_dies_ends_the_thread_even_without_input() {
    let mut fixture = Fixture::new(KeyboardMode::Text);
    fixture.display.kill();
    let end = fixture.ended.recv_timeout(SOON).expect("it ends");
    assert!(matches!(end, Some(X11Error::DisplayLost)), "{end:?}");
}
