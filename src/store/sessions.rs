//! Sessions: who may come back, known by the hash of their secret.

use std::collections::BTreeSet;

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::{instances, sessions};
use super::text::AsText;
use crate::ids::SessionId;

/// One session.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Insertable)]
#[diesel(table_name = sessions)]
pub struct SessionRow {
    /// Its public name.
    #[diesel(serialize_as = AsText<SessionId>, deserialize_as = AsText<SessionId>)]
    pub session_id: SessionId,
    /// SHA-256 of its secret, 64 hex digits.
    pub secret_hash: String,
    /// When it was made, ms since 1970.
    pub created: i64,
    /// When it was last used, ms since 1970.
    pub modified: i64,
    /// SHA-256 of the host's token that was shown when it was opened, in hex; empty: none was.
    pub token_hash: Option<String>,
}

impl Store {
    /// Keeps a new session.
    ///
    /// # Errors
    /// The id or the hash exists already (`database_refused`), or the database fails.
    pub async fn create_session(&self, session: SessionRow) -> Result<(), StoreError> {
        self.change(move |connection| {
            diesel::insert_into(sessions::table)
                .values(session)
                .execute(connection)?;
            Ok(())
        })
        .await
    }

    /// The session whose secret has this hash.
    ///
    /// # Errors
    /// The database fails.
    pub async fn find_session(&self, secret_hash: String) -> Result<Option<SessionRow>, StoreError> {
        self.read(move |connection| {
            Ok(sessions::table
                .filter(sessions::secret_hash.eq(secret_hash))
                .select(SessionRow::as_select())
                .first(connection)
                .optional()?)
        })
        .await
    }

    /// A session has shown the token with this hash, and has another secret from now on.
    ///
    /// # Errors
    /// The database fails.
    pub async fn promote_session(
        &self,
        id: SessionId,
        secret_hash: String,
        token_hash: String,
    ) -> Result<bool, StoreError> {
        self.change(move |connection| {
            let changed = diesel::update(sessions::table.find(id.to_string()))
                .set((
                    sessions::secret_hash.eq(secret_hash),
                    sessions::token_hash.eq(token_hash),
                ))
                .execute(connection)?;
            Ok(changed > 0)
        })
        .await
    }

    /// Sessions of a time when it was not noted have shown the token with this hash. Returns how many.
    ///
    /// # Errors
    /// The database fails.
    pub async fn note_token_of_sessions(&self, token_hash: String) -> Result<usize, StoreError> {
        self.change(move |connection| {
            Ok(diesel::update(sessions::table.filter(sessions::token_hash.is_null()))
                .set(sessions::token_hash.eq(token_hash))
                .execute(connection)?)
        })
        .await
    }

    /// The sessions that somebody may still come back to, and those of instances that live on without one.
    ///
    /// # Errors
    /// The database fails.
    pub async fn sessions_in_use(&self) -> Result<BTreeSet<SessionId>, StoreError> {
        self.read(move |connection| {
            let known: Vec<String> = sessions::table.select(sessions::session_id).load(connection)?;
            let living: Vec<String> = instances::table
                .filter(instances::ended.is_null())
                .select(instances::session_id)
                .load(connection)?;
            Ok(known.iter().chain(&living).filter_map(|id| id.parse().ok()).collect())
        })
        .await
    }

    /// Forgets a session: its secret opens nothing from now on. Rows of its instances stay. Says whether it was there.
    ///
    /// # Errors
    /// The database fails.
    pub async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError> {
        self.change(move |connection| Ok(diesel::delete(sessions::table.find(id.to_string())).execute(connection)? > 0))
            .await
    }
}

pub(super) fn touch(connection: &mut SqliteConnection, id: SessionId, now: i64) -> Result<(), StoreError> {
    diesel::update(sessions::table.find(id.to_string()).filter(sessions::modified.lt(now)))
        .set(sessions::modified.eq(now))
        .execute(connection)?;
    Ok(())
}
