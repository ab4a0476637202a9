//! Which database a URL names.

use std::path::{Path, PathBuf};

use super::error::StoreError;

/// A database of a kind that this build can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// SQLite in this file; absolute when the state folder is.
    Sqlite(PathBuf),
}

/// The database that a URL names. SQLite would take any text for a file name, so the scheme decides first.
///
/// # Errors
/// The scheme is unknown, or of a database this build has not.
pub fn backend(url: &str, state: &Path) -> Result<Backend, StoreError> {
    let scheme = url
        .split_once(':')
        .map(|(scheme, _)| scheme)
        .filter(|scheme| is_scheme(scheme));
    match scheme {
        None if url.is_empty() => Err(StoreError::UnknownScheme(String::new())),
        None => Ok(Backend::Sqlite(state.join(url))),
        Some("sqlite") => match url.trim_start_matches("sqlite:") {
            // Each connection would get a database of its own, and a restart an empty one.
            "" | ":memory:" => Err(StoreError::UnknownScheme(url.to_owned())),
            path => Ok(Backend::Sqlite(state.join(path.strip_prefix("//").unwrap_or(path)))),
        },
        Some("postgres" | "postgresql") => Err(StoreError::NotInThisBuild(without_user(url))),
        Some(other) => Err(StoreError::UnknownScheme(other.to_owned())),
    }
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// The URL without what may hold a password.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(url: &str) -> Result<Backend, StoreError> {
        backend(url, Path::new("/state"))
    }

    #[test]
    fn sqlite_and_plain_paths_are_files_within_the_state_folder_unless_absolute() {
        for (url, path) in [
            ("sqlite:heliostat.db", "/state/heliostat.db"),
            ("heliostat.db", "/state/heliostat.db"),
            ("sqlite:/var/x.db", "/var/x.db"),
            ("sqlite:///var/x.db", "/var/x.db"),
            ("/var/x.db", "/var/x.db"),
            ("./a:b.db", "/state/a:b.db"),
        ] {
            let Ok(Backend::Sqlite(found)) = of(url) else {
                panic!("{url}")
            };
            assert_eq!(found, Path::new(path).components().collect::<PathBuf>(), "{url}");
        }
    }

    #[test]
    fn other_schemes_are_refused_and_no_password_is_repeated() {
        let error = of("postgres://user:geheim@db/heliostat").unwrap_err();
        assert_eq!(error.code(), "database_not_in_this_build");
        assert!(!error.to_string().contains("geheim"), "{error}");
        for url in [
            "mysql://x",
            "file:heliostat.db",
            "sqlite::memory:",
            "sqlite:",
            "",
            "http://x",
        ] {
            assert_eq!(of(url).unwrap_err().code(), "database_unknown_scheme", "{url}");
        }
    }

    proptest! {
        #[test]
        fn no_url_makes_the_reading_panic(url in "\\PC*") {
            let _ = of(&url);
        }
    }
}
