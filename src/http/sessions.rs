//! The token's exchange, and sessions.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::client::Client;
use super::limits::WRONG_SECRET_DELAY;
use super::problem::Problem;
use super::who::Who;
use crate::ids::SessionId;
use crate::session::Identity;

/// The body of `POST /auth`.
#[derive(Deserialize)]
pub struct AuthBody {
    token: String,
}

/// The body of `POST /sessions`.
#[derive(Default, Deserialize)]
pub struct SessionBody {
    /// What the browser remembers; only checked against the cookie.
    #[serde(default)]
    session_id: Option<SessionId>,
    /// Only to watch: needs no token.
    #[serde(default)]
    guest: bool,
}

/// `POST /api/v1/auth`: exchanges the token, or a ticket, for a cookie.
pub async fn auth(client: Client, api: web::Data<Api>, body: web::Json<AuthBody>) -> Result<HttpResponse, Problem> {
    let from = client.address;
    let exchanged = api.access.exchange(&body.token).await;
    let Some(cookie) = exchanged.map_err(|e| Problem::unavailable(e.code(), e.to_string()))? else {
        api.limits.wrong_secret(from)?;
        if api.access.is_open() {
            // Nobody needs it here, so that an old one in a bookmark does no harm.
            return Ok(HttpResponse::NoContent().finish());
        }
        // Whoever guesses waits.
        tokio::time::sleep(WRONG_SECRET_DELAY).await;
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "bad_token",
            "this is not the token of this host",
        ));
    };
    api.limits.right_token(from);
    api.sessions.signed_in(from);
    Ok(HttpResponse::NoContent().cookie(cookie).finish())
}

/// `POST /api/v1/sessions`: the session of the cookie, or a new one.
pub async fn open(
    request: HttpRequest,
    client: Client,
    api: web::Data<Api>,
    body: Result<web::Json<SessionBody>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    let body = wished(body)?;
    let Who { identity: known, pass } = Who::shown(&api, &request).await?;
    let admitted = api.access.is_open() || pass.is_some();
    let unavailable = |e: crate::session::SessionError| Problem::unavailable(e.code(), e.to_string());
    // Who wants more than to watch needs the token.
    if !admitted && !body.guest && known.as_ref().is_none_or(Identity::is_guest) {
        return Err(Problem::auth_required());
    }
    match (known, &pass) {
        (Some(guest), Some(pass)) if guest.is_guest() => {
            let (identity, secret) = api.sessions.promote(guest.session, pass).await.map_err(unavailable)?;
            api.roles.regrade_all();
            log::info!("session={} is no guest any more", identity.session);
            Ok(HttpResponse::Ok()
                .cookie(api.access.session_cookie(&secret))
                .json(describe(&api, &identity)))
        }
        (Some(identity), _) => {
            if body.session_id.is_some_and(|id| id != identity.session) {
                log::info!("session={} the browser remembered another one", identity.session);
            }
            Ok(HttpResponse::Ok().json(describe(&api, &identity)))
        }
        (None, _) => {
            // What strangers open there is no reason to shut out who has shown the token.
            if pass.is_none() {
                api.limits.session(client.address)?;
            }
            let (identity, secret) = api.sessions.create(pass.as_ref()).await.map_err(unavailable)?;
            log::info!(
                "session={} opened guest={} client={client}",
                identity.session,
                identity.is_guest()
            );
            Ok(HttpResponse::Created()
                .cookie(api.access.session_cookie(&secret))
                .json(describe(&api, &identity)))
        }
    }
}

/// What a body asks for. None asks for nothing; one that is too large or too slow is no body.
fn wished(body: Result<web::Json<SessionBody>, actix_web::Error>) -> Result<SessionBody, Problem> {
    const REFUSED: [StatusCode; 2] = [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::REQUEST_TIMEOUT];
    let error = match body {
        Ok(body) => return Ok(body.into_inner()),
        Err(error) => error,
    };
    match error.as_error::<Problem>() {
        Some(problem) if REFUSED.contains(&problem.status_code()) => Err(problem.clone()),
        _ => Ok(SessionBody::default()),
    }
}

/// `GET /api/v1/sessions/current`
pub async fn current(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(describe(&api, &who.session()?)))
}

/// `DELETE /api/v1/sessions/current`: forgets the session; its instances end by their idle time.
pub async fn close(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    let session = who.session()?.session;
    api.sessions
        .delete(session)
        .await
        .map_err(|e| Problem::unavailable(e.code(), e.to_string()))?;
    api.roles.regrade_all();
    log::info!("session={session} closed");
    Ok(HttpResponse::NoContent().cookie(api.access.forget_session()).finish())
}

fn describe(api: &Api, identity: &Identity) -> serde_json::Value {
    let auth = if api.access.is_open() { "open" } else { "token" };
    json!({ "session_id": identity.session, "auth": auth, "guest": identity.is_guest() })
}
