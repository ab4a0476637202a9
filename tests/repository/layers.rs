//! Who may import whom.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, code, sources};

/// The lines of components. One may import from the lines above its own, and not from its own.
const LINES: &[&[&str]] = &[
    &["ids", "clock", "permits", "files", "config", "observe", "scaling"],
    &["supervision", "media", "protocol", "folders"],
    &[
        "process", "x11", "gst", "store", "tls", "ice", "sandbox", "source", "policy",
    ],
    &["peer", "capture", "desktop", "audio"],
    &["instance"],
    &["session", "fleet"],
    &["signalling"],
    &["http"],
    &["app"],
];

/// Imports within a line that are meant.
const MEANT: &[(&str, &str, &str)] = &[(
    "desktop",
    "capture",
    "the capture process is one of the desktop's children; its client is what feeds the hub",
)];

/// Crates that only these folders name, so that each could be exchanged there.
const CRATES: &[(&str, &[&str])] = &[
    ("webrtc", &["src/peer"]),
    ("rtc", &["src/peer", "src/ice"]),
    ("gstreamer", &["src/gst"]),
    ("gstreamer_app", &["src/gst"]),
    ("gstreamer_video", &["src/gst"]),
    ("diesel", &["src/store"]),
    ("diesel_migrations", &["src/store"]),
    ("r2d2", &["src/store"]),
    ("libsqlite3_sys", &["src/store"]),
    ("actix_web_actors", &["src/signalling"]),
    ("rustls", &["src/tls", "src/ice"]),
    ("rcgen", &["src/tls"]),
    ("actix_web", &["src/signalling", "src/http", "src/app"]),
    // The demo is a program apart, an X11 client like any other.
    ("x11rb", &["src/x11", "src/bin/orrery"]),
];

/// The component of a file; `None` for what puts components together, and for programs apart.
fn component(path: &str) -> Option<&str> {
    let first = path.strip_prefix("src/")?.split('/').next()?;
    match first {
        "lib.rs" | "main.rs" | "bin" => None,
        name => Some(name.trim_end_matches(".rs")),
    }
}

fn line_of(component: &str) -> Option<usize> {
    LINES.iter().position(|line| line.contains(&component))
}

/// The components that a file names by `crate::`, by `crate::{…}` as well.
fn imports(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, matched) in code.match_indices("crate::") {
        let is_word = code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = code[at + matched.len()..].trim_start();
        if is_word {
            continue;
        }
        match rest.strip_prefix('{') {
            None => found.extend(first_word(rest)),
            Some(group) => {
                let mut depth = 0;
                let mut item = String::new();
                for c in group.chars() {
                    match c {
                        '{' => depth += 1,
                        '}' if depth == 0 => break,
                        '}' => depth -= 1,
                        ',' if depth == 0 => found.extend(first_word(&std::mem::take(&mut item))),
                        _ => {}
                    }
                    if c != ',' || depth > 0 {
                        item.push(c);
                    }
                }
                found.extend(first_word(&item));
            }
        }
    }
    found
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text
        .trim_start()
        .chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect();
    // Constants, types and macros of the crate's root are not components.
    Some(word).filter(|word| word.starts_with(|c: char| c.is_lowercase()))
}

/// Whether code names a crate: in a path, in `use`, or in `extern crate`.
fn names(code: &str, krate: &str) -> bool {
    code.match_indices(krate).any(|(at, _)| {
        let (before, after) = (&code[..at], &code[at + krate.len()..]);
        let whole = !before.ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !after.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        // `a::webrtc` is a module of that name, `::webrtc` and `webrtc::x` are the crate.
        let within = before
            .strip_suffix("::")
            .is_some_and(|path| path.ends_with(|c: char| c.is_alphanumeric() || c == '_'));
        let used = after.starts_with("::")
            || before.trim_end().ends_with("use")
            || before.trim_end().ends_with("extern crate");
        whole && !within && used
    })
}

/// What is wrong with the imports of a file.
fn violations(source: &Source) -> Vec<String> {
    let Some(own) = component(&source.path) else {
        return Vec::new();
    };
    let Some(line) = line_of(own) else {
        return vec![format!("{}: the component {own} stands on no line", source.path)];
    };
    let allowed = |other: &str| {
        other == own
            || line_of(other).is_none_or(|of_other| of_other < line)
            || MEANT.iter().any(|(from, to, _)| (*from, *to) == (own, other))
    };
    imports(&code(&source.text))
        .into_iter()
        .filter(|other| !allowed(other))
        .map(|other| format!("{}: {own} may not import {other}", source.path))
        .collect()
}

#[test]
fn components_import_only_from_the_lines_above_them() {
    let found: Vec<String> = sources("src", &[".rs"]).iter().flat_map(violations).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_crate_is_named_by_its_folder_only() {
    let mut found = Vec::new();
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    for source in sources("src", &[".rs"]) {
        let code = code(&source.text);
        for (krate, folders) in CRATES {
            // Inside the crate's own folder a child module may bear its name.
            if !names(&code, krate) {
                continue;
            }
            if folders
                .iter()
                .any(|folder| source.path.starts_with(&format!("{folder}/")))
            {
                *used.entry(krate).or_default() += 1;
            } else {
                found.push(format!(
                    "{}: names {krate}, which only {} may",
                    source.path,
                    folders.join(", ")
                ));
            }
        }
    }
    assert!(found.is_empty(), "\n{}", found.join("\n"));
    // A crate that nobody names would be one that this test does not recognise.
    for krate in [
        "webrtc",
        "gstreamer",
        "diesel",
        "actix_web_actors",
        "actix_web",
        "rustls",
        "x11rb",
    ] {
        assert!(used.contains_key(krate), "nobody names {krate}");
    }
}

#[test]
fn meant_imports_are_those_that_there_are() {
    let all = sources("src", &[".rs"]);
    for (from, to, reason) in MEANT {
        let there = all
            .iter()
            .any(|source| component(&source.path) == Some(from) && imports(&code(&source.text)).contains(*to));
        assert!(there, "{from} does not import {to} any more ({reason}): remove it here");
    }
}

#[test]
fn an_import_from_below_or_beside_is_found_however_it_is_written() {
    let of = |path: &str, text: &str| {
        violations(&Source {
            path: path.to_owned(),
            text: text.to_owned(),
        })
    };
    assert_eq!(of("src/media/hub.rs", "use crate::peer::Peer;").len(), 1);
    assert_eq!(
        of("src/peer/x.rs", "use crate::{media::Hub, ids::{A, B}, capture::C};").len(),
        1
    );
    assert_eq!(of("src/peer/x.rs", "let x = crate::capture::new();").len(), 1);
    assert_eq!(
        of("src/peer/x.rs", "pub(in crate::peer) fn x() {} // crate::capture").len(),
        0
    );
    assert_eq!(of("src/instance/x.rs", "use crate::{peer::A, desktop};").len(), 0);
    assert_eq!(of("src/desktop/x.rs", "use crate::capture::A;").len(), 0);
    assert_eq!(of("src/novel/x.rs", "").len(), 1);
}

#[test]
fn a_crate_is_told_from_a_module_of_its_name() {
    for named in ["use webrtc::x;", "use ::webrtc::x;", "a(webrtc::b())", "use rtc;"] {
        assert!(names(named, "webrtc") || names(named, "rtc"), "{named}");
    }
    for other in [
        "use crate::peer::webrtc::X;",
        "pub mod webrtc;",
        "webrtc_options::x",
        "self::webrtc::x",
    ] {
        assert!(!names(other, "webrtc") && !names(other, "rtc"), "{other}");
    }
}
