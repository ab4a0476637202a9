//! How long files are, and what they do not contain.

use regex::Regex;

use super::source::{Source, code, code_without_tests, sources};

/// No file is longer.
const LONGEST: usize = 500;

/// Longer files, and why.
const LONGER: &[(&str, &str)] = &[];

fn all() -> Vec<Source> {
    let mut all = sources("src", &[".rs"]);
    all.extend(sources("tests", &[".rs", ".js", ".mjs", ".ts"]));
    // What others wrote is kept as they wrote it.
    let ours = |source: &Source| !source.path.starts_with("static/vendor/");
    all.extend(sources("static", &[".js", ".css", ".html"]).into_iter().filter(ours));
    all
}

/// The numbers of the lines that `wrong` finds, with their file.
fn lines(source: &Source, code: &str, wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let found = code.lines().enumerate().filter(|(_, line)| wrong(line));
    found
        .map(|(number, line)| format!("{}:{}: {}", source.path, number + 1, line.trim()))
        .collect()
}

#[test]
fn no_file_is_long() {
    let excepted = |path: &str| LONGER.iter().any(|(longer, _)| *longer == path);
    let found: Vec<String> = all()
        .iter()
        .map(|source| (source, source.text.lines().count()))
        .filter(|(source, count)| (*count > LONGEST) != excepted(&source.path))
        .map(|(source, count)| format!("{}: {count} lines", source.path))
        .collect();
    assert!(
        found.is_empty(),
        "longer than {LONGEST} lines, or excepted without need:\n{}",
        found.join("\n")
    );
}

#[test]
fn the_program_unwraps_nothing() {
    let unwraps = |line: &str| line.contains(".unwrap()") || line.contains(".unwrap_err()");
    let found: Vec<String> = sources("src", &[".rs"])
        .iter()
        .flat_map(|source| lines(source, &code_without_tests(source), unwraps))
        .collect();
    assert!(
        found.is_empty(),
        "use `?`, or `expect` with the reason:\n{}",
        found.join("\n")
    );
}

#[test]
fn nothing_is_left_to_be_done_later() {
    let marks = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("todo", "!("),
        concat!("unimple", "mented!("),
    ];
    let left = |line: &str| marks.iter().any(|mark| line.contains(mark));
    let found: Vec<String> = all()
        .iter()
        .flat_map(|source| lines(source, &source.text, left))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn debugging_output_is_not_left_behind() {
    let prints = |line: &str| line.contains("dbg!(");
    let found: Vec<String> = sources("src", &[".rs"])
        .iter()
        .flat_map(|source| lines(source, &source.text, prints))
        .collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn every_channel_is_bounded_and_says_what_happens_when_it_is_full() {
    const NEAR: usize = 5;
    let made = Regex::new(r"\b(sync_channel|(mpsc|broadcast)::channel|broadcast::Sender::new)(::<[^>]*>+)?\(").unwrap();
    let unbounded = Regex::new(r"\bunbounded(_channel)?\(|\bmpsc::channel(::<[^>]*>+)?\(\)").unwrap();
    let mut wrong = Vec::new();
    for source in sources("src", &[".rs"]).iter().chain(&sources("tests", &[".rs"])) {
        let text: Vec<&str> = source.text.lines().collect();
        for (number, line) in code(&source.text).lines().enumerate() {
            let near = &text[number.saturating_sub(NEAR)..=number];
            let said = near.iter().any(|line| line.contains("// overflow: "));
            if unbounded.is_match(line) || (made.is_match(line) && !said) {
                wrong.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}
