//! One role: what runs under it, what it wrote, and what was asked for it.

use std::collections::{HashSet, VecDeque};
use std::os::fd::OwnedFd;

use super::super::proc::Identity;
use super::display_files::Display;
use super::ending::Ending;
use super::look::Look;
use super::output::{LogFile, Tail};
use super::sandbox::Inside;
use crate::protocol::keeper::{Exit, Role, RoleStatus, Spec, Started};

/// More than a sane host ever has open for one role.
pub(super) const MAX_TASKS: usize = 16;
/// Pipes of earlier generations that somebody may still write to.
const MAX_OUTPUTS: usize = 4;

/// Whom an answer goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Asker {
    /// The connection.
    pub connection: u64,
    /// The call's id on it.
    pub call: u64,
}

/// What was asked for a role.
#[derive(Debug)]
pub(super) enum Work {
    /// Let it run.
    Ensure(Spec),
    /// End it.
    Stop,
    /// Run it once.
    Run {
        /// What.
        spec: Spec,
        /// Killed after this time.
        timeout_us: u64,
    },
}

/// A request that waits or is being carried out.
#[derive(Debug)]
pub(super) struct Task {
    pub asker: Asker,
    pub work: Work,
    pub grace_us: u64,
}

/// A latest start.
#[derive(Debug)]
pub(super) struct Main {
    /// Our child: the program, or the outermost process of its sandbox.
    pub pid: i32,
    /// What is inside of that sandbox.
    pub inside: Option<Inside>,
    /// At the program in the sandbox, who is not our child.
    pub look: Option<Look>,
    pub spec: Spec,
    pub started_ms: i64,
    pub exit: Option<(Exit, i64)>,
    pub display: Option<Display>,
    /// A signal has stopped our child.
    pub held: bool,
    /// A signal has stopped it, or its program.
    pub stopped: bool,
}

impl Main {
    /// The program's own pid.
    pub(super) fn program(&self) -> i32 {
        let app = self.inside.as_ref().and_then(|inside| inside.app);
        app.map_or(self.pid, |app| app.pid)
    }
}

/// A role's state.
///
/// ```text
///            Ensure, Run                    nothing of it left
///   idle ───────────────▶ ending ───────────────────────────▶ started, or (Stop) idle
///    ▲                     ▲   ▲ its deadlines pass by          │
///    └── next task ────────┘   └─── next task, Run's end ◀──────┘
/// ```
#[derive(Debug)]
pub(super) struct Slot {
    pub role: Role,
    pub generation: u64,
    pub main: Option<Main>,
    /// Of this generation first; those of earlier ones until they close.
    pub outputs: VecDeque<OwnedFd>,
    pub display_pipe: Option<OwnedFd>,
    pub display_text: Vec<u8>,
    pub log: LogFile,
    pub tail: Tail,
    pub listening: Option<(String, OwnedFd)>,
    // overflow: the request is refused as busy.
    pub tasks: VecDeque<Task>,
    /// The task that `ending` is for, or the `Run` that runs.
    pub current: Option<Task>,
    pub ending: Option<Ending>,
    /// When `ending` is to be looked at, or the `Run` killed.
    pub wake_us: Option<u64>,
    pub timed_out: bool,
    /// Made for a `Run`, and forgotten after it.
    pub once: bool,
    /// Seen as the role's at earlier looks: a daemon that cleared its environment is only known while its parent lives.
    pub known: HashSet<Identity>,
}

impl Slot {
    pub(super) fn new(role: Role, log: LogFile, once: bool) -> Self {
        Self {
            role,
            generation: 0,
            main: None,
            outputs: VecDeque::new(),
            display_pipe: None,
            display_text: Vec::new(),
            log,
            tail: Tail::default(),
            listening: None,
            tasks: VecDeque::new(),
            current: None,
            ending: None,
            wake_us: None,
            timed_out: false,
            once,
            known: HashSet::new(),
        }
    }

    /// The pid of the main process, where it was not reaped yet.
    pub(super) fn running(&self) -> Option<i32> {
        self.main
            .as_ref()
            .filter(|main| main.exit.is_none())
            .map(|main| main.pid)
    }

    /// Whether this process carries the network of its running sandbox.
    pub(super) fn serves(&self, pid: i32) -> bool {
        let main = self.main.as_ref().filter(|main| main.exit.is_none());
        main.and_then(|main| main.inside.as_ref())
            .is_some_and(|inside| inside.companion == Some(pid))
    }

    /// The processes that make its sandbox: they end with the program, and end it when they are ended.
    pub(super) fn makers(&self) -> impl Iterator<Item = i32> {
        let main = self.main.as_ref().filter(|main| main.exit.is_none());
        let inside = main.and_then(|main| Some((main.pid, main.inside.as_ref()?)));
        inside
            .into_iter()
            .flat_map(|(outer, inside)| [Some(outer), Some(inside.first), inside.companion])
            .flatten()
    }

    pub(super) fn add_output(&mut self, output: OwnedFd) {
        self.outputs.push_front(output);
        self.outputs.truncate(MAX_OUTPUTS);
    }

    pub(super) fn started(&self, attached: bool) -> Option<Started> {
        let main = self.main.as_ref()?;
        let (role, generation) = (self.role.clone(), self.generation);
        Some(Started {
            role,
            pid: main.program(),
            generation,
            attached,
            display: main.display.map(|display| display.number),
            stopped: main.stopped,
        })
    }

    /// None if it never started.
    pub(super) fn status(&self) -> Option<RoleStatus> {
        let main = self.main.as_ref()?;
        Some(RoleStatus {
            role: self.role.clone(),
            pid: main.program(),
            generation: self.generation,
            started_ms: main.started_ms,
            exit: main.exit.map(|(exit, _)| exit),
            exited_ms: main.exit.map(|(_, at)| at),
            display: main.display.map(|display| display.number),
        })
    }
}
