//! What has to be done when a peer has come up, and when it ends, whatever carries it.

use std::sync::Arc;
use std::time::Instant;

use crate::clock::unix_ms;
use crate::ids::{PeerId, ViewerId};
use crate::instance::peers::offer_book::{End as Ended, Pending};
use crate::instance::peers::places::PATIENCE;
use crate::instance::shared::InstanceShared;
use crate::protocol::signalling::{CloseReason, ServerMessage};
use crate::store::{NewPeer, PeerClosed};

/// What carries the picture of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// A WebRTC connection.
    Webrtc,
    /// A WebSocket.
    Websocket,
    /// A WebSocket, from the instance's VNC server.
    Vnc,
}

impl Transport {
    /// The word in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webrtc => "webrtc",
            Self::Websocket => "websocket",
            Self::Vnc => "vnc",
        }
    }
}

/// Takes the peer out of the tables and says why it ended, even when its child is aborted or panics.
pub(in crate::instance) struct End {
    pub(in crate::instance) shared: Arc<InstanceShared>,
    viewer: ViewerId,
    peer: PeerId,
    transport: Transport,
    begun: Instant,
    /// Whether the browser knows its id.
    pub(in crate::instance) answered: bool,
    connected: bool,
    /// Its place among the offers that nothing has come of yet.
    pending: Option<Pending>,
    pub(in crate::instance) reason: CloseReason,
}

impl End {
    /// Of a peer that is about to begin; `pending`: the offer that it is made of.
    pub(in crate::instance) fn new(
        shared: &Arc<InstanceShared>,
        viewer: ViewerId,
        peer: PeerId,
        transport: Transport,
        pending: Option<Pending>,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            viewer,
            peer,
            transport,
            begun: Instant::now(),
            answered: false,
            connected: false,
            pending,
            reason: CloseReason::Fault,
        }
    }

    /// The picture can flow; said again, it is no news.
    pub(in crate::instance) fn connected(&mut self) {
        if std::mem::replace(&mut self.connected, true) {
            return;
        }
        self.shared.places().connected(self.peer);
        if let Some(pending) = self.pending.take() {
            pending.end(Ended::Connected);
        }
        self.shared.services.journal.peer_connected(self.row());
    }

    fn row(&self) -> NewPeer {
        let viewer = self.viewer;
        let (session, role) = self.shared.roster.with(|v| (v.session_of(viewer), v.role(viewer)));
        NewPeer {
            peer_id: self.peer,
            instance_id: self.shared.spec.id,
            session_id: session.unwrap_or(self.shared.spec.owner),
            viewer_id: viewer,
            role,
            transport: self.transport.as_str().into(),
            connected_at: unix_ms(),
        }
    }

    /// What became of its offer, when no connection did.
    fn without_connection(&self) -> Ended {
        let late = self.begun.elapsed() >= PATIENCE;
        match self.reason {
            _ if !self.answered => Ended::Excused,
            CloseReason::IceFailed | CloseReason::Superseded | CloseReason::Requested | CloseReason::ResumeExpired => {
                Ended::Failed
            }
            CloseReason::GaveWay if late => Ended::Failed,
            _ => Ended::Excused,
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let (peer_id, reason) = (self.peer, self.reason);
        if let Some(pending) = self.pending.take() {
            pending.end(self.without_connection());
        }
        log::log!(
            self.shared.lines.level(),
            "instance={} peer={peer_id} viewer={} closed={reason}",
            self.shared.spec.id,
            self.viewer
        );
        self.shared.forget_peer(self.viewer, peer_id);
        if self.answered {
            self.shared
                .roster
                .tell(self.viewer, &ServerMessage::Closed { peer_id, reason });
        }
        if self.connected {
            let closed_at = unix_ms();
            self.shared
                .services
                .journal
                .peer_closed(peer_id, PeerClosed { closed_at, reason });
        }
    }
}
