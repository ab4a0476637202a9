//! The upgrade to the signalling socket.

use actix_web::{HttpRequest, HttpResponse, web};

use super::Api;
use super::problem::Problem;
use super::who::Who;
use crate::signalling::upgrade;

/// `GET /ws`
pub async fn socket(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    who: Who,
) -> Result<HttpResponse, actix_web::Error> {
    let session = api
        .live
        .actor(who.0)
        .await
        .map_err(|e| Problem::unavailable(e.code(), format!("the session cannot be started: {e}")))?;
    upgrade(&request, payload, session).await
}
