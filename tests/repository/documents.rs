//! What documents say of the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use regex::Regex;

use super::source::{Source, code_without_tests, sources};

/// The tests that a document names as `file::test`.
fn named(document: &str) -> Vec<(String, String)> {
    let name = Regex::new(r"`([a-z_]+)::([a-z0-9_]+)`").unwrap();
    name.captures_iter(document)
        .map(|found| (found[1].to_owned(), found[2].to_owned()))
        .collect()
}

#[test]
fn every_test_that_the_contract_of_supervision_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = std::fs::read_to_string(root.join("docs/supervision.md")).unwrap();
    let code = sources("src/supervision", &[".rs"]);
    let named = named(&contract);
    assert!(named.len() > 50, "only {} tests are named", named.len());
    let missing: Vec<_> = named
        .iter()
        .filter(|(file, test)| {
            let places = [
                format!("src/supervision/tests/{file}.rs"),
                format!("src/supervision/{file}.rs"),
            ];
            !code
                .iter()
                .any(|source| places.contains(&source.path) && source.text.contains(&format!("fn {test}(")))
        })
        .collect();
    assert!(missing.is_empty(), "named, and not there: {missing:?}");
}

#[test]
fn every_concept_that_the_kernel_tests_is_in_its_contract() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = std::fs::read_to_string(root.join("docs/supervision.md")).unwrap();
    let missing: Vec<String> = sources("src/supervision/tests", &[".rs"])
        .into_iter()
        .map(|source| source.path)
        .filter_map(|path| Some(path.rsplit_once('/')?.1.trim_end_matches(".rs").to_owned()))
        .filter(|file| !["mod", "puppet"].contains(&file.as_str()))
        .filter(|file| !contract.contains(&format!("`{file}::")) && !contract.contains(&format!("/{file}.rs")))
        .collect();
    assert!(missing.is_empty(), "tested, and not said: {missing:?}");
}

/// The stable words that the program tells its errors by, each with its file.
fn codes() -> BTreeMap<String, String> {
    let word = Regex::new(r#"=> "([a-z][a-z0-9_]*)""#).unwrap();
    let told = Regex::new(
        r#"(?:ExitReason::error|ExitReason::dependency|ServerMessage::error|Problem::unavailable|Problem::new)\([^";{}]*"([a-z][a-z0-9_]*)""#,
    )
    .unwrap();
    let mut codes = BTreeMap::new();
    // The demo is a program of its own.
    let host = |source: &Source| !source.path.starts_with("src/bin/");
    for source in sources("src", &[".rs"]).into_iter().filter(host) {
        let product = code_without_tests(&source);
        let mut within: Option<usize> = None;
        let mut text = String::new();
        for (line, code) in source.text.lines().zip(product.lines()) {
            if code.trim().is_empty() {
                continue;
            }
            text.push_str(line);
            text.push('\n');
            let indent = line.len() - line.trim_start().len();
            if line.contains("fn code(") {
                within = Some(indent);
            } else if within.is_some_and(|level| indent <= level) {
                within = None;
            }
            if within.is_some() {
                for found in word.captures_iter(line) {
                    codes.insert(found[1].to_owned(), source.path.clone());
                }
            }
        }
        for found in told.captures_iter(&text) {
            codes.insert(found[1].to_owned(), source.path.clone());
        }
    }
    codes
}

#[test]
fn every_code_of_an_error_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let explained: String = ["protocol", "operations", "supervision", "deploy"]
        .map(|name| std::fs::read_to_string(root.join(format!("docs/{name}.md"))).unwrap())
        .concat();
    let words: BTreeSet<&str> = explained
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .collect();
    let codes = codes();
    assert!(codes.len() > 100, "only {} are found", codes.len());
    let missing: Vec<_> = codes
        .iter()
        .filter(|(code, _)| !words.contains(code.as_str()))
        .map(|(code, file)| format!("{code} ({file})"))
        .collect();
    assert!(missing.is_empty(), "in no document:\n{}", missing.join("\n"));
}
