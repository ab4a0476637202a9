//! How much one address and one session may ask for. Everything here is in memory, bounded, and cheap to refuse by.
//!
//! Rates are kept by `governor` (the generic cell rate algorithm, a leaky bucket that holds one number a key); what is
//! counted at once by [`crate::permits`]; wrong tokens by [`lockout`]. An IPv6 address counts with all of its /64, which is
//! what one user is usually given.

mod lockout;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, ResponseError, web};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

use self::lockout::Lockout;
use super::Api;
use super::client::Client;
use super::problem::Problem;
use crate::config::LimitsConfig;
use crate::ids::SessionId;
use crate::permits::{Permit, Permits};
use crate::policy::Standing;

/// After so many questions those who have not asked for long are forgotten.
const SWEEP: u32 = 1024;
/// How long a wrong token or link is thought about.
pub const WRONG_SECRET_DELAY: Duration = Duration::from_millis(500);
/// When to come back with a socket.
const SOCKET_RETRY: Duration = Duration::from_secs(5);

/// An address as far as it tells users apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Whence(IpAddr);

impl From<IpAddr> for Whence {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::from([a, b, c, d, 0, 0, 0, 0])
            }
            v4 => v4,
        })
    }
}

/// Whose a socket is, as far as it matters for who may have how many: each of them keeps out its own kind only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// A session that may only watch what it was invited to.
    Guests,
    /// A session that may launch.
    Members,
    /// Who has shown the token.
    Admins,
}

impl From<Standing> for Whose {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing { admin: true, .. } => Self::Admins,
            Standing { member: true, .. } => Self::Members,
            _ => Self::Guests,
        }
    }
}

/// The limits of this host. Shared by all its workers.
#[derive(Debug)]
pub struct Limits {
    requests: Rate<Whence>,
    /// Of whom the log was told that they ask too often.
    told: Rate<Whence>,
    sessions: Rate<Whence>,
    launches: Rate<SessionId>,
    wrong_tokens: Mutex<Lockout<Whence>>,
    /// Apart for each kind: behind one address there may be all of them, and with `server.auth = "open"` strangers may
    /// launch.
    sockets: Arc<Permits<(Whence, Whose)>>,
    sockets_of_session: Arc<Permits<SessionId>>,
}

impl Limits {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new(config: &LimitsConfig) -> Self {
        Self {
            requests: Rate::new(Quota::per_minute(config.requests_per_minute)),
            told: Rate::new(Quota::per_minute(NonZeroU32::MIN)),
            sessions: Rate::new(Quota::per_hour(config.sessions_per_hour)),
            launches: Rate::new(Quota::per_hour(config.launches_per_hour)),
            wrong_tokens: Mutex::new(Lockout::new(config.wrong_tokens)),
            sockets: Arc::new(Permits::new(config.sockets_per_address)),
            sockets_of_session: Arc::new(Permits::new(config.sockets_per_session)),
        }
    }

    /// One more request.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn request(&self, from: IpAddr) -> Result<(), Problem> {
        let refused = self.requests.take(from.into(), "requests from your address");
        refused.inspect_err(|_| {
            if self.told.take(from.into(), "").is_ok() {
                log::warn!("address={from} asks more often than limits.requests_per_minute");
            }
        })
    }

    /// One more session.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn session(&self, from: IpAddr) -> Result<(), Problem> {
        self.sessions.take(from.into(), "new sessions from your address")
    }

    /// One more launch, or restart.
    ///
    /// # Errors
    /// 429 `rate_limited`.
    pub fn launch(&self, session: SessionId) -> Result<(), Problem> {
        self.launches.take(session, "launches")
    }

    /// One more socket, as long as the permits live. Guests keep out no members, and neither of them administrators.
    ///
    /// # Errors
    /// 429 `too_many_sockets`.
    pub fn socket(&self, from: IpAddr, session: SessionId, whose: Whose) -> Result<[Permit; 2], Problem> {
        let refused = |whose: &str| {
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_sockets",
                format!("{whose} has as many sockets as it may have"),
            )
            .retry_after(SOCKET_RETRY)
        };
        let of_address = self.sockets.take((from.into(), whose));
        let of_address = of_address.ok_or_else(|| refused("your address"))?;
        let of_session = self
            .sockets_of_session
            .take(session)
            .ok_or_else(|| refused("your session"))?;
        Ok([of_address, of_session])
    }

    /// A token, a bearer or a link was shown that opens nothing. Whoever shows one that does is never asked here: 256 random
    /// bits are not guessed, and many may share an address.
    ///
    /// # Errors
    /// 429 `locked_out`: too many came before it, and this one is not even counted.
    pub fn wrong_secret(&self, from: IpAddr) -> Result<(), Problem> {
        let now = Instant::now();
        let (locked, failed) = self.lockout(|lockout| match lockout.locked_for(&from.into(), now) {
            None => (None, lockout.failed(from.into(), now)),
            locked => (locked, None),
        });
        if let Some(lock) = failed {
            log::warn!(
                "address={from} locked out for {} s: too many wrong tokens",
                lock.as_secs()
            );
        }
        match locked {
            None => Ok(()),
            Some(left) => Err(Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "locked_out",
                "too many wrong tokens came from your address; the right one is let in",
            )
            .retry_after(left)),
        }
    }

    /// The token was right.
    pub fn right_token(&self, from: IpAddr) {
        self.lockout(|l| l.succeeded(&from.into()));
    }

    fn lockout<T>(&self, work: impl FnOnce(&mut Lockout<Whence>) -> T) -> T {
        // Nothing in there is left half done by a panic.
        work(&mut self.wrong_tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How often somebody may do something.
#[derive(Debug)]
struct Rate<K: Clone + Eq + std::hash::Hash> {
    limiter: DefaultKeyedRateLimiter<K>,
    asked: AtomicU32,
    clock: DefaultClock,
}

impl<K: Clone + Eq + std::hash::Hash> Rate<K> {
    fn new(quota: Quota) -> Self {
        Self {
            limiter: RateLimiter::keyed(quota),
            asked: AtomicU32::new(0),
            clock: DefaultClock::default(),
        }
    }

    fn take(&self, key: K, what: &str) -> Result<(), Problem> {
        if self.asked.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            // A key whose bucket is full again says nothing.
            self.limiter.retain_recent();
        }
        self.limiter.check_key(&key).map_err(|until| {
            Problem::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                format!("too many {what}"),
            )
            .retry_after(until.wait_time_from(self.clock.now()))
        })
    }
}

/// The middleware that counts requests, before anything else looks at them. Files of the pages are not counted: a page
/// fetches dozens, they cost nothing, and browsers keep them. What is asked for in their place and is refused, is.
///
/// # Errors
/// Those of the handlers behind it.
pub async fn limit_requests(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let file = request.path().starts_with("/static/");
    let api = request.app_data::<web::Data<Api>>().cloned();
    let from = request.extensions().get::<Client>().map(|client| client.address);
    // Not as an error, which would have a line of its own in the log.
    let refused = move || {
        let problem = api?.limits.request(from?).err()?;
        Some(problem.error_response())
    };
    if file {
        let response = next.call(request).await?.map_into_boxed_body();
        let failed = response.status().is_client_error().then(refused).flatten();
        return Ok(match failed {
            Some(refusal) => response.into_response(refusal),
            None => response,
        });
    }
    if let Some(response) = refused() {
        return Ok(request.into_response(response));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        let some = |n| NonZeroU32::new(n).unwrap();
        Limits::new(&LimitsConfig {
            requests_per_minute: some(3),
            sessions_per_hour: some(2),
            launches_per_hour: some(1),
            wrong_tokens: 2,
            sockets_per_address: 3,
            sockets_per_session: 2,
            messages_per_second: some(50),
            viewers_per_instance: 256,
            peers_per_instance: 64,
            pending_offers: 16,
            candidates_per_peer: 30,
        })
    }

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn over_its_rate_an_address_is_told_when_to_come_back_and_others_notice_nothing() {
        let limits = limits();
        assert!((0..3).all(|_| limits.request(HERE).is_ok()));
        let refused = limits.request(HERE).unwrap_err();
        assert_eq!(
            (refused.code(), refused.status_code()),
            ("rate_limited", StatusCode::TOO_MANY_REQUESTS)
        );
        assert!(refused.error_response().headers().contains_key("retry-after"));
        assert!(limits.request("192.0.2.2".parse().unwrap()).is_ok());
        assert!((0..2).all(|_| limits.session(HERE).is_ok()));
        assert!(limits.session(HERE).is_err());
        let session = SessionId::new();
        assert!(limits.launch(session).is_ok());
        assert!(limits.launch(session).is_err());
        assert!(limits.launch(SessionId::new()).is_ok());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address_and_a_mapped_address_as_the_one_it_stands_for() {
        let key = |text: &str| Whence::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }

    #[test]
    fn sockets_are_counted_by_address_and_by_session_and_a_closed_one_makes_room() {
        let limits = limits();
        let (one, two) = (SessionId::new(), SessionId::new());
        let first = limits.socket(HERE, one, Whose::Guests).unwrap();
        let _second = limits.socket(HERE, one, Whose::Guests).unwrap();
        let refused = limits.socket(HERE, one, Whose::Guests).unwrap_err();
        assert_eq!(refused.code(), "too_many_sockets");
        let _third = limits.socket(HERE, two, Whose::Guests).unwrap();
        assert!(
            limits.socket(HERE, two, Whose::Guests).is_err(),
            "the address has three"
        );
        drop(first);
        assert!(limits.socket(HERE, one, Whose::Guests).is_ok());
    }

    #[test]
    fn strangers_keep_no_sockets_from_members_nor_members_from_administrators() {
        // What each may launch with `server.auth = "open"` is another matter.
        let standing = |member, admin| Standing {
            session: Some(SessionId::new()),
            member,
            admin,
        };
        let kinds = [(false, false), (true, false), (true, true)].map(|(m, a)| Whose::from(standing(m, a)));
        assert_eq!(kinds, [Whose::Guests, Whose::Members, Whose::Admins]);
        assert_eq!(Whose::from(standing(false, true)), Whose::Admins);
        let limits = limits();
        let mut held = Vec::new();
        for whose in kinds {
            for _ in 0..3 {
                held.push(limits.socket(HERE, SessionId::new(), whose).unwrap());
            }
            assert!(limits.socket(HERE, SessionId::new(), whose).is_err());
        }
    }

    #[test]
    fn who_guesses_secrets_is_locked_out_until_the_right_one_comes() {
        let limits = limits();
        assert!((0..2).all(|_| limits.wrong_secret(HERE).is_ok()));
        for _ in 0..3 {
            let refused = limits.wrong_secret(HERE).unwrap_err();
            assert_eq!(refused.code(), "locked_out");
        }
        assert!(limits.wrong_secret("192.0.2.2".parse().unwrap()).is_ok());
        limits.right_token(HERE);
        assert!(limits.wrong_secret(HERE).is_ok());
    }
}
