//! Who has shown the token: administrators, known by cookies that each stand for one sign-in.
//!
//! ```text
//!   token (Bearer) ────────────────────────────▶ admin
//!   token or ticket ── sign_in ──▶ cookie ─────▶ admin, until the token is replaced
//! ```
//!
//! Token, tickets and cookies are random and kept only as hashes; the cookies in the database, so that they outlive the
//! host, each bound to the token of its time. Checks look only into memory.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::watch;

use super::book::SessionError;
use super::secret::{Secret, SecretHash};
use super::tenure::Membership;
use super::tickets::Tickets;
use crate::clock::unix_ms;
use crate::store::admissions::AdmissionRow;
use crate::store::{Store, StoreError};

/// A browser that has shown the token shows it again after a year.
pub const COOKIE_DAYS: i64 = 365;
const DAY_MS: i64 = 86_400_000;
/// Hosts of before made the one cookie of their token in this way.
const FORMER_COOKIE: &str = "heliostat access cookie";

/// The token, and who has shown it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Admins(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Store,
    /// Whoever reaches the pages may launch.
    everybody: bool,
    state: Mutex<State>,
    /// Counts the tokens that there were.
    epoch: watch::Sender<u64>,
    /// Counts how often somebody has signed in.
    sign_ins: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    token: SecretHash,
    cookies: HashSet<String>,
    tickets: Tickets,
}

/// That somebody is an administrator, until the token is replaced.
#[derive(Clone, Debug)]
pub struct Pass {
    epoch: u64,
    now: watch::Receiver<u64>,
}

impl Pass {
    /// Whether the token is still the one that was shown.
    #[must_use]
    pub fn holds(&self) -> bool {
        *self.now.borrow() == self.epoch
    }

    /// Returns when it is not.
    pub async fn ended(&mut self) {
        let epoch = self.epoch;
        // Without a host there is nothing to be let into.
        let _ = self.now.wait_for(|now| *now != epoch).await;
    }
}

impl Inner {
    /// One of the token there is; to be asked for while the state is locked.
    fn pass(&self) -> Pass {
        let now = self.epoch.subscribe();
        let epoch = *now.borrow();
        Pass { epoch, now }
    }
}

impl Admins {
    /// Those of this host's token, of which only the hash is known; `everybody`: also who has not shown it may launch.
    /// `former`: the token itself, where a host of before kept it, whose cookies and sessions stay good.
    ///
    /// # Errors
    /// The database fails.
    pub async fn load(
        store: Store,
        token: SecretHash,
        former: Option<Secret>,
        everybody: bool,
    ) -> Result<Self, StoreError> {
        let now = unix_ms();
        if let Some(former) = former {
            let row = AdmissionRow {
                cookie_hash: former.derive(FORMER_COOKIE).hash().as_str().to_owned(),
                token_hash: token.as_str().to_owned(),
                created: now,
            };
            store.admit(row).await?;
        }
        store.note_token_of_sessions(token.as_str().to_owned()).await?;
        let since = now - COOKIE_DAYS * DAY_MS;
        let cookies = store.admissions(token.as_str().to_owned(), since).await?;
        Ok(Self(Arc::new(Inner {
            store,
            everybody,
            state: Mutex::new(State {
                token,
                cookies: cookies.into_iter().collect(),
                tickets: Tickets::default(),
            }),
            epoch: watch::Sender::new(0),
            sign_ins: watch::Sender::new(0),
        })))
    }

    /// Whether everybody may launch.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.everybody
    }

    /// Exchanges the token, or a ticket, for a cookie of the browser's own. `None` when it is neither.
    ///
    /// # Errors
    /// The cookie cannot be made or kept; a ticket is good still.
    pub async fn sign_in(&self, shown: &Secret) -> Result<Option<Secret>, SessionError> {
        let hash = shown.hash();
        let (token, ticket) = {
            let mut state = self.lock();
            let ticket = state.tickets.take(&hash, Instant::now());
            if !ticket && !state.token.matches(&hash) {
                return Ok(None);
            }
            (state.token.clone(), ticket)
        };
        let made = self.keep_cookie(&token).await;
        let mut state = self.lock();
        if !state.token.matches(&token) {
            // Replaced meanwhile: what was shown is good no more.
            return Ok(None);
        }
        match made {
            Ok(cookie) => {
                state.cookies.insert(cookie.hash().as_str().to_owned());
                self.0.sign_ins.send_modify(|count| *count += 1);
                Ok(Some(cookie))
            }
            Err(error) => {
                if ticket {
                    state.tickets.add(hash, Instant::now());
                }
                Err(error)
            }
        }
    }

    /// Returns when somebody has signed in, or the token was replaced.
    pub async fn next_sign_in(&self) {
        let (mut sign_ins, mut epoch) = (self.0.sign_ins.subscribe(), self.0.epoch.subscribe());
        // The senders live as long as this does.
        let _ = tokio::select! {
            changed = sign_ins.changed() => changed,
            changed = epoch.changed() => changed,
        };
    }

    async fn keep_cookie(&self, token: &SecretHash) -> Result<Secret, SessionError> {
        let cookie = Secret::generate().map_err(|_| SessionError::Randomness)?;
        let row = AdmissionRow {
            cookie_hash: cookie.hash().as_str().to_owned(),
            token_hash: token.as_str().to_owned(),
            created: unix_ms(),
        };
        self.0.store.admit(row).await?;
        Ok(cookie)
    }

    /// A pass for who shows a cookie that was got by [`Self::sign_in`], or the token itself as a bearer.
    #[must_use]
    pub fn pass(&self, cookie: Option<&Secret>, bearer: Option<&Secret>) -> Option<Pass> {
        let state = self.lock();
        let known = cookie.is_some_and(|c| state.cookies.contains(c.hash().as_str()));
        let shown = bearer.is_some_and(|b| state.token.matches(&b.hash()));
        (known || shown).then(|| self.0.pass())
    }

    /// A ticket that signs one browser in, once.
    ///
    /// # Errors
    /// The system has no randomness to give.
    pub fn ticket(&self) -> Result<Secret, SessionError> {
        let ticket = Secret::generate().map_err(|_| SessionError::Randomness)?;
        self.lock().tickets.add(ticket.hash(), Instant::now());
        Ok(ticket)
    }

    /// From now on there is another token: what was got by the former one ends here and now.
    pub fn replace(&self, token: SecretHash) {
        let mut state = self.lock();
        state.token = token;
        // In the database they are bound to the former token, and are forgotten at the next start.
        state.cookies.clear();
        state.tickets.clear();
        self.0.epoch.send_modify(|epoch| *epoch += 1);
    }

    /// What is noted of a session that is opened now, by who has this pass.
    #[must_use]
    pub(super) fn note(&self, pass: Option<&Pass>) -> String {
        let state = self.lock();
        // Under the lock: no pass of a former token becomes a session of the new one.
        match pass.filter(|pass| pass.holds()) {
            Some(_) => state.token.as_str().to_owned(),
            None => String::new(),
        }
    }

    /// What a session is of which this was noted.
    #[must_use]
    pub(super) fn membership(&self, noted: &str) -> Membership {
        if self.0.everybody {
            return Membership::Open;
        }
        let state = self.lock();
        if noted == state.token.as_str() {
            Membership::Token(self.0.pass())
        } else {
            Membership::Guest
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing in here is left half done by a panic.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "admins_tests.rs"]
mod tests;
