//! What is typed arrives exactly, in real programs.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use heliostat::protocol::input::InputEvent;
use heliostat::x11::InputQueue;
use x11rb::connection::Connection as _;
use x11rb::protocol::Event;
use x11rb::protocol::xproto::{AtomEnum, ConnectionExt as _, EventMask, PropMode};
use x11rb::wrapper::ConnectionExt as _;

use crate::editors::{CHROMIUM, Desk, Editor, GTK3, LAZY_TK, MORE, SLOW_TK, TK, XTERM, difference, typist};
use crate::support::{Painter, TestDisplay};

/// How long a program may show nothing new while it is still being typed to.
const PATIENCE: Duration = Duration::from_secs(40);
/// As an input method at its fastest.
const PER_SECOND: u32 = 40;

/// 400 characters of the scripts that people write, without what programs are free to change: no line ends.
fn mixed() -> String {
    let parts = [
        "zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich; ",
        "dès Noël où un zéphyr haï me vêt de glaçons würmiens, je dîne; ¿el pingüino Wenceslao hizo kilómetros? ",
        "zażółć gęślą jaźń; příliš žluťoučký kůň; pijamalı hasta yağız şoföre; árvíztűrő tükörfúrógép; ",
        "съешь же ещё этих мягких французских булок; щастя, їжак, ґанок; ",
        "ξεσκεπάζω την ψυχοφθόρα βδελυγμία; ",
        "いろはにほへと色は匂へど散りぬるを日本語テスト漢字仮名交じり文天地玄黄宇宙洪荒日月盈昃辰宿列張; ",
        "다람쥐 헌 쳇바퀴에; 😀🎉🚀👍; €£¥©®™±×÷≠≤≥∞√→←“”„–—… ",
    ];
    let text: String = parts.concat();
    let text: String = text.trim_end().chars().take(400).collect();
    assert!(
        text.ends_with('…') || text.chars().count() == 400,
        "{}",
        text.chars().count()
    );
    text
}

/// Characters that all have to be lent a key, each once.
fn rare(count: u32) -> String {
    (0x4e00..0x4e00 + count).filter_map(char::from_u32).collect()
}

fn check(editor: Editor, text: &str) {
    let desk = Desk::open(editor);
    // Of the last, more than can be lent a key at once.
    for (way, text, slowly) in [
        ("typed", text, true),
        ("pasted", text, false),
        ("rare", &rare(120), false),
    ] {
        let got = desk.arrives(text, PATIENCE, |desk| {
            if slowly {
                desk.type_at(text, PER_SECOND);
            } else {
                desk.paste(text);
            }
        });
        assert!(got == *text, "{way}: {}", difference(text, &got));
    }
    assert_eq!(desk.not_typed.load(Ordering::Relaxed), 0);
}

#[test]
fn mixed_scripts_arrive_in_a_terminal() {
    check(XTERM, &mixed());
}

#[test]
fn mixed_scripts_arrive_in_chromium() {
    check(CHROMIUM, &mixed());
}

#[test]
fn mixed_scripts_arrive_in_a_field_of_gtk() {
    check(GTK3, &mixed());
}

#[test]
fn mixed_scripts_arrive_in_a_field_of_tk() {
    check(TK, &mixed());
}

#[test]
fn a_program_that_takes_its_time_is_waited_for() {
    // More than can be lent at once, and nothing is read for longer than any rest.
    let text = rare(120);
    let desk = Desk::open(LAZY_TK);
    let got = desk.arrives(&text, PATIENCE, |desk| desk.paste(&text));
    assert!(got == text, "{}", difference(&text, &got));
}

/// The table of docs/programs.md: `scripts/text`.
#[test]
#[ignore = "takes ten minutes and a dozen programs"]
fn measure_what_arrives_in_every_program() {
    let only = std::env::var("ONLY").unwrap_or_default();
    let text = mixed();
    let chinese = rare(400);
    // What, slowly or at once, and whether the machine has other things to do.
    let ways = [
        ("typed", &text, true, false),
        ("pasted", &text, false, false),
        ("typed, busy machine", &text, true, true),
        ("400 different Chinese characters typed, busy", &chinese, true, true),
        ("the same pasted, busy", &chinese, false, true),
    ];
    let heads: String = ways.iter().map(|way| format!(" {} |", way.0)).collect();
    println!("| program |{heads}\n|---{}|", "|---".repeat(ways.len()));
    let mut wrong = Vec::new();
    for editor in [XTERM, TK, GTK3, CHROMIUM].iter().chain(MORE) {
        if !editor.name.contains(&only) {
            continue;
        }
        let desk = Desk::open(*editor);
        let mut row = format!("| {} |", editor.name);
        for (_, text, slowly, busy) in ways {
            let busy = busy.then(Busy::start);
            let begun = Instant::now();
            let got = desk.arrives(text, PATIENCE, |desk| {
                if slowly {
                    desk.type_at(text, PER_SECOND);
                } else {
                    desk.paste(text);
                }
            });
            drop(busy);
            let took = begun.elapsed().as_secs_f32();
            if got == *text {
                row += &format!(" exact, {took:.1} s |");
            } else {
                row += &format!(" wrong: {} |", difference(text, &got));
                wrong.push(editor.name);
            }
        }
        println!("{row}");
        assert_eq!(desk.not_typed.load(Ordering::Relaxed), 0, "{}", editor.name);
    }
    if SLOW_TK.name.contains(&only) {
        let text = rare(100);
        let desk = Desk::open(SLOW_TK);
        let begun = Instant::now();
        let got = desk.arrives(&text, PATIENCE, |desk| desk.paste(&text));
        println!(
            "| {} | | {} in {:.0} s, 100 characters | |",
            SLOW_TK.name,
            got == text,
            begun.elapsed().as_secs_f32()
        );
        if got != text {
            wrong.push(SLOW_TK.name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

/// Twice as many threads that never rest as this machine has cores.
struct Busy(std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Busy {
    fn start() -> Self {
        let on = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
        for _ in 0..2 * std::thread::available_parallelism().map_or(2, usize::from) {
            let on = std::sync::Arc::clone(&on);
            std::thread::spawn(move || while on.load(Ordering::Relaxed) {});
        }
        Self(on)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// A program that says it answers pings, and does so while it is asked to.
struct Pinged {
    painter: Painter,
    protocols: u32,
}

impl Pinged {
    fn new(display: &TestDisplay) -> Self {
        let painter = Painter::new(display);
        let atom = |name: &[u8]| painter.x.intern_atom(false, name).unwrap().reply().unwrap().atom;
        let (protocols, ping) = (atom(b"WM_PROTOCOLS"), atom(b"_NET_WM_PING"));
        painter
            .x
            .change_property32(PropMode::REPLACE, painter.window, protocols, AtomEnum::ATOM, &[ping])
            .unwrap();
        painter.focus();
        Self { painter, protocols }
    }

    /// Reads one event and answers it if it is a ping: a key's code if it was one.
    fn read(&self) -> Option<u8> {
        self.painter.wait_for("an event", |event| match event {
            Event::ClientMessage(message) if message.type_ == self.protocols => {
                let root = self.painter.x.setup().roots[0].root;
                let mut pong = *message;
                pong.window = root;
                let mask = EventMask::SUBSTRUCTURE_NOTIFY | EventMask::SUBSTRUCTURE_REDIRECT;
                self.painter.x.send_event(false, root, mask, pong).unwrap();
                self.painter.x.flush().unwrap();
                Some(None)
            }
            Event::KeyPress(key) => Some(Some(key.detail)),
            _ => None,
        })
    }
}

#[test]
fn what_a_program_that_hangs_cannot_take_is_reported_and_the_pointer_goes_on() {
    let display = TestDisplay::start();
    let program = Pinged::new(&display);
    let queue = InputQueue::new().unwrap();
    let (_thread, not_typed) = typist(&display, &queue);
    queue.push(InputEvent::Text(rare(1)));
    // It answers until the first character has come, and reads nothing more.
    while program.read().is_none_or(|code| code < 9) {}
    while program.painter.x.poll_for_event().unwrap().is_some() {}
    for part in rare(300).chars().collect::<Vec<_>>().chunks(100) {
        queue.push(InputEvent::Text(part.iter().collect()));
    }
    queue.push(InputEvent::Move { x: 20_000, y: 20_000 });
    let pointer = || {
        let reply = program.painter.x.query_pointer(program.painter.window).unwrap().reply();
        reply.unwrap().win_x
    };
    let until = Instant::now() + 3 * PATIENCE;
    let wait = |what: &str, done: &dyn Fn() -> bool| {
        while !done() {
            assert!(Instant::now() < until, "{what}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    wait("the pointer waits for the text", &|| pointer() > 150);
    assert_eq!(not_typed.load(Ordering::Relaxed), 0, "it is waited for at first");
    wait("nobody is told", &|| not_typed.load(Ordering::Relaxed) > 0);
    // Nothing of it waits any longer, and it has been told how much was lost.
    wait("the rest is told, too", &|| {
        not_typed.load(Ordering::Relaxed) >= 300 - 80
    });
    assert!(not_typed.load(Ordering::Relaxed) <= 300);
}

#[test]
fn a_program_that_takes_the_keymap_away_gets_it_back_before_anything_is_typed() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    painter.focus();
    let queue = InputQueue::new().unwrap();
    let (_thread, not_typed) = typist(&display, &queue);
    for text in ["ж漢ä", "漢жö"] {
        // Everything that no keyboard has, as `xmodmap` or `setxkbmap` would.
        for code in 208..=255 {
            let keysyms = [0x71, 0x51];
            painter.x.change_keyboard_mapping(1, code, 2, &keysyms).unwrap();
        }
        painter.sync();
        queue.push(InputEvent::Text(text.into()));
        let typed: String = text.chars().map(|_| painter.typed()).collect();
        assert_eq!(typed, text);
    }
    assert_eq!(not_typed.load(Ordering::Relaxed), 0);
}

#[test]
fn a_program_that_takes_the_keymap_again_and_again_holds_nobody_up() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    painter.focus();
    let queue = InputQueue::new().unwrap();
    let (_thread, not_typed) = typist(&display, &queue);
    let other = display.connect();
    // overflow: holds nothing, its end being dropped is the message.
    let (stop, stopped) = std::sync::mpsc::sync_channel::<()>(0);
    let fight = std::thread::spawn(move || {
        while stopped.try_recv() != Err(std::sync::mpsc::TryRecvError::Disconnected) {
            other
                .change_keyboard_mapping(48, 208, 2, &[0x71, 0x51].repeat(48))
                .unwrap();
            other.get_input_focus().unwrap().reply().unwrap();
            std::thread::sleep(Duration::from_millis(2));
        }
    });
    queue.push(InputEvent::Text("漢字".into()));
    queue.push(InputEvent::Text("a".into()));
    assert_eq!(painter.typed(), "a");
    drop(stop);
    fight.join().unwrap();
    let until = Instant::now() + crate::SOON;
    while not_typed.load(Ordering::Relaxed) != 2 {
        assert!(Instant::now() < until, "{}", not_typed.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_flood_of_rare_characters_holds_up_nobody_who_takes_over() {
    let display = TestDisplay::start();
    let program = Pinged::new(&display);
    let queue = InputQueue::new().unwrap();
    let (_thread, not_typed) = typist(&display, &queue);
    let flood: Vec<char> = (0x4e00..0x9fff).filter_map(char::from_u32).collect();
    for part in flood.chunks(300) {
        queue.push(InputEvent::Text(part.iter().collect()));
    }
    for _ in 0..200 {
        program.read();
    }
    queue.hand_over();
    let begun = Instant::now();
    queue.push(InputEvent::Text("1".into()));
    // The key of 1, which nothing else makes.
    while program.read() != Some(10) {}
    assert!(begun.elapsed() < crate::SOON / 2, "{:?}", begun.elapsed());
    assert_eq!(not_typed.load(Ordering::Relaxed), 0, "it was taken back, not lost");
}

#[test]
fn what_has_no_key_is_reported_and_the_rest_is_typed() {
    let display = TestDisplay::start();
    let painter = Painter::new(&display);
    painter.focus();
    let queue = InputQueue::new().unwrap();
    let (_thread, not_typed) = typist(&display, &queue);
    queue.push(InputEvent::Text("a\u{1}\r\nb".into()));
    assert_eq!([painter.typed(), painter.typed(), painter.typed()], ["a", "\n", "b"]);
    let until = Instant::now() + crate::SOON;
    while not_typed.load(Ordering::Relaxed) != 1 {
        assert!(Instant::now() < until, "{}", not_typed.load(Ordering::Relaxed));
        std::thread::sleep(Duration::from_millis(20));
    }
}
