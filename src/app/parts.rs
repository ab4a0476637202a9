//! The parts that the tree is made of: made here, once, before anything runs.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::encoders::Trial;
use super::error::StartError;
use super::exports::export;
use super::{encoders, public_address, tree};
use crate::clock::unix_ms;
use crate::config::catalogue::find_program;
use crate::config::{Config, Sources, Transports, catalogue};
use crate::desktop::StartTurns;
use crate::desktop::commands::{self, VNC_SERVER};
use crate::folders::removal;
use crate::folders::{AppOwner, AppsDir, StateDir};
use crate::ice::PublicAddresses;
use crate::ids::InstanceId;
use crate::instance::{Catalogue, Manager, OfferBook, ScreenshotTurns, Services};
use crate::media::Codec;
use crate::peer::webrtc::{WebrtcFactory, WebrtcOptions};
use crate::peer::{MediaAddresses, PortRange};
use crate::process::{seccomp, sweep};
use crate::sandbox::{Sandboxing, Surroundings};
use crate::store::{InstanceRow, Journal, Machine, ServerRow, Store, identity};
use crate::supervision::SupervisorRef;

/// The parts that the tree is made of.
pub(super) struct Parts {
    pub(super) services: Arc<Services>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) manager: Manager,
    pub(super) instances: SupervisorRef,
    /// Beyond a NAT.
    pub(super) public: PublicAddresses,
    /// With what the database says of them.
    pub(super) adoptable: Vec<(InstanceId, Option<InstanceRow>)>,
}

impl Parts {
    /// Makes them; the first that cannot be made says why.
    pub(super) async fn make(
        config: Config,
        state: StateDir,
        sources: &Sources,
        media: &Runtime,
    ) -> Result<Self, StartError> {
        let program = std::env::current_exe().map_err(StartError::Program)?;
        let owner = AppOwner::resolve(&config.apps_user)?;
        let apps = AppsDir::open(state.path(), owner).map_err(StartError::AppsFolder)?;
        let store = Store::open(&config.store.url, state.path())?;
        let server = identity::server_id(state.path())?;
        let around = Surroundings {
            hidden: [state.path().to_owned(), apps.root().to_owned()]
                .into_iter()
                .chain(sources.file_to_read())
                .collect(),
            folder: apps.root().to_owned(),
        };
        let sandboxing = Sandboxing::find(&config, apps.owner(), around);
        if let (Some(why), true) = (sandboxing.missing(), sandboxing.is_needed()) {
            return Err(StartError::NoSandbox(why.to_owned()));
        }
        log::info!("{}", sandboxing.describe());
        if apps.owner().is_some()
            && sandboxing.is_needed()
            && let Err(error) = seccomp::apply_to_host()
        {
            log::warn!("the host keeps all system calls: {error}");
        }
        let row = ServerRow::of_this(
            server,
            &config.server,
            config.instances.capacity,
            Machine::probe(state.path()),
            unix_ms(),
        );
        store.register_server(row).await?;
        let exports = export(&program, &apps).map_err(StartError::AppsFolder)?;
        let wanted = encoders::codecs(&config.video);
        let trial = Trial {
            sandbox: sandboxing.bare(),
            owner: apps.owner().cloned(),
            ..Trial::new(exports.program.clone(), wanted.clone())
        };
        let probed = trial.run().await.map_err(StartError::Encoders)?;
        encoders::log(&probed);
        let codecs: Vec<Codec> = encoders::working(&probed, &wanted);
        if codecs.is_empty() {
            return Err(StartError::NoEncoder);
        }
        let streams = encoders::capacity(&probed, &codecs);
        let entries = catalogue::catalogue(
            &config.apps,
            &exports.demo,
            &sources.search_path(),
            sandboxing.nests(),
            &config.locale(sources),
        );
        let catalogue = Arc::new(Catalogue::new(entries));
        let report = sweep(&state.instances());
        for id in &report.swept {
            log::info!("instance={id} swept, its keeper is gone");
            sandboxing.remove(*id);
            if let Err(error) = removal::remove_tree(&state.instance(*id)) {
                log::warn!("instance={id} folder not removed: {error}");
            }
        }
        let journal = Arc::new(Journal::new());
        let mut rows = tree::settle_rows(&store, server, &report).await?;
        for id in apps.instances().map_err(StartError::AppsFolder)? {
            // Where the folder stands, a keeper may still live.
            if !state.instance(id).exists()
                && let Err(error) = apps.remove(id)
            {
                log::warn!("instance={id} home of a former instance not removed: {error}");
            }
        }
        let ports = PortRange::new(*config.media.udp_ports.start(), *config.media.udp_ports.end());
        let public = public_address::find(&config.ice).await;
        let options = WebrtcOptions {
            ports,
            addresses: MediaAddresses::of(&config.media.bind),
            public: public.clone(),
            disconnected_timeout: config.media.disconnected_timeout,
            failed_timeout: config.media.failed_timeout,
        };
        let transports = ways(&config);
        let services = Arc::new(Services {
            transports,
            offers: OfferBook::new(config.limits.pending_offers),
            config,
            server,
            state,
            apps,
            sandboxing,
            program,
            capture_program: exports.program,
            store,
            journal,
            media: media.handle().clone(),
            connections: Arc::new(WebrtcFactory::new(options)),
            codecs,
            encoders: encoders::usable(&probed),
            streams,
            starts: StartTurns::default(),
            screenshots: ScreenshotTurns::default(),
        });
        let instances = SupervisorRef::new();
        let manager = Manager::new(Arc::clone(&services), Arc::clone(&catalogue), instances.clone());
        Ok(Self {
            services,
            catalogue,
            manager,
            instances,
            public,
            adoptable: report
                .adoptable
                .into_iter()
                .map(|id| {
                    let row = rows.iter().position(|row| row.instance_id == id);
                    (id, row.map(|at| rows.swap_remove(at)))
                })
                .collect(),
        })
    }
}

/// The ways of the picture that are offered: those that are wanted, and can be had here.
fn ways(config: &Config) -> Transports {
    let wanted = config.video.transports;
    let search_path: Vec<_> = std::env::split_paths(commands::PATH).collect();
    let there = find_program(VNC_SERVER, &search_path).is_some();
    if wanted.vnc && !there {
        log::info!("{VNC_SERVER} is not installed: no browser gets the picture by VNC");
    }
    Transports {
        vnc: wanted.vnc && there,
        ..wanted
    }
}
