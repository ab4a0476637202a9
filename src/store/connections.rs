//! Connections to the database's file, for the pool.
//!
//! SQLite holds on to a file that was moved away or deleted, and makes an empty database where it finds none. Neither may
//! happen here: what was noted would be lost with the file, or the host would go on with nothing. So a connection is
//! good only as long as its file lies where it lay, and none makes a file. Another database in its place is taken up,
//! unless the write-ahead log beside it is that of the one before, which SQLite would mix into it
//! (<https://www.sqlite.org/howtocorrupt.html>, section 1.4).

use std::fmt::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{Error, R2D2Connection};
use r2d2::ManageConnection;

/// What every connection is told when it is made.
const PRAGMAS: &str =
    "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;";

/// Makes connections to one file, and knows which are still good.
#[derive(Debug)]
pub(super) struct Connections {
    path: PathBuf,
    log: PathBuf,
    url: String,
    /// The database and its log as they were last connected to.
    last: Mutex<Option<(File, Option<File>)>>,
}

/// A connection, and which file it is to.
pub(super) struct Connected {
    pub(super) connection: SqliteConnection,
    file: File,
}

/// A file, wherever it lies: device and inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File(u64, u64);

impl Connections {
    /// Connections to the database at this path; `None` where it is not UTF-8.
    pub(super) fn to(path: &Path) -> Option<Self> {
        let name = path.to_str()?;
        Some(Self {
            path: path.to_owned(),
            log: format!("{name}-wal").into(),
            url: url(name),
            last: Mutex::default(),
        })
    }

    fn file(&self) -> Result<File, Error> {
        File::at(&self.path).map_err(|error| away(&format!("{}: {error}", self.path.display())))
    }

    /// Whether the log there is that of another database, which lay there before.
    fn foreign_log(&self, file: File) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.is_some_and(|(before, log)| before != file && log.is_some() && File::at(&self.log).ok() == log)
    }
}

impl File {
    fn at(path: &Path) -> std::io::Result<Self> {
        path.metadata().map(|found| Self(found.dev(), found.ino()))
    }
}

impl ManageConnection for Connections {
    type Connection = Connected;
    type Error = Error;

    fn connect(&self) -> Result<Connected, Error> {
        let file = self.file()?;
        if self.foreign_log(file) {
            return Err(away("another one lies in its place, with the log of the one before"));
        }
        let mut connection = SqliteConnection::establish(&self.url).map_err(Error::ConnectionError)?;
        connection.batch_execute(PRAGMAS).map_err(Error::QueryError)?;
        if self.file()? != file {
            return Err(away("it was replaced just now"));
        }
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((file, File::at(&self.log).ok()));
        Ok(Connected { connection, file })
    }

    fn is_valid(&self, connected: &mut Connected) -> Result<(), Error> {
        if self.file()? != connected.file {
            return Err(away("another file lies in its place"));
        }
        connected.connection.ping().map_err(Error::QueryError)
    }

    fn has_broken(&self, connected: &mut Connected) -> bool {
        connected.connection.is_broken()
    }
}

fn away(why: &str) -> Error {
    Error::ConnectionError(ConnectionError::BadConnection(format!("the file is away: {why}")))
}

/// Every failed attempt is told to whoever waits for a connection; the log need not have each.
#[derive(Debug)]
pub(super) struct Attempts;

impl r2d2::HandleError<Error> for Attempts {
    fn handle_error(&self, error: Error) {
        log::debug!("no connection to the database: {error}");
    }
}

/// The file as SQLite's URI (<https://www.sqlite.org/uri.html>), which alone can say that it has to exist.
fn url(path: &str) -> String {
    let mut url = "file:".to_owned();
    for byte in path.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => url.push(byte.into()),
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    url + "?mode=rw"
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::pool::Store;
    use super::super::pool::tests::Bench;
    use super::*;

    fn beside(path: &Path, more: &str) -> PathBuf {
        path.with_file_name(format!("heliostat.db{more}"))
    }

    #[test]
    fn a_path_is_a_uri_whatever_is_in_it() {
        assert_eq!(url("/a/heliostat.db"), "file:/a/heliostat.db?mode=rw");
        assert_eq!(url("/a b?c#d%/ü"), "file:/a%20b%3Fc%23d%25/%C3%BC?mode=rw");
    }

    #[tokio::test]
    async fn a_database_can_lie_at_a_path_with_any_characters() {
        let folder = tempfile::tempdir().unwrap();
        let odd = folder.path().join("a b?c#d%20 ü");
        fs::create_dir(&odd).unwrap();
        let store = Store::open("heliostat.db", &odd).unwrap();
        store.ping().await.unwrap();
        assert!(odd.join("heliostat.db").exists());
    }

    #[tokio::test]
    async fn a_file_that_is_moved_away_is_not_available_nor_made_anew_and_is_found_again() {
        let bench = Bench::new().await;
        let path = bench.store.path().to_owned();
        let away = beside(&path, ".away");
        bench.tell("CREATE TABLE mine (n INTEGER)");
        fs::rename(&path, &away).unwrap();
        let error = bench.store.ping().await.unwrap_err();
        assert_eq!(error.code(), "database_unavailable");
        assert!(
            error.is_passing() && error.to_string().contains("the file is away"),
            "{error}"
        );
        assert!(!path.exists());
        fs::rename(&away, &path).unwrap();
        bench.store.ping().await.unwrap();
        bench.tell("DROP TABLE mine");
    }

    #[tokio::test]
    async fn what_was_written_last_is_in_the_file_that_was_moved() {
        let bench = Bench::new().await;
        let path = bench.store.path().to_owned();
        for more in ["", "-wal", "-shm"] {
            fs::rename(beside(&path, more), beside(&path, &format!(".away{more}"))).unwrap();
        }
        bench.store.ping().await.unwrap_err();
        for more in ["", "-wal", "-shm"] {
            let _ = fs::rename(beside(&path, &format!(".away{more}")), beside(&path, more));
        }
        // The server that the bench registered.
        assert_eq!(bench.store.servers().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_database_that_takes_its_place_is_used_but_not_with_a_foreign_log() {
        let (bench, other) = (Bench::new().await, Bench::new().await);
        other.tell("DELETE FROM servers");
        other.tell("PRAGMA wal_checkpoint(TRUNCATE)");
        assert_eq!(bench.store.servers().await.unwrap().len(), 1);
        fs::rename(other.store.path(), bench.store.path()).unwrap();
        let error = bench.store.ping().await.unwrap_err();
        assert!(error.to_string().contains("the log of the one before"), "{error}");
        for more in ["-wal", "-shm"] {
            fs::remove_file(beside(bench.store.path(), more)).unwrap();
        }
        assert_eq!(bench.store.servers().await.unwrap().len(), 0);
    }
}
