//! Peer connections: which viewer saw which instance, when, over what path, and why it ended.

use diesel::prelude::*;

use super::error::StoreError;
use super::pool::Store;
use super::schema::peers;
use super::text::AsText;
use crate::ids::{InstanceId, PeerId, SessionId, ViewerId};
use crate::protocol::words::{CloseReason, Role};

/// A peer connection that is up.
#[derive(Debug, Clone, PartialEq, Eq, Insertable)]
#[diesel(table_name = peers)]
pub struct NewPeer {
    /// Its id.
    #[diesel(serialize_as = AsText<PeerId>)]
    pub peer_id: PeerId,
    /// What it shows.
    #[diesel(serialize_as = AsText<InstanceId>)]
    pub instance_id: InstanceId,
    /// Whose session it is of.
    #[diesel(serialize_as = AsText<SessionId>)]
    pub session_id: SessionId,
    /// The tab.
    #[diesel(serialize_as = AsText<ViewerId>)]
    pub viewer_id: ViewerId,
    /// What the viewer may do.
    #[diesel(serialize_as = AsText<Role>)]
    pub role: Role,
    /// What carries the media, such as `webrtc`.
    pub transport: String,
    /// When it was up, ms since 1970.
    pub connected_at: i64,
}

/// The end of a peer connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerClosed {
    /// When, ms since 1970.
    pub closed_at: i64,
    /// Why.
    pub reason: CloseReason,
}

impl Store {
    /// Closes every peer row that a host left open when it ended without saying so. Returns how many.
    ///
    /// # Errors
    /// The database fails.
    pub async fn close_left_peers(&self, closed: PeerClosed) -> Result<usize, StoreError> {
        self.change(move |connection| {
            Ok(diesel::update(peers::table.filter(peers::closed_at.is_null()))
                .set((
                    peers::closed_at.eq(closed.closed_at),
                    peers::close_reason.eq(closed.reason.as_str()),
                ))
                .execute(connection)?)
        })
        .await
    }
}

pub(super) fn insert(connection: &mut SqliteConnection, peer: NewPeer) -> Result<(), StoreError> {
    diesel::insert_into(peers::table).values(peer).execute(connection)?;
    Ok(())
}

pub(super) fn close(connection: &mut SqliteConnection, id: PeerId, closed: PeerClosed) -> Result<bool, StoreError> {
    let open = peers::table.find(id.to_string()).filter(peers::closed_at.is_null());
    let changed = diesel::update(open)
        .set((
            peers::closed_at.eq(closed.closed_at),
            peers::close_reason.eq(closed.reason.as_str()),
        ))
        .execute(connection)?;
    Ok(changed > 0)
}
