//! What a browser asks an instance for, and what it is answered. Whatever else succeeds tells itself.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::instance::actor::{ActivateWindow, Control};
use crate::instance::peers::offers::Offer;
use crate::instance::peers::paths::{Candidate, RestartIce};
use crate::instance::{ControlWish, InstanceError, InstanceHandle, RequestError, Speaker};
use crate::observe::Lines;
use crate::protocol::signalling::{ClientMessage, ServerMessage};

/// An instance answers an offer within 10 s.
const DEADLINE: Duration = Duration::from_secs(15);

/// Passes a request of `who`, whose browser is at `from`, on to the instance, which decides.
pub(super) async fn request(
    handle: InstanceHandle,
    who: Speaker,
    from: IpAddr,
    message: ClientMessage,
    lines: Arc<Lines>,
) {
    let (viewer, door) = (who.viewer, who.door.clone());
    let peer = match &message {
        ClientMessage::Candidate { peer_id, .. } | ClientMessage::RestartIce { peer_id, .. } => Some(*peer_id),
        _ => None,
    };
    let Err(error) = ask(&handle, who, from, message).await else {
        return;
    };
    let id = handle.spec().id;
    log::log!(
        lines.level(),
        "instance={id} viewer={viewer} refused={}: {error}",
        error.code()
    );
    door.tell(&ServerMessage::Error {
        code: error.code().to_owned(),
        message: error.to_string(),
        retry_after: error.retry_after(),
        // Of what the peer itself refuses the page knows what to think.
        peer_id: peer.filter(|_| matches!(error, RequestError::Instance(InstanceError::Peer(_)))),
    });
}

async fn ask(handle: &InstanceHandle, who: Speaker, from: IpAddr, message: ClientMessage) -> Result<(), RequestError> {
    let (actor, door) = (handle.actor(), who.door.clone());
    let wish = match message {
        ClientMessage::Offer { sdp, beside } => {
            let offer = Offer { who, sdp, beside, from };
            let answer = actor.ask(offer, DEADLINE).await??;
            // Told while it is held: its candidates follow.
            let (peer_id, sdp) = (answer.peer, answer.sdp.clone());
            door.tell(&ServerMessage::Answer { peer_id, sdp });
            return Ok(());
        }
        ClientMessage::Candidate {
            peer_id: peer,
            candidate,
        } => return Ok(actor.ask(Candidate { who, peer, candidate }, DEADLINE).await??),
        ClientMessage::RestartIce {
            peer_id: peer,
            sdp: offer,
        } => {
            let sdp = actor.ask(RestartIce { who, peer, offer }, DEADLINE).await??;
            door.tell(&ServerMessage::Answer { peer_id: peer, sdp });
            return Ok(());
        }
        ClientMessage::ActivateWindow { window } => {
            return Ok(actor.ask(ActivateWindow { who, window }, DEADLINE).await??);
        }
        ClientMessage::RequestControl => ControlWish::Request,
        ClientMessage::ReleaseControl => ControlWish::Release,
        ClientMessage::GrantControl { viewer_id } => ControlWish::Grant(viewer_id),
        _ => return Ok(()),
    };
    Ok(actor.ask(Control { who, wish }, DEADLINE).await??)
}
