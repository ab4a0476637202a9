//! What a media socket is opened for.

use std::net::IpAddr;
use std::time::Duration;

use crate::ids::{Claim, SessionId, ViewerId};
use crate::instance::peers::media_peer::{MediaPeer, OpenMedia, Way};
use crate::instance::{InstanceHandle, RequestError, RoleNow};

/// An instance answers within 10 s.
const OPEN_DEADLINE: Duration = Duration::from_secs(15);

/// Whose picture it brings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A viewer's that watches by another socket.
    Viewer(ViewerId),
    /// That of a viewer who will watch, and say this when it does.
    Claim(Claim),
}

/// What a media socket asks its instance for.
#[derive(Debug)]
pub struct Ask {
    /// For whom.
    pub whose: Whose,
    /// The session that asks.
    pub session: SessionId,
    /// What the session may by what it asks with.
    pub role: RoleNow,
    /// Where its requests come from.
    pub from: IpAddr,
    /// By which way.
    pub way: Way,
}

impl Ask {
    /// Has the instance make the peer, once it knows its viewer. Who gives this up while it waits for that has asked for nothing.
    pub(super) async fn of(self, instance: InstanceHandle) -> Result<MediaPeer, RequestError> {
        let viewer = match self.whose {
            Whose::Viewer(viewer) => viewer,
            Whose::Claim(claim) => instance.claimed(claim, self.session).await?,
        };
        let open = OpenMedia {
            viewer,
            session: self.session,
            role: self.role,
            from: self.from,
            way: self.way,
        };
        Ok(instance.actor().ask(open, OPEN_DEADLINE).await??)
    }
}
