//! The catalogue, and instances.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Api;
use super::problem::Problem;
use super::who::Who;
use crate::ids::{InstanceId, SessionId};
use crate::instance::{InstanceHandle, KeptHomeError, LaunchError, LaunchRequest, RowError};
use crate::policy::Action;
use crate::protocol::words::Role;
use crate::source::EndReason;
use crate::store::InstanceRow;

/// When to ask again after all places were taken.
const CAPACITY_RETRY: Duration = Duration::from_secs(10);

/// `GET /api/v1/apps`
pub async fn apps(api: web::Data<Api>, _who: Who) -> HttpResponse {
    let video = &api.video;
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

/// `DELETE /api/v1/apps/{id}/home`: empties what the session keeps of this app.
pub async fn empty_home(api: web::Data<Api>, who: Who, app: web::Path<String>) -> Result<HttpResponse, Problem> {
    let session = who.session()?.session;
    who.may(Action::Launch)?;
    api.limits.launch(session)?;
    let emptied = api.manager.empty_home(session, app.into_inner()).await;
    emptied.map_err(|error| {
        let status = match error {
            KeptHomeError::Busy => StatusCode::CONFLICT,
            KeptHomeError::Files(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Problem::new(status, error.code(), error.to_string())
    })?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/v1/instances`: launches an app.
pub async fn launch(api: web::Data<Api>, who: Who, request: web::Json<LaunchRequest>) -> Result<HttpResponse, Problem> {
    let identity = who.session()?;
    who.may(Action::Launch)?;
    api.limits.launch(identity.session)?;
    let launched = api.manager.launch(&request, identity.session).await;
    let handle = launched.map_err(launch_problem)?;
    if !identity.tenure(who.pass).holds() {
        // Its rights have ended meanwhile: nobody is left who may have it.
        handle.end(EndReason::Requested);
        return Err(Problem::auth_required());
    }
    Ok(HttpResponse::Created()
        .insert_header(("Location", format!("/stream/{}", handle.spec().id)))
        .json(handle.describe(Role::Owner)))
}

/// `GET /api/v1/instances`: those of the session that asks, with those that failed under an earlier host.
pub async fn list(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    let session = who.session()?.session;
    let living = api.manager.of_session(session);
    // Whose rights have ended is told what everybody is told.
    let role = |i: &InstanceHandle| api.roles.at(who.standing(), i.spec().id, session);
    let told = living.iter().filter_map(|i| Some(i.describe(role(i)?)));
    let mut mine: Vec<_> = told.collect();
    let (capacity, living) = (api.manager.capacity(), living.len());
    match api.manager.failed_of(session).await {
        Ok(failed) if who.may(Action::Launch).is_ok() => mine.extend(failed),
        Ok(_) => {}
        // Without the database those that live are still told.
        Err(error) => log::warn!("session={session} failed instances not listed: {error}"),
    }
    Ok(HttpResponse::Ok().json(json!({
        "capacity": {
            "total": capacity.total, "used": capacity.used, "free": capacity.total.saturating_sub(capacity.used),
            "per_session": capacity.per_session, "mine": living, "streams": capacity.streams,
        },
        "instances": mine,
    })))
}

/// `GET /api/v1/instances/{id}`: for who may watch it.
pub async fn get(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let (found, role) = allowed(&api, &who, &id, Action::Watch).await?;
    Ok(HttpResponse::Ok().json(match found {
        Found::Living(handle) => handle.describe(role),
        Found::Row(row) => api.manager.describe_row(&row, role),
    }))
}

/// `DELETE /api/v1/instances/{id}`: terminates it; 202, the rest happens by itself.
pub async fn terminate(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    match allowed(&api, &who, &id, Action::Terminate).await?.0 {
        Found::Living(handle) => handle.end(EndReason::Requested),
        Found::Row(row) => {
            let removed = api.manager.remove_failed(row.instance_id).await;
            removed.map_err(row_problem)?;
        }
    }
    Ok(HttpResponse::Accepted().finish())
}

/// `POST /api/v1/instances/{id}/restart`: starts the app anew under the same id.
pub async fn restart(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    let what = allowed(&api, &who, &id, Action::Restart).await?.0;
    if let Some(identity) = &who.identity {
        api.limits.launch(identity.session)?;
    }
    match what {
        Found::Living(handle) => handle
            .restart()
            .await
            .map_err(|e| Problem::new(StatusCode::CONFLICT, e.code(), e.to_string()))?,
        Found::Row(row) => {
            api.manager.revive(row.instance_id).await.map_err(row_problem)?;
            // As for a launch.
            let still = who.may_at(&api, row.instance_id, row.session_id, Action::Restart);
            if let (Err(ended), Some(handle)) = (still, api.manager.get(row.instance_id)) {
                handle.end(EndReason::Requested);
                return Err(ended);
            }
        }
    }
    Ok(HttpResponse::Accepted().finish())
}

/// `GET /api/v1/instances/{id}/screenshot`: the picture as it is now, as PNG.
pub async fn screenshot(api: web::Data<Api>, who: Who, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    // What is not here any more has no picture; the database need not be asked.
    let handle = api.manager.get(parse(&id)?).ok_or_else(Problem::unknown_instance)?;
    who.may_at(&api, handle.spec().id, handle.spec().owner, Action::Screenshot)?;
    let png = handle
        .screenshot()
        .await
        .map_err(|e| Problem::unavailable(e.code(), e.to_string()))?;
    // It may have waited for its turn.
    who.may_at(&api, handle.spec().id, handle.spec().owner, Action::Screenshot)?;
    Ok(HttpResponse::Ok().content_type("image/png").body(png))
}

fn parse(id: &str) -> Result<InstanceId, Problem> {
    id.parse().map_err(|_| Problem::unknown_instance())
}

/// An instance: here, or only a row.
pub(super) enum Found {
    /// Here.
    Living(InstanceHandle),
    /// What is left of it.
    Row(Box<InstanceRow>),
}

impl Found {
    /// Which it is.
    pub(super) fn id(&self) -> InstanceId {
        match self {
            Self::Living(handle) => handle.spec().id,
            Self::Row(row) => row.instance_id,
        }
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> SessionId {
        match self {
            Self::Living(handle) => handle.spec().owner,
            Self::Row(row) => row.session_id,
        }
    }
}

/// The instance of this id.
pub(super) async fn find(api: &Api, id: &str) -> Result<Found, Problem> {
    let id = parse(id)?;
    if let Some(handle) = api.manager.get(id) {
        return Ok(Found::Living(handle));
    }
    match api.manager.row(id).await {
        Ok(Some(row)) => Ok(Found::Row(Box::new(row))),
        Ok(None) => Err(Problem::unknown_instance()),
        Err(error) => Err(Problem::unavailable(error.code(), error.to_string())),
    }
}

/// The instance, and the role of who asks, if that may do this there.
async fn allowed(api: &Api, who: &Who, id: &str, action: Action) -> Result<(Found, Role), Problem> {
    let found = find(api, id).await?;
    let role = who.may_at(api, found.id(), found.owner(), action)?;
    Ok((found, role))
}

fn row_problem(error: RowError) -> Problem {
    match error {
        RowError::Unknown => Problem::unknown_instance(),
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
        LaunchError::Network(_) | LaunchError::NoSandbox => StatusCode::SERVICE_UNAVAILABLE,
        LaunchError::HomeFull(_) => StatusCode::INSUFFICIENT_STORAGE,
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
