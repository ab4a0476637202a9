//! What `docs/security.md` claims, and the tests that hold it.

use std::collections::BTreeSet;
use std::path::Path;

use regex::Regex;

use super::source::sources;

const COLUMN: &str = "held by";

/// A row of a table: where it stands, what it says first, and its last cell; that of its header is `header`.
#[derive(Debug)]
struct Row {
    line: usize,
    first: String,
    last: String,
    header: String,
}

fn rows(document: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut header: Option<String> = None;
    for (number, line) in document.lines().enumerate() {
        let Some(inner) = line.trim().strip_prefix('|').and_then(|rest| rest.strip_suffix('|')) else {
            header = None;
            continue;
        };
        let cells: Vec<&str> = inner.split('|').map(str::trim).collect();
        let last = (*cells.last().unwrap()).to_owned();
        match &header {
            None => header = Some(last),
            Some(_) if cells.iter().all(|cell| cell.chars().all(|c| matches!(c, '-' | ':'))) => {}
            Some(header) => rows.push(Row {
                line: number + 1,
                first: cells[0].to_owned(),
                last,
                header: header.clone(),
            }),
        }
    }
    rows
}

/// The tests that a cell names, each in backticks; `None` where it says anything else, or nothing.
fn named(cell: &str) -> Option<Vec<String>> {
    let entry = |part: &str| {
        let name = part.trim().strip_prefix('`')?.strip_suffix('`')?;
        (!name.is_empty() && !name.contains('`')).then(|| name.to_owned())
    };
    cell.split("<br>").map(entry).collect()
}

/// The names of all tests in Rust that are run unasked.
fn rust_tests(text: &str) -> Vec<String> {
    let between = r"(?:\s*(?:#\[[^\n]*\]|///[^\n]*)\s*\n)*";
    let test = Regex::new(&format!(
        r"#\[(?:\w+::)*test(?:\([^\]]*\))?\]\s*\n({between})\s*(?:pub )?(?:async )?fn (\w+)"
    ))
    .unwrap();
    let ignored = |attributes: &str| attributes.contains("#[ignore");
    test.captures_iter(text)
        .filter(|found| !ignored(&found[1]))
        .map(|found| found[2].to_owned())
        .collect()
}

/// Whether a file of JavaScript has a test of this title.
fn has_title(text: &str, title: &str) -> bool {
    ['\'', '"', '`']
        .iter()
        .any(|quote| text.contains(&format!("{quote}{title}{quote}")))
}

#[test]
fn every_claim_about_security_names_a_test_that_there_is() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let document = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let rust: BTreeSet<String> = ["src", "tests"]
        .iter()
        .flat_map(|folder| sources(folder, &[".rs"]))
        .flat_map(|source| rust_tests(&source.text))
        .collect();
    let script = ["tests/browser", "tests/frontend"].map(|folder| sources(folder, &[".test.js"]));
    let script: Vec<_> = script.iter().flatten().collect();
    let is_there = |name: &str| match name.split_once(": ") {
        Some((file, title)) => script
            .iter()
            .any(|source| source.path.ends_with(&format!("/{file}")) && has_title(&source.text, title)),
        None => rust.contains(name),
    };
    let rows = rows(&document);
    assert!(rows.len() > 60, "only {} rows are found", rows.len());
    let mut wrong = Vec::new();
    for row in rows {
        let place = format!("docs/security.md:{}: {}", row.line, row.first);
        if row.header != COLUMN {
            wrong.push(format!("{place}: its table has no last column `{COLUMN}`"));
            continue;
        }
        let Some(names) = named(&row.last) else {
            wrong.push(format!("{place}: held by nothing that is named: {:?}", row.last));
            continue;
        };
        let missing = names.iter().filter(|name| !is_there(name));
        wrong.extend(missing.map(|name| format!("{place}: there is no test `{name}`")));
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn a_table_is_read_with_its_last_column_and_a_cell_with_its_tests() {
    let document =
        "text\n| a | held by |\n|---|:---:|\n| b | `c`<br>`d.test.js: e, f` |\n\n| g | h |\n|---|---|\n| i | |\n";
    let rows = rows(document);
    let read: Vec<_> = rows.iter().map(|row| (row.line, row.header.as_str())).collect();
    assert_eq!(read, [(4, "held by"), (8, "h")]);
    assert_eq!(named(&rows[0].last).unwrap(), ["c", "d.test.js: e, f"]);
    for nothing in ["", "c", "`c`, `d`", "`c` and more", "``"] {
        assert_eq!(named(nothing), None, "{nothing:?}");
    }
}

#[test]
fn a_test_is_known_by_its_attribute_and_one_that_is_not_run_holds_nothing() {
    let text = "#[test]\nfn a() {}\nfn b() {}\n    #[tokio::test(start_paused = true)]\n    async fn c() {}\n\
                proptest! {\n    #[test]\n    fn d(x in 0..1) {}\n}\n#[test]\n#[ignore = \"slow\"]\nfn e() {}\n\
                #[actix_rt::test]\n/// Says why.\n#[cfg(unix)]\nasync fn f() {}\n";
    assert_eq!(rust_tests(text), ["a", "c", "d", "f"]);
    assert!(has_title("test('x y', () => {});", "x y") && !has_title("test('x y z', () => {});", "x y"));
}
