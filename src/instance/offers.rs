//! A viewer's offer becomes a peer.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Handler, Message, ResponseActFuture, WrapFuture};

use super::actor::InstanceActor;
use super::error::InstanceError;
use super::input_gate::ViewerInput;
use super::peer_child::peer_child;
use super::places::{Asker, NoPlace};
use super::shared::InstanceShared;
use super::speaker::Speaker;
use crate::ids::PeerId;
use crate::peer::candidate::Intake;
use crate::peer::{PeerError, PeerOptions};
use crate::protocol::rights::{Action, may};
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
    let now = Instant::now();
    let pending = shared.services.offers.take(who.session, now);
    let pending = pending.map_err(InstanceError::TooManyOffers)?;
    let (peer, from) = (PeerId::new(), offer.from);
    let asker = Asker {
        viewer: who.viewer,
        session: who.session,
        from,
    };
    let gives_way = shared
        .roster
        .with(|v| shared.places().ask(peer, asker, &|id| v.role(id), now))
        .map_err(|NoPlace| InstanceError::TooManyPeers)?;
    let steers = shared
        .roster
        .role(who.viewer)
        .is_some_and(|role| may(role, Action::Control));
    let options = PeerOptions {
        peer_id: peer,
        offer: offer.sdp,
        candidates: Intake::new(from, shared.services.config.limits.candidates_per_peer),
        hub: Arc::clone(&shared.desktop.hub),
        available: shared.services.codecs.clone(),
        sink: Arc::new(ViewerInput::new(
            who.viewer,
            peer,
            Arc::clone(&shared.roster),
            Arc::clone(&shared.desktop.input),
        )),
        steers,
        factory: Arc::clone(&shared.services.connections),
        runtime: shared.services.media.clone(),
    };
    let (spec, handle, answered) = peer_child(Arc::clone(&shared), who.viewer, options, pending);
    let before = shared.remember_peer(&who, peer, handle);
    // Whatever comes of the one it gave way to: it has no place any more.
    if let Some(other) = gives_way {
        shared.close_peer(other, CloseReason::GaveWay);
    }
    // The browser has let go of it; nothing waits for its end.
    if let Some(before) = before? {
        shared.close_peer(before, CloseReason::Superseded);
    }
    // One that is not started is forgotten with its specification.
    let started = shared.peers.start_child(spec, ANSWER_DEADLINE).await;
    started.map_err(|_| InstanceError::TooManyPeers)?;
    match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
        Ok(answer) => Ok(answer.unwrap_or(Err(PeerError::Closing)).map(|()| peer)?),
        Err(_) => Err(InstanceError::Peer(PeerError::Timeout("the answer"))),
    }
}
