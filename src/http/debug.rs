//! Faults on demand for tests of the whole host. Release builds do not contain this file.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::Api;
use super::problem::Problem;
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
pub async fn panic(
    request: HttpRequest,
    api: web::Data<Api>,
    body: web::Json<FaultBody>,
) -> Result<HttpResponse, Problem> {
    if !api.access.is_admitted(&request) {
        return Err(Problem::auth_required());
    }
    api.tree.inject(&body.child, body.fault)?;
    Ok(HttpResponse::Accepted().finish())
}
