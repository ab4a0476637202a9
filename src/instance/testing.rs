//! Instances without processes, for tests of what is around them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::fake::{FakeSource, SCENE};
use super::feed::Feed;
use super::handle::InstanceHandle;
use super::manager::Manager;
use super::peers::input_gate::ViewerInput;
use super::peers::offer_book::OfferBook;
use super::screenshots::ScreenshotTurns;
use super::services::Services;
use super::shared::InstanceShared;
use super::spec::{InstanceSpec, SourceSpec};
use super::tree;
use super::viewing::door::Door;
use super::viewing::outbound::{OutboundTexts, outbound};
use super::viewing::roster::Roster;
use super::viewing::speaker::Speaker;
use crate::config::{AppEntry, Config, Sources};
use crate::desktop::StartTurns;
use crate::folders::{AppsDir, StateDir};
use crate::ids::{InstanceId, PeerId, ServerId, SessionId, ViewerId};
use crate::media::{Codec, Hub};
use crate::peer::fake::FakeFactory;
use crate::peer::{InputChannel, InputSink};
use crate::protocol::input::{InputEvent, InputFrame};
use crate::protocol::windows::WindowEntry;
use crate::sandbox::{Confinement, Sandboxing};
use crate::store::{Journal, Machine, ServerRow, Store};
use crate::supervision::{ChildRef, Intensity, Strategy, SupervisorSpec, Tree};
use crate::x11::InputQueue;

const SOON: Duration = Duration::from_secs(5);
/// What a browser offers, in short.
pub(crate) const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=recvonly\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\n";

/// What instances in this folder use; of one session `pending` offers at once. To be called in a runtime.
pub(crate) fn services(folder: &Path, factory: &Arc<FakeFactory>, pending: usize) -> Arc<Services> {
    let sources = Sources {
        folder: folder.to_owned(),
        env: [("HOME".into(), folder.into())].into(),
        ..Sources::default()
    };
    let (config, _) = Config::load(&sources).unwrap();
    let state = StateDir::open(&folder.join("state")).unwrap();
    Arc::new(Services {
        server: ServerId::new(),
        apps: AppsDir::at(folder.join("apps"), None).unwrap(),
        program: "heliostat".into(),
        capture_program: "heliostat".into(),
        store: Store::open(&config.store.url, state.path()).unwrap(),
        journal: Arc::new(Journal::new()),
        media: tokio::runtime::Handle::current(),
        connections: Arc::<FakeFactory>::clone(factory),
        transports: config.video.transports,
        codecs: Codec::ALL.to_vec(),
        encoders: Vec::new(),
        streams: None,
        offers: OfferBook::new(pending),
        starts: StartTurns::default(),
        screenshots: ScreenshotTurns::default(),
        sandboxing: Sandboxing::default(),
        config,
        state,
    })
}

/// An instance of `owner`, of which nothing runs.
pub(crate) fn instance(services: &Arc<Services>, owner: SessionId) -> Arc<InstanceShared> {
    with_source(services, owner).0
}

/// One that waits to be started.
pub(crate) fn handle(services: &Arc<Services>) -> InstanceHandle {
    InstanceHandle {
        shared: instance(services, SessionId::new()),
        actor: ChildRef::new(),
    }
}

/// The same with its source.
pub(crate) fn handle_with_source(services: &Arc<Services>) -> (InstanceHandle, Arc<FakeSource>) {
    let (shared, source) = with_source(services, SessionId::new());
    let actor = ChildRef::new();
    (InstanceHandle { shared, actor }, source)
}

/// The same with its source.
fn with_source(services: &Arc<Services>, owner: SessionId) -> (Arc<InstanceShared>, Arc<FakeSource>) {
    let spec = InstanceSpec {
        id: InstanceId::new(),
        owner,
        source: SourceSpec::App {
            app: AppEntry::new("demo", "true").into(),
            confinement: Confinement::default().into(),
        },
        width: 64,
        height: 64,
        fps: 30,
        bitrate_kbps: 1000,
        created_ms: 0,
    };
    let feed = Feed::new(&[SCENE], Hub::new()).unwrap();
    let source = FakeSource::new(feed.facts.clone());
    let given = Arc::<FakeSource>::clone(&source);
    (InstanceShared::new(spec, feed, given, Arc::clone(services)), source)
}

/// An instance of `owner` that the manager knows, with all its tree, and a source in the test's hands.
pub(crate) struct Running {
    pub(crate) handle: InstanceHandle,
    pub(crate) source: Arc<FakeSource>,
    _tree: Tree,
}

impl Running {
    pub(crate) async fn start(manager: &Manager, services: &Arc<Services>, owner: SessionId) -> Self {
        let ((shared, source), actor) = (with_source(services, owner), ChildRef::new());
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, SOON));
        let tree = Tree::start(spec.child(tree::instance(&shared, &actor)));
        assert!(actor.started_after(0, SOON).await);
        let handle = InstanceHandle { shared, actor };
        manager.place(handle.clone());
        let machine = Machine::probe(services.state.path());
        let server = ServerRow::of_this(services.server, &services.config.server, 1, machine, 0);
        services.store.register_server(server).await.unwrap();
        let row = manager.row_of(handle.spec());
        services.store.insert_instance(row).await.unwrap();
        Self {
            handle,
            source,
            _tree: tree,
        }
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.handle.shared.roster
    }

    /// A peer that lives: whose it is, and whether its end was asked for.
    pub(crate) fn peer(&self, id: PeerId) -> Option<(ViewerId, bool)> {
        self.handle
            .shared
            .peer(id)
            .map(|(viewer, peer)| (viewer, peer.is_closing()))
    }

    /// Whether a click that comes by this peer is applied.
    pub(crate) fn clicks(&self, viewer: ViewerId, peer: PeerId) -> bool {
        let queue = InputQueue::new().unwrap();
        self.press(viewer, peer, &queue);
        !queue.is_empty()
    }

    /// The windows that its app has.
    pub(crate) fn windows(&self) -> &tokio::sync::watch::Sender<Vec<WindowEntry>> {
        &self.handle.shared.windows
    }

    /// What waits to be applied.
    pub(crate) fn input(&self) -> &Arc<InputQueue> {
        &self.handle.shared.input
    }

    /// A button is pressed, and held, by this peer.
    pub(crate) fn press(&self, viewer: ViewerId, peer: PeerId, queue: &Arc<InputQueue>) {
        let input = ViewerInput::new(viewer, peer, Arc::clone(&self.handle.shared.roster), Arc::clone(queue));
        let event = InputEvent::Button {
            number: 0,
            pressed: true,
            x: 0,
            y: 0,
        };
        let frame = InputFrame {
            seq: 1,
            time_ms: 0,
            event,
        };
        input.accept(frame, InputChannel::Input);
    }
}

/// A viewer's tab, with its socket.
pub(crate) fn tab(session: SessionId) -> (Speaker, OutboundTexts) {
    let (out, socket) = outbound();
    let who = Speaker {
        viewer: ViewerId::of(session, None),
        session,
        door: Door::Socket(out),
    };
    (who, socket)
}
