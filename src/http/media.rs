//! The upgrades to media sockets: the picture for browsers without a way for WebRTC, and for those that decode nothing.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::Api;
use super::client::Client;
use super::idle::Connection;
use super::problem::Problem;
use super::socket::speaks;
use super::who::Who;
use crate::ids::{InstanceId, ViewerId};
use crate::instance::media_peer::{OpenMedia, Way};
use crate::observe::Lines;
use crate::protocol::media::{SUBPROTOCOL, VNC_SUBPROTOCOL};
use crate::signalling::check;
use crate::signalling::media::{MediaRequest, open};

/// What is written down of all sockets that are opened.
static LINES: Lines = Lines::a_minute(300);
/// Names of codecs that are looked at.
const MOST_CODECS: usize = 8;

/// What is wanted.
#[derive(Debug, Deserialize)]
struct Wanted {
    instance: InstanceId,
    /// A viewer that watches it, by a signalling socket of the same session.
    viewer: ViewerId,
    /// What the browser decodes, with commas between.
    #[serde(default)]
    codecs: String,
}

/// `GET /ws/media?instance=…&viewer=…&codecs=…`
pub async fn socket(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    who: Who,
    client: Client,
) -> Result<HttpResponse, actix_web::Error> {
    opened(&request, payload, &api, who, &client, SUBPROTOCOL).await
}

/// `GET /ws/vnc?instance=…&viewer=…`
pub async fn vnc(
    request: HttpRequest,
    payload: web::Payload,
    api: web::Data<Api>,
    who: Who,
    client: Client,
) -> Result<HttpResponse, actix_web::Error> {
    opened(&request, payload, &api, who, &client, VNC_SUBPROTOCOL).await
}

async fn opened(
    request: &HttpRequest,
    payload: web::Payload,
    api: &Api,
    who: Who,
    client: &Client,
    protocol: &'static str,
) -> Result<HttpResponse, actix_web::Error> {
    speaks(request, protocol)?;
    let identity = who.session()?;
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_REQUEST, code, detail);
    let wanted = web::Query::<Wanted>::from_query(request.query_string());
    let wanted = wanted.map_err(|e| bad("bad_request", e.to_string()))?.into_inner();
    check(request).map_err(|e| bad(e.code(), e.to_string()))?;
    let permits = api
        .limits
        .socket(client.address, identity.session, who.standing().into())?;
    let instance = api.manager.get(wanted.instance).ok_or_else(Problem::unknown_instance)?;
    let tenure = identity.tenure(who.pass);
    log::log!(
        LINES.level(),
        "session={} media socket opened for {protocol}, client={client}",
        identity.session
    );
    let ask = OpenMedia {
        viewer: wanted.viewer,
        session: identity.session,
        role: api.roles.from_now_on(&tenure, &instance),
        from: client.address,
        way: if protocol == VNC_SUBPROTOCOL {
            Way::Vnc
        } else {
            // What nobody here knows cannot be chosen.
            let names = wanted.codecs.split(',').take(MOST_CODECS);
            Way::Frames(names.filter_map(|name| name.parse().ok()).collect())
        },
    };
    let direct = request
        .peer_addr()
        .is_some_and(|peer| peer.ip().to_canonical() == client.address);
    let begins = MediaRequest {
        instance,
        ask,
        tenure,
        kernel: Connection::keeps_little(request, direct),
        kept: Box::new(permits),
    };
    open(request, payload, begins, protocol).await
}
