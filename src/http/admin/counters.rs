//! What has been counted since each thing began: what went through, what was left out, what was lost.

use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::super::Api;
use super::super::who::Admin;
use crate::clock::unix_ms;

/// `GET /api/v1/admin/counters`: of the journal, and of each instance with its connections.
pub async fn counters(api: web::Data<Api>, _: Admin) -> HttpResponse {
    let instances = api.manager.all().into_iter();
    let instances = instances.map(|instance| (instance.spec().id.to_string(), instance.counters()));
    HttpResponse::Ok().json(json!({
        "at_ms": unix_ms(),
        "journal": api.journal.stats(),
        "instances": instances.collect::<serde_json::Map<String, Value>>(),
    }))
}
