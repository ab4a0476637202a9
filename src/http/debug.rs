//! Faults on demand for tests of the whole host. Release builds do not contain this file.

use actix_web::{HttpResponse, web};
use serde::Deserialize;

use super::Api;
use super::problem::Problem;
use super::who::Admin;
use crate::supervision::Fault;

/// The body of `POST /debug/panic`.
#[derive(Debug, Deserialize)]
pub struct FaultBody {
    /// The path of the child in the supervision tree.
    child: String,
    /// What befalls it; a panic if nobody says.
    #[serde(default)]
    fault: Fault,
}

/// `POST /api/v1/debug/panic`: makes a child of the supervision tree panic, or fail otherwise.
pub async fn panic(api: web::Data<Api>, who: Admin, body: web::Json<FaultBody>) -> Result<HttpResponse, Problem> {
    who.still()?;
    api.tree.inject(&body.child, body.fault)?;
    Ok(HttpResponse::Accepted().finish())
}
