//! What can go wrong with the database.

use std::path::PathBuf;

use diesel::result::{DatabaseErrorKind, Error as DieselError};

/// Why a call to the store did not do what it should.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be opened.
    #[error("cannot open the database {path}: {cause}")]
    CannotOpen {
        /// The file.
        path: PathBuf,
        /// Why, as the database says it.
        cause: String,
    },
    /// A newer Heliostat has changed the database.
    #[error(
        "the database {path} is of a newer version (it knows the change {migration}, this program does not); \
         use that version, or another state folder"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The change that is not known here.
        migration: String,
    },
    /// The URL names a kind of database that this build cannot use.
    #[error("the database URL {0} needs PostgreSQL, which is not in this build yet; allowed: sqlite:PATH, or a path")]
    NotInThisBuild(String),
    /// The URL names no kind of database that is known.
    #[error("the database URL has the unknown scheme `{0}`; allowed: sqlite:PATH, or a path within the state folder")]
    UnknownScheme(String),
    /// No connection is free, the database is locked or cannot be read or written.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A call did not end in time. What it wanted may happen nevertheless.
    #[error("the database did not answer within {0} ms")]
    Timeout(u64),
    /// The call contradicts what is stored: a row exists already, or one it refers to does not.
    #[error("the database refuses the row: {0}")]
    Refused(String),
    /// A stored value cannot be understood.
    #[error("the database holds a value that cannot be understood: {0}")]
    Damaged(String),
    /// The state folder's record of who this server is cannot be used.
    #[error("cannot use {path}, which says who this server is: {cause}")]
    Identity {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl StoreError {
    /// The stable code of the error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::CannotOpen { .. } | Self::Unavailable(_) | Self::Timeout(_) => "database_unavailable",
            Self::Newer { .. } => "database_newer",
            Self::NotInThisBuild(_) => "database_not_in_this_build",
            Self::UnknownScheme(_) => "database_unknown_scheme",
            Self::Refused(_) => "database_refused",
            Self::Damaged(_) => "database_damaged",
            Self::Identity { .. } => "server_identity",
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::CannotOpen { .. } | Self::Unavailable(_) | Self::Timeout(_))
    }
}

impl From<DieselError> for StoreError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::DatabaseError(
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::NotNullViolation
                | DatabaseErrorKind::CheckViolation,
                info,
            ) => Self::Refused(info.message().to_owned()),
            DieselError::DeserializationError(_) => Self::Damaged(with_sources(&error)),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// The error and what it comes from: diesel names the column in one and the value in the other.
fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let part = source.to_string();
        if !text.contains(&part) {
            text.push_str(": ");
            text.push_str(&part);
        }
        next = source.source();
    }
    text
}
