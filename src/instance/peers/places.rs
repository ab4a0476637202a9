//! Who has one of an instance's places for peer connections, and who gives way to whom. Pure: `now` is an argument.
//!
//! ```text
//!   an offer ──▶ room, or room is made ──▶ waiting ──▶ connected
//!                                             └─────┬─────┘
//!              replaced by its viewer's next, gave way, or closed ──▶ leaving ──▶ gone
//!                       nothing came of the one it left for: back ◀────┘
//! ```
//!
//! - Some places are kept from spectators. Whoever comes with a higher role gets the place of somebody with a lower one:
//!   first of those who wait for their connection, then of the one that was connected last.
//! - Among equals nobody who is connected gives way. Of those who wait, one that has waited for long does, and one of a
//!   network or a session that has more of them waiting than the one who comes.
//! - Who leaves has no place any more, but is a child of the tree until all is closed; of those there is a limit, too.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::ids::{PeerId, SessionId, ViewerId};
use crate::protocol::words::Role;

/// A connection that comes about has done so by then.
pub const PATIENCE: Duration = Duration::from_secs(8);
/// Of so many places one is kept from spectators.
const KEPT_OF: usize = 16;
/// Children beyond twice the places, at least, that spectators do not get; half of them only owner and administrators.
const SPARE: usize = 16;

/// Who wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Asker {
    /// The tab.
    pub viewer: ViewerId,
    /// Whose.
    pub session: SessionId,
    /// Where it is.
    pub from: IpAddr,
}

/// No place is free, and nobody there gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPlace;

/// The places of one instance.
#[derive(Debug)]
pub struct Places {
    most: usize,
    held: BTreeMap<PeerId, Place>,
    /// With the place that each had.
    leaving: BTreeMap<PeerId, Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    of: Asker,
    since: Instant,
    connected: bool,
}

impl Places {
    /// So many places, all of them free.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self {
            most,
            held: BTreeMap::new(),
            leaving: BTreeMap::new(),
        }
    }

    /// How many children the tree has for so many places: those who leave are among them.
    #[must_use]
    pub fn children(most: usize) -> usize {
        2 * most + Self::spare(most)
    }

    /// How many children there may be for one of that rank to come.
    fn children_for(most: usize, rank: u8) -> usize {
        match rank {
            0 => 2 * most,
            1 => 2 * most + Self::spare(most) / 2,
            _ => Self::children(most),
        }
    }

    fn spare(most: usize) -> usize {
        SPARE.max(most / 2)
    }

    /// A place for a new peer, in that of its viewer's peer before, if it has one. `role_of`: what viewers are now. Gives
    /// who has to give way to it: that one has no place any more, and is to be closed.
    ///
    /// # Errors
    /// [`NoPlace`]; nothing has changed then.
    pub fn ask(
        &mut self,
        peer: PeerId,
        asker: Asker,
        role_of: &dyn Fn(ViewerId) -> Role,
        now: Instant,
    ) -> Result<Option<PeerId>, NoPlace> {
        let rank = rank(role_of(asker.viewer));
        if self.held.len() + self.leaving.len() >= Self::children_for(self.most, rank) {
            return Err(NoPlace);
        }
        let own: Vec<_> = self.of(asker.viewer).map(|(id, _)| *id).collect();
        let others = || self.held.iter().filter(|(_, p)| p.of.viewer != asker.viewer);
        let ranked = |p: &Place| self::rank(role_of(p.of.viewer));
        let spectators = others().filter(|(_, p)| ranked(p) == 0).count();
        let full = others().count() >= self.most || (rank == 0 && spectators >= self.most - kept(self.most));
        let out = if full {
            let lower = others().filter(|(_, p)| ranked(p) < rank);
            let lower = lower.min_by_key(|(_, p)| (ranked(p), p.connected, p.order(now)));
            let equals: Vec<_> = others().filter(|(_, p)| ranked(p) == rank && !p.connected).collect();
            let out = lower.map(|(id, _)| *id).or_else(|| of_equals(&equals, asker, now));
            Some(out.ok_or(NoPlace)?)
        } else {
            None
        };
        for id in own.into_iter().chain(out) {
            self.leaves(id);
        }
        self.hold(peer, asker, now);
        Ok(out)
    }

    /// A place for a peer beside the connected one of its viewer, in that of another that waits there, if one does. Nobody
    /// gives way to it.
    ///
    /// # Errors
    /// [`NoPlace`]; nothing has changed then.
    pub fn ask_beside(
        &mut self,
        peer: PeerId,
        asker: Asker,
        role_of: &dyn Fn(ViewerId) -> Role,
        now: Instant,
    ) -> Result<(), NoPlace> {
        let rank = rank(role_of(asker.viewer));
        let waiting: Vec<_> = self
            .of(asker.viewer)
            .filter(|(_, p)| !p.connected)
            .map(|(id, _)| *id)
            .collect();
        let held = self.held.len() - waiting.len();
        let spectators = self
            .held
            .iter()
            .filter(|(id, p)| !waiting.contains(id) && self::rank(role_of(p.of.viewer)) == 0);
        let full = held >= self.most || (rank == 0 && spectators.count() >= self.most - kept(self.most));
        if full || self.held.len() + self.leaving.len() >= Self::children_for(self.most, rank) {
            return Err(NoPlace);
        }
        for id in waiting {
            self.leaves(id);
        }
        self.hold(peer, asker, now);
        Ok(())
    }

    fn hold(&mut self, peer: PeerId, asker: Asker, now: Instant) {
        let place = Place {
            of: asker,
            since: now,
            connected: false,
        };
        self.held.insert(peer, place);
    }

    /// The places that a viewer holds.
    fn of(&self, viewer: ViewerId) -> impl Iterator<Item = (&PeerId, &Place)> {
        self.held.iter().filter(move |(_, place)| place.of.viewer == viewer)
    }

    /// A peer is connected.
    pub fn connected(&mut self, peer: PeerId) {
        if let Some(place) = self.held.get_mut(&peer) {
            place.connected = true;
        }
    }

    /// A peer is being closed.
    pub fn leaves(&mut self, peer: PeerId) {
        if let Some(place) = self.held.remove(&peer) {
            self.leaving.insert(peer, place);
        }
    }

    /// A peer that was to leave stays after all, since nothing came of the one that it made room for; `false` where its
    /// place is somebody else's by now, or it has gone.
    pub fn stays(&mut self, peer: PeerId) -> bool {
        let room = self.held.len() < self.most;
        let place = room.then(|| self.leaving.remove(&peer)).flatten();
        place.map(|place| self.held.insert(peer, place)).is_some()
    }

    /// Nothing is left of a peer.
    pub fn gone(&mut self, peer: PeerId) {
        self.held.remove(&peer);
        self.leaving.remove(&peer);
    }
}

impl Place {
    /// Of those who wait, the one that has waited longest is the first; of those who are connected, the last to come.
    fn order(&self, now: Instant) -> Duration {
        let age = now.saturating_duration_since(self.since);
        if self.connected { age } else { Duration::MAX - age }
    }
}

/// Places that spectators do not get.
const fn kept(most: usize) -> usize {
    match (most, most / KEPT_OF) {
        (0 | 1, _) => 0,
        (_, 0) => 1,
        (_, kept) => kept,
    }
}

/// A higher one goes before a lower one; owner and administrator are equals.
const fn rank(role: Role) -> u8 {
    match role {
        Role::Spectator => 0,
        Role::Controller => 1,
        Role::Owner | Role::Admin => 2,
    }
}

/// Who of those that wait gives way to one of the same rank, if any.
fn of_equals(waiting: &[(&PeerId, &Place)], asker: Asker, now: Instant) -> Option<PeerId> {
    let oldest = waiting.iter().min_by_key(|(_, place)| place.since)?;
    if now.saturating_duration_since(oldest.1.since) >= PATIENCE {
        return Some(*oldest.0);
    }
    let network = |place: &Place| network(place.of.from);
    let own = self::network(asker.from);
    let crowd = largest(waiting, network, own).or_else(|| {
        let neighbours: Vec<_> = waiting.iter().copied().filter(|(_, p)| network(p) == own).collect();
        largest(&neighbours, |place| place.of.session, asker.session)
    })?;
    // Who came last of the session that has most of them.
    let most = |session| crowd.iter().filter(|(_, p)| p.of.session == session).count();
    let out = crowd
        .iter()
        .max_by_key(|(_, place)| (most(place.of.session), place.since));
    out.map(|(id, _)| **id)
}

/// Those of the key that has most, where that is still no less than `own` with one more.
fn largest<'p, K: Ord + Copy>(
    waiting: &[(&'p PeerId, &'p Place)],
    key: impl Fn(&Place) -> K,
    own: K,
) -> Option<Vec<(&'p PeerId, &'p Place)>> {
    let mut counts = BTreeMap::<K, usize>::new();
    for (_, place) in waiting {
        *counts.entry(key(place)).or_default() += 1;
    }
    let mine = counts.get(&own).copied().unwrap_or(0);
    let (most, count) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    (count >= mine + 2).then(|| waiting.iter().copied().filter(|(_, p)| key(p) == most).collect())
}

/// An address as far as it tells users apart: an IPv6 address with all of its /64.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::from([a, b, c, d, 0, 0, 0, 0])
        }
        v4 => v4,
    }
}

#[cfg(test)]
#[path = "places_tests.rs"]
mod tests;
