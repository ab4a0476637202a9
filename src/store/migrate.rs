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
    let cannot_open = |cause: Box<dyn std::error::Error>| StoreError::CannotOpen {
        path: path.to_owned(),
        cause: cause.to_string(),
    };
    let known: Vec<Box<dyn Migration<Sqlite>>> = MIGRATIONS.migrations().map_err(|error| cannot_open(error))?;
    let known: Vec<MigrationVersion<'_>> = known.iter().map(|migration| migration.name().version()).collect();
    let applied = connection.applied_migrations().map_err(|error| cannot_open(error))?;
    if let Some(stranger) = applied.iter().find(|version| !known.contains(version)) {
        return Err(StoreError::Newer {
            path: path.to_owned(),
            migration: stranger.to_string(),
        });
    }
    connection
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| cannot_open(error))?;
    Ok(())
}
