//! What every instance of this host uses.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::runtime::Handle;

use super::peers::offer_book::OfferBook;
use super::screenshots::ScreenshotTurns;
use crate::config::{Config, Transports};
use crate::desktop::StartTurns;
use crate::folders::{AppsDir, StateDir};
use crate::ids::ServerId;
use crate::media::Codec;
use crate::peer::connection::ConnectionFactory;
use crate::policy::{Action, may};
use crate::protocol::words::Role;
use crate::sandbox::Sandboxing;
use crate::store::{Journal, Store};

/// What every instance of this host uses.
pub struct Services {
    /// The effective configuration.
    pub config: Config,
    /// This server.
    pub server: ServerId,
    /// The state folder, locked by this process.
    pub state: StateDir,
    /// Homes and temporary folders of apps.
    pub apps: AppsDir,
    /// What keeps apps apart.
    pub sandboxing: Sandboxing,
    /// This program.
    pub program: PathBuf,
    /// This program, where the apps' user reaches it.
    pub capture_program: PathBuf,
    /// The database.
    pub store: Store,
    /// Writes that may be late.
    pub journal: Arc<Journal>,
    /// Where frames and connections run.
    pub media: Handle,
    /// Makes peer connections.
    pub connections: Arc<dyn ConnectionFactory>,
    /// The ways of the picture to browsers that are offered here.
    pub transports: Transports,
    /// The codecs that this machine encodes, best first.
    pub codecs: Vec<Codec>,
    /// The encoders that work on this machine, the best of each codec first.
    pub encoders: Vec<(Codec, &'static str)>,
    /// Streams of 1280×720 at 30 frames a second that the first of them makes here of moving pictures, by measurement.
    pub streams: Option<u64>,
    /// Offers of each session that no connection has come of yet.
    pub offers: Arc<OfferBook>,
    /// How many desktops start at once.
    pub starts: StartTurns,
    /// How many screenshots are taken at once.
    pub screenshots: ScreenshotTurns,
}

impl Services {
    /// Whether who is `role` at an instance sees what its app wrote before it failed: who may start it again, unless the
    /// host lets everybody.
    #[must_use]
    pub fn shows_output(&self, role: Role) -> bool {
        self.config.access.output_for_everybody || may(role, Action::Restart)
    }
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Services")
            .field("server", &self.server)
            .field("codecs", &self.codecs)
            .finish_non_exhaustive()
    }
}
