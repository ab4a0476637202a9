//! Links in the database and in memory: made, exchanged, revoked, expired. Who is asked about a role looks only into
//! memory; what must not be lost is in the database first.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::link_book::{Link, LinkBook};
use super::secret::{Secret, SecretHash};
use crate::clock::unix_ms;
use crate::ids::{InstanceId, LinkId, SessionId};
use crate::protocol::words::Role;
use crate::store::{Exchanged, LinkRow, Store, StoreError};

/// Living links of one instance.
pub const MOST_LINKS: u32 = 32;
/// Sessions that come by one link.
pub const MOST_USES: u32 = 1000;
/// No link lives shorter.
pub const SHORTEST: Duration = Duration::from_secs(10);
/// No link lives longer.
pub const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// A link lives so long when nobody says.
pub const USUAL: Duration = Duration::from_secs(86_400);

/// Why a link is not made, or opens nothing.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Something about it is beyond what it may be.
    #[error("{0}")]
    OutOfRange(&'static str),
    /// The instance has as many as it may.
    #[error("this instance has {MOST_LINKS} links already; revoke one")]
    TooMany,
    /// There is none, or its instance has ended.
    #[error("there is no such link, or what it shared has ended")]
    Unknown,
    /// It was revoked.
    #[error("this link was revoked")]
    Revoked,
    /// It has expired.
    #[error("this link has expired")]
    Expired,
    /// Others have used it up.
    #[error("this link has been used as often as it may")]
    UsedUp,
    /// The system has no randomness to give.
    #[error("no random secret can be made")]
    Randomness,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl LinkError {
    /// The stable word.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::OutOfRange(_) => "out_of_range",
            Self::TooMany => "too_many_links",
            Self::Unknown => "unknown_link",
            Self::Revoked => "link_revoked",
            Self::Expired => "link_expired",
            Self::UsedUp => "link_used_up",
            Self::Randomness => "no_randomness",
            Self::Store(error) => error.code(),
        }
    }
}

/// What a new link is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What it makes of those who come by it.
    pub role: Role,
    /// How long it lives.
    pub life: Duration,
    /// So many sessions may come by it; `None`: many.
    pub uses: Option<u32>,
}

impl Wish {
    fn check(self) -> Result<Self, LinkError> {
        if self.role > Role::Controller {
            return Err(LinkError::OutOfRange("a link makes controllers or spectators"));
        }
        if !(SHORTEST..=LONGEST).contains(&self.life) {
            return Err(LinkError::OutOfRange("a link lives from 10 s to 30 days"));
        }
        if self.uses.is_some_and(|uses| !(1..=MOST_USES).contains(&uses)) {
            return Err(LinkError::OutOfRange("a link is used from 1 to 1000 times"));
        }
        Ok(self)
    }
}

/// The links of this host's instances. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Links {
    store: Store,
    book: Arc<Mutex<LinkBook>>,
    /// The hash of the token under which links are made.
    under: Arc<Mutex<SecretHash>>,
    changed: Arc<Notify>,
}

impl Links {
    /// Those that the database has, and that were made under the token with this hash.
    ///
    /// # Errors
    /// The database fails.
    pub async fn load(store: Store, token: SecretHash, now: i64) -> Result<Self, StoreError> {
        store
            .revoke_links_of_other_tokens(token.as_str().to_owned(), now)
            .await?;
        let mut book = LinkBook::default();
        for (row, sessions) in store.living_links(None, now).await? {
            book.put(link(&row, sessions));
        }
        Ok(Self {
            store,
            book: Arc::new(Mutex::new(book)),
            under: Arc::new(Mutex::new(token)),
            changed: Arc::default(),
        })
    }

    /// Makes a link; gives it with the only showing of its secret.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn make(&self, instance: InstanceId, wish: Wish, now: i64) -> Result<(Link, Secret), LinkError> {
        let wish = wish.check()?;
        let secret = Secret::generate().map_err(|_| LinkError::Randomness)?;
        let under = self.under().clone();
        let life = i64::try_from(wish.life.as_millis()).unwrap_or(i64::MAX);
        let row = LinkRow {
            link_id: LinkId::new(),
            instance_id: instance,
            role: wish.role,
            expires_at: now.saturating_add(life),
            token_hash: secret.hash().as_str().to_owned(),
            created: now,
            uses: wish.uses.and_then(|uses| i32::try_from(uses).ok()),
            used: 0,
            revoked: None,
            made_under: Some(under.as_str().to_owned()),
        };
        let made = link(&row, Vec::new());
        if !self.store.insert_link(row, i64::from(MOST_LINKS)).await? {
            return Err(LinkError::TooMany);
        }
        {
            // Whoever replaces the token holds this first: of what was made under the former one nothing is put after that.
            let now = self.under();
            if !now.matches(&under) {
                return Err(LinkError::Revoked);
            }
            self.lock().put(made.clone());
        }
        self.changed.notify_one();
        Ok((made, secret))
    }

    /// Whether this is the secret of a link, be it one that has ended.
    ///
    /// # Errors
    /// [`LinkError::Store`].
    pub async fn knows(&self, secret: &Secret) -> Result<bool, LinkError> {
        Ok(self.store.is_link(secret.hash().as_str().to_owned()).await?)
    }

    /// Exchanges a secret for what its link gives. A session that has it already uses nothing up. Says whether it was
    /// used.
    ///
    /// # Errors
    /// [`LinkError`].
    pub async fn exchange(&self, secret: &Secret, session: SessionId, now: i64) -> Result<(Link, bool), LinkError> {
        let (hash, most) = (
            secret.hash().as_str().to_owned(),
            MOST_USES.try_into().unwrap_or(i32::MAX),
        );
        match self.store.exchange_link(hash, session, now, most).await? {
            Exchanged::Granted { link: row, used } => {
                let granted = link(&row, vec![session]);
                // Revoked between the two: it gives nothing.
                if !self.lock().grant(granted.id, session, granted.used) {
                    return Err(LinkError::Revoked);
                }
                Ok((granted, used))
            }
            Exchanged::Unknown => Err(LinkError::Unknown),
            Exchanged::Revoked => Err(LinkError::Revoked),
            Exchanged::Expired => Err(LinkError::Expired),
            Exchanged::UsedUp => Err(LinkError::UsedUp),
        }
    }

    /// Revokes a link, and with it what it gave.
    ///
    /// # Errors
    /// [`LinkError::Unknown`] and [`LinkError::Store`].
    pub async fn revoke(&self, instance: InstanceId, id: LinkId, now: i64) -> Result<(), LinkError> {
        let revoked = self.store.revoke_link(instance, id, now).await?;
        // Whatever the database knew of it: here it ends.
        let known = self.lock().remove(instance, id);
        (revoked || known).then_some(()).ok_or(LinkError::Unknown)
    }

    /// The token was replaced: the links that were made under the former one give nothing more from here on. What the
    /// database does not take now it is told at the next start.
    pub fn end_all(&self, token: SecretHash) -> impl Future<Output = Result<usize, StoreError>> + use<> {
        let (store, now, hash) = (self.store.clone(), unix_ms(), token.as_str().to_owned());
        let mut under = self.under();
        *under = token;
        self.lock().clear();
        async move { store.revoke_links_of_other_tokens(hash, now).await }
    }

    /// The links that expired by `now`; what they gave has ended.
    pub fn expire(&self, now: i64) -> Vec<Link> {
        self.lock().expire(now)
    }

    /// When the next one expires, ms since 1970.
    #[must_use]
    pub fn next_end(&self) -> Option<i64> {
        self.lock().next_end()
    }

    /// Returns when a link was made. Cancel safe.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The links of an instance, the oldest first.
    #[must_use]
    pub fn of(&self, instance: InstanceId) -> Vec<Link> {
        self.lock().of(instance)
    }

    /// What links make of a session at an instance.
    #[must_use]
    pub fn role_of(&self, session: SessionId, instance: InstanceId, now: i64) -> Option<Role> {
        self.lock().role_of(session, instance, now)
    }

    /// Forgets the links of instances that have ended; `lives` says which certainly have not.
    ///
    /// # Errors
    /// The database fails; they are forgotten later.
    pub async fn tidy(&self, lives: impl Fn(InstanceId) -> bool, now: i64) -> Result<(), StoreError> {
        let doubtful: BTreeSet<_> = self.lock().instances().into_iter().filter(|id| !lives(*id)).collect();
        for instance in doubtful {
            if self.store.living_links(Some(instance), now).await?.is_empty() {
                self.lock().forget(instance);
            }
        }
        Ok(())
    }

    /// Locked before the book, where both are.
    fn under(&self) -> MutexGuard<'_, SecretHash> {
        self.under.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, LinkBook> {
        // Nothing in here is left half done by a panic.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn link(row: &LinkRow, sessions: Vec<SessionId>) -> Link {
    Link {
        id: row.link_id,
        instance: row.instance_id,
        role: row.role,
        created: row.created,
        expires: row.expires_at,
        uses: row.uses.and_then(|uses| u32::try_from(uses).ok()),
        used: u32::try_from(row.used).unwrap_or(0),
        holders: sessions.into_iter().collect(),
    }
}

#[cfg(test)]
#[path = "links_tests.rs"]
mod tests;
