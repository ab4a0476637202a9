//! The tree as text.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A file of the repository.
pub struct Source {
    /// From the repository's root, such as `src/peer/task.rs`.
    pub path: String,
    pub text: String,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The files in `folder` with this ending: those that git knows or would, or, outside a repository, all there are.
pub fn sources(folder: &str, endings: &[&str]) -> Vec<Source> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "--", folder])
        .current_dir(root())
        .output()
        .ok()
        .filter(|output| output.status.success() && !output.stdout.is_empty());
    let paths: Vec<String> = match listed {
        Some(output) => String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect(),
        None => {
            let mut found = Vec::new();
            walk(&root().join(folder), &mut found);
            found
        }
    };
    let mut all: Vec<Source> = paths
        .into_iter()
        .filter(|path| endings.iter().any(|ending| path.ends_with(ending)))
        // Listed, and removed since.
        .filter_map(|path| {
            Some(Source {
                text: std::fs::read_to_string(root().join(&path)).ok()?,
                path,
            })
        })
        .collect();
    all.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!all.is_empty(), "there are no files in {folder}");
    all
}

fn walk(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let skipped = path
            .file_name()
            .is_some_and(|name| name == "node_modules" || name == "target");
        if path.is_dir() && !skipped {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path.strip_prefix(root()).unwrap().to_string_lossy().into_owned());
        }
    }
}

/// The code of a Rust file: comments and the contents of literals are gone, lines stay where they are.
pub fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(length) = raw_string(rest, out.chars().last()) {
            length
        } else if c == '"' {
            string(rest)
        } else if let Some(length) = character(rest) {
            length
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        };
        out.extend(rest[..length].chars().filter(|c| *c == '\n'));
        // So that what stood on its two sides does not become one word.
        out.push(' ');
        rest = &rest[length..];
    }
    out
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

fn raw_string(text: &str, before: Option<char>) -> Option<usize> {
    if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let start = text
        .strip_prefix("br")
        .or_else(|| text.strip_prefix("cr"))
        .or_else(|| text.strip_prefix('r'))?;
    let hashes = start.len() - start.trim_start_matches('#').len();
    let body = start[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let head = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| head + at + end.len()))
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// A character literal, not a lifetime.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let mut chars = body.char_indices();
    let (_, first) = chars.next()?;
    if first == '\\' {
        // The escaped character may be a quote itself.
        chars.next()?;
        return chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 2);
    }
    chars.next().filter(|(_, c)| *c == '\'').map(|(at, _)| at + 2)
}

/// Whether the whole file is compiled for tests only.
pub fn is_test_file(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    parts
        .iter()
        .any(|part| *part == "tests" || *part == "tests.rs" || *part == "testing.rs" || *part == "fake.rs")
        || path.ends_with("_tests.rs")
}

/// The code of a file without its unit tests, which stand at its end.
pub fn code_without_tests(source: &Source) -> String {
    if is_test_file(&source.path) {
        return String::new();
    }
    let code = code(&source.text);
    let mut out = String::new();
    let mut skip_to: Option<usize> = None;
    let mut pending = false;
    for line in code.split_inclusive('\n') {
        let indent = line.len() - line.trim_start().len();
        let words = line.trim();
        if let Some(level) = skip_to {
            if indent == level && words == "}" {
                skip_to = None;
            }
            out.push('\n');
            continue;
        }
        if words.starts_with("#[cfg(test)]") {
            pending = true;
            out.push('\n');
            continue;
        }
        if pending && !words.is_empty() && !words.starts_with("#[") {
            pending = false;
            if words.ends_with('{') {
                skip_to = Some(indent);
            }
            out.push('\n');
            continue;
        }
        out.push_str(line);
    }
    out
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = "a(); // b()\nlet c = \"d() \\\" e()\"; /* f /* g */ h */ i('\"', '\\'', 'j');\nlet k: &'static str = r#\"l \" m\"#; n";
    let words: Vec<String> = code(text)
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect();
    assert_eq!(words, ["a", "let", "c", "i", "let", "k", "static", "str", "n"]);
    assert_eq!(code(text).lines().count(), text.lines().count());
}

#[test]
fn unit_tests_are_not_the_code_that_they_test() {
    let source = |text: &str| Source {
        path: "src/x.rs".to_owned(),
        text: text.to_owned(),
    };
    let text =
        "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {\n    }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
    let code = code_without_tests(&source(text));
    assert!(
        code.contains("fn a") && code.contains("fn c") && code.contains("fn d"),
        "{code}"
    );
    assert!(!code.contains("fn b") && !code.contains("more"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}
