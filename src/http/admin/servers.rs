//! The machines that run Heliostat, as the database knows them.

use actix_web::{HttpResponse, web};
use serde_json::json;

use super::super::Api;
use super::super::problem::Problem;
use super::super::who::Admin;

/// `GET /api/v1/admin/servers`: the oldest first.
pub async fn servers(api: web::Data<Api>, _: Admin) -> Result<HttpResponse, Problem> {
    let servers = api
        .store
        .servers()
        .await
        .map_err(|e| Problem::unavailable(e.code(), e.to_string()))?;
    let told: Vec<_> = servers
        .iter()
        .map(|server| {
            json!({
                "server_id": server.server_id, "region": server.region, "ip_address": server.ip_address,
                "port": server.port, "status": server.status, "available_instances": server.available_instances,
                "num_instances": server.num_instances, "ram": server.ram, "graphics_card": server.graphics_card,
                "storage": server.storage, "heartbeat_at": server.heartbeat_at, "lease_until": server.lease_until,
                "url": server.url, "version": server.version, "created": server.created, "modified": server.modified,
            })
        })
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "servers": told })))
}
