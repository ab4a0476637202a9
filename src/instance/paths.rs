//! What a viewer's browser says about the paths of its peer: candidates, and offers of new ones.

use actix::{Handler, Message};

use super::actor::InstanceActor;
use super::error::InstanceError;
use super::peer_child::{PeerCommand, PeerHandle};
use crate::ids::{PeerId, ViewerId};
use crate::protocol::signalling::IceCandidate;

impl InstanceActor {
    /// A living peer of this viewer; nobody speaks for another's.
    fn peer_of(&self, viewer: ViewerId, peer: PeerId) -> Result<PeerHandle, InstanceError> {
        let found = self.shared.peer(peer).filter(|p| p.viewer == viewer);
        found.ok_or(InstanceError::UnknownPeer)
    }
}

/// A viewer takes its living peer to new paths. The peer itself tells it the answer.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct RestartIce {
    /// Who.
    pub viewer: ViewerId,
    /// Which peer.
    pub peer: PeerId,
    /// The description.
    pub offer: String,
}

impl Handler<RestartIce> for InstanceActor {
    type Result = Result<(), InstanceError>;

    fn handle(&mut self, msg: RestartIce, _: &mut Self::Context) -> Self::Result {
        let peer = self.peer_of(msg.viewer, msg.peer)?;
        peer.send(PeerCommand::RestartIce(msg.offer));
        Ok(())
    }
}

/// A candidate of a viewer's browser.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct Candidate {
    /// Who.
    pub viewer: ViewerId,
    /// Of which peer.
    pub peer: PeerId,
    /// The candidate; `None` at their end.
    pub candidate: Option<IceCandidate>,
}

impl Handler<Candidate> for InstanceActor {
    type Result = Result<(), InstanceError>;

    fn handle(&mut self, msg: Candidate, _: &mut Self::Context) -> Self::Result {
        let peer = self.peer_of(msg.viewer, msg.peer)?;
        peer.send(PeerCommand::Candidate(msg.candidate));
        Ok(())
    }
}
