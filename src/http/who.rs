//! The extractor of handlers that need to know who asks.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::AUTHORIZATION;
use actix_web::{FromRequest, HttpRequest, web};

use super::Api;
use super::problem::Problem;
use crate::session::Identity;

/// The address that a request comes from, for what is counted by address.
///
/// # Errors
/// 400 `no_address` where there is none; a socket always has one.
pub fn address_of(request: &HttpRequest) -> Result<IpAddr, Problem> {
    request
        .peer_addr()
        .map(|address| address.ip())
        .ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "no_address", "the request comes from nowhere"))
}

/// The session that a request comes from.
#[derive(Clone, Copy, Debug)]
pub struct Who(pub Identity);

impl Who {
    /// Guests watch what they were given the address of; they launch nothing.
    ///
    /// # Errors
    /// 401 `auth_required` for guests.
    pub fn must_be_member(&self) -> Result<(), Problem> {
        if self.0.guest {
            Err(Problem::auth_required())
        } else {
            Ok(())
        }
    }
}

/// Somebody who has shown the host's token, also where nobody needs it to launch.
#[derive(Clone, Copy, Debug)]
pub struct Admin;

impl FromRequest for Admin {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let shown = request
            .app_data::<web::Data<Api>>()
            .is_some_and(|api| api.access.has_token(request));
        let who = Who::from_request(request, payload);
        Box::pin(async move {
            if shown {
                return Ok(Self);
            }
            // Who is known, as a guest for instance, is told so; who is not is told how to become known.
            who.await?;
            Err(Problem::not_allowed("this is for who has shown the token of this host"))
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
            let Some(secret) = api.access.session_secret(&request) else {
                return Err(Problem::auth_required());
            };
            // A cookie may be an old one; who writes a header by hand may be guessing.
            let guesser = request
                .headers()
                .contains_key(AUTHORIZATION)
                .then(|| address_of(&request))
                .transpose()?;
            if let Some(from) = guesser {
                api.limits.may_try_token(from)?;
            }
            match api.sessions.find(&secret).await {
                Ok(Some(identity)) => Ok(Self(identity)),
                Ok(None) => {
                    if let Some(from) = guesser {
                        api.limits.wrong_token(from);
                    }
                    Err(Problem::auth_required())
                }
                Err(error) => Err(Problem::unavailable(error.code(), error.to_string())),
            }
        })
    }
}
