//! What is done with a database around a change of programs: whether it could be used, and back to what an earlier one knows.

use std::path::Path;

use r2d2::ManageConnection;

use super::connections::{Connected, Connections};
use super::error::StoreError;
use super::migrate;
use super::pool::Store;
use super::url::{Backend, backend};

impl Store {
    /// Whether [`Store::open`] would open this database: it can be read and written, and every change that it lacks is tried and
    /// taken back. One that is not there yet can be used. Blocks.
    ///
    /// # Errors
    /// As of [`Store::open`].
    pub fn check(url: &str, state: &Path) -> Result<(), StoreError> {
        let Backend::Sqlite(path) = backend(url, state)?;
        let cannot_open = |cause: String| StoreError::CannotOpen {
            path: path.clone(),
            cause,
        };
        match path.symlink_metadata() {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(cannot_open(error.to_string())),
            Ok(_) => migrate::try_out(&mut connect(&path)?.connection, &path),
        }
    }

    /// Takes back every change of the database that is newer than `change`, for a program that knows no newer one. Blocks.
    ///
    /// # Errors
    /// The database cannot be used, or a change cannot be taken back.
    pub fn go_back(url: &str, state: &Path, change: &str) -> Result<(), StoreError> {
        let Backend::Sqlite(path) = backend(url, state)?;
        if !path.exists() {
            return Ok(());
        }
        migrate::go_back(&mut connect(&path)?.connection, &path, change)
    }
}

fn connect(path: &Path) -> Result<Connected, StoreError> {
    let cannot_open = |cause: String| StoreError::CannotOpen {
        path: path.to_owned(),
        cause,
    };
    let connections = Connections::to(path).ok_or_else(|| cannot_open("its path is not UTF-8".to_owned()))?;
    connections.connect().map_err(|error| cannot_open(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::super::pool::tests::Bench;
    use super::*;
    use crate::ids::SessionId;

    #[tokio::test]
    async fn a_database_in_use_is_tried_without_being_changed() {
        let bench = Bench::new().await;
        let check = || Store::check("sqlite:heliostat.db", bench.folder.path());
        check().unwrap();
        // As an earlier program has it.
        bench.tell("ALTER TABLE links DROP COLUMN made_under");
        bench.tell("DELETE FROM __diesel_schema_migrations WHERE version = '00000000000004'");
        check().unwrap();
        bench.tell("ALTER TABLE links ADD COLUMN made_under TEXT");
        assert_eq!(
            check().unwrap_err().code(),
            "database_unavailable",
            "a change that cannot be made"
        );
        bench.instance(SessionId::new(), 1).await;
    }

    #[tokio::test]
    async fn a_program_that_knows_less_finds_what_it_knows_after_one_that_did_not_serve() {
        let bench = Bench::new().await;
        let id = bench.instance(SessionId::new(), 1).await;
        let (url, state) = ("heliostat.db", bench.folder.path());
        Store::go_back(url, state, "00000000000004").unwrap();
        bench.tell("UPDATE instances SET process_id = 3");
        Store::go_back(url, state, "00000000000004").unwrap();
        let again = Store::open(url, state).unwrap();
        assert!(again.instance(id).await.unwrap().is_some());
        let newest = migrate::newest_change().unwrap();
        Store::go_back(url, state, &newest).unwrap();
        assert!(again.instance(id).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_database_that_could_not_be_opened_is_refused() {
        let bench = Bench::new().await;
        let check = |url| Store::check(url, bench.folder.path()).map_err(|error| error.code());
        assert_eq!(check("not-there.db"), Ok(()));
        assert!(!bench.folder.path().join("not-there.db").exists());
        std::fs::write(
            bench.folder.path().join("text.db"),
            "no database at all, but long enough for its head",
        )
        .unwrap();
        assert_eq!(check("text.db"), Err("database_unavailable"));
        bench.tell("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
        assert_eq!(check("heliostat.db"), Err("database_newer"));
    }
}
