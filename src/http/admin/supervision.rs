//! The tree, and restarts by hand.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use super::super::Api;
use super::super::problem::Problem;
use super::super::who::Admin;
use super::view;
use crate::instance::{InstanceError, InstanceHandle, RequestError};
use crate::supervision::{ByHand, ControlError};

/// From the request until the child has been stopped and started again.
const RESTART_DEADLINE: Duration = Duration::from_secs(45);
/// No path of a child is longer.
const MOST_BYTES: usize = 512;
/// Below it, each child is a whole instance.
const INSTANCES: &str = "root/instances/";

/// The body of `POST /admin/supervision/restart`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestartBody {
    child: String,
}

/// `GET /api/v1/admin/supervision`: the tree as it stands.
pub async fn tree(api: web::Data<Api>, _: Admin) -> HttpResponse {
    HttpResponse::Ok().json(view::whole(&api))
}

/// `POST /api/v1/admin/supervision/restart`: restarts a child, with the siblings that its supervisor's strategy names.
/// Answers when it has been started again; one that lives once (a peer, a session): when it has ended.
pub async fn restart(api: web::Data<Api>, who: Admin, body: web::Json<RestartBody>) -> Result<HttpResponse, Problem> {
    who.still()?;
    let child = body.into_inner().child;
    // Each child has one path only.
    if child.len() > MOST_BYTES || child.split('/').any(str::is_empty) {
        return Err(ControlError::NotFound.into());
    }
    let outcome = if let Some(instance) = whole_instance(&api, &child) {
        // Its tree lives once; what can be restarted is what it does.
        let restarted = instance.restart().await;
        restarted.map_err(|e| match e {
            RequestError::Instance(InstanceError::Busy) => ControlError::AlreadyRestarting.into(),
            e => Problem::new(StatusCode::CONFLICT, e.code(), e.to_string()),
        })?;
        ByHand::Restarted
    } else {
        // By itself, so that a page that goes away stops nothing half-way.
        let (tree, path) = (api.tree.clone(), child.clone());
        let restarted = actix_rt::spawn(async move { tree.restart_child(&path, RESTART_DEADLINE).await });
        restarted.await.unwrap_or(Err(ControlError::ShuttingDown))?
    };
    log::info!("child={child} {} by an administrator", outcome.code());
    Ok(HttpResponse::Ok().json(json!({ "child": child, "outcome": outcome.code() })))
}

fn whole_instance(api: &Api, child: &str) -> Option<InstanceHandle> {
    api.manager.get(child.strip_prefix(INSTANCES)?.parse().ok()?)
}
