//! The catalogue, and instances.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Api;
use super::problem::Problem;
use super::who::Who;
use crate::desktop::EndReason;
use crate::ids::InstanceId;
use crate::instance::{InstanceHandle, LaunchError, LaunchRequest, RowError};

/// When to ask again after all places were taken.
const CAPACITY_RETRY: Duration = Duration::from_secs(10);

/// `GET /api/v1/apps`
pub async fn apps(api: web::Data<Api>, _who: Who) -> HttpResponse {
    let video = api.video;
    let apps: Vec<_> = api
        .catalogue
        .apps()
        .iter()
        .map(|app| {
            json!({
                "id": app.id, "name": app.name, "description": app.description,
                "width": app.width.unwrap_or(video.width), "height": app.height.unwrap_or(video.height),
                "fps": app.fps.unwrap_or(video.fps),
            })
        })
        .collect();
    HttpResponse::Ok().json(json!({ "apps": apps }))
}

/// `POST /api/v1/instances`: launches an app.
pub async fn launch(api: web::Data<Api>, who: Who, request: web::Json<LaunchRequest>) -> Result<HttpResponse, Problem> {
    who.must_be_member()?;
    api.limits.launch(who.0.session)?;
    let handle = api
        .manager
        .launch(&request, who.0.session)
        .await
        .map_err(launch_problem)?;
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/stream/{}", handle.spec().id)))
        .json(handle.describe(who.0.session)))
}

/// `GET /api/v1/instances`: those of the session that asks, with those that failed under an earlier host.
pub async fn list(api: web::Data<Api>, who: Who) -> HttpResponse {
    let mut mine: Vec<_> = api
        .manager
        .of_session(who.0.session)
        .iter()
        .map(|i| i.describe(who.0.session))
        .collect();
    let (capacity, living) = (api.manager.capacity(), mine.len());
    match api.manager.failed_of(who.0.session).await {
        Ok(failed) => mine.extend(failed),
        // Without the database those that live are still told.
        Err(error) => log::warn!("session={} failed instances not listed: {error}", who.0.session),
    }
    HttpResponse::Ok().json(json!({
        "capacity": {
            "total": capacity.total, "used": capacity.used, "free": capacity.total.saturating_sub(capacity.used),
            "per_session": capacity.per_session, "mine": living,
        },
        "instances": mine,
    }))
}

/// `GET /api/v1/instances/{id}`: the address is enough to watch, so it is enough to ask.
pub async fn get(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = parse(&id)?;
    if let Some(handle) = api.manager.get(id) {
        return Ok(HttpResponse::Ok().json(handle.describe(who.0.session)));
    }
    match api.manager.describe_ended(id, who.0.session).await {
        Ok(Some(row)) => Ok(HttpResponse::Ok().json(row)),
        Ok(None) => Err(Problem::unknown_instance()),
        Err(error) => Err(Problem::unavailable(error.code(), error.to_string())),
    }
}

/// `DELETE /api/v1/instances/{id}`: terminates it; 202, the rest happens by itself.
pub async fn terminate(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    match own(&api, who, &id)? {
        Own::Living(handle) => handle.end(EndReason::Requested),
        Own::Row(id) => {
            let removed = api.manager.remove_failed(id, who.0.session).await;
            removed.map_err(row_problem)?;
        }
    }
    Ok(HttpResponse::Accepted().finish())
}

/// `POST /api/v1/instances/{id}/restart`: starts the app anew under the same id.
pub async fn restart(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let what = own(&api, who, &id)?;
    api.limits.launch(who.0.session)?;
    match what {
        Own::Living(handle) => handle
            .restart()
            .await
            .map_err(|e| Problem::new(StatusCode::CONFLICT, e.code(), e.to_string()))?,
        Own::Row(id) => api.manager.revive(id, who.0.session).await.map_err(row_problem)?,
    }
    Ok(HttpResponse::Accepted().finish())
}

/// `GET /api/v1/instances/{id}/screenshot`: the picture as it is now, as PNG.
pub async fn screenshot(api: web::Data<Api>, _who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let handle = api.manager.get(parse(&id)?).ok_or_else(Problem::unknown_instance)?;
    let png = handle
        .screenshot()
        .await
        .map_err(|e| Problem::unavailable(e.code(), e.to_string()))?;
    Ok(HttpResponse::Ok()
        .content_type("image/png")
        .insert_header(("Cache-Control", "no-store"))
        .body(png))
}

fn parse(id: &str) -> Result<InstanceId, Problem> {
    id.parse().map_err(|_| Problem::unknown_instance())
}

/// What somebody wants to change: here, or perhaps only a row.
enum Own {
    Living(InstanceHandle),
    Row(InstanceId),
}

/// The instance, if it does not belong to somebody else.
fn own(api: &Api, who: Who, id: &str) -> Result<Own, Problem> {
    let id = parse(id)?;
    match api.manager.get(id) {
        Some(handle) if handle.spec().owner != who.0.session => {
            Err(Problem::not_allowed("this instance belongs to another session"))
        }
        Some(handle) => Ok(Own::Living(handle)),
        None => Ok(Own::Row(id)),
    }
}

fn row_problem(error: RowError) -> Problem {
    match error {
        RowError::Unknown => Problem::unknown_instance(),
        RowError::NotAllowed => Problem::not_allowed(error.to_string()),
        RowError::Busy => Problem::new(StatusCode::CONFLICT, "busy", error.to_string()),
        RowError::Store(error) => Problem::unavailable(error.code(), error.to_string()),
        RowError::Launch(error) => launch_problem(error),
    }
}

fn launch_problem(error: LaunchError) -> Problem {
    let status = match error {
        LaunchError::UnknownApp(_) => StatusCode::NOT_FOUND,
        LaunchError::OutOfRange { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        LaunchError::SessionLimit(_) => StatusCode::TOO_MANY_REQUESTS,
        LaunchError::Capacity(_) | LaunchError::Draining | LaunchError::Store(_) | LaunchError::NoSpace(_) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        LaunchError::Network(_) => StatusCode::SERVICE_UNAVAILABLE,
        LaunchError::Setup(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let problem = Problem::new(status, error.code(), error.to_string());
    match error {
        LaunchError::Capacity(_) | LaunchError::Draining | LaunchError::Store(_) | LaunchError::NoSpace(_) => {
            problem.retry_after(CAPACITY_RETRY)
        }
        _ => problem,
    }
}
