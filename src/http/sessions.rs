//! The token's exchange, and sessions.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::Api;
use super::client::Client;
use super::limits::WRONG_TOKEN_DELAY;
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
    api.limits.may_try_token(from)?;
    let exchanged = api.access.exchange(&body.token).await;
    let Some(cookie) = exchanged.map_err(|e| Problem::unavailable(e.code(), e.to_string()))? else {
        if api.access.is_open() {
            // Nobody needs it here, so that an old one in a bookmark does no harm.
            return Ok(HttpResponse::NoContent().finish());
        }
        api.limits.wrong_token(from);
        // Whoever guesses waits.
        tokio::time::sleep(WRONG_TOKEN_DELAY).await;
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
    body: Option<web::Json<SessionBody>>,
) -> Result<HttpResponse, Problem> {
    let body = body.map(web::Json::into_inner).unwrap_or_default();
    let pass = api.access.pass(&request);
    let admitted = api.access.is_open() || pass.is_some();
    let unavailable = |e: crate::session::SessionError| Problem::unavailable(e.code(), e.to_string());
    let known = match api.access.session_secret(&request) {
        Some(secret) => api.sessions.find(&secret).await.map_err(unavailable)?,
        None => None,
    };
    // Who wants more than to watch needs the token.
    if !admitted && !body.guest && known.is_none_or(|identity| identity.guest) {
        return Err(Problem::auth_required());
    }
    match (known, &pass) {
        (Some(guest), Some(pass)) if guest.guest => {
            let (identity, secret) = api.sessions.promote(guest.session, pass).await.map_err(unavailable)?;
            log::info!("session={} is no guest any more", identity.session);
            Ok(HttpResponse::Ok()
                .cookie(api.access.session_cookie(&secret))
                .json(describe(&api, identity)))
        }
        (Some(identity), _) => {
            if body.session_id.is_some_and(|id| id != identity.session) {
                log::info!("session={} the browser remembered another one", identity.session);
            }
            Ok(HttpResponse::Ok().json(describe(&api, identity)))
        }
        (None, _) => {
            api.limits.session(client.address)?;
            let (identity, secret) = api.sessions.create(pass.as_ref()).await.map_err(unavailable)?;
            log::info!(
                "session={} opened guest={} client={client}",
                identity.session,
                identity.guest
            );
            Ok(HttpResponse::Created()
                .cookie(api.access.session_cookie(&secret))
                .json(describe(&api, identity)))
        }
    }
}

/// `GET /api/v1/sessions/current`
pub async fn current(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(describe(&api, who.session()?)))
}

/// `DELETE /api/v1/sessions/current`: forgets the session; its instances end by their idle time.
pub async fn close(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    let session = who.session()?.session;
    api.sessions
        .delete(session)
        .await
        .map_err(|e| Problem::unavailable(e.code(), e.to_string()))?;
    log::info!("session={session} closed");
    Ok(HttpResponse::NoContent().cookie(api.access.forget_session()).finish())
}

fn describe(api: &Api, identity: Identity) -> serde_json::Value {
    let auth = if api.access.is_open() { "open" } else { "token" };
    json!({ "session_id": identity.session, "auth": auth, "guest": identity.guest })
}
