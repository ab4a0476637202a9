//! What stands between a process and the machine: bubblewrap's arguments, and a control group.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::User;

/// A sandbox made by bubblewrap (`bwrap(1)`), with a process namespace of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sandbox {
    /// The program and its arguments, without the descriptors, which the keeper adds, and without the command.
    pub argv: Vec<String>,
    /// Stands between the sandbox and the command, and becomes the command (`prlimit(1)`); may be empty.
    pub inner: Vec<String>,
    /// The system calls that it loses.
    pub filter: Filter,
    /// Has to be ready before the command starts.
    pub companion: Option<Companion>,
}

/// Which system calls a process loses (`seccomp(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Filter {
    /// Those that few apps need, among them those that make namespaces.
    App,
    /// Those that no app needs: what builds sandboxes of its own goes on.
    Nesting,
    /// Also those that apps need and displays do not: sockets other than Unix, other processes' memory, namespaces.
    Helper,
}

/// A process outside the sandbox that serves it as long as it lives, such as the one that carries its network.
///
/// It gets the pid of the sandbox's first process in `HELIOSTAT_SANDBOX_PID`; descriptor 3, to which it writes a byte
/// when it is ready; descriptor 4, which is hung up when the sandbox ends; and descriptor 5, the user namespace that
/// owns the sandbox's network (`ioctl_ns(2)`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Companion {
    /// Its command line.
    pub argv: Vec<String>,
    /// Who runs it; none: the keeper's own user.
    pub user: Option<User>,
}

/// A control group (`cgroups(7)`), in one hierarchy or, with version 1, in one for each controller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its folders, made where they are missing; removed when the instance ends.
    pub folders: Vec<PathBuf>,
    /// Files and what is written into them; one that refuses costs that limit, not the process.
    pub settings: Vec<(PathBuf, String)>,
}

impl Sandbox {
    pub(super) fn texts(&self) -> impl Iterator<Item = &String> {
        let companion = self.companion.iter().flat_map(|companion| &companion.argv);
        self.argv.iter().chain(&self.inner).chain(companion)
    }

    /// Whether each of its commands names a program.
    pub(super) fn is_whole(&self) -> bool {
        let named = |argv: &Vec<String>| argv.first().is_some_and(|program| program.starts_with('/'));
        named(&self.argv) && self.companion.as_ref().is_none_or(|companion| named(&companion.argv))
    }
}
