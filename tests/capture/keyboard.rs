//! The keyboard suite's second half: from frames to what a program sees, on a real display. The frames are those that the
//! page makes of the keyboards in `tests/frontend/layouts.js`.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use heliostat::protocol::input::InputEvent;
use heliostat::x11::{HeldInput, InputQueue, KeyboardMode, X11Error};
use serde::Deserialize;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::ConnectionExt as _;

use crate::input::start;
use crate::support::{Painter, TestDisplay};

#[derive(Deserialize)]
struct Case {
    mode: String,
    sees: String,
    frames: String,
    of: String,
}

/// One frame, written as `+usage:keysym` (pressed), `-` (released) or `*` (repeats), in hexadecimal.
fn event(word: &str) -> InputEvent {
    let (what, names) = word.split_at(1);
    let (usage, keysym) = names.split_once(':').unwrap();
    let usage = u16::from_str_radix(usage, 16).unwrap();
    let keysym = u32::from_str_radix(keysym, 16).unwrap();
    if what == "*" {
        return InputEvent::Repeat { usage, keysym };
    }
    InputEvent::Key {
        pressed: what == "+",
        usage,
        keysym,
    }
}

struct Program {
    painter: Painter,
    queue: Arc<InputQueue>,
    held: Arc<HeldInput>,
    marks: AtomicU32,
    _thread: (heliostat::x11::InputThread, mpsc::Receiver<Option<X11Error>>),
    _display: TestDisplay,
}

impl Program {
    fn start(mode: KeyboardMode) -> Self {
        let display = TestDisplay::start();
        let painter = Painter::new(&display);
        painter.focus();
        let (queue, held) = (InputQueue::new().unwrap(), Arc::new(HeldInput::new()));
        let thread = start(&display, mode, &queue, &held, &Arc::default());
        Self {
            painter,
            queue,
            held,
            marks: AtomicU32::new(0),
            _thread: thread,
            _display: display,
        }
    }

    /// What it has seen of these events: each press that is no modifier's, as `xev` would name it.
    fn sees(&self, events: impl IntoIterator<Item = InputEvent>) -> Vec<String> {
        for event in events {
            self.queue.push(event);
        }
        // Whatever came before this has been seen when this is.
        let mark = self.marks.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let x = if mark { 100 } else { 200 };
        // Not a move: those pass text that waits for its keys.
        let (dx, dy) = (0, 0);
        self.queue.push(InputEvent::Wheel {
            dx,
            dy,
            x: x * 102,
            y: 0,
        });
        let mut presses = Vec::new();
        self.painter.wait_for("the mark", |event| match event {
            Event::KeyPress(e) => {
                presses.push((e.detail, u16::from(e.state)));
                None
            }
            Event::MotionNotify(e) => ((e.event_x < 150) == mark).then_some(()),
            _ => None,
        });
        presses
            .into_iter()
            .filter_map(|(code, state)| self.name(code, state))
            .collect()
    }

    fn name(&self, code: u8, state: u16) -> Option<String> {
        let reply = self.painter.x.get_keyboard_mapping(code, 1).unwrap().reply().unwrap();
        let at = |level: usize| reply.keysyms.get(level).copied().unwrap_or(0);
        let third = if state & 0x80 != 0 && at(4) != 0 { 4 } else { 0 };
        let (plain, shifted) = (at(third), at(third + 1));
        let shifted = if shifted == 0 { plain } else { shifted };
        let shift = state & 1 != 0;
        let keypad = (0xff95..=0xffbd).contains(&shifted);
        let second = if keypad { shift != (state & 0x10 != 0) } else { shift };
        let keysym = if second { shifted } else { plain };
        if matches!(keysym, 0xffe1..=0xffee | 0xff7f | 0xfe03 | 0xff7e) {
            return None;
        }
        let mut name = named(keysym);
        let mut held = String::new();
        let command = state & 0x4c != 0;
        for (bit, modifier) in [(4, "Control+"), (8, "Alt+"), (0x40, "Super+")] {
            if state & bit != 0 {
                held += modifier;
            }
        }
        let printed = name.chars().count() == 1;
        let letter = printed && name.chars().all(char::is_alphabetic);
        if command && letter {
            name = name.to_lowercase();
            held += if shift { "Shift+" } else { "" };
        } else if shift && (plain == shifted || !second) && (command || !printed) {
            held += "Shift+";
        }
        if command {
            name = match name.as_str() {
                "+" => "plus".into(),
                "/" => "slash".into(),
                "#" => "numbersign".into(),
                _ => name,
            };
        }
        Some(held + &name)
    }
}

fn named(keysym: u32) -> String {
    let name = match keysym {
        0xff8d => "KP_Enter",
        0xff95 => "KP_Home",
        0xff96 => "KP_Left",
        0xff9c => "KP_End",
        0xff9d => "KP_Begin",
        0xff9e => "KP_Insert",
        0xff9f => "KP_Delete",
        0xffab => "KP_Add",
        0xffae => "KP_Decimal",
        0xff51 => "Left",
        0xff08 => "BackSpace",
        0xff09 => "Tab",
        0xff0d => "Return",
        0xffff => "Delete",
        0xffc7 => "F10",
        digit @ 0xffb0..=0xffb9 => return format!("KP_{}", digit - 0xffb0),
        0x20ac => "€",
        0x06d1 => "я",
        other => {
            let point = if other >= 0x0100_0000 {
                other & 0x00ff_ffff
            } else {
                other
            };
            return char::from_u32(point).unwrap().to_string();
        }
    };
    name.to_owned()
}

#[test]
fn every_keyboard_arrives_as_its_users_expect() {
    let cases: Vec<Case> = include_str!("../frontend/keyboard-frames.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(cases.len() > 300, "{} cases", cases.len());
    let mut wrong = Vec::new();
    for (mode, word) in [(KeyboardMode::Text, "text"), (KeyboardMode::Physical, "physical")] {
        let program = Program::start(mode);
        for case in cases.iter().filter(|case| case.mode == word) {
            // Repeats come one by one: of those that wait together only one is left.
            let parts = case.frames.split(" *").enumerate();
            let seen: Vec<String> = parts
                .flat_map(|(i, part)| {
                    let part = if i == 0 { part.to_owned() } else { format!("*{part}") };
                    program.sees(part.split(' ').map(event))
                })
                .collect();
            let seen = seen.join(" ");
            if seen != case.sees {
                wrong.push(format!(
                    "{} ({word}): {:?} instead of {:?} by {}",
                    case.of, seen, case.sees, case.frames
                ));
            }
        }
        assert!(program.held.is_empty());
        assert_eq!(program.painter.down(), (vec![], 0));
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_held_key_repeats_only_as_often_as_its_viewer_says() {
    let program = Program::start(KeyboardMode::Text);
    let (usage, keysym) = (0x4c, 0xffff);
    let press = InputEvent::Key {
        pressed: true,
        usage,
        keysym,
    };
    assert_eq!(program.sees([press]), ["Delete"]);
    // By now the X server would have begun to repeat it (660 ms).
    std::thread::sleep(std::time::Duration::from_millis(1500));
    let repeat = InputEvent::Repeat { usage, keysym };
    assert_eq!(program.sees([]), [""; 0]);
    assert_eq!(program.sees([repeat.clone()]), ["Delete"]);
    // What the host has released since repeats no more, and neither does what was never pressed.
    assert_eq!(program.sees([InputEvent::ReleaseAll, repeat]), [""; 0]);
    let modifier = |pressed| InputEvent::Key {
        pressed,
        usage: 0xe1,
        keysym: 0xffe1,
    };
    let again = InputEvent::Repeat {
        usage: 0xe1,
        keysym: 0xffe1,
    };
    assert_eq!(program.sees([modifier(true), again, modifier(false)]), [""; 0]);
    assert_eq!(program.painter.down(), (vec![], 0));
}

#[test]
fn a_program_that_turns_repeats_on_does_not_bring_them_back() {
    use x11rb::protocol::xproto::{AutoRepeatMode, ChangeKeyboardControlAux};
    let program = Program::start(KeyboardMode::Text);
    let on = ChangeKeyboardControlAux::new().auto_repeat_mode(AutoRepeatMode::ON);
    program.painter.x.change_keyboard_control(&on).unwrap();
    program.painter.sync();
    let press = InputEvent::Key {
        pressed: true,
        usage: 0x04,
        keysym: 0x61,
    };
    assert_eq!(program.sees([press]), ["a"]);
    std::thread::sleep(std::time::Duration::from_millis(1200));
    assert_eq!(program.sees([InputEvent::ReleaseAll]), [""; 0]);
}

#[test]
fn text_arrives_without_the_modifiers_that_are_down() {
    let program = Program::start(KeyboardMode::Text);
    let down = [(0xe0, 0xffe3), (0xe1, 0xffe1), (0xe2, 0xffe9)].map(|(usage, keysym)| InputEvent::Key {
        pressed: true,
        usage,
        keysym,
    });
    let text = InputEvent::Text("a\nB\t1".into());
    let seen = program.sees(down.into_iter().chain([text, InputEvent::ReleaseAll]));
    assert_eq!(seen, ["a", "Return", "B", "Tab", "1"]);
}
