//! Links: making, listing and revoking them, and exchanging one for what it gives.

use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Api;
use super::client::Client;
use super::instances::{Found, find};
use super::limits::WRONG_SECRET_DELAY;
use super::problem::Problem;
use super::who::Who;
use crate::ids::{InstanceId, LinkId, SessionId};
use crate::instance::lifecycle::events::InstanceEvent;
use crate::policy::Action;
use crate::protocol::words::Role;
use crate::session::{Link, LinkError, Secret, USUAL, Wish};

/// What a link may make of those who come by it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkRole {
    /// They steer.
    Controller,
    /// They look.
    Spectator,
}

/// The body of `POST /instances/{id}/links`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkBody {
    role: LinkRole,
    /// Seconds.
    expires_in: Option<u64>,
    uses: Option<u32>,
}

/// The body of `POST /links/exchange`.
#[derive(Deserialize)]
pub struct ExchangeBody {
    link: String,
}

/// `POST /api/v1/instances/{id}/links`: makes a link. Its secret is shown here and never again.
pub async fn make(
    api: web::Data<Api>,
    who: Who,
    id: web::Path<String>,
    body: web::Json<LinkBody>,
) -> Result<HttpResponse, Problem> {
    let id = shared(&api, &who, &id).await?.0;
    let wish = Wish {
        role: match body.role {
            LinkRole::Controller => Role::Controller,
            LinkRole::Spectator => Role::Spectator,
        },
        life: body.expires_in.map_or(USUAL, Duration::from_secs),
        uses: body.uses,
    };
    let (link, secret) = api
        .roles
        .links()
        .make(id, wish, crate::clock::unix_ms())
        .await
        .map_err(link_problem)?;
    if let Err(ended) = shared(&api, &who, &id.to_string()).await {
        // Their rights have ended meanwhile.
        let _ = api.roles.revoke(id, link.id).await;
        return Err(ended);
    }
    let by = who
        .identity
        .as_ref()
        .map_or_else(String::new, |i| format!("session={}", i.session));
    api.roles.tell(&link, InstanceEvent::LinkMade, by);
    let mut told = describe(&link, &[]);
    // Behind `#`, so that no log and no other host sees it.
    told["url"] = json!(format!("/stream/{id}#link={}", secret.expose()));
    told["secret"] = json!(secret.expose());
    Ok(HttpResponse::Created().json(told))
}

/// `GET /api/v1/instances/{id}/links`: those that have not ended.
pub async fn list(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (id, watching) = shared(&api, &who, &id).await?;
    let links = api.roles.links().of(id);
    let told: Vec<_> = links.iter().map(|link| describe(link, &watching)).collect();
    Ok(HttpResponse::Ok().json(json!({ "links": told })))
}

/// `DELETE /api/v1/instances/{id}/links/{link_id}`: revokes it; who came by it is out.
pub async fn revoke(api: web::Data<Api>, who: Who, path: web::Path<(String, String)>) -> Result<HttpResponse, Problem> {
    let (id, link) = path.into_inner();
    let id = shared(&api, &who, &id).await?.0;
    let link: LinkId = link.parse().map_err(|_| link_problem(LinkError::Unknown))?;
    api.roles.revoke(id, link).await.map_err(link_problem)?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/links/exchange`: the browser's session, or a new guest's, has what the link gives from now on.
pub async fn exchange(
    client: Client,
    request: HttpRequest,
    api: web::Data<Api>,
    body: web::Json<ExchangeBody>,
) -> Result<HttpResponse, Problem> {
    let unavailable = |e: crate::session::SessionError| Problem::unavailable(e.code(), e.to_string());
    let Who { identity: known, pass } = Who::shown(&api, &request).await?;
    let secret = known_link(&api, client.address, &body.link).await?;
    let (identity, cookie) = match known {
        Some(identity) => (identity, None),
        None => {
            if pass.is_none() {
                api.limits.session(client.address)?;
            }
            let (identity, secret) = api.sessions.create(pass.as_ref()).await.map_err(unavailable)?;
            log::info!(
                "session={} opened by a link guest={}",
                identity.session,
                identity.is_guest()
            );
            (identity, Some(api.access.session_cookie(&secret)))
        }
    };
    let exchanged = api.roles.exchange(&secret, identity.session).await;
    if exchanged.is_err() && cookie.is_some() {
        // Nobody was given it.
        let _ = api.sessions.delete(identity.session).await;
    }
    let link = exchanged.map_err(link_problem)?;
    let mut answer = HttpResponse::Ok();
    if let Some(cookie) = cookie {
        answer.cookie(cookie);
    }
    Ok(answer.json(json!({
        "instance_id": link.instance, "role": link.role, "expires": link.expires, "session_id": identity.session,
    })))
}

/// The secret of a link, be it one that has ended. What is none is a guess: it opens no session, and whoever guesses waits.
async fn known_link(api: &Api, from: IpAddr, shown: &str) -> Result<Secret, Problem> {
    if let Some(secret) = Secret::parse(shown)
        && api.roles.links().knows(&secret).await.map_err(link_problem)?
    {
        return Ok(secret);
    }
    api.limits.wrong_secret(from)?;
    tokio::time::sleep(WRONG_SECRET_DELAY).await;
    Err(link_problem(LinkError::Unknown))
}

/// The instance whose links somebody may make, and the sessions that watch it.
async fn shared(api: &Api, who: &Who, id: &str) -> Result<(InstanceId, Vec<SessionId>), Problem> {
    let found = find(api, id).await?;
    who.may_at(api, found.id(), found.owner(), Action::MakeLinks)?;
    match &found {
        Found::Living(handle) => Ok((found.id(), handle.watching())),
        Found::Row(row) if row.is_failed_row() => Ok((found.id(), Vec::new())),
        // It has ended, and its links with it.
        Found::Row(_) => Err(Problem::unknown_instance()),
    }
}

fn describe(link: &Link, watching: &[SessionId]) -> Value {
    let using = watching.iter().filter(|session| link.holders.contains(session)).count();
    json!({
        "link_id": link.id, "role": link.role, "created": link.created, "expires": link.expires,
        "uses": link.uses, "uses_left": link.uses_left(), "used": link.used, "using": using,
    })
}

fn link_problem(error: LinkError) -> Problem {
    let status = match &error {
        LinkError::OutOfRange(_) => StatusCode::UNPROCESSABLE_ENTITY,
        LinkError::TooMany => StatusCode::CONFLICT,
        LinkError::Unknown => StatusCode::NOT_FOUND,
        LinkError::Revoked | LinkError::Expired | LinkError::UsedUp => StatusCode::GONE,
        LinkError::Randomness | LinkError::Store(_) => return Problem::unavailable(error.code(), error.to_string()),
    };
    Problem::new(status, error.code(), error.to_string())
}
