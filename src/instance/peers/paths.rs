//! What a viewer's browser says about the paths of its peer: candidates, and offers of new ones.

use actix::{Handler, Message, ResponseActFuture, WrapFuture};

use crate::ids::PeerId;
use crate::instance::actor::InstanceActor;
use crate::instance::error::InstanceError;
use crate::instance::viewing::speaker::Speaker;
use crate::peer::Peer;
use crate::protocol::signalling::IceCandidate;

impl InstanceActor {
    /// A living peer of who says something; nobody speaks for another's.
    fn peer_of(&self, who: &Speaker, peer: PeerId) -> Result<Peer, InstanceError> {
        self.shared.roster.heard(who)?;
        let found = self.shared.peer(peer).filter(|(viewer, _)| *viewer == who.viewer);
        found.map(|(_, peer)| peer).ok_or(InstanceError::UnknownPeer)
    }
}

/// A viewer takes its living peer to new paths. Answers with the description.
#[derive(Debug, Message)]
#[rtype(result = "Result<String, InstanceError>")]
pub struct RestartIce {
    /// Who.
    pub who: Speaker,
    /// Which peer.
    pub peer: PeerId,
    /// The description.
    pub offer: String,
}

impl Handler<RestartIce> for InstanceActor {
    type Result = ResponseActFuture<Self, Result<String, InstanceError>>;

    fn handle(&mut self, msg: RestartIce, _: &mut Self::Context) -> Self::Result {
        let peer = self.peer_of(&msg.who, msg.peer);
        Box::pin(async move { Ok(peer?.restart(&msg.offer).await?) }.into_actor(self))
    }
}

/// A candidate of a viewer's browser.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct Candidate {
    /// Who.
    pub who: Speaker,
    /// Of which peer.
    pub peer: PeerId,
    /// The candidate; `None` at their end, which is nothing that has to be known: checks go on until the deadline anyway.
    pub candidate: Option<IceCandidate>,
}

impl Handler<Candidate> for InstanceActor {
    type Result = ResponseActFuture<Self, Result<(), InstanceError>>;

    fn handle(&mut self, msg: Candidate, _: &mut Self::Context) -> Self::Result {
        let peer = self.peer_of(&msg.who, msg.peer);
        let work = async move {
            let peer = peer?;
            match msg.candidate {
                Some(candidate) => Ok(peer.add_candidate(candidate).await?),
                None => Ok(()),
            }
        };
        Box::pin(work.into_actor(self))
    }
}
