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
use crate::ids::{Claim, InstanceId, ViewerId};
use crate::instance::peers::media_peer::Way;
use crate::observe::Lines;
use crate::protocol::media::{SUBPROTOCOL, VNC_SUBPROTOCOL};
use crate::signalling::check;
use crate::signalling::media::{Ask, MediaRequest, Whose, open};

/// What is written down of all sockets that are opened.
static LINES: Lines = Lines::a_minute(300);
/// Names of codecs that are looked at.
const MOST_CODECS: usize = 8;

/// What is wanted.
#[derive(Debug, Deserialize)]
struct Wanted {
    instance: InstanceId,
    /// A viewer that watches it, by a signalling socket of the same session.
    viewer: Option<ViewerId>,
    /// In its place: what a viewer of the same session says when it begins to watch.
    claim: Option<Claim>,
    /// What the browser decodes, with commas between.
    #[serde(default)]
    codecs: String,
}

impl Wanted {
    fn whose(&self) -> Option<Whose> {
        match (self.viewer, self.claim) {
            (Some(viewer), None) => Some(Whose::Viewer(viewer)),
            (None, Some(claim)) => Some(Whose::Claim(claim)),
            (Some(_), Some(_)) | (None, None) => None,
        }
    }
}

/// `GET /ws/media?instance=…&viewer=…&codecs=…`, or `claim=…` in place of `viewer`.
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
    let whose = wanted.whose();
    let whose = whose.ok_or_else(|| bad("bad_request", "either a viewer or a claim".to_owned()))?;
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
    let ask = Ask {
        whose,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_for_a_viewer_or_a_claim_and_for_one_of_them() {
        let whose = |query: &str| {
            let wanted = web::Query::<Wanted>::from_query(query).ok()?;
            wanted.whose()
        };
        let (instance, viewer, claim) = (InstanceId::new(), ViewerId::new(), Claim::new());
        let of_viewer = format!("instance={instance}&viewer={viewer}");
        assert_eq!(whose(&of_viewer), Some(Whose::Viewer(viewer)));
        let of_claim = format!("instance={instance}&claim={claim}&codecs=vp8");
        assert_eq!(whose(&of_claim), Some(Whose::Claim(claim)));
        for wrong in [
            format!("instance={instance}"),
            format!("{of_viewer}&claim={claim}"),
            format!("instance={instance}&claim=mine"),
        ] {
            assert_eq!(whose(&wrong), None, "{wrong}");
        }
    }
}
