//! Instances without processes, for tests of what is around them.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::outbound::{OutboundTexts, outbound};
use super::screenshots::ScreenshotTurns;
use super::services::Services;
use super::shared::InstanceShared;
use super::speaker::Speaker;
use super::spec::InstanceSpec;
use crate::config::{AppEntry, AppsDir, Config, Sources, StateDir};
use crate::desktop::{DesktopParts, DesktopShared, Layout};
use crate::ids::{InstanceId, ServerId, SessionId, ViewerId};
use crate::media::{Codec, Hub};
use crate::peer::fake::FakeFactory;
use crate::permits::Permits;
use crate::process::KeeperOptions;
use crate::sandbox::{Confinement, Sandboxing};
use crate::store::{Journal, Store};

const SOON: Duration = Duration::from_secs(5);

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
        codecs: Codec::ALL.to_vec(),
        encoders: Vec::new(),
        offers: Arc::new(Permits::new(pending)),
        screenshots: ScreenshotTurns::default(),
        sandboxing: Sandboxing::default(),
        config,
        state,
    })
}

/// An instance of `owner`, of which nothing runs.
pub(crate) fn instance(services: &Arc<Services>, owner: SessionId) -> Arc<InstanceShared> {
    let folder = services.state.path();
    let spec = InstanceSpec {
        id: InstanceId::new(),
        owner,
        app: AppEntry::new("demo", "true"),
        width: 64,
        height: 64,
        fps: 30,
        bitrate_kbps: 1000,
        created_ms: 0,
        confinement: Confinement::default(),
    };
    let layout = Layout {
        app: spec.app.clone(),
        width: spec.width,
        height: spec.height,
        fps: spec.fps,
        bitrate_kbps: spec.bitrate_kbps,
        home: folder.into(),
        tmp: folder.into(),
        xauthority: folder.into(),
        window_manager_config: folder.into(),
        program: services.program.clone(),
        user: None,
        user_name: "nobody".into(),
        confinement: Confinement::default(),
    };
    let parts = DesktopParts {
        id: spec.id,
        layout,
        keeper_options: KeeperOptions {
            program: services.program.clone(),
            dir: folder.into(),
            instance: spec.id,
            host_absence: SOON,
            apart: false,
            sized: Vec::new(),
        },
        folder: folder.into(),
        readiness_timeout: SOON,
        hub: Hub::new(),
        media: services.media.clone(),
        encoders: Vec::new(),
    };
    InstanceShared::new(spec, DesktopShared::new(parts).unwrap(), Arc::clone(services))
}

/// A viewer's tab, with its socket.
pub(crate) fn tab(session: SessionId) -> (Speaker, OutboundTexts) {
    let (out, socket) = outbound();
    let who = Speaker {
        viewer: ViewerId::of(session, None),
        session,
        out,
    };
    (who, socket)
}
