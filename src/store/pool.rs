//! The pool of connections, and how calls get one: off the actors' threads, bounded in number and in time.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::dsl::max;
use diesel::prelude::*;
use r2d2::{ManageConnection, Pool};
use tokio::runtime::{Handle, Runtime};
use tokio::sync::Semaphore;

use super::connections::{Attempts, Connections};
use super::error::StoreError;
use super::migrate::migrate;
use super::revision;
use super::schema::instances;
use super::url::{Backend, backend};

/// Connections at once. SQLite has one writer whatever the number; the others read.
const CONNECTIONS: u32 = 3;
/// How long a call waits for a connection of the pool.
const POOL_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a call may take in all.
const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// The database. Cheap to clone; all clones share the pool.
#[derive(Clone)]
pub struct Store {
    pool: Pool<Connections>,
    // As many permits as connections: a call without a permit waits here, where that costs no thread.
    permits: Arc<Semaphore>,
    threads: Threads,
    path: PathBuf,
}

/// Threads of the database's own, one for each connection: whatever else blocks, it answers.
#[derive(Clone)]
struct Threads {
    handle: Handle,
    _runtime: Arc<Own>,
}

/// A runtime that may be dropped where another one runs: what its threads have begun they finish.
struct Own(Option<Runtime>);

impl Threads {
    fn new() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(CONNECTIONS as usize)
            .thread_name("store")
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            _runtime: Arc::new(Own(Some(runtime))),
        })
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database that `url` names and brings it to this program's version. Blocks: for the start of the
    /// host, before there are actors.
    ///
    /// # Errors
    /// The URL names no usable database, the database cannot be opened, or it is of a newer version.
    pub fn open(url: &str, state: &Path) -> Result<Self, StoreError> {
        let Backend::Sqlite(path) = backend(url, state)?;
        let cannot_open = |cause: String| StoreError::CannotOpen {
            path: path.clone(),
            cause,
        };
        // Made here and not by SQLite, which would let others read it wherever it lies.
        OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)
            .map_err(|error| cannot_open(error.to_string()))?;
        let connections = Connections::to(&path).ok_or_else(|| cannot_open("its path is not UTF-8".to_owned()))?;
        // The first connection alone, for its own account of what is wrong; the pool would only time out.
        let mut first = connections.connect().map_err(|error| cannot_open(error.to_string()))?;
        migrate(&mut first.connection, &path)?;
        let last: Option<i64> = instances::table
            .select(max(instances::revision))
            .first(&mut first.connection)
            .map_err(|error| cannot_open(error.to_string()))?;
        revision::go_on_after(last.unwrap_or(0));
        drop(first);
        let pool = Pool::builder()
            .max_size(CONNECTIONS)
            .min_idle(Some(1))
            .connection_timeout(POOL_TIMEOUT)
            .error_handler(Box::new(Attempts))
            .build(connections)
            .map_err(|error| cannot_open(error.to_string()))?;
        Ok(Self {
            pool,
            permits: Arc::new(Semaphore::new(CONNECTIONS as usize)),
            threads: Threads::new().map_err(|error| StoreError::Unavailable(error.to_string()))?,
            path,
        })
    }

    /// The file of the database.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| Ok(connection.batch_execute("SELECT count(*) FROM servers")?))
            .await
    }

    /// A call that changes nothing.
    pub(super) async fn read<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        self.call(call).await
    }

    /// A call that changes something, all of it or nothing.
    pub(super) async fn change<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        // Immediate: a transaction that begins by reading and then finds another writer cannot wait, only fail.
        self.call(move |connection| connection.immediate_transaction(call))
            .await
    }

    async fn call<T, F>(&self, call: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut SqliteConnection) -> Result<T, StoreError> + Send + 'static,
    {
        let pool = self.pool.clone();
        let (permits, threads) = (Arc::clone(&self.permits), self.threads.clone());
        let answer = async move {
            let permit = permits
                .acquire_owned()
                .await
                .map_err(|_| StoreError::Unavailable("it is closed".to_owned()))?;
            let thread = threads.handle.spawn_blocking(move || {
                // Given back when the work is done, not when the caller stops waiting for it.
                let _permit = permit;
                let mut connection = pool.get().map_err(|error| StoreError::Unavailable(error.to_string()))?;
                call(&mut connection.connection)
            });
            thread
                .await
                .map_err(|error| StoreError::Unavailable(error.to_string()))?
        };
        let limit = u64::try_from(CALL_TIMEOUT.as_millis()).unwrap_or(u64::MAX);
        tokio::time::timeout(CALL_TIMEOUT, answer)
            .await
            .map_err(|_| StoreError::Timeout(limit))?
    }
}

#[cfg(test)]
#[path = "pool_tests.rs"]
pub(super) mod tests;
