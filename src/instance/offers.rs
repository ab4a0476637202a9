//! A viewer's offer becomes a peer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use actix::{Handler, Message, ResponseActFuture, WrapFuture};

use super::actor::InstanceActor;
use super::error::InstanceError;
use super::input_gate::ViewerInput;
use super::peer_child::peer_child;
use super::shared::InstanceShared;
use super::speaker::Speaker;
use crate::ids::PeerId;
use crate::peer::candidate::Intake;
use crate::peer::{PeerError, PeerOptions};
use crate::protocol::signalling::CloseReason;

/// From an offer to its answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// A viewer offers a new peer connection. The peer itself tells it the answer, and then its candidates.
#[derive(Debug, Message)]
#[rtype(result = "Result<PeerId, InstanceError>")]
pub struct Offer {
    /// Who.
    pub who: Speaker,
    /// The description.
    pub sdp: String,
    /// Where the browser's requests come from.
    pub from: IpAddr,
}

impl Handler<Offer> for InstanceActor {
    type Result = ResponseActFuture<Self, Result<PeerId, InstanceError>>;

    fn handle(&mut self, msg: Offer, _: &mut Self::Context) -> Self::Result {
        let work = answered(Arc::clone(&self.shared), msg);
        Box::pin(work.into_actor(self))
    }
}

/// Makes the peer and waits for its answer. What is refused leaves the viewer's living peer as it is.
///
/// # Errors
/// [`InstanceError`].
pub async fn answered(shared: Arc<InstanceShared>, offer: Offer) -> Result<PeerId, InstanceError> {
    let who = offer.who;
    shared.roster.heard(&who)?;
    if shared.desktop.facts.get().ending.is_some() {
        return Err(InstanceError::Ending);
    }
    let pending = shared.services.offers.take(who.session);
    let pending = pending.ok_or(InstanceError::TooManyOffers)?;
    let peer = PeerId::new();
    let options = PeerOptions {
        peer_id: peer,
        offer: offer.sdp,
        candidates: Intake::new(offer.from, shared.services.config.limits.candidates_per_peer),
        hub: Arc::clone(&shared.desktop.hub),
        available: shared.services.codecs.clone(),
        sink: Arc::new(ViewerInput::new(
            who.viewer,
            peer,
            Arc::clone(&shared.roster),
            Arc::clone(&shared.desktop.input),
        )),
        factory: Arc::clone(&shared.services.connections),
        runtime: shared.services.media.clone(),
    };
    let (spec, handle, answered) = peer_child(Arc::clone(&shared), who.viewer, options, pending);
    let before = shared.remember_peer(&who, peer, handle)?;
    // The browser has let go of it; nothing waits for its end.
    if let Some(before) = before.and_then(|id| shared.peer(id)) {
        before.close(CloseReason::Superseded);
    }
    let started = shared.peers.start_child(spec, ANSWER_DEADLINE).await;
    if started.is_err() {
        shared.forget_peer(who.viewer, peer);
        return Err(InstanceError::TooManyPeers);
    }
    match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
        Ok(answer) => Ok(answer.unwrap_or(Err(PeerError::Closing)).map(|()| peer)?),
        Err(_) => Err(InstanceError::Peer(PeerError::Timeout("the answer"))),
    }
}
