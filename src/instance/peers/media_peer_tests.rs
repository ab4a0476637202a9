use tokio::time::timeout;

use super::*;
use crate::config::Transports;
use crate::instance::peers::beside::Beside;
use crate::instance::peers::offers::{self, Offer};
use crate::instance::testing::OFFER;
use crate::instance::viewing::outbound::OutboundTexts;
use crate::instance::{ControlError, Speaker, testing};
use crate::peer::InputChannel;
use crate::peer::fake::FakeFactory;
use crate::protocol::input::{InputEvent, InputFrame};
use crate::protocol::words::Role;
use crate::supervision::{Intensity, SupervisorSpec, Tree};

const SOON: Duration = Duration::from_secs(30);
const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const CLICK: InputEvent = InputEvent::Button {
    number: 0,
    pressed: true,
    x: 1,
    y: 1,
};

/// An instance without processes, with one viewer.
struct Scene {
    shared: Arc<InstanceShared>,
    who: Speaker,
    socket: OutboundTexts,
    _tree: Tree,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new(role: Role) -> Self {
        Self::offering(role, Transports::ALL)
    }

    fn offering(role: Role, transports: Transports) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 4);
        Arc::get_mut(&mut services).unwrap().transports = transports;
        let shared = testing::instance(&services, SessionId::new());
        let (who, socket) = testing::tab(shared.spec.owner);
        shared.roster.join(&who, &RoleNow::always(role)).unwrap();
        let peers = SupervisorSpec::dynamic(Intensity::new(0, Duration::from_secs(1)), 100).reference(&shared.peers);
        Self {
            _tree: Tree::start(peers),
            shared,
            who,
            socket,
            _folder: folder,
        }
    }

    fn ask(&self) -> OpenMedia {
        OpenMedia {
            viewer: self.who.viewer,
            session: self.who.session,
            role: RoleNow::always(Role::Owner),
            from: HERE,
            way: Way::Frames(vec![Codec::Vp8]),
        }
    }

    async fn open(&self, ask: OpenMedia) -> Result<MediaPeer, InstanceError> {
        opened(Arc::clone(&self.shared), ask).await
    }

    /// The reason that the viewer is told of this peer's end.
    async fn told_closed(&mut self, peer: PeerId) -> String {
        let waiting = async {
            loop {
                let text = self.socket.next().await.unwrap();
                let message: serde_json::Value = serde_json::from_str(&text).unwrap();
                if message["type"] == "closed" && message["peer_id"] == peer.to_string() {
                    return message["reason"].as_str().unwrap().to_owned();
                }
            }
        };
        timeout(SOON, waiting).await.unwrap()
    }
}

/// A click by this peer: whether it was applied.
fn clicks(scene: &Scene, peer: &MediaPeer) -> bool {
    let before = scene.shared.input.len();
    let frame = InputFrame {
        seq: 1,
        time_ms: 0,
        event: CLICK,
    };
    peer.input.accept(frame, InputChannel::Input);
    scene.shared.input.len() > before
}

#[actix_rt::test]
async fn a_peer_by_websocket_has_a_place_a_say_and_the_codec_that_both_know() {
    let mut scene = Scene::new(Role::Owner);
    let peer = scene.open(scene.ask()).await.unwrap();
    let id = peer.peer;
    assert!(
        peer.status
            .borrow()
            .as_deref()
            .is_some_and(|text| text.contains("\"status\""))
    );
    assert!(clicks(&scene, &peer));
    assert_eq!(scene.shared.roster.with(|v| v.peer_of(scene.who.viewer)), Some(id));
    let (peer, picture) = peer.with_picture();
    assert!(matches!(picture, Some(Picture::Frames(Codec::Vp8, _))));
    drop(peer);
    assert_eq!(scene.told_closed(id).await, "ice_failed", "it went without a word");
    assert!(scene.shared.peer(id).is_none());
}

#[actix_rt::test]
async fn the_next_peer_of_the_same_viewer_ends_it_and_what_it_still_says_goes_nowhere() {
    let mut scene = Scene::new(Role::Owner);
    let mut first = scene.open(scene.ask()).await.unwrap();
    let second = scene.open(scene.ask()).await.unwrap();
    assert!(clicks(&scene, &second) && !clicks(&scene, &first));
    let asked = timeout(SOON, first.asked()).await.unwrap();
    assert_eq!(asked, CloseReason::Superseded);
    first.ends(asked);
    assert_eq!(scene.told_closed(first.peer).await, "superseded");
    assert!(scene.shared.peer(second.peer).is_some());
}

#[actix_rt::test]
async fn a_socket_that_hangs_is_not_waited_for() {
    let mut scene = Scene::new(Role::Owner);
    let peer = scene.open(scene.ask()).await.unwrap();
    let begun = Instant::now();
    scene.shared.leave(&scene.who);
    let viewer = scene.who.viewer;
    scene
        .shared
        .roster
        .join(&scene.who, &RoleNow::always(Role::Owner))
        .unwrap();
    assert_eq!(scene.told_closed(peer.peer).await, "requested");
    assert!(begun.elapsed() < SHUTDOWN, "{:?}", begun.elapsed());
    assert!(scene.shared.roster.with(|v| v.peer_of(viewer)).is_none());
}

#[actix_rt::test]
async fn only_a_viewers_own_session_with_no_less_than_its_rights_opens_its_media() {
    let scene = Scene::new(Role::Admin);
    let refused = async |ask: OpenMedia| scene.open(ask).await.unwrap_err().code();
    let other = OpenMedia {
        session: SessionId::new(),
        ..scene.ask()
    };
    assert_eq!(refused(other).await, "not_watching");
    let nobody = OpenMedia {
        viewer: ViewerId::of(scene.who.session, None),
        ..scene.ask()
    };
    assert_eq!(refused(nobody).await, "not_watching");
    // The viewer is an administrator's; the session alone is not.
    assert_eq!(refused(scene.ask()).await, "not_allowed");
    let ended = OpenMedia {
        role: RoleNow::new(|| Err(ControlError::Ended)),
        ..scene.ask()
    };
    assert_eq!(refused(ended).await, "signed_out");
    let admin = OpenMedia {
        role: RoleNow::always(Role::Admin),
        ..scene.ask()
    };
    assert!(scene.open(admin).await.is_ok());
}

#[actix_rt::test]
async fn a_browser_that_decodes_none_of_the_codecs_is_told_so() {
    let scene = Scene::new(Role::Owner);
    let ask = OpenMedia {
        way: Way::Frames(Vec::new()),
        ..scene.ask()
    };
    assert_eq!(scene.open(ask).await.unwrap_err().code(), "no_common_codec");
    assert!(scene.shared.roster.with(|v| v.peer_of(scene.who.viewer)).is_none());
}

#[actix_rt::test]
async fn a_way_that_this_host_does_not_offer_is_refused_and_the_peer_there_is_goes_on() {
    let only = |webrtc, websocket, vnc| Transports { webrtc, websocket, vnc };
    let scene = Scene::offering(Role::Owner, only(false, true, false));
    let living = scene.open(scene.ask()).await.unwrap();
    let vnc = OpenMedia {
        way: Way::Vnc,
        ..scene.ask()
    };
    assert_eq!(scene.open(vnc).await.unwrap_err().code(), "transport_not_offered");
    let offer = Offer {
        who: scene.who.clone(),
        sdp: OFFER.into(),
        beside: false,
        from: HERE,
    };
    let refused = offers::answered(Arc::clone(&scene.shared), offer).await;
    assert_eq!(refused.unwrap_err().code(), "transport_not_offered");
    assert!(clicks(&scene, &living));
    let scene = Scene::offering(Role::Owner, only(true, false, true));
    assert_eq!(
        scene.open(scene.ask()).await.unwrap_err().code(),
        "transport_not_offered"
    );
}

#[actix_rt::test]
async fn without_a_vnc_server_a_viewer_is_told_when_to_try_again() {
    let scene = Scene::new(Role::Owner);
    let ask = OpenMedia {
        way: Way::Vnc,
        ..scene.ask()
    };
    let refused = scene.open(ask).await.unwrap_err();
    assert_eq!((refused.code(), refused.retry_after()), ("no_vnc", Some(5)));
}

/// Another way is tried beside the peer that the viewer has.
async fn tried(scene: &Scene) -> PeerId {
    let offer = Offer {
        who: scene.who.clone(),
        sdp: OFFER.into(),
        beside: true,
        from: HERE,
    };
    offers::answered(Arc::clone(&scene.shared), offer).await.unwrap().peer
}

#[actix_rt::test]
async fn a_way_that_is_tried_beside_has_no_say_before_its_first_event_and_then_the_place() {
    let mut scene = Scene::new(Role::Owner);
    let first = scene.open(scene.ask()).await.unwrap();
    let viewer = scene.who.viewer;
    let (failed, second) = (tried(&scene).await, tried(&scene).await);
    assert_eq!(scene.told_closed(failed).await, "superseded", "one at a time");
    assert_eq!(scene.shared.roster.with(|v| v.peer_of(viewer)), Some(first.peer));
    assert!(scene.shared.input.is_empty(), "nothing was let go");
    assert!(clicks(&scene, &first));
    assert!(!scene.shared.roster.steer(viewer, second, || {}));
    let (roster, queue) = (Arc::clone(&scene.shared.roster), Arc::clone(&scene.shared.input));
    let input = ViewerInput::new(viewer, second, roster, queue);
    let input = Beside::new(Arc::clone(&scene.shared), viewer, second, input);
    let frame = InputFrame {
        seq: 1,
        time_ms: 0,
        event: InputEvent::Visible,
    };
    input.accept(frame, InputChannel::Input);
    assert_eq!(timeout(SOON, first.asked()).await.unwrap(), CloseReason::Superseded);
    assert!(!clicks(&scene, &first) && scene.shared.roster.steer(viewer, second, || {}));
}

#[actix_rt::test]
async fn who_goes_leaves_neither_its_peer_nor_one_that_is_tried_beside_it() {
    let scene = Scene::new(Role::Owner);
    let mut first = scene.open(scene.ask()).await.unwrap();
    let second = tried(&scene).await;
    scene.shared.leave(&scene.who);
    scene
        .shared
        .roster
        .join(&scene.who, &RoleNow::always(Role::Owner))
        .unwrap();
    first.ends(timeout(SOON, first.asked()).await.unwrap());
    for peer in [first.peer, second] {
        let begun = Instant::now();
        while scene.shared.peer(peer).is_some() {
            assert!(begun.elapsed() < SOON);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[actix_rt::test]
async fn a_spectators_clicks_by_websocket_go_nowhere() {
    let scene = Scene::new(Role::Spectator);
    let peer = scene.open(scene.ask()).await.unwrap();
    assert!(!clicks(&scene, &peer));
}
