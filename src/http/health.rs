//! Health, for service managers and load balancers.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::Api;
use super::problem::Problem;

/// A database that takes longer is not ready.
const PING_DEADLINE: Duration = Duration::from_secs(2);

/// `GET /healthz`: the process answers.
pub async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "ok" }))
}

/// `GET /readyz`: an app could be launched now, as far as the host itself is concerned.
pub async fn ready(api: web::Data<Api>) -> Result<HttpResponse, Problem> {
    if api.manager.is_draining() {
        return Err(Problem::unavailable("draining", "the host is shutting down"));
    }
    match tokio::time::timeout(PING_DEADLINE, api.store.ping()).await {
        Ok(Ok(())) => {
            let capacity = api.manager.capacity();
            Ok(HttpResponse::Ok().json(json!({
                "status": "ready", "total": capacity.total, "used": capacity.used,
                "sandboxes": api.manager.has_sandboxes(),
            })))
        }
        Ok(Err(error)) => Err(Problem::unavailable(error.code(), error.to_string())),
        Err(_) => Err(Problem::unavailable(
            "database_unavailable",
            "the database does not answer",
        )),
    }
}
