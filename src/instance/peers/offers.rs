//! A viewer's offer becomes a peer; and what it takes for any peer to have a place.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Handler, Message, ResponseActFuture, WrapFuture};

use crate::ids::{PeerId, ViewerId};
use crate::instance::actor::InstanceActor;
use crate::instance::error::InstanceError;
use crate::instance::peers::beside::Beside;
use crate::instance::peers::input_gate::ViewerInput;
use crate::instance::peers::peer_child::{Answer, peer_child};
use crate::instance::peers::places::{Asker, NoPlace};
use crate::instance::shared::InstanceShared;
use crate::instance::viewing::speaker::Speaker;
use crate::peer::candidate::Intake;
use crate::peer::{InputSink, Peer, PeerError, PeerOptions};
use crate::policy::{Action, may};
use crate::protocol::signalling::CloseReason;
use crate::supervision::ChildSpec;

/// From an offer to its answer.
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

/// A viewer offers a new peer connection, and is answered. Once the answer is told, the peer tells its candidates.
#[derive(Debug, Message)]
#[rtype(result = "Result<Answer, InstanceError>")]
pub struct Offer {
    /// Who.
    pub who: Speaker,
    /// The description.
    pub sdp: String,
    /// Whether the peer that the viewer has goes on until this one is used.
    pub beside: bool,
    /// Where the browser's requests come from.
    pub from: IpAddr,
}

impl Handler<Offer> for InstanceActor {
    type Result = ResponseActFuture<Self, Result<Answer, InstanceError>>;

    fn handle(&mut self, msg: Offer, _: &mut Self::Context) -> Self::Result {
        let work = answered(Arc::clone(&self.shared), msg);
        Box::pin(work.into_actor(self))
    }
}

/// A place for a new peer, whatever carries it.
#[derive(Debug)]
pub(in crate::instance) struct Seat {
    /// The peer that has it.
    pub(in crate::instance) peer: PeerId,
    beside: bool,
    /// Whose it was.
    gives_way: Option<PeerId>,
}

impl Seat {
    /// Takes a place for a new peer of a viewer: that of the one before, or `beside` it.
    ///
    /// # Errors
    /// [`InstanceError`]; nothing has changed then.
    pub(in crate::instance) fn take(
        shared: &InstanceShared,
        who: &Speaker,
        from: IpAddr,
        beside: bool,
    ) -> Result<Self, InstanceError> {
        if shared.facts.get().ending.is_some() {
            return Err(InstanceError::Ending);
        }
        // There is nothing that it could be beside.
        let beside = beside && shared.roster.with(|v| v.peer_of(who.viewer)).is_some();
        let peer = PeerId::new();
        let asker = Asker {
            viewer: who.viewer,
            session: who.session,
            from,
        };
        let now = Instant::now();
        let taken = shared.roster.with(|v| {
            let role_of = |id| v.role(id);
            let mut places = shared.places();
            if beside {
                places.ask_beside(peer, asker, &role_of, now).map(|()| None)
            } else {
                places.ask(peer, asker, &role_of, now)
            }
        });
        Ok(Self {
            peer,
            beside,
            gives_way: taken.map_err(|NoPlace| InstanceError::TooManyPeers)?,
        })
    }

    /// Starts the peer's child. Who had its place, or the viewer's, has no say from here on, and goes once the new one is
    /// accepted ([`Displaced::go`]).
    ///
    /// # Errors
    /// [`InstanceError`]; with its specification the place is given back, and nobody has gone.
    pub(in crate::instance) async fn begin(
        self,
        shared: &Arc<InstanceShared>,
        who: &Speaker,
        spec: ChildSpec,
        new: Peer,
    ) -> Result<Displaced, InstanceError> {
        let mut displaced = Displaced {
            shared: Arc::clone(shared),
            viewer: who.viewer,
            by: self.peer,
            own: shared.roster.with(|v| v.peer_of(who.viewer)),
            gives_way: self.gives_way,
            before: Vec::new(),
            stay: true,
        };
        displaced.before = if self.beside {
            shared.remember_beside(who, self.peer, new)
        } else {
            shared.remember_peer(who, self.peer, new)
        }?;
        // One that is not started is forgotten with its specification.
        let started = shared.peers.start_child(spec, ANSWER_DEADLINE).await;
        started.map_err(|_| InstanceError::TooManyPeers)?;
        Ok(displaced)
    }
}

/// The peers that a new one takes the place of. They stay if that is not accepted.
pub(in crate::instance) struct Displaced {
    shared: Arc<InstanceShared>,
    viewer: ViewerId,
    by: PeerId,
    /// The one that its viewer had.
    own: Option<PeerId>,
    /// Somebody else's.
    gives_way: Option<PeerId>,
    /// Its viewer's.
    before: Vec<PeerId>,
    stay: bool,
}

impl Displaced {
    /// The new one is accepted. Its browser has let go of those before; nothing waits for their end.
    pub(in crate::instance) fn go(mut self) {
        self.stay = false;
    }

    fn close(&self) {
        if let Some(other) = self.gives_way {
            self.shared.close_peer(other, CloseReason::GaveWay);
        }
        for before in &self.before {
            self.shared.close_peer(*before, CloseReason::Superseded);
        }
    }

    /// As if the new one had never been asked for, as far as nothing else has happened meanwhile.
    fn put_back(&self) {
        let lives = |id: PeerId| self.shared.peer(id).is_some_and(|(_, peer)| !peer.is_closing());
        // The new one has no place any more, even where its end is still to be heard of.
        self.shared.places().leaves(self.by);
        if let Some(other) = self.gives_way.filter(|other| lives(*other))
            && !self.shared.places().stays(other)
        {
            self.shared.close_peer(other, CloseReason::GaveWay);
        }
        let now = self.shared.roster.with(|v| v.peer_of(self.viewer));
        if now.is_some_and(|now| now != self.by && Some(now) != self.own) {
            // The next one came meanwhile, to which all this is already before.
            return;
        }
        for before in self.before.iter().copied().filter(|before| lives(*before)) {
            if !self.shared.places().stays(before) {
                self.shared.close_peer(before, CloseReason::Superseded);
            } else if Some(before) == self.own {
                self.shared.take_over(self.viewer, before);
            }
        }
    }
}

impl Drop for Displaced {
    fn drop(&mut self) {
        if self.stay { self.put_back() } else { self.close() }
    }
}

/// Makes the peer and waits for its answer. What is refused leaves the viewer's living peer as it is.
///
/// # Errors
/// [`InstanceError`].
pub async fn answered(shared: Arc<InstanceShared>, offer: Offer) -> Result<Answer, InstanceError> {
    let who = offer.who;
    shared.roster.heard(&who)?;
    if shared.facts.get().ending.is_some() {
        return Err(InstanceError::Ending);
    }
    if !shared.services.transports.webrtc {
        return Err(InstanceError::NotOffered("webrtc"));
    }
    let pending = shared.services.offers.take(who.session, Instant::now());
    let pending = pending.map_err(InstanceError::TooManyOffers)?;
    let seat = Seat::take(&shared, &who, offer.from, offer.beside)?;
    let peer = seat.peer;
    let steers = shared
        .roster
        .role(who.viewer)
        .is_some_and(|role| may(role, Action::Control));
    let input = ViewerInput::new(who.viewer, peer, Arc::clone(&shared.roster), Arc::clone(&shared.input));
    let sink: Arc<dyn InputSink> = if seat.beside {
        Arc::new(Beside::new(Arc::clone(&shared), who.viewer, peer, input))
    } else {
        Arc::new(input)
    };
    let options = PeerOptions {
        peer_id: peer,
        offer: offer.sdp,
        candidates: Intake::new(offer.from, shared.services.config.limits.candidates_per_peer),
        hub: Arc::clone(&shared.hub),
        available: shared.services.codecs.clone(),
        sink,
        steers,
        factory: Arc::clone(&shared.services.connections),
        runtime: shared.services.media.clone(),
    };
    let (spec, new, answered) = peer_child(Arc::clone(&shared), who.viewer, options, pending);
    let displaced = seat.begin(&shared, &who, spec, new).await?;
    let answer = match tokio::time::timeout(ANSWER_DEADLINE, answered).await {
        Ok(answer) => answer.unwrap_or(Err(PeerError::Closing))?,
        Err(_) => return Err(InstanceError::Peer(PeerError::Timeout("the answer"))),
    };
    displaced.go();
    Ok(answer)
}
