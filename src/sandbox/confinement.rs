//! All that an instance is given of these means, decided once at its launch: a host that adopts it later, or another
//! version of this program, finds it as it was.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::arguments::{Places, arguments};
use super::groups::{self, Groups};
use super::internet::RESOLVER;
use super::limits::Limits;
use super::named::named_files;
use super::probe::{Ability, probe};
use crate::config::{AppEntry, Config, Device, Network, SandboxMode};
use crate::files::{Folder, Readers};
use crate::folders::AppOwner;
use crate::ids::InstanceId;
use crate::protocol::keeper::{Companion, Filter, Group, Limit, Sandbox};

/// What apps with the internet find in place of the machine's own.
const RESOLV_CONF: &str = "resolv.conf";

/// What this host can do to keep instances apart, found out once at its start.
#[derive(Debug, Default)]
pub struct Sandboxing {
    /// What sandboxes need, or why there are none.
    ability: Option<Result<Ability, String>>,
    /// No app runs without one.
    needed: bool,
    groups: Option<Box<dyn Groups>>,
    around: Surroundings,
}

/// What of the machine is the host's own.
#[derive(Debug, Clone, Default)]
pub struct Surroundings {
    /// Not to be seen by apps: the state folder, the configuration, the database, what other apps have.
    pub hidden: Vec<PathBuf>,
    /// Where the host keeps files for apps to read.
    pub folder: PathBuf,
}

/// Why an app cannot be launched here.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("its network cannot be made here: {0}; see `network` of its entry")]
pub struct Refused(pub String);

/// What an instance is given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confinement {
    /// The sandbox of its app; none: the app sees what its user sees.
    pub sandbox: Option<SandboxPlan>,
    /// What its app may take.
    pub limits: Limits,
    /// The control group of its app.
    pub group: Option<Group>,
    /// The limits that each of its processes carries.
    pub of_process: Vec<Limit>,
}

/// The sandbox of an app, before it has a display.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SandboxPlan {
    /// `bwrap`.
    pub program: PathBuf,
    /// `prlimit` and its arguments.
    pub prlimit: Option<Vec<String>>,
    /// What it reaches.
    pub network: Network,
    /// Who carries its packets.
    pub companion: Option<Companion>,
    /// Devices that it sees.
    pub devices: Vec<Device>,
    /// It may make user namespaces.
    #[serde(default)]
    pub user_namespaces: bool,
    /// Files and folders that it may read beside the system's.
    pub files: Vec<PathBuf>,
    /// What is covered, should it lie in something that it sees.
    pub hidden: Vec<PathBuf>,
    /// What stands for `/etc/resolv.conf`, and where that really is.
    pub resolver: Option<(PathBuf, PathBuf)>,
    /// Bytes of `/dev/shm`; none: as much as half of the machine's memory.
    pub shared_memory: Option<u64>,
}

impl Sandboxing {
    /// Tries what works here. Blocks, for seconds at worst.
    #[must_use]
    pub fn find(config: &Config, owner: Option<&AppOwner>, around: Surroundings) -> Self {
        let ability = (config.sandbox != SandboxMode::Off).then(|| probe(owner));
        let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let groups = groups::detect(Path::new("/sys/fs/cgroup"), &own);
        let folder = Folder::open(&around.folder);
        if let Err(error) = folder.and_then(|folder| folder.write(RESOLV_CONF, RESOLVER.as_bytes(), Readers::Everybody))
        {
            log::warn!("sandboxes have no resolver: {error}");
        }
        Self {
            needed: config.sandbox.is_needed(owner.is_some()),
            ability: ability.map(|found| found.inspect_err(|why| log::warn!("no sandboxes: {why}"))),
            groups,
            around,
        }
    }

    /// Why there are no sandboxes, if there are none.
    #[must_use]
    pub fn missing(&self) -> Option<&str> {
        match &self.ability {
            Some(Ok(_)) => None,
            Some(Err(why)) => Some(why),
            None => Some("sandbox.mode is off"),
        }
    }

    /// Whether no app runs without a sandbox.
    #[must_use]
    pub fn is_needed(&self) -> bool {
        self.needed
    }

    /// Whether an app in its sandbox can make one of its own, where its entry lets it.
    #[must_use]
    pub fn nests(&self) -> bool {
        matches!(&self.ability, Some(Ok(ability)) if ability.nests)
    }

    /// One line for operators.
    #[must_use]
    pub fn describe(&self) -> String {
        let sandboxes = match &self.ability {
            Some(Ok(ability)) => {
                let internet = match &ability.internet {
                    Ok(_) => "apps may have the internet".to_owned(),
                    Err(why) => format!("no app may have the internet ({why})"),
                };
                format!("apps run in sandboxes, {internet}")
            }
            _ => format!(
                "apps run WITHOUT sandboxes ({}): they are not protected from each other",
                self.missing().unwrap_or_default()
            ),
        };
        let groups = self.groups.as_ref().map_or_else(
            || "no control groups, limits hold for each process alone".to_owned(),
            |groups| groups.name(),
        );
        format!("{sandboxes}; {groups}")
    }

    /// Removes the group that the keeper of an instance left when it was killed. Blocks.
    pub fn remove(&self, id: InstanceId) {
        for folder in self.groups.iter().flat_map(|groups| groups.folders(id)) {
            if let Err(error) = std::fs::remove_dir(&folder)
                && error.kind() != std::io::ErrorKind::NotFound
            {
                log::warn!("instance={id} group={} is left: {error}", folder.display());
            }
        }
    }

    /// Decides what an instance is given.
    ///
    /// # Errors
    /// [`Refused`] if its app asks for a network that cannot be made here.
    pub fn decide(&self, id: InstanceId, app: &AppEntry, config: &Config) -> Result<Confinement, Refused> {
        let limits = Limits::of(app.limits, &config.app_limits);
        let grouped = self.groups.as_ref().is_some_and(|groups| groups.counts_memory());
        let sandbox = match &self.ability {
            Some(Ok(ability)) => Some(self.plan(ability, app, &limits)?),
            _ => None,
        };
        Ok(Confinement {
            sandbox,
            limits,
            group: self
                .groups
                .as_ref()
                .map(|groups| groups.of(id, &limits))
                .filter(|group| !group.folders.is_empty()),
            of_process: limits.of_process(grouped),
        })
    }

    /// The plan of a sandbox that belongs to no app; none where there are none.
    #[must_use]
    pub fn bare(&self) -> Option<SandboxPlan> {
        match &self.ability {
            Some(Ok(ability)) => Some(SandboxPlan::bare(ability, &self.around.hidden)),
            _ => None,
        }
    }

    fn plan(&self, ability: &Ability, app: &AppEntry, limits: &Limits) -> Result<SandboxPlan, Refused> {
        let companion = match app.network {
            Network::Internet => Some(ability.internet.clone().map_err(Refused)?),
            Network::None | Network::Full => None,
        };
        // Often a link to what a service writes.
        let usual = std::fs::canonicalize("/etc/resolv.conf").ok();
        let resolver = match app.network {
            Network::None => None,
            Network::Internet => usual.map(|usual| (self.around.folder.join(RESOLV_CONF), usual)),
            Network::Full => usual.map(|usual| (usual.clone(), usual)),
        };
        let prlimit = ability.prlimit.as_ref().zip(limits.processes);
        Ok(SandboxPlan {
            program: ability.program.clone(),
            prlimit: prlimit.map(|(program, count)| {
                vec![
                    program.display().to_string(),
                    format!("--nproc={count}"),
                    "--".to_owned(),
                ]
            }),
            network: app.network,
            companion,
            devices: app.devices.clone(),
            user_namespaces: app.user_namespaces,
            files: app
                .files
                .iter()
                .cloned()
                .chain(named_files(app, &self.around.hidden))
                .collect(),
            hidden: self.around.hidden.clone(),
            resolver,
            shared_memory: limits.tmp,
        })
    }
}

impl SandboxPlan {
    /// A plan that belongs to no app: it reaches nothing.
    #[must_use]
    pub fn bare(ability: &Ability, hidden: &[PathBuf]) -> Self {
        Self {
            program: ability.program.clone(),
            prlimit: None,
            network: Network::None,
            companion: None,
            devices: Vec::new(),
            user_namespaces: false,
            files: Vec::new(),
            hidden: hidden.to_vec(),
            resolver: None,
            shared_memory: None,
        }
    }

    /// The sandbox for an app with these places.
    #[must_use]
    pub fn sandbox(&self, places: &Places<'_>) -> Sandbox {
        Sandbox {
            argv: arguments(self, places),
            inner: self.prlimit.clone().unwrap_or_default(),
            filter: if self.user_namespaces {
                Filter::Nesting
            } else {
                Filter::App
            },
            companion: self.companion.clone(),
        }
    }
}
