//! All that sessions are made of, around instances without processes, for tests.

use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use super::admins::Admins;
use super::book::SessionBook;
use super::links::Links;
use super::roles::Roles;
use super::secret::Secret;
use super::sessions::{Around, Sessions};
use crate::clock::unix_ms;
use crate::ice::Handout;
use crate::ids::SessionId;
use crate::instance::testing::{self, Running};
use crate::instance::{Catalogue, Manager, Services};
use crate::peer::fake::FakeFactory;
use crate::protocol::words::Role;
use crate::supervision::{Intensity, SupervisorRef, SupervisorSpec, Tree};

/// A host without a network.
pub(crate) struct Bench {
    pub(crate) services: Arc<Services>,
    pub(crate) factory: Arc<FakeFactory>,
    pub(crate) token: Secret,
    pub(crate) admins: Admins,
    pub(crate) book: SessionBook,
    pub(crate) manager: Manager,
    pub(crate) roles: Roles,
    pub(crate) ice: Arc<Handout>,
    pub(crate) sessions: Sessions,
    _tree: Tree,
    _folder: TempDir,
}

impl Bench {
    /// `open`: everybody may launch; `bare`: what the address of an instance makes of those who know it.
    pub(crate) async fn new(open: bool, bare: Option<Role>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let factory = Arc::new(FakeFactory::default());
        let services = testing::services(folder.path(), &factory, 1000);
        let (store, journal) = (services.store.clone(), Arc::clone(&services.journal));
        let token = Secret::generate().unwrap();
        let admins = Admins::load(store.clone(), token.hash(), None, open).await.unwrap();
        let catalogue = Arc::new(Catalogue::new(Vec::new()));
        let manager = Manager::new(Arc::clone(&services), catalogue, SupervisorRef::new());
        let links = Links::load(store.clone(), token.hash(), unix_ms()).await.unwrap();
        let roles = Roles::new(links, manager.clone(), bare);
        let (supervisor, never) = (SupervisorRef::new(), Intensity::new(0, Duration::from_secs(1)));
        let tree = Tree::start(SupervisorSpec::dynamic(never, 100).reference(&supervisor));
        let ice = Arc::new(Handout::new(services.config.ice.clone()));
        let around = Around {
            manager: manager.clone(),
            roles: roles.clone(),
            ice: Arc::clone(&ice),
            transports: services.transports,
            journal: Arc::clone(&journal),
        };
        Self {
            book: SessionBook::new(store, journal, admins.clone()),
            sessions: Sessions::new(around, supervisor),
            services,
            factory,
            token,
            admins,
            manager,
            roles,
            ice,
            _tree: tree,
            _folder: folder,
        }
    }

    /// The token is replaced, as `heliostat token --rotate` does.
    pub(crate) fn rotate(&mut self) {
        self.token = Secret::generate().unwrap();
        self.admins.replace(self.token.hash());
        // Of the database it is told at the next start.
        drop(self.roles.links().end_all(self.token.hash()));
        self.roles.regrade_all();
    }

    /// An instance of a session.
    pub(crate) async fn instance(&self, owner: SessionId) -> Running {
        Running::start(&self.manager, &self.services, owner).await
    }
}
