//! What is typed arrives exactly, in real programs.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::editors::{CHROMIUM, Desk, Editor, GTK3, LAZY_TK, MORE, SLOW_TK, TK, XTERM, difference};

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
    for (way, slowly) in [("typed", true), ("pasted", false)] {
        let got = desk.arrives(text, PATIENCE, |desk| {
            if slowly {
                desk.type_at(text, PER_SECOND);
            } else {
                desk.paste(text);
            }
        });
        assert!(got == text, "{way}: {}", difference(text, &got));
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
#[ignore = "takes half an hour and a dozen programs"]
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
