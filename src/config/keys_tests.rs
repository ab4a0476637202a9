use super::super::sources::Sources;
use super::super::types::Config;
use super::super::value::Raw;
use super::*;

#[test]
fn every_default_is_allowed_by_its_own_key() {
    for key in KEYS {
        assert!(
            key.kind.parse(&Raw::Text(key.default.to_owned())).is_some(),
            "{}",
            key.name
        );
    }
}

#[test]
fn no_two_keys_share_a_name_or_a_variable() {
    let mut variables: Vec<String> = KEYS.iter().map(Key::variable).collect();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), KEYS.len());
}

/// The rows that the document should have and lacks, to be pasted into it.
fn missing_rows(rows: impl Iterator<Item = String>) -> String {
    let document = include_str!("../../docs/configuration.md");
    rows.filter(|row| !document.lines().any(|line| line == row))
        .map(|row| row + "\n")
        .collect()
}

#[test]
fn every_key_of_the_table_is_in_the_document() {
    let missing = missing_rows(KEYS.iter().map(|key| {
        let default = if key.default.is_empty() {
            "empty".to_owned()
        } else {
            format!("`{}`", key.default)
        };
        format!("| `{}` | {default} | {} | {} |", key.name, key.kind.allowed(), key.help)
    }));
    assert!(missing.is_empty(), "docs/configuration.md lacks these rows:\n{missing}");
}

#[test]
fn every_key_of_an_app_entry_is_in_the_document() {
    let missing = missing_rows(super::super::app_table::FIELDS.iter().map(|field| {
        format!(
            "| `{}` | {} | {} | {} |",
            field.name, field.default, field.allowed, field.help
        )
    }));
    assert!(missing.is_empty(), "docs/configuration.md lacks these rows:\n{missing}");
}

#[test]
fn every_word_of_a_choice_is_one_to_the_program() {
    for key in KEYS {
        let Kind::Choice(words) = key.kind else { continue };
        for word in words {
            let folder = tempfile::tempdir().unwrap();
            let home = folder.path().join("home").into_os_string();
            let sources = Sources {
                env: [("HOME".into(), home), (key.variable().into(), word.into())].into(),
                folder: folder.path().to_owned(),
                ..Sources::default()
            };
            let (config, _) = Config::load(&sources).unwrap();
            let row = config.explain().into_iter().find(|row| row.key == key.name);
            assert_eq!(row.map(|row| row.value).as_deref(), Some(*word), "{}", key.name);
        }
    }
}
