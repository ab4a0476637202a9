use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use super::*;
use crate::ids::SessionId;
use crate::instance::peers::offers::{self, Offer};
use crate::instance::testing::OFFER;
use crate::instance::viewing::outbound::OutboundTexts;
use crate::instance::{ControlError, InstanceError, RoleNow, Speaker, testing};
use crate::media::Codec;
use crate::peer::candidate::Intake;
use crate::peer::fake::{FakeConnection, FakeFactory};
use crate::peer::{InputChannel, InputSink};
use crate::protocol::input::InputFrame;
use crate::protocol::signalling::IceCandidate;
use crate::protocol::words::Role;
use crate::source::{EndReason, Failure};
use crate::supervision::{Intensity, SupervisorSpec, Tree};

const SOON: Duration = Duration::from_secs(5);
/// Offers of one session at once.
const PENDING: usize = 4;

struct Deaf;

impl InputSink for Deaf {
    fn accept(&self, _: InputFrame, _: InputChannel) {}
}

/// An instance without processes, with one viewer, whose connections are in the test's hands.
struct Scene {
    shared: Arc<InstanceShared>,
    factory: Arc<FakeFactory>,
    who: Speaker,
    viewer: ViewerId,
    socket: OutboundTexts,
    tree: Tree,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self::watched_as(RoleNow::always(Role::Owner))
    }

    fn watched_as(role: RoleNow) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let factory = Arc::new(FakeFactory::default());
        let services = testing::services(folder.path(), &factory, PENDING);
        let shared = testing::instance(&services, SessionId::new());
        let (who, socket) = testing::tab(shared.spec.owner);
        shared.roster.join(&who, &role).unwrap();
        let peers = SupervisorSpec::dynamic(Intensity::new(0, Duration::from_secs(1)), 100).reference(&shared.peers);
        Self {
            tree: Tree::start(peers),
            shared,
            factory,
            viewer: who.viewer,
            who,
            socket,
            _folder: folder,
        }
    }

    /// A peer of the viewer's, as the instance's actor makes one.
    async fn peer(&self) -> (PeerId, Peer, oneshot::Receiver<Result<Answer, PeerError>>) {
        let options = PeerOptions {
            peer_id: PeerId::new(),
            offer: OFFER.into(),
            candidates: Intake::new([127, 0, 0, 1].into(), 30),
            hub: Arc::clone(&self.shared.hub),
            available: Codec::ALL.to_vec(),
            sink: Arc::new(Deaf),
            steers: true,
            factory: Arc::<FakeFactory>::clone(&self.factory),
            runtime: self.shared.services.media.clone(),
        };
        let id = options.peer_id;
        let pending = self
            .shared
            .services
            .offers
            .take(self.shared.spec.owner, std::time::Instant::now())
            .unwrap();
        let (spec, peer, answered) = peer_child(Arc::clone(&self.shared), self.viewer, options, pending);
        for before in self.shared.remember_peer(&self.who, id, peer.clone()).unwrap() {
            self.shared.peer(before).unwrap().1.close(CloseReason::Superseded);
        }
        self.shared.peers.start_child(spec, SOON).await.unwrap();
        (id, peer, answered)
    }

    /// Somebody's tab, and what its socket is told.
    fn joined(&self, session: SessionId, role: Role) -> (Speaker, OutboundTexts) {
        let (who, socket) = testing::tab(session);
        self.shared.roster.join(&who, &RoleNow::always(role)).unwrap();
        (who, socket)
    }

    /// What comes of an offer of a viewer's.
    async fn offered(&self, who: &Speaker) -> Result<Answer, InstanceError> {
        self.offered_so(who, OFFER).await
    }

    async fn offered_so(&self, who: &Speaker, sdp: &str) -> Result<Answer, InstanceError> {
        let offer = Offer {
            who: who.clone(),
            sdp: sdp.into(),
            beside: false,
            from: [127, 0, 0, 1].into(),
        };
        offers::answered(Arc::clone(&self.shared), offer).await
    }

    /// A peer of the viewer's that was answered and is connected.
    async fn connected(&mut self) -> (PeerId, Peer, Arc<FakeConnection>) {
        let (id, peer, answered) = self.peer().await;
        answered.await.unwrap().unwrap();
        let connection = self.connection();
        connection.state.send_replace(ConnectionState::Connected);
        sleep(Duration::from_millis(10)).await;
        (id, peer, connection)
    }

    fn connection(&self) -> Arc<FakeConnection> {
        Arc::clone(self.factory.0.lock().unwrap().last().unwrap())
    }

    /// The next message of this type that the viewer's socket gets.
    async fn told(&mut self, kind: &str) -> serde_json::Value {
        let waiting = async {
            loop {
                let text = self.socket.next().await.unwrap();
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                if message["type"] == kind {
                    return message;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap()
    }

    async fn told_closed(&mut self, peer: PeerId, reason: CloseReason) {
        let closed = self.told("closed").await;
        assert_eq!(closed["peer_id"], peer.to_string());
        assert_eq!(closed["reason"], reason.as_str());
        assert!(self.shared.peer(peer).is_none());
    }
}

/// The journal's notes and the store need no time of their own; the rest may run ahead.
#[actix_rt::test]
async fn a_peer_that_is_closed_tells_the_first_reason_even_behind_a_flood_of_candidates() {
    let mut scene = Scene::new();
    let (id, peer, connection) = scene.connected().await;
    for _ in 0..200 {
        let candidate = "candidate:1 1 udp 2113937151 127.0.0.1 9 typ host".to_owned();
        let candidate = IceCandidate {
            candidate,
            ..IceCandidate::default()
        };
        let _ = peer.add_candidate(candidate).now_or_never();
    }
    peer.close(CloseReason::ResumeExpired);
    peer.close(CloseReason::Fault);
    scene.told_closed(id, CloseReason::ResumeExpired).await;
    assert_eq!(connection.closes.load(Ordering::Relaxed), 1);
}

#[actix_rt::test]
async fn a_peer_whose_child_is_aborted_is_closed_and_its_viewer_told_of_a_fault() {
    let mut scene = Scene::new();
    let (id, _, connection) = scene.connected().await;
    let tree = std::mem::replace(
        &mut scene.tree,
        Tree::start(SupervisorSpec::dynamic(Intensity::new(0, SOON), 1)),
    );
    drop(tree);
    scene.told_closed(id, CloseReason::Fault).await;
    let begun = Instant::now();
    while connection.closes.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < SOON);
        sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn a_peer_that_its_supervisor_stops_tells_why_its_instance_ends() {
    let mut scene = Scene::new();
    let (id, _, _) = scene.connected().await;
    scene.shared.facts.update(|f| f.ending = Some(EndReason::HostShutdown));
    let begun = Instant::now();
    scene.shared.peers.stop_child(&id.to_string(), SHUTDOWN).await.unwrap();
    assert!(begun.elapsed() < SHUTDOWN);
    scene.told_closed(id, CloseReason::HostShutdown).await;
}

#[actix_rt::test]
async fn a_peer_closed_before_its_answer_answers_that_it_is_closing_and_nothing_else() {
    let mut scene = Scene::new();
    let (id, peer, answered) = scene.peer().await;
    peer.close(CloseReason::Superseded);
    match answered.await.unwrap() {
        Ok(answer) => {
            // The answer was quicker.
            drop(answer);
            scene.told_closed(id, CloseReason::Superseded).await;
        }
        Err(error) => assert_eq!(error, PeerError::Closing),
    }
    let begun = Instant::now();
    while scene.shared.peer(id).is_some() {
        assert!(begun.elapsed() < SHUTDOWN);
        sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn a_new_peer_neither_waits_for_the_one_before_it_nor_loses_its_input_to_its_end() {
    let mut scene = Scene::new();
    let (first, _, connection) = scene.connected().await;
    connection.hangs.store(true, Ordering::Relaxed);
    let begun = Instant::now();
    let (second, _, _) = scene.connected().await;
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    let steers = |id| scene.shared.roster.steer(scene.viewer, id, || {});
    assert!(steers(second) && !steers(first));
    // Released once, when the first was replaced; its end releases nothing that the second holds.
    assert_eq!(scene.shared.input.len(), 1);
    scene.told_closed(first, CloseReason::Superseded).await;
    assert_eq!(scene.shared.input.len(), 1);
    assert!(scene.shared.roster.steer(scene.viewer, second, || {}));
    assert!(scene.shared.peer(second).is_some());
}

#[actix_rt::test]
async fn an_offer_that_is_refused_leaves_its_viewer_the_peer_that_it_has_with_its_say_and_its_place() {
    let scene = Scene::new();
    let first = scene.offered(&scene.who).await.unwrap();
    let first = first.peer;
    let steers = |scene: &Scene, id| scene.shared.roster.steer(scene.viewer, id, || {});
    let is_here = |scene: &Scene, id| scene.shared.peer(id).is_some_and(|(_, peer)| !peer.is_closing());
    for bad in ["rubbish", &OFFER.replace("VP8", "H263")] {
        scene.offered_so(&scene.who, bad).await.unwrap_err();
        assert!(is_here(&scene, first) && steers(&scene, first), "{bad}");
        assert_eq!(scene.shared.roster.with(|v| v.peer_of(scene.viewer)), Some(first));
    }
}

#[actix_rt::test]
async fn an_offer_that_is_accepted_ends_the_peer_before_it() {
    let mut scene = Scene::new();
    let first = scene.offered(&scene.who).await.unwrap().peer;
    let second = scene.offered(&scene.who).await.unwrap().peer;
    scene.told_closed(first, CloseReason::Superseded).await;
    let steers = |id| scene.shared.roster.steer(scene.viewer, id, || {});
    assert!(steers(second) && !steers(first));
}

#[actix_rt::test]
async fn a_viewer_whose_role_ends_watches_on_as_what_is_left_or_is_told_and_closed() {
    let role = Arc::new(Mutex::new(Ok(Role::Owner)));
    let now = Arc::clone(&role);
    let mut scene = Scene::watched_as(RoleNow::new(move || *now.lock().unwrap()));
    let (_, _, connection) = scene.connected().await;
    *role.lock().unwrap() = Ok(Role::Spectator);
    scene.shared.regrade();
    assert_eq!(scene.told("control").await["role"], "spectator");
    assert!(!scene.shared.roster.with(|v| v.may_steer(scene.viewer)));
    assert_eq!(connection.closes.load(Ordering::Relaxed), 0, "it watches on");

    *role.lock().unwrap() = Err(ControlError::NoAccess);
    assert_eq!(
        scene.offered(&scene.who).await.unwrap_err().code(),
        "not_allowed",
        "also before anybody looks"
    );
    scene.shared.regrade();
    assert_eq!(scene.told("error").await["code"], "access_ended");
    assert_eq!(scene.shared.roster.role(scene.viewer), None);
    let begun = Instant::now();
    while connection.closes.load(Ordering::Relaxed) == 0 {
        assert!(begun.elapsed() < SOON);
        sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn a_thousand_offers_of_one_session_are_worked_on_a_few_at_a_time_and_nobody_elses_waits() {
    let mut scene = Scene::new();
    let (living, _, _) = scene.connected().await;
    // None of the next is ever heard of again.
    let (other, _other_socket) = testing::tab(scene.shared.spec.owner);
    scene.shared.roster.join(&other, &RoleNow::always(Role::Owner)).unwrap();
    let (mut made, mut refused) = (Vec::new(), 0);
    for _ in 0..1000 {
        match scene.offered(&other).await {
            Ok(answer) => {
                made.push(answer.peer);
                for connection in scene.factory.0.lock().unwrap().iter().skip(1) {
                    connection.hangs.store(true, Ordering::Relaxed);
                    connection.state.send_replace(ConnectionState::Connecting);
                }
            }
            Err(error) => {
                assert_eq!(error.code(), "too_many_offers");
                assert!(error.retry_after().is_some());
                refused += 1;
            }
        }
    }
    assert_eq!((made.len(), refused), (PENDING, 1000 - PENDING));
    assert!(
        scene.shared.roster.steer(scene.viewer, living, || {}),
        "the peer that lives is left alone"
    );
    assert_eq!(
        scene.shared.roster.with(|v| v.peer_of(other.viewer)),
        made.last().copied()
    );

    let (guest, _guest_socket) = testing::tab(SessionId::new());
    scene
        .shared
        .roster
        .join(&guest, &RoleNow::always(Role::Spectator))
        .unwrap();
    scene.offered(&guest).await.unwrap();

    // What is connected is no offer any more, and what is closed neither.
    let last = Arc::clone(&scene.factory.0.lock().unwrap()[PENDING]);
    last.state.send_replace(ConnectionState::Connected);
    let begun = Instant::now();
    while scene.offered(&other).await.is_err() {
        assert!(begun.elapsed() < SHUTDOWN);
        sleep(Duration::from_millis(20)).await;
    }
}

#[actix_rt::test]
async fn who_may_not_restart_an_app_is_not_told_what_it_wrote() {
    let mut scene = Scene::new();
    let (spectator, mut socket) = testing::tab(SessionId::new());
    let role = RoleNow::always(Role::Spectator);
    scene.shared.roster.join(&spectator, &role).unwrap();
    let failure = Failure {
        code: "crash_loop".into(),
        message: "it has failed".to_owned(),
        output: vec!["what it wrote".to_owned()],
    };
    scene.shared.facts.update(|facts| facts.failure = Some(failure));
    scene.shared.announce_status();
    assert_eq!(scene.told("instance").await["output"][0], "what it wrote");
    let told = socket.next().await.unwrap();
    assert!(told.contains("FAILED") && told.contains("it has failed"), "{told}");
    assert!(!told.contains("what it wrote"), "{told}");
    // Over data channels as well.
    let text = |viewer| scene.shared.status_text(viewer);
    assert!(text(scene.viewer).contains("what it wrote"));
    let part = text(spectator.viewer);
    assert!(part.contains("FAILED") && !part.contains("what it wrote"));
}

#[actix_rt::test]
async fn guests_whose_offers_never_connect_keep_nobody_out_who_may_steer() {
    let scene = Scene::new();
    let mut guests = Vec::new();
    // Each session may have so many offers pending; together they ask for more than there are places.
    for _ in 0..20 {
        let session = SessionId::new();
        for _ in 0..PENDING {
            let (guest, socket) = scene.joined(session, Role::Spectator);
            if let Err(error) = scene.offered(&guest).await {
                assert_eq!(error.code(), "too_many_peers");
                assert!(error.retry_after().is_some());
            }
            guests.push(socket);
        }
    }
    gave_way(&mut guests).await;
    assert!(scene.offered(&scene.who).await.is_ok(), "the owner");
    for role in [Role::Controller, Role::Admin].into_iter().cycle().take(6) {
        let (viewer, socket) = scene.joined(SessionId::new(), role);
        assert!(scene.offered(&viewer).await.is_ok(), "{role}");
        guests.push(socket);
    }
    // Four are kept for them; after that who comes has the place of a guest, who is told why.
    assert_eq!(gave_way(&mut guests).await, 3);
}

/// How many were told, since they were asked last, that their peer gave way.
async fn gave_way(sockets: &mut [OutboundTexts]) -> usize {
    let mut told = 0;
    for socket in sockets {
        while let Ok(Some(text)) = tokio::time::timeout(Duration::from_millis(5), socket.next()).await {
            let message: serde_json::Value = serde_json::from_str(&text).unwrap();
            told += usize::from(message["type"] == "closed" && message["reason"] == "gave_way");
        }
    }
    told
}

#[actix_rt::test]
async fn a_session_whose_offers_never_connect_has_to_wait_and_one_that_connects_does_not() {
    let mut scene = Scene::new();
    for _ in 0..PENDING {
        let (_, peer, answered) = scene.peer().await;
        answered.await.unwrap().unwrap();
        peer.close(CloseReason::IceFailed);
        scene.told("closed").await;
    }
    let refused = scene.offered(&scene.who).await.unwrap_err();
    assert_eq!(refused.code(), "too_many_offers");
    assert!(refused.retry_after().is_some_and(|wait| wait > 50), "{refused:?}");

    let (guest, _socket) = scene.joined(SessionId::new(), Role::Spectator);
    for _ in 0..3 * PENDING {
        scene.offered(&guest).await.unwrap();
        scene.connection().state.send_replace(ConnectionState::Connected);
        sleep(Duration::from_millis(10)).await;
    }
}

#[actix_rt::test]
async fn a_browser_is_told_nothing_of_a_peer_before_whoever_asked_has_told_it_the_answer() {
    let mut scene = Scene::new();
    let answer = scene.offered(&scene.who).await.unwrap();
    let peer = answer.peer;
    assert!(!answer.sdp.is_empty());
    let connection = scene.connection();
    // The peer has a lot to say meanwhile, its end among it.
    connection.state.send_replace(ConnectionState::Disconnected);
    scene.shared.close_peer(peer, CloseReason::InstanceEnded);
    let said = tokio::time::timeout(Duration::from_millis(200), scene.told("closed")).await;
    assert!(said.is_err(), "{said:?}");
    drop(answer);
    scene.told_closed(peer, CloseReason::InstanceEnded).await;
}

#[actix_rt::test]
async fn an_answer_that_nobody_waits_for_any_more_ends_its_peer_at_once() {
    let scene = Scene::new();
    let (peer, _, answered) = scene.peer().await;
    drop(answered);
    let begun = Instant::now();
    while scene.shared.peer(peer).is_some() {
        assert!(begun.elapsed() < SHUTDOWN);
        sleep(Duration::from_millis(5)).await;
    }
}
