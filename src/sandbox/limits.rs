//! What an app may take: its entry's limits over the configured ones.

use serde::{Deserialize, Serialize};

use crate::config::{AppLimits, UsualLimits};
use crate::protocol::keeper::{Limit, Resource};

const MIB: u64 = 1 << 20;

/// The limits of an instance's app; `None`: none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory of all its processes.
    pub memory: Option<u64>,
    /// Processor time, in percent of a core.
    pub cpu_percent: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
    /// Open files of a process.
    pub open_files: Option<u64>,
    /// Bytes of a home.
    pub home: Option<u64>,
    /// Bytes of its temporary folder.
    pub tmp: Option<u64>,
}

impl Limits {
    /// Those of an entry; what it does not say is as configured.
    #[must_use]
    pub fn of(entry: AppLimits, usual: &UsualLimits) -> Self {
        let limit = |own: Option<u64>, usual: u64| Some(own.unwrap_or(usual)).filter(|&limit| limit > 0);
        let mib = |own, usual| limit(own, usual).map(|mib| mib * MIB);
        Self {
            memory: mib(entry.memory_mib, usual.memory_mib),
            cpu_percent: limit(entry.cpu_percent, usual.cpu_percent),
            processes: limit(entry.processes, usual.processes),
            open_files: limit(entry.open_files, usual.open_files),
            home: mib(entry.home_mib, usual.home_mib),
            tmp: mib(entry.tmp_mib, usual.tmp_mib),
        }
    }

    /// Those that each process carries itself (`setrlimit(2)`). `grouped`: a control group counts its memory.
    #[must_use]
    pub fn of_process(&self, grouped: bool) -> Vec<Limit> {
        let limit = |resource, value: Option<u64>| value.map(|value| Limit { resource, value });
        // Not the address space: browsers reserve terabytes of it.
        let memory = limit(Resource::Data, self.memory.filter(|_| !grouped));
        memory
            .into_iter()
            .chain(limit(Resource::OpenFiles, self.open_files))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const USUAL: UsualLimits = UsualLimits {
        memory_mib: 100,
        cpu_percent: 0,
        processes: 50,
        open_files: 64,
        home_mib: 10,
        tmp_mib: 5,
    };

    #[test]
    fn an_entry_says_otherwise_and_zero_is_none() {
        let entry = AppLimits {
            memory_mib: Some(0),
            tmp_mib: Some(7),
            ..AppLimits::default()
        };
        let limits = Limits::of(entry, &USUAL);
        assert_eq!((limits.memory, limits.cpu_percent), (None, None));
        assert_eq!((limits.tmp, limits.home), (Some(7 * MIB), Some(10 * MIB)));
        assert_eq!((limits.processes, limits.open_files), (Some(50), Some(64)));
    }

    #[test]
    fn a_process_carries_the_limit_of_memory_only_where_no_group_does() {
        let limits = Limits::of(AppLimits::default(), &USUAL);
        let resources = |grouped| {
            limits
                .of_process(grouped)
                .iter()
                .map(|limit| limit.resource)
                .collect::<Vec<_>>()
        };
        assert_eq!(resources(true), [Resource::OpenFiles]);
        assert_eq!(resources(false), [Resource::Data, Resource::OpenFiles]);
    }
}
