//! What happened, from the database.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::super::Api;
use super::super::problem::Problem;
use super::super::who::Admin;
use crate::protocol::words::EventClass;

/// Events of one answer, when nobody says.
const USUAL: u32 = 100;
/// Events of one answer at most.
const MOST: u32 = 1000;

/// What has just happened is waited for, so that who has seen it finds it; a slow database answers with what it has.
const SETTLED_WITHIN: Duration = Duration::from_secs(1);

/// The query of `GET /admin/events`.
#[derive(Deserialize)]
pub struct Query {
    limit: Option<u32>,
    /// Only of this actor and those below it.
    actor: Option<String>,
    /// Only of this class.
    class: Option<EventClass>,
}

/// `GET /api/v1/admin/events`: the newest first.
pub async fn events(api: web::Data<Api>, _: Admin, query: web::Query<Query>) -> Result<HttpResponse, Problem> {
    let query = query.into_inner();
    let most = query.limit.unwrap_or(USUAL).min(MOST);
    api.journal.flush(SETTLED_WITHIN).await;
    let events = api
        .store
        .events(query.actor, query.class, most)
        .await
        .map_err(|e| Problem::unavailable(e.code(), e.to_string()))?;
    let told: Vec<_> = events
        .iter()
        .map(|event| {
            json!({
                "at": event.at, "actor": event.actor, "kind": event.kind, "class": event.class, "detail": event.detail,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "events": told })))
}
