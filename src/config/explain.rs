//! The effective configuration as `heliostat config` shows it.

use serde::Serialize;

/// One key with its effective value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Row {
    /// `section.key`.
    pub key: String,
    /// The effective value; passwords in URLs are left out.
    pub value: String,
    /// Where it comes from.
    pub source: String,
    /// What the key allows.
    pub allowed: String,
}

/// The rows as an aligned table of text, one key a line.
#[must_use]
pub fn table(rows: &[Row]) -> String {
    let width = |cell: fn(&Row) -> &str, least: usize| {
        rows.iter()
            .map(|row| cell(row).chars().count())
            .chain([least])
            .max()
            .unwrap_or(least)
    };
    let (keys, values) = (width(|row| &row.key, 3), width(|row| &row.value, 5));
    let mut text = format!("{:keys$}  {:values$}  SOURCE\n", "KEY", "VALUE");
    for row in rows {
        text.push_str(&format!("{:keys$}  {:values$}  {}\n", row.key, row.value, row.source));
    }
    text
}

/// A URL without the password in it.
pub(super) fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end]
        .rsplit_once('@')
        .and_then(|(user, host)| Some((user.split_once(':')?.0, host)))
    {
        Some((user, host)) => format!("{scheme}://{user}:***@{host}{}", &rest[end..]),
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let row = |key: &str, value: &str| Row {
            key: key.to_owned(),
            value: value.to_owned(),
            source: "default".to_owned(),
            allowed: String::new(),
        };
        let text = table(&[row("a.b", "1"), row("long.key", "a longer value")]);
        let columns: Vec<usize> = text.lines().skip(1).map(|line| line.find("default").unwrap()).collect();
        assert_eq!(columns[0], columns[1]);
        assert_eq!(text.lines().next().unwrap().find("SOURCE"), Some(columns[0]));
    }

    #[test]
    fn a_password_is_not_shown() {
        assert_eq!(
            without_password("postgres://u:p@ss@h:5432/db?x=1"),
            "postgres://u:***@h:5432/db?x=1"
        );
        assert_eq!(without_password("sqlite:heliostat.db"), "sqlite:heliostat.db");
    }
}
