//! The upgrade to the signalling socket.

use actix_web::http::StatusCode;
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::Api;
use super::problem::Problem;
use super::who::{Who, address_of};
use crate::protocol::signalling::SUBPROTOCOL;
use crate::signalling::upgrade;

/// `GET /ws`
pub async fn socket(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    who: Who,
) -> Result<HttpResponse, actix_web::Error> {
    let offered = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|v| v.to_str().ok());
    let mut names = offered.flat_map(|v| v.split(',')).map(str::trim).peekable();
    if names.peek().is_some() && !names.any(|name| name == SUBPROTOCOL) {
        return Err(Problem::new(
            StatusCode::BAD_REQUEST,
            "unknown_protocol",
            format!("only {SUBPROTOCOL} is spoken here"),
        )
        .into());
    }
    let permits = api.limits.socket(address_of(&request)?, who.0.session)?;
    let session = api
        .live
        .actor(who.0)
        .await
        .map_err(|e| Problem::unavailable(e.code(), format!("the session cannot be started: {e}")))?;
    let kept = Box::new(permits);
    upgrade(&request, payload, session, api.messages_per_second, kept).await
}
