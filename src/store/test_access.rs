//! What only tests ask of the database: rows written one at a time, where the journal writes many, and rows read back.

use diesel::prelude::*;

use super::error::StoreError;
use super::events::{self, NewEvent};
use super::peers::{self, NewPeer, PeerClosed};
use super::pool::Store;
use super::schema::peers as table;
use super::sessions;
use crate::ids::{InstanceId, PeerId, SessionId};

/// The end of a peer connection as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = table)]
pub struct PeerRow {
    pub closed_at: Option<i64>,
    pub close_reason: Option<String>,
}

impl Store {
    /// Events, in their order.
    pub async fn append_events(&self, events: Vec<NewEvent>) -> Result<(), StoreError> {
        self.change(move |connection| events::append(connection, &events)).await
    }

    /// A session was used.
    pub async fn touch_session(&self, id: SessionId, now: i64) -> Result<(), StoreError> {
        self.change(move |connection| sessions::touch(connection, id, now))
            .await
    }

    /// A peer connection is up.
    pub async fn insert_peer(&self, peer: NewPeer) -> Result<(), StoreError> {
        self.change(move |connection| peers::insert(connection, peer)).await
    }

    /// A peer connection has ended; says whether it was open.
    pub async fn close_peer(&self, id: PeerId, closed: PeerClosed) -> Result<bool, StoreError> {
        self.change(move |connection| peers::close(connection, id, closed))
            .await
    }

    /// The peer connections of an instance, the oldest first.
    pub async fn peers_of(&self, instance: InstanceId) -> Result<Vec<PeerRow>, StoreError> {
        self.read(move |connection| {
            Ok(table::table
                .filter(table::instance_id.eq(instance.to_string()))
                .order((table::connected_at, table::peer_id))
                .select(PeerRow::as_select())
                .load(connection)?)
        })
        .await
    }
}
