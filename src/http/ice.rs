//! The ways to the host, for clients that are not on the socket.

use actix_web::{HttpResponse, web};

use super::Api;
use super::problem::Problem;
use super::who::Who;
use crate::clock::unix_ms;

/// `GET /api/webrtc/ice-servers`: STUN and TURN servers with credentials for the session that asks.
pub async fn servers(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    let session = who.session()?.session;
    Ok(HttpResponse::Ok().json(api.ice.of(session, unix_ms())))
}
