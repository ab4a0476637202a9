//! A viewer that has no socket, as one that comes by WHEP would be: it asks by requests, and is here by its peer.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::*;
use crate::ids::{PeerId, SessionId, ViewerId};
use crate::instance::actor::{Join, Leave};
use crate::instance::peers::offers::Offer;
use crate::instance::peers::paths::{Candidate, RestartIce};
use crate::instance::testing::{self, OFFER, Running};
use crate::instance::{Answer, Catalogue, ControlError, Manager, RequestError, RoleNow, Speaker};
use crate::peer::ConnectionState;
use crate::peer::fake::{FakeConnection, FakeFactory};
use crate::protocol::words::Role;
use crate::supervision::SupervisorRef;

const PATIENCE: Duration = Duration::from_secs(30);
/// How long a viewer may be away.
const GRACE: Duration = Duration::from_millis(100);

/// A running instance for one spectator and two peers at once, without processes.
struct Scene {
    running: Running,
    factory: Arc<FakeFactory>,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let factory = Arc::new(FakeFactory::default());
        let mut services = testing::services(folder.path(), &factory, 10);
        let config = &mut Arc::get_mut(&mut services).unwrap().config;
        config.session.resume_grace = GRACE;
        (config.limits.viewers_per_instance, config.limits.peers_per_instance) = (1, 2);
        let catalogue = Arc::new(Catalogue::new(Vec::new()));
        let manager = Manager::new(Arc::clone(&services), catalogue, SupervisorRef::new());
        Self {
            running: Running::start(&manager, &services, SessionId::new()).await,
            factory,
            _folder: folder,
        }
    }

    async fn join(&self, who: &Speaker, role: Role) -> Result<Option<PeerId>, ControlError> {
        let join = Join {
            who: who.clone(),
            role: RoleNow::always(role),
            peer: None,
            claim: None,
        };
        self.running.handle.actor().ask(join, PATIENCE).await.unwrap()
    }

    async fn offer(&self, who: &Speaker) -> Result<Answer, RequestError> {
        let offer = Offer {
            who: who.clone(),
            sdp: OFFER.into(),
            beside: false,
            from: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        Ok(self.running.handle.actor().ask(offer, PATIENCE).await??)
    }

    fn connection(&self) -> Arc<FakeConnection> {
        Arc::clone(self.factory.0.lock().unwrap().last().unwrap())
    }

    fn is_here(&self, who: &Speaker) -> bool {
        self.running.roster().role(who.viewer).is_some()
    }

    /// Waits until the viewer has gone; how long that took.
    async fn gone(&self, who: &Speaker) -> Duration {
        let begun = Instant::now();
        while self.is_here(who) {
            assert!(begun.elapsed() < PATIENCE);
            sleep(Duration::from_millis(10)).await;
        }
        begun.elapsed()
    }
}

fn viewer() -> Speaker {
    let session = SessionId::new();
    Speaker {
        viewer: ViewerId::of(session, None),
        session,
        door: Door::of_requests(),
    }
}

#[actix_rt::test]
async fn a_viewer_without_a_socket_is_answered_and_here_for_as_long_as_its_peer_lives() {
    let scene = Scene::new().await;
    let who = viewer();
    assert_eq!(scene.join(&who, Role::Spectator).await, Ok(None));
    let answer = scene.offer(&who).await.unwrap();
    let peer = answer.peer;
    assert_eq!(answer.sdp, "answer");
    drop(answer);
    let connection = scene.connection();
    connection.state.send_replace(ConnectionState::Connected);
    // It says nothing, for many times as long as who has a socket may be without.
    sleep(GRACE * 25).await;
    assert!(scene.is_here(&who), "its peer lives");
    assert_eq!(scene.running.peer(peer), Some((who.viewer, false)));
    assert_eq!(scene.running.handle.watching(), [who.session]);
    assert!(scene.running.handle.shared.reap_at().is_none(), "somebody watches");

    // Another request of the same session speaks for it, and nobody else's does.
    let roster = scene.running.roster();
    let spectator = RoleNow::always(Role::Spectator);
    let again = roster.speaker(who.viewer, who.session, &spectator).unwrap();
    let restart = |who: Speaker| RestartIce {
        who,
        peer,
        offer: OFFER.into(),
    };
    let actor = scene.running.handle.actor();
    assert_eq!(
        actor.ask(restart(again.clone()), PATIENCE).await.unwrap().unwrap(),
        "another answer"
    );
    let stranger = Speaker {
        door: Door::of_requests(),
        ..who.clone()
    };
    let refused = actor.ask(restart(stranger), PATIENCE).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), "not_watching");
    let rubbish = Candidate {
        who: again,
        peer,
        candidate: Some(crate::protocol::signalling::IceCandidate {
            candidate: "rubbish".into(),
            ..Default::default()
        }),
    };
    let refused = actor.ask(rubbish, PATIENCE).await.unwrap();
    assert_eq!(refused.unwrap_err().code(), "bad_candidate", "told to who has asked");

    connection.state.send_replace(ConnectionState::Failed);
    scene.gone(&who).await;
    assert!(scene.running.peer(peer).is_none());
    assert_eq!(connection.closes.load(Ordering::Relaxed), 1);
}

#[actix_rt::test]
async fn a_viewer_without_a_socket_that_never_offers_goes_and_one_that_says_so_goes_at_once() {
    let scene = Scene::new().await;
    let who = viewer();
    scene.join(&who, Role::Spectator).await.unwrap();
    scene.gone(&who).await;

    scene.join(&who, Role::Spectator).await.unwrap();
    drop(scene.offer(&who).await.unwrap());
    let connection = scene.connection();
    connection.state.send_replace(ConnectionState::Connected);
    scene
        .running
        .handle
        .actor()
        .ask(Leave(who.clone()), PATIENCE)
        .await
        .unwrap();
    assert!(!scene.is_here(&who));
    let begun = Instant::now();
    while connection.closes.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn viewers_without_sockets_count_among_those_that_may_be_here_and_have_peers() {
    let scene = Scene::new().await;
    let (first, second) = (viewer(), viewer());
    scene.join(&first, Role::Spectator).await.unwrap();
    assert_eq!(scene.join(&second, Role::Spectator).await, Err(ControlError::Full));
    assert!(!scene.is_here(&second));
    let refused = scene.offer(&second).await.unwrap_err();
    assert_eq!(refused.code(), "not_watching");

    // One of the two places is kept from spectators; the second is an owner's.
    let (owner, other) = (viewer(), viewer());
    for who in [&owner, &other] {
        scene.join(who, Role::Owner).await.unwrap();
    }
    for who in [&first, &owner] {
        drop(scene.offer(who).await.unwrap());
        scene.connection().state.send_replace(ConnectionState::Connected);
        sleep(Duration::from_millis(10)).await;
    }
    let of_first = Arc::clone(&scene.factory.0.lock().unwrap()[0]);
    drop(scene.offer(&other).await.unwrap());
    scene.connection().state.send_replace(ConnectionState::Connected);
    // Who may more has the place of a spectator, who goes with its peer.
    scene.gone(&first).await;
    assert_eq!(of_first.closes.load(Ordering::Relaxed), 1);
    assert!(scene.is_here(&owner) && scene.is_here(&other));
}

#[test]
fn doors_are_told_apart() {
    let (socket, _texts) = crate::instance::outbound();
    let (requests, socket) = (Door::of_requests(), Door::Socket(socket));
    assert!(requests.is_same(&requests.clone()) && socket.is_same(&socket.clone()));
    assert!(!requests.is_same(&Door::of_requests()) && !requests.is_same(&socket) && !socket.is_same(&requests));
}
