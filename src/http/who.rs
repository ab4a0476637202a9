//! The extractors of handlers that need to know who asks, and what they may.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest, web};

use super::Api;
use super::access::bearer;
use super::client::Client;
use super::problem::Problem;
use crate::ids::{InstanceId, SessionId};
use crate::policy::{Action, Standing, may};
use crate::protocol::words::Role;
use crate::session::{Identity, Pass, Secret};

/// Who a request comes from: a session, somebody who has shown the token, or both.
#[derive(Clone, Debug)]
pub struct Who {
    /// The session.
    pub identity: Option<Identity>,
    /// What shows that they have shown the token.
    pub pass: Option<Pass>,
}

impl Who {
    /// Their session, if it still is what it was when they began to ask: a body may be long in coming.
    ///
    /// # Errors
    /// 401 `auth_required` for who has none, also for who has shown the token.
    pub fn session(&self) -> Result<Identity, Problem> {
        self.living().cloned().ok_or_else(Problem::auth_required)
    }

    fn living(&self) -> Option<&Identity> {
        self.identity.as_ref().filter(|identity| identity.holds())
    }

    /// As far as it matters for what they may do now.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            session: self.living().map(|i| i.session),
            member: self.living().is_some_and(|i| !i.is_guest()),
            admin: self.pass.as_ref().is_some_and(Pass::holds),
        }
    }

    /// Whether they may do something at the host as a whole.
    ///
    /// # Errors
    /// 401 `auth_required` for guests who want to launch: the token lets them; 403 `not_allowed` otherwise.
    pub fn may(&self, action: Action) -> Result<(), Problem> {
        if may(self.standing().at_host(), action) {
            Ok(())
        } else if action == Action::Launch {
            Err(Problem::auth_required())
        } else {
            Err(Problem::not_allowed(action.refusal()))
        }
    }

    /// Their role at an instance of `owner`, if they may do something there.
    ///
    /// # Errors
    /// 403 `not_allowed`.
    pub fn may_at(&self, api: &Api, instance: InstanceId, owner: SessionId, action: Action) -> Result<Role, Problem> {
        let role = api.roles.at(self.standing(), instance, owner);
        role.filter(|role| may(*role, action))
            .ok_or_else(|| Problem::not_allowed(action.refusal()))
    }
}

/// Somebody who has shown the host's token, also where nobody needs it to launch.
#[derive(Clone, Debug)]
pub struct Admin(pub Pass);

impl Admin {
    /// Whether they still are: a body may be long in coming.
    ///
    /// # Errors
    /// 401 `auth_required`.
    pub fn still(&self) -> Result<(), Problem> {
        self.0.holds().then_some(()).ok_or_else(Problem::auth_required)
    }
}

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let who = Who::from_request(request, payload);
        Box::pin(async move {
            // Who is known, as a guest for instance, is told so; who is not is told how to become known.
            let who = who.await?;
            who.may(Action::Administer)?;
            who.pass.map(Self).ok_or_else(Problem::auth_required)
        })
    }
}

impl FromRequest for Who {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let api = request
                .app_data::<web::Data<Api>>()
                .ok_or_else(|| Problem::unavailable("not_ready", "the host is starting"))?;
            let who = Self::shown(api, &request).await?;
            if who.identity.is_none() && who.pass.is_none() {
                return Err(Problem::auth_required());
            }
            Ok(who)
        })
    }
}

impl Who {
    /// What a request shows of who it comes from, and be it nothing. A cookie may be an old one; a bearer that opens nothing
    /// is a guess, and is counted as one, whatever else the request shows.
    ///
    /// # Errors
    /// 429 `locked_out` for such a guess where too many came before it; 503 when the database fails.
    pub async fn shown(api: &Api, request: &HttpRequest) -> Result<Self, Problem> {
        let pass = api.access.pass(request);
        let mut identity = match api.access.session_secret(request) {
            Some(secret) => session_of(api, &secret, pass.is_some()).await?,
            None => None,
        };
        if let Some(bearer) = bearer(request).filter(|bearer| !api.access.is_token(bearer)) {
            match session_of(api, &bearer, pass.is_some()).await? {
                Some(of_bearer) => identity = identity.or(Some(of_bearer)),
                None => api.limits.wrong_secret(Client::known(request)?.address)?,
            }
        }
        Ok(Self { identity, pass })
    }
}

async fn session_of(api: &Api, secret: &Secret, admin: bool) -> Result<Option<Identity>, Problem> {
    match api.sessions.find(secret).await {
        Ok(identity) => Ok(identity),
        // Who has shown the token needs no session for what administrators do.
        Err(error) if admin => {
            log::warn!("code={} session not found: {error}", error.code());
            Ok(None)
        }
        Err(error) => Err(Problem::unavailable(error.code(), error.to_string())),
    }
}
