//! What documents say of the code.

use std::path::Path;

use regex::Regex;

use super::source::sources;

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
