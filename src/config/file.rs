//! Reading a configuration file: TOML, with the line of every key and value.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::app_entry::AppEntry;
use super::error::ConfigError;
use super::keys;
use super::origin::Origin;
use super::sources::{Setting, unknown};
use super::value::Raw;

/// What a file configures.
#[derive(Debug, Default)]
pub(super) struct FileContents {
    /// The keys it sets.
    pub keys: Vec<Setting>,
    /// Its `[[app]]` entries.
    pub apps: Vec<AppEntry>,
}

/// The file's path and text, to turn places in it into lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'t> {
    /// The file.
    pub path: &'t Path,
    /// What is in it.
    pub text: &'t str,
}

impl Text<'_> {
    /// The origin of what begins at this byte.
    pub fn origin(&self, start: usize) -> Origin {
        Origin::File {
            path: PathBuf::from(self.path),
            line: self.line(start),
        }
    }

    fn line(&self, start: usize) -> usize {
        self.text
            .as_bytes()
            .iter()
            .take(start)
            .filter(|byte| **byte == b'\n')
            .count()
            + 1
    }
}

/// Reads and parses the file.
///
/// # Errors
/// The file cannot be read, is no TOML, or sets what does not exist; wrong values of existing keys are found later.
pub(super) fn read(path: &Path) -> Result<FileContents, ConfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(Text { path, text: &text })
}

pub(super) fn parse(file: Text<'_>) -> Result<FileContents, ConfigError> {
    let document = DeTable::parse(file.text).map_err(|error| ConfigError::Syntax {
        path: file.path.to_owned(),
        line: file.line(error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    })?;
    let mut contents = FileContents::default();
    for (section, value) in document.get_ref() {
        let origin = file.origin(section.span().start);
        match (section.get_ref().as_ref(), value.get_ref()) {
            ("app", value) => contents.apps = apps(file, value, &origin)?,
            (name, DeValue::Table(table)) if keys::KEYS.iter().any(|key| key.section() == name) => {
                for (key, value) in table {
                    let full = format!("{name}.{}", key.get_ref());
                    let origin = file.origin(key.span().start);
                    let key = keys::find(&full).ok_or_else(|| unknown(&full, origin.clone()))?;
                    contents.keys.push((key.name, raw(value), origin));
                }
            }
            (name, value) if keys::KEYS.iter().any(|key| key.section() == name) => {
                return Err(ConfigError::BadValue {
                    key: name.to_owned(),
                    value: describe(value),
                    origin,
                    allowed: format!("a section: [{name}] on a line of its own, its keys below"),
                });
            }
            (name, _) => return Err(unknown_section(name, origin)),
        }
    }
    Ok(contents)
}

fn unknown_section(name: &str, origin: Origin) -> ConfigError {
    let sections = keys::KEYS.iter().map(keys::Key::section).chain(["app"]);
    let suggestion = super::suggest::nearest(name, sections).map(str::to_owned);
    match keys::KEYS.iter().find(|key| key.name.ends_with(&format!(".{name}"))) {
        Some(key) => ConfigError::UnknownKey {
            key: name.to_owned(),
            origin,
            suggestion: Some(key.name.to_owned()),
            existing: Vec::new(),
        },
        None => ConfigError::UnknownKey {
            key: name.chars().take(200).collect(),
            origin,
            suggestion,
            existing: Vec::new(),
        },
    }
}

fn apps(file: Text<'_>, value: &DeValue<'_>, origin: &Origin) -> Result<Vec<AppEntry>, ConfigError> {
    let bad = |value: &DeValue<'_>| ConfigError::BadValue {
        key: "app".to_owned(),
        value: describe(value),
        origin: origin.clone(),
        allowed: "app entries: [[app]] on a line of its own (two brackets), its keys below".to_owned(),
    };
    let DeValue::Array(items) = value else {
        return Err(bad(value));
    };
    let mut entries: Vec<AppEntry> = Vec::new();
    for item in items.iter() {
        let DeValue::Table(table) = item.get_ref() else {
            return Err(bad(item.get_ref()));
        };
        let start = table
            .keys()
            .map(|key| key.span().start)
            .min()
            .unwrap_or(item.span().start);
        let entry = AppEntry::parse(file, table, start)?;
        if entries.iter().any(|other| other.id == entry.id) {
            return Err(ConfigError::DuplicateApp {
                id: entry.id,
                origin: file.origin(start),
            });
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// The value as a key's kind reads it.
pub(super) fn raw(value: &Spanned<DeValue<'_>>) -> Raw {
    match value.get_ref() {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Boolean(value) => Raw::Scalar(value.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Raw::Scalar(number.to_string()),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<Vec<String>>>()
            .map_or_else(|| Raw::Other(describe(value.get_ref())), Raw::List),
        other => Raw::Other(describe(other)),
    }
}

/// The value in a few words, for errors.
fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()).shown(),
        DeValue::Boolean(value) => value.to_string(),
        DeValue::Integer(number) => Raw::Other(number.to_string()).shown(),
        DeValue::Float(number) => Raw::Other(number.to_string()).shown(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(items) if items.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "a list of other things than strings".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
