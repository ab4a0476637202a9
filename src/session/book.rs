//! Sessions: who a secret belongs to.
//!
//! A session that was opened by who had shown the token may launch, until the host has another token: then it is a
//! guest's, keeps its instances, and is a full one again when the new token is shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::admins::{Admins, Pass};
use super::secret::{Secret, SecretHash};
use crate::clock::unix_ms;
use crate::ids::SessionId;
use crate::protocol::words::EventClass;
use crate::store::{Journal, NewEvent, SessionRow, Store, StoreError};

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
    admins: Admins,
    known: Arc<Mutex<HashMap<SecretHash, Known>>>,
}

#[derive(Clone, Debug)]
struct Known {
    session: SessionId,
    /// The hash of the token that was shown for it.
    noted: Arc<str>,
}

impl SessionBook {
    /// The sessions in this database; `admins` say what a token is worth.
    #[must_use]
    pub fn new(store: Store, journal: Arc<Journal>, admins: Admins) -> Self {
        Self {
            store,
            journal,
            admins,
            known: Arc::default(),
        }
    }

    /// Opens a new session, for who has this pass.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn create(&self, pass: Option<&Pass>) -> Result<(Identity, Secret), SessionError> {
        let secret = Secret::generate().map_err(|_| SessionError::Randomness)?;
        let (session, noted) = (SessionId::new(), self.admins.note(pass));
        let now = unix_ms();
        self.store
            .create_session(SessionRow {
                session_id: session,
                secret_hash: secret.hash().as_str().to_owned(),
                created: now,
                modified: now,
                token_hash: Some(noted.clone()),
            })
            .await?;
        Ok((self.remember(secret.hash(), session, noted), secret))
    }

    /// A session whose browser has shown the token is a full one from now on. It gets another secret, in case somebody
    /// knew that of the guest.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn promote(&self, session: SessionId, pass: &Pass) -> Result<(Identity, Secret), SessionError> {
        let secret = Secret::generate().map_err(|_| SessionError::Randomness)?;
        let noted = self.admins.note(Some(pass));
        self.store
            .promote_session(session, secret.hash().as_str().to_owned(), noted.clone())
            .await?;
        self.forget(session);
        Ok((self.remember(secret.hash(), session, noted), secret))
    }

    /// Whom a secret belongs to.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn find(&self, secret: &Secret) -> Result<Option<Identity>, SessionError> {
        let hash = secret.hash();
        let known = self.lock().get(&hash).cloned();
        let identity = if let Some(known) = known {
            self.identity(&known)
        } else {
            let Some(row) = self.store.find_session(hash.as_str().to_owned()).await? else {
                return Ok(None);
            };
            self.remember(hash, row.session_id, row.token_hash.unwrap_or_default())
        };
        self.journal.session_used(identity.session, unix_ms());
        Ok(Some(identity))
    }

    /// Somebody has shown the token, or a ticket, from this address.
    pub fn signed_in(&self, from: std::net::IpAddr) {
        self.journal.event(NewEvent {
            at: unix_ms(),
            actor: "root".into(),
            kind: "signed_in".into(),
            detail: format!("address={from}"),
            class: EventClass::Audit,
        });
    }

    /// Forgets a session; its secret opens nothing any more.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn delete(&self, session: SessionId) -> Result<(), SessionError> {
        self.store.delete_session(session).await?;
        self.forget(session);
        Ok(())
    }

    fn identity(&self, known: &Known) -> Identity {
        Identity {
            session: known.session,
            guest: self.admins.is_guest(&known.noted),
        }
    }

    fn remember(&self, hash: SecretHash, session: SessionId, noted: String) -> Identity {
        let known = Known {
            session,
            noted: noted.into(),
        };
        let identity = self.identity(&known);
        let mut all = self.lock();
        if all.len() >= CACHE {
            // overflow: all are forgotten here and read from the database when they come again.
            all.clear();
        }
        all.insert(hash, known);
        identity
    }

    fn forget(&self, session: SessionId) {
        self.lock().retain(|_, known| known.session != session);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<SecretHash, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_session_is_worth_what_its_token_is_worth_and_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:test.db", folder.path()).unwrap();
        let (token, new) = (Secret::generate().unwrap(), Secret::generate().unwrap());
        let admins = Admins::load(store.clone(), token.hash(), None, false).await.unwrap();
        let pass = admins.pass(None, Some(&token)).unwrap();
        let book = SessionBook::new(store.clone(), Arc::new(Journal::new()), admins.clone());
        let (member, secret) = book.create(Some(&pass)).await.unwrap();
        let (guest, guests_secret) = book.create(None).await.unwrap();
        assert!(!member.guest && guest.guest);
        assert_eq!(book.find(&secret).await.unwrap(), Some(member));

        admins.replace(new.hash());
        let demoted = book.find(&secret).await.unwrap().unwrap();
        assert_eq!((demoted.session, demoted.guest), (member.session, true));

        let stale = book.promote(guest.session, &pass).await.unwrap().0;
        assert!(stale.guest, "a pass of the former token is worth nothing");

        let pass = admins.pass(None, Some(&new)).unwrap();
        let (promoted, new_secret) = book.promote(guest.session, &pass).await.unwrap();
        assert_eq!((promoted.session, promoted.guest), (guest.session, false));
        assert_eq!(
            book.find(&guests_secret).await.unwrap(),
            None,
            "the guest's secret opens nothing more"
        );
        let later = SessionBook::new(store, Arc::new(Journal::new()), admins);
        assert_eq!(later.find(&new_secret).await.unwrap(), Some(promoted));
    }
}
