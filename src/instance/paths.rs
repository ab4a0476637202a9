//! What a viewer's browser says about the paths of its peer: candidates, and offers of new ones.

use actix::{Handler, Message};

use super::actor::InstanceActor;
use super::error::InstanceError;
use super::peer_child::{PeerCommand, PeerHandle};
use super::speaker::Speaker;
use crate::ids::PeerId;
use crate::protocol::signalling::IceCandidate;

impl InstanceActor {
    /// A living peer of who says something; nobody speaks for another's.
    fn peer_of(&self, who: &Speaker, peer: PeerId) -> Result<PeerHandle, InstanceError> {
        self.shared.roster.heard(who)?;
        let found = self.shared.peer(peer).filter(|p| p.viewer == who.viewer);
        found.ok_or(InstanceError::UnknownPeer)
    }
}

/// A viewer takes its living peer to new paths. The peer itself tells it the answer.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct RestartIce {
    /// Who.
    pub who: Speaker,
    /// Which peer.
    pub peer: PeerId,
    /// The description.
    pub offer: String,
}

impl Handler<RestartIce> for InstanceActor {
    type Result = Result<(), InstanceError>;

    fn handle(&mut self, msg: RestartIce, _: &mut Self::Context) -> Self::Result {
        let peer = self.peer_of(&msg.who, msg.peer)?;
        peer.send(PeerCommand::RestartIce(msg.offer));
        Ok(())
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
    /// The candidate; `None` at their end.
    pub candidate: Option<IceCandidate>,
}

impl Handler<Candidate> for InstanceActor {
    type Result = Result<(), InstanceError>;

    fn handle(&mut self, msg: Candidate, _: &mut Self::Context) -> Self::Result {
        let peer = self.peer_of(&msg.who, msg.peer)?;
        peer.send(PeerCommand::Candidate(msg.candidate));
        Ok(())
    }
}
