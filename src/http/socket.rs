//! The upgrade to the signalling socket.

use actix_web::http::StatusCode;
use actix_web::http::header::SEC_WEBSOCKET_PROTOCOL;
use actix_web::{HttpRequest, HttpResponse, web};

use super::Api;
use super::client::Client;
use super::problem::Problem;
use super::who::Who;
use crate::observe::Lines;
use crate::protocol::signalling::SUBPROTOCOL;
use crate::signalling::{check, upgrade};

/// What is written down of all sockets that are opened.
static LINES: Lines = Lines::a_minute(300);

/// Whether the browser wants this sub-protocol, or none in particular.
///
/// # Errors
/// 400 `unknown_protocol`.
pub(super) fn speaks(request: &HttpRequest, protocol: &str) -> Result<(), Problem> {
    let offered = request
        .headers()
        .get_all(SEC_WEBSOCKET_PROTOCOL)
        .filter_map(|v| v.to_str().ok());
    let mut names = offered.flat_map(|v| v.split(',')).map(str::trim).peekable();
    if names.peek().is_none() || names.any(|name| name == protocol) {
        return Ok(());
    }
    Err(Problem::new(
        StatusCode::BAD_REQUEST,
        "unknown_protocol",
        format!("only {protocol} is spoken here"),
    ))
}

/// `GET /ws`
pub async fn socket(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    who: Who,
    client: Client,
) -> Result<HttpResponse, actix_web::Error> {
    speaks(&request, SUBPROTOCOL)?;
    let identity = who.session()?;
    // Before anything is kept for it.
    check(&request).map_err(|e| Problem::new(StatusCode::BAD_REQUEST, e.code(), e.to_string()))?;
    let permits = api
        .limits
        .socket(client.address, identity.session, who.standing().into())?;
    let session = api
        .live
        .actor(identity.session)
        .await
        .map_err(|e| Problem::unavailable(e.code(), format!("the session cannot be started: {e}")))?;
    log::log!(
        LINES.level(),
        "session={} socket opened, client={client}",
        identity.session
    );
    let tenure = identity.tenure(who.pass);
    let kept = Box::new(permits);
    let rate = api.messages_per_second;
    upgrade(&request, payload, session, tenure, client.address, rate, kept).await
}
