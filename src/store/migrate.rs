//! Bringing a database to the version of this program.

use std::path::Path;

use diesel::migration::{Migration, MigrationSource, MigrationVersion};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::error::StoreError;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");

/// Applies every change that the database lacks. A database that knows a change unknown here is left as it is.
///
/// # Errors
/// The database is of a newer version, or cannot be read or changed.
pub fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    refuse_newer(connection, path)?;
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| cannot_open(path, error.as_ref()))?;
    Ok(())
}

/// Applies every change that the database lacks and takes them all back. Others wait for their writes meanwhile.
///
/// # Errors
/// As of [`migrate`].
pub fn try_out(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    refuse_newer(connection, path)?;
    let mut tried = Ok(());
    let taken_back = connection.immediate_transaction::<(), diesel::result::Error, _>(|connection| {
        let applied = connection.run_pending_migrations(MIGRATIONS).map(drop);
        tried = applied.map_err(|error| cannot_open(path, error.as_ref()));
        Err(diesel::result::Error::RollbackTransaction)
    });
    match taken_back {
        Err(diesel::result::Error::RollbackTransaction) | Ok(()) => tried,
        Err(error) => Err(cannot_open(path, &error)),
    }
}

/// The newest change that this program knows.
#[must_use]
pub fn newest_change() -> Option<String> {
    let known: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().ok()?;
    known.iter().map(|change| change.name().version().to_string()).max()
}

/// Takes back every change that is newer than `change`.
///
/// # Errors
/// The database cannot be read, or a change cannot be taken back.
pub fn go_back(connection: &mut SqliteConnection, path: &Path, change: &str) -> Result<(), StoreError> {
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| cannot_open(path, error.as_ref());
    loop {
        let applied = connection.applied_migrations().map_err(failed)?;
        let newest = applied.iter().map(ToString::to_string).max();
        if newest.is_none_or(|newest| newest.as_str() <= change) {
            return Ok(());
        }
        connection.revert_last_migration(MIGRATIONS).map_err(failed)?;
    }
}

fn refuse_newer(connection: &mut SqliteConnection, path: &Path) -> Result<(), StoreError> {
    let known: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS
        .migrations()
        .map_err(|error| cannot_open(path, error.as_ref()))?;
    let known: Vec<MigrationVersion<'_>> = known.iter().map(|migration| migration.name().version()).collect();
    let applied = connection
        .applied_migrations()
        .map_err(|error| cannot_open(path, error.as_ref()))?;
    match applied.iter().find(|version| !known.contains(version)) {
        Some(stranger) => Err(StoreError::Newer {
            path: path.to_owned(),
            migration: stranger.to_string(),
        }),
        None => Ok(()),
    }
}

fn cannot_open(path: &Path, cause: &dyn std::error::Error) -> StoreError {
    StoreError::CannotOpen {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}
