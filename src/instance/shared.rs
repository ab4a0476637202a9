//! What belongs to an instance and outlives each of its actors.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::watch;

use super::feed::Feed;
use super::lifecycle::status::{StatusReport, derive};
use super::peers::places::Places;
use super::screenshots::Screenshots;
use super::services::Services;
use super::spec::InstanceSpec;
use super::storage::folder_work;
use super::viewing::outbound::written;
use super::viewing::roster::Roster;
use super::viewing::speaker::Speaker;
use super::viewing::viewers::ControlError;
use super::viewing::visits::Visits;
use crate::ids::{PeerId, ViewerId};
use crate::media::{Hub, Rung};
use crate::observe::Lines;
use crate::peer::Peer;
use crate::policy::{Action, may};
use crate::protocol::signalling::{CloseReason, InstanceMessage, InstanceStatus, RenditionEntry, ServerMessage, Size};
use crate::protocol::windows::WindowEntry;
use crate::protocol::words::Role;
use crate::source::{EndReason, FactsCell, Source};
use crate::supervision::SupervisorRef;
use crate::x11::InputQueue;

/// Lines a minute.
const LINES: u32 = 300;

/// What belongs to an instance and outlives each of its actors.
#[derive(Debug)]
pub struct InstanceShared {
    /// What it is made of.
    pub spec: InstanceSpec,
    /// What its picture comes from and its input goes to.
    pub source: Arc<dyn Source>,
    /// What is known of that.
    pub facts: FactsCell,
    /// Its frames.
    pub hub: Arc<Hub>,
    /// Input waiting to be applied; outlives what applies it.
    pub input: Arc<InputQueue>,
    /// The windows that one can switch between; none where there is nothing to choose.
    pub windows: watch::Sender<Vec<WindowEntry>>,
    /// Its viewers.
    pub roster: Arc<Roster>,
    /// What all instances share.
    pub services: Arc<Services>,
    /// The supervisor of its parts.
    pub parts: SupervisorRef,
    /// The supervisor of its peers.
    pub peers: SupervisorRef,
    /// With whose each is.
    living: Mutex<BTreeMap<PeerId, (ViewerId, Peer)>>,
    places: Mutex<Places>,
    visits: Mutex<Visits>,
    modified_ms: Mutex<i64>,
    /// The status that was told last: kept here, so that an actor that follows a panicked one tells nothing twice.
    told: Mutex<Option<InstanceStatus>>,
    /// It is being started anew by hand: kept here, so that an actor that follows one that panicked meanwhile goes on with it.
    restarting: AtomicBool,
    /// What is written down of what its viewers do.
    pub(super) lines: Lines,
    /// Its pictures for those who only glance at it.
    pub(super) screenshots: Screenshots,
}

impl InstanceShared {
    /// A new instance, of which nothing runs yet.
    #[must_use]
    pub fn new(spec: InstanceSpec, feed: Feed, source: Arc<dyn Source>, services: Arc<Services>) -> Arc<Self> {
        let most = services.config.limits.viewers_per_instance;
        let roster = Arc::new(Roster::new(most, Arc::clone(&feed.input), Instant::now()));
        let places = Places::new(services.config.limits.peers_per_instance);
        Arc::new(Self {
            places: Mutex::new(places),
            visits: Mutex::default(),
            modified_ms: Mutex::new(spec.created_ms),
            spec,
            source,
            facts: feed.facts,
            hub: feed.hub,
            input: feed.input,
            windows: feed.windows,
            roster,
            services,
            parts: SupervisorRef::new(),
            peers: SupervisorRef::new(),
            living: Mutex::default(),
            told: Mutex::default(),
            restarting: AtomicBool::new(false),
            lines: Lines::a_minute(LINES),
            screenshots: Screenshots::default(),
        })
    }

    /// How it is now.
    #[must_use]
    pub fn report(&self) -> StatusReport {
        derive(&self.facts.get(), Instant::now())
    }

    /// The message about how it is now, for who is `role` here.
    #[must_use]
    pub fn instance_message(&self, role: Role) -> InstanceMessage {
        let report = self.report();
        InstanceMessage {
            instance_id: self.spec.id,
            status: report.status,
            reason: report.reason,
            message: report.message,
            app: self.spec.label(),
            size: Size {
                width: self.spec.width,
                height: self.spec.height,
            },
            output: if self.services.shows_output(role) {
                report.output
            } else {
                Vec::new()
            },
            retry_in_ms: report
                .retry_in
                .map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
            restarts: self.facts.get().restarts,
            windows: if may(role, Action::SendInput) {
                self.windows.borrow().clone()
            } else {
                Vec::new()
            },
            renditions: self.renditions(),
            text_not_typed: self.facts.get().text_not_typed,
        }
    }

    /// What there is to choose from; nothing where there is one.
    fn renditions(&self) -> Vec<RenditionEntry> {
        let ladder = self.hub.ladder();
        let entry = |Rung { percent, fps, kbps }: Rung| RenditionEntry {
            percent,
            // No more than are grabbed.
            fps: fps.min(self.spec.fps),
            kbps,
        };
        if ladder.last() == 0 {
            return Vec::new();
        }
        (0..=ladder.last()).map(|rung| entry(ladder.rung(rung))).collect()
    }

    /// The same as the text that goes over a viewer's data channel.
    #[must_use]
    pub fn status_text(&self, viewer: ViewerId) -> String {
        let role = self.roster.with(|viewers| viewers.role(viewer));
        serde_json::to_string(&ServerMessage::Instance(self.instance_message(role))).unwrap_or_default()
    }

    /// Tells every viewer how it is, over the socket and over the data channel.
    pub fn announce_status(&self) {
        self.announce(&|_| true);
    }

    /// The same for those who are told of the app's windows.
    pub fn announce_windows(&self) {
        self.announce(&|role| may(role, Action::SendInput));
    }

    fn announce(&self, whom: &dyn Fn(Role) -> bool) {
        let of = |role| (role, written(&ServerMessage::Instance(self.instance_message(role))));
        let texts: Vec<_> = Role::ALL.iter().copied().filter(|role| whom(*role)).map(of).collect();
        let for_role = |role| {
            texts
                .iter()
                .find(|(of, _)| *of == role)
                .and_then(|(_, text)| text.clone())
        };
        self.roster.tell_all(&for_role);
        for (viewer, peer) in self.living().values() {
            let role = self.roster.with(|viewers| viewers.role(*viewer));
            if let Some(text) = for_role(role) {
                peer.send_status(&text);
            }
        }
    }

    /// Why peers that are stopped now are closed.
    #[must_use]
    pub fn close_reason(&self) -> CloseReason {
        match self.facts.get().ending {
            Some(EndReason::AppExited) => CloseReason::AppExited,
            Some(EndReason::HostShutdown) => CloseReason::HostShutdown,
            Some(EndReason::Requested | EndReason::Idle) => CloseReason::InstanceEnded,
            None if self.source.is_left() => CloseReason::HostShutdown,
            None => CloseReason::Fault,
        }
    }

    /// When something of it last changed, ms since 1970.
    #[must_use]
    pub fn modified_ms(&self) -> i64 {
        *self.modified_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This status is being told; gives the one told before.
    pub fn tell_status(&self, status: InstanceStatus) -> Option<InstanceStatus> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).replace(status)
    }

    /// Whether it is being started anew by hand.
    pub(super) fn is_restarting(&self) -> bool {
        self.restarting.load(Ordering::Acquire)
    }

    /// It is being started anew by hand, or no longer.
    pub(super) fn set_restarting(&self, restarting: bool) {
        self.restarting.store(restarting, Ordering::Release);
    }

    /// Something of it has changed.
    pub fn touch(&self, now_ms: i64) {
        *self.modified_ms.lock().unwrap_or_else(PoisonError::into_inner) = now_ms;
    }

    /// When it will be reaped because nobody is there.
    #[must_use]
    pub fn reap_at(&self) -> Option<Instant> {
        let idle: Duration = self.services.config.instances.idle_timeout?;
        self.roster.with(|v| v.empty_since()).map(|since| since + idle)
    }

    /// A peer, if it lives, and whose it is.
    #[must_use]
    pub fn peer(&self, id: PeerId) -> Option<(ViewerId, Peer)> {
        self.living().get(&id).cloned()
    }

    /// What has been counted since it began, and of each peer since that did.
    pub(super) fn counters(&self) -> Value {
        let living: Vec<(PeerId, Peer)> = self
            .living()
            .iter()
            .map(|(id, (_, peer))| (*id, peer.clone()))
            .collect();
        let peers = living
            .into_iter()
            .map(|(id, peer)| (id.to_string(), json!(peer.stats())));
        json!({
            "picture": self.hub.stats(),
            "subscribers": self.hub.subscribers(),
            "peers": peers.collect::<serde_json::Map<String, Value>>(),
        })
    }

    /// The places for peers. Locked after the viewers, where both are.
    pub(super) fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What its viewers' coming and going is put together in.
    pub(super) fn visits(&self) -> MutexGuard<'_, Visits> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes a peer, if it lives; its place is free from here on.
    pub(super) fn close_peer(&self, id: PeerId, reason: CloseReason) {
        self.places().leaves(id);
        if let Some((_, peer)) = self.peer(id) {
            peer.close(reason);
        }
    }

    /// A new peer lives; gives those that its viewer had before. From here on they have no say, and what was held down
    /// through them is released.
    ///
    /// # Errors
    /// [`ControlError`] where its viewer may have none: the peer is forgotten again.
    pub fn remember_peer(&self, who: &Speaker, id: PeerId, peer: Peer) -> Result<Vec<PeerId>, ControlError> {
        // Before the viewer has it: whoever puts the viewer out finds the peer that is to be closed.
        self.living().insert(id, (who.viewer, peer));
        self.roster.set_peer(who, id).inspect_err(|_| {
            self.living().remove(&id);
        })?;
        Ok(self.peers_of(who.viewer, &[id]))
    }

    /// A new peer lives beside the one that its viewer has, without a say; gives others that stood there before.
    ///
    /// # Errors
    /// [`ControlError`] where its viewer may have none: the peer is forgotten again.
    pub fn remember_beside(&self, who: &Speaker, id: PeerId, peer: Peer) -> Result<Vec<PeerId>, ControlError> {
        self.living().insert(id, (who.viewer, peer));
        self.roster.heard(who).inspect_err(|_| {
            self.living().remove(&id);
        })?;
        let own = self.roster.with(|v| v.peer_of(who.viewer));
        Ok(self.peers_of(who.viewer, &[id, own.unwrap_or(id)]))
    }

    /// A peer takes the place of the one that its viewer has, beside which it was.
    pub(super) fn take_over(&self, viewer: ViewerId, id: PeerId) {
        let Some(before) = self.roster.replace_peer(viewer, id) else {
            return;
        };
        if self.peer(id).is_none() {
            // It has ended meanwhile.
            self.roster.clear_peer(viewer, id);
        }
        if let Some(before) = before.filter(|before| *before != id) {
            self.close_peer(before, CloseReason::Superseded);
        }
    }

    /// The living peers of a viewer, but these.
    pub(super) fn peers_of(&self, viewer: ViewerId, but: &[PeerId]) -> Vec<PeerId> {
        let living = self.living();
        let own = living.iter().filter(|(id, (of, _))| *of == viewer && !but.contains(id));
        own.map(|(id, _)| *id).collect()
    }

    /// A peer is gone. What its viewer held down is released, unless the viewer has a newer peer by now.
    pub fn forget_peer(&self, viewer: ViewerId, id: PeerId) {
        if let Some((_, peer)) = self.living().remove(&id) {
            // News only to one whose child broke.
            peer.close(CloseReason::Fault);
        }
        self.places().gone(id);
        self.roster.clear_peer(viewer, id);
    }

    /// Removes what it has on disk.
    pub async fn remove_folders(&self) {
        folder_work::removed(&self.services, self.spec.id).await;
    }

    fn living(&self) -> MutexGuard<'_, BTreeMap<PeerId, (ViewerId, Peer)>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
