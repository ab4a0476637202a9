//! Sessions: who a secret belongs to.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::secret::{Secret, SecretHash};
use crate::clock::unix_ms;
use crate::ids::SessionId;
use crate::store::{Journal, SessionRow, Store, StoreError};

/// Sessions kept in memory; beyond it, all are read from the database again.
const CACHE: usize = 10_000;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The session.
    pub session: SessionId,
    /// It may only watch what it was given the address of.
    pub guest: bool,
}

/// Why a session cannot be had now.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The system has no randomness to give.
    #[error("no random secret can be made")]
    Randomness,
}

impl SessionError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Store(error) => error.code(),
            Self::Randomness => "no_randomness",
        }
    }
}

/// The sessions of this host. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SessionBook {
    store: Store,
    journal: Arc<Journal>,
    known: Arc<Mutex<HashMap<SecretHash, Identity>>>,
}

impl SessionBook {
    /// The sessions in this database.
    #[must_use]
    pub fn new(store: Store, journal: Arc<Journal>) -> Self {
        Self {
            store,
            journal,
            known: Arc::default(),
        }
    }

    /// Opens a new session.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn create(&self, guest: bool) -> Result<(Identity, Secret), SessionError> {
        let secret = Secret::generate().map_err(|_| SessionError::Randomness)?;
        let identity = Identity {
            session: SessionId::new(),
            guest,
        };
        let now = unix_ms();
        self.store
            .create_session(SessionRow {
                session_id: identity.session,
                secret_hash: stored(&secret, guest),
                created: now,
                modified: now,
            })
            .await?;
        self.remember(secret.hash(), identity);
        Ok((identity, secret))
    }

    /// Whom a secret belongs to.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn find(&self, secret: &Secret) -> Result<Option<Identity>, SessionError> {
        let hash = secret.hash();
        let known = self
            .known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .copied();
        if let Some(identity) = known {
            self.journal.session_used(identity.session, unix_ms());
            return Ok(Some(identity));
        }
        for guest in [false, true] {
            if let Some(row) = self.store.find_session(stored(secret, guest)).await? {
                let identity = Identity {
                    session: row.session_id,
                    guest,
                };
                self.remember(hash, identity);
                self.journal.session_used(identity.session, unix_ms());
                return Ok(Some(identity));
            }
        }
        Ok(None)
    }

    /// Forgets a session; its secret opens nothing any more.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn delete(&self, session: SessionId) -> Result<(), SessionError> {
        self.store.delete_session(session).await?;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|_, i| i.session != session);
        Ok(())
    }

    fn remember(&self, hash: SecretHash, identity: Identity) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CACHE {
            // overflow: all are forgotten here and read from the database when they come again.
            known.clear();
        }
        known.insert(hash, identity);
    }
}

/// A guest's hash is another one, so that the kind of a session cannot be changed by anybody but the host.
fn stored(secret: &Secret, guest: bool) -> String {
    let hash = if guest {
        secret.derive("guest").hash()
    } else {
        secret.hash()
    };
    hash.as_str().to_owned()
}
