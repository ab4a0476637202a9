//! Sessions: who a secret belongs to.
//!
//! A session that was opened by who had shown the token may launch, until the host has another token: then it is a
//! guest's, keeps its instances, and is a full one again when the new token is shown.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::admins::{Admins, Pass};
use super::secret::{Secret, SecretHash};
use super::tenure::{Host, Membership, Stay, Tenure};
use crate::clock::unix_ms;
use crate::ids::SessionId;
use crate::protocol::words::EventClass;
use crate::store::{Journal, NewEvent, SessionRow, Store, StoreError};

/// Sessions kept in memory; beyond it, all are read from the database again.
const CACHE: usize = 10_000;
/// So often a session is read anew because secrets were changed meanwhile.
const READS: u32 = 16;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The session.
    pub session: SessionId,
    membership: Membership,
    stay: Stay,
}

impl Identity {
    /// Whether it may only watch what it was given the address of.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        !self.membership.is_member()
    }

    /// Whether it is still what it was: its secret opens it, and it may what it might.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.tenure(None).holds()
    }

    /// What somebody came with who asks as this session; `admin`: they have also shown the token.
    #[must_use]
    pub fn tenure(&self, admin: Option<Pass>) -> Tenure {
        Tenure {
            session: self.session,
            membership: self.membership.clone(),
            stay: self.stay.clone(),
            admin,
        }
    }
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
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    known: HashMap<SecretHash, Known>,
    /// Of the sessions that somebody is here with.
    hosts: HashMap<SessionId, Host>,
    /// How often a session was closed, or got another secret.
    changes: u64,
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
            inner: Arc::default(),
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
    /// knew that of the guest, and what was opened by the former one ends: see [`Tenure`].
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn promote(&self, session: SessionId, pass: &Pass) -> Result<(Identity, Secret), SessionError> {
        let secret = Secret::generate().map_err(|_| SessionError::Randomness)?;
        let noted = self.admins.note(Some(pass));
        self.store
            .promote_session(session, secret.hash().as_str().to_owned(), noted.clone())
            .await?;
        let known = Known {
            session,
            noted: noted.into(),
        };
        // Of two promotions at once the database knows which was the last: so the secret is not remembered here.
        let stay = self.end(session).stay(session);
        Ok((self.identity(known, stay), secret))
    }

    /// Whom a secret belongs to.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn find(&self, secret: &Secret) -> Result<Option<Identity>, SessionError> {
        let hash = secret.hash();
        let known = self.lock().find(&hash);
        let identity = match known {
            Some((known, stay)) => Some(self.identity(known, stay)),
            None => self.read(hash).await?,
        };
        if let Some(identity) = &identity {
            self.journal.session_used(identity.session, unix_ms());
        }
        Ok(identity)
    }

    /// From the database. A secret that is replaced between the question and its answer opens nothing.
    async fn read(&self, hash: SecretHash) -> Result<Option<Identity>, SessionError> {
        for _ in 0..READS {
            let before = self.lock().changes;
            let Some(row) = self.store.find_session(hash.as_str().to_owned()).await? else {
                return Ok(None);
            };
            let known = Known {
                session: row.session_id,
                noted: row.token_hash.unwrap_or_default().into(),
            };
            let mut inner = self.lock();
            if inner.changes == before {
                let stay = inner.note(hash, known.clone());
                drop(inner);
                return Ok(Some(self.identity(known, stay)));
            }
        }
        Ok(None)
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

    /// Forgets a session; its secret opens nothing any more, and what was opened by it ends.
    ///
    /// # Errors
    /// [`SessionError::Store`].
    pub async fn delete(&self, session: SessionId) -> Result<(), SessionError> {
        self.store.delete_session(session).await?;
        drop(self.end(session));
        Ok(())
    }

    /// The database has forgotten some: which, is found out there. Those that somebody is here with are not among them.
    pub fn reread(&self) {
        let mut inner = self.lock();
        inner.known.clear();
        inner.changes += 1;
    }

    fn identity(&self, known: Known, stay: Stay) -> Identity {
        Identity {
            session: known.session,
            membership: self.admins.membership(&known.noted),
            stay,
        }
    }

    fn remember(&self, hash: SecretHash, session: SessionId, noted: String) -> Identity {
        let known = Known {
            session,
            noted: noted.into(),
        };
        let stay = self.lock().note(hash, known.clone());
        self.identity(known, stay)
    }

    /// What was opened by the session's secret ends.
    fn end(&self, session: SessionId) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.known.retain(|_, known| known.session != session);
        inner.hosts.remove(&session);
        inner.changes += 1;
        inner
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Both under one lock: who finds a secret that is being replaced notices.
    fn find(&mut self, hash: &SecretHash) -> Option<(Known, Stay)> {
        let known = self.known.get(hash)?.clone();
        let stay = self.stay(known.session);
        Some((known, stay))
    }

    fn note(&mut self, hash: SecretHash, known: Known) -> Stay {
        if self.known.len() >= CACHE {
            // overflow: all are forgotten here and read from the database when they come again.
            self.known.clear();
        }
        let session = known.session;
        self.known.insert(hash, known);
        self.stay(session)
    }

    fn stay(&mut self, session: SessionId) -> Stay {
        if self.hosts.len() >= CACHE && !self.hosts.contains_key(&session) {
            // Those that somebody is here with are bounded by the sockets there may be.
            self.hosts.retain(|_, host| !host.is_alone());
        }
        self.hosts.entry(session).or_insert_with(Host::new).stay()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SOON: Duration = Duration::from_secs(5);

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
        assert!(!member.is_guest() && guest.is_guest());
        let (members, guests) = (member.tenure(None), guest.tenure(None));
        assert_eq!(
            book.find(&secret).await.unwrap().map(|i| i.session),
            Some(member.session)
        );
        assert!(members.holds() && guests.holds() && members.standing().member);

        admins.replace(new.hash());
        let demoted = book.find(&secret).await.unwrap().unwrap();
        assert_eq!((demoted.session, demoted.is_guest()), (member.session, true));
        assert!(
            !members.holds() && guests.holds(),
            "only what the token gave ends with it"
        );
        tokio::time::timeout(SOON, members.ended()).await.unwrap();

        let stale = book.promote(guest.session, &pass).await.unwrap().0;
        assert!(stale.is_guest(), "a pass of the former token is worth nothing");

        let pass = admins.pass(None, Some(&new)).unwrap();
        let (promoted, new_secret) = book.promote(guest.session, &pass).await.unwrap();
        assert_eq!((promoted.session, promoted.is_guest()), (guest.session, false));
        assert!(!guests.holds(), "what was opened by the guest's secret ends");
        tokio::time::timeout(SOON, guests.ended()).await.unwrap();
        let promoteds = promoted.tenure(Some(pass));
        assert!(promoteds.holds());
        assert!(
            book.find(&guests_secret).await.unwrap().is_none(),
            "the guest's secret opens nothing more"
        );
        let later = SessionBook::new(store, Arc::new(Journal::new()), admins);
        let found = later.find(&new_secret).await.unwrap().unwrap();
        assert_eq!((found.session, found.is_guest()), (promoted.session, false));

        book.delete(promoted.session).await.unwrap();
        assert!(!promoteds.holds());
        assert!(book.find(&new_secret).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_session_that_the_database_has_forgotten_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:test.db", folder.path()).unwrap();
        let token = Secret::generate().unwrap();
        let admins = Admins::load(store.clone(), token.hash(), None, false).await.unwrap();
        let book = SessionBook::new(store.clone(), Arc::new(Journal::new()), admins);
        let (guest, secret) = book.create(None).await.unwrap();
        let (_, kept) = book.create(None).await.unwrap();
        store.delete_session(guest.session).await.unwrap();
        book.reread();
        assert!(book.find(&secret).await.unwrap().is_none());
        assert!(book.find(&kept).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn however_many_sessions_are_asked_for_those_that_somebody_is_here_with_are_kept() {
        let mut inner = Inner::default();
        let here = SessionId::new();
        let stay = inner.stay(here);
        for _ in 0..CACHE * 2 {
            drop(inner.stay(SessionId::new()));
        }
        assert!(inner.hosts.len() <= CACHE && inner.hosts.contains_key(&here));
        inner.hosts.remove(&here);
        let identity = Identity {
            session: here,
            membership: Membership::Open,
            stay,
        };
        assert!(!identity.tenure(None).holds());
    }
}
