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
    /// The kind of the chosen remote candidate (`host`, `srflx`, `prflx`, `relay`).
    pub candidate_type: Option<String>,
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

/// A peer connection as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = peers)]
pub struct PeerRow {
    /// Its id.
    #[diesel(deserialize_as = AsText<PeerId>)]
    pub peer_id: PeerId,
    /// What it shows.
    #[diesel(deserialize_as = AsText<InstanceId>)]
    pub instance_id: InstanceId,
    /// Whose session it is of.
    #[diesel(deserialize_as = AsText<SessionId>)]
    pub session_id: SessionId,
    /// The tab.
    #[diesel(deserialize_as = AsText<ViewerId>)]
    pub viewer_id: ViewerId,
    /// What the viewer may do.
    #[diesel(deserialize_as = AsText<Role>)]
    pub role: Role,
    /// What carries the media.
    pub transport: String,
    /// The kind of the chosen remote candidate.
    pub candidate_type: Option<String>,
    /// When it was up, ms since 1970.
    pub connected_at: i64,
    /// When it was closed, ms since 1970.
    pub closed_at: Option<i64>,
    /// Why: a word of [`CloseReason`].
    pub close_reason: Option<String>,
}

impl Store {
    /// Keeps a peer connection that is up.
    ///
    /// # Errors
    /// The id exists already or its instance does not (`database_refused`), or the database fails.
    pub async fn insert_peer(&self, peer: NewPeer) -> Result<(), StoreError> {
        self.change(move |connection| insert(connection, peer)).await
    }

    /// Notes the end of a peer connection; only the first end counts. Says whether it was open.
    ///
    /// # Errors
    /// The database fails.
    pub async fn close_peer(&self, id: PeerId, closed: PeerClosed) -> Result<bool, StoreError> {
        self.change(move |connection| close(connection, id, closed)).await
    }

    /// The peer connections of an instance, the oldest first.
    ///
    /// # Errors
    /// The database fails.
    pub async fn peers_of(&self, instance: InstanceId) -> Result<Vec<PeerRow>, StoreError> {
        self.read(move |connection| {
            Ok(peers::table
                .filter(peers::instance_id.eq(instance.to_string()))
                .order((peers::connected_at, peers::peer_id))
                .select(PeerRow::as_select())
                .load(connection)?)
        })
        .await
    }

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
