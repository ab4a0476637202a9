//! Control groups of apps (`cgroups(7)`), of version 2 where a part of the tree is ours, of version 1 for root.
//!
//! With version 2 a group that has groups below it may hold no processes itself. The host therefore has to be in a leaf
//! called `host`, put there by `DelegateSubgroup=host` (systemd 254), or, in a scope, by itself; the groups of apps stand
//! beside it. A service without that leaf is left alone: its next start would find its group to be no leaf any more, and
//! fail.

use std::fs;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::limits::Limits;
use crate::ids::InstanceId;
use crate::protocol::keeper::Group;

/// Processor time is dealt out in slices of this many microseconds.
const PERIOD_US: u64 = 100_000;
/// The leaf that the host itself is in.
const LEAF: &str = "host";
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// Where groups can be made.
pub trait Groups: Send + Sync + std::fmt::Debug {
    /// The group of an instance's app.
    fn of(&self, instance: InstanceId, limits: &Limits) -> Group;

    /// Everywhere that the group of an instance may be.
    fn folders(&self, instance: InstanceId) -> Vec<PathBuf>;

    /// Whether it limits the memory of all processes together.
    fn counts_memory(&self) -> bool;

    /// For people.
    fn name(&self) -> String;
}

/// Finds out what can be had: below `root` (`/sys/fs/cgroup`), where `own` is this process's `/proc/self/cgroup`. With
/// version 2 the controllers are passed on to the groups.
#[must_use]
pub fn detect(root: &Path, own: &str) -> Option<Box<dyn Groups>> {
    if root.join("cgroup.controllers").exists() {
        return two(root, own).map(|groups| Box::new(groups) as Box<dyn Groups>);
    }
    let folders: Vec<(&'static str, PathBuf)> = CONTROLLERS
        .into_iter()
        .filter_map(|controller| {
            let path = own.lines().find_map(|line| {
                let (_, rest) = line.split_once(':')?;
                let (names, path) = rest.split_once(':')?;
                names.split(',').any(|name| name == controller).then_some(path)
            })?;
            let folder = root.join(controller).join(path.trim_start_matches('/'));
            ours(&folder).then_some((controller, folder))
        })
        .collect();
    (!folders.is_empty()).then(|| Box::new(One { folders }) as Box<dyn Groups>)
}

fn ours(folder: &Path) -> bool {
    access(folder, AccessFlags::W_OK).is_ok()
}

fn folder_name(instance: InstanceId) -> String {
    format!("heliostat-{instance}")
}

/// Version 1: a tree for each controller.
#[derive(Debug)]
struct One {
    folders: Vec<(&'static str, PathBuf)>,
}

impl Groups for One {
    fn of(&self, instance: InstanceId, limits: &Limits) -> Group {
        let mut group = Group::default();
        for (controller, parent) in &self.folders {
            let folder = parent.join(folder_name(instance));
            let settings: Vec<(&str, String)> = match *controller {
                "memory" => limits
                    .memory
                    .map(|bytes| ("memory.limit_in_bytes", bytes.to_string()))
                    .into_iter()
                    .collect(),
                "pids" => limits
                    .processes
                    .map(|count| ("pids.max", count.to_string()))
                    .into_iter()
                    .collect(),
                _ => limits.cpu_percent.map_or_else(Vec::new, |percent| {
                    vec![
                        ("cpu.cfs_period_us", PERIOD_US.to_string()),
                        ("cpu.cfs_quota_us", (percent * PERIOD_US / 100).to_string()),
                    ]
                }),
            };
            if !settings.is_empty() {
                let settings = settings.into_iter().map(|(file, value)| (folder.join(file), value));
                group.settings.extend(settings);
                group.folders.push(folder);
            }
        }
        group
    }

    fn folders(&self, instance: InstanceId) -> Vec<PathBuf> {
        let name = folder_name(instance);
        self.folders.iter().map(|(_, parent)| parent.join(&name)).collect()
    }

    fn counts_memory(&self) -> bool {
        self.folders.iter().any(|(controller, _)| *controller == "memory")
    }

    fn name(&self) -> String {
        let controllers: Vec<&str> = self.folders.iter().map(|(controller, _)| *controller).collect();
        format!("control groups, version 1: {}", controllers.join(", "))
    }
}

/// Version 2: one tree.
#[derive(Debug)]
struct Two {
    parent: PathBuf,
    controllers: Vec<&'static str>,
}

fn two(root: &Path, own: &str) -> Option<Two> {
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let here = root.join(path);
    let parent = if here.file_name().is_some_and(|name| name == LEAF) {
        here.parent()?.to_owned()
    } else if here.extension().is_some_and(|extension| extension == "scope") && ours(&here) {
        // Nobody starts anything in a scope later.
        let leaf = here.join(LEAF);
        fs::create_dir_all(&leaf).ok()?;
        fs::write(leaf.join("cgroup.procs"), std::process::id().to_string()).ok()?;
        here
    } else {
        return None;
    };
    if !ours(&parent) {
        return None;
    }
    let there = fs::read_to_string(parent.join("cgroup.controllers")).ok()?;
    let wanted = CONTROLLERS
        .into_iter()
        .filter(|wanted| there.split_whitespace().any(|name| name == *wanted));
    let passed = parent.join("cgroup.subtree_control");
    let controllers: Vec<&str> = wanted
        .filter(|controller| fs::write(&passed, format!("+{controller}")).is_ok())
        .collect();
    (!controllers.is_empty()).then_some(Two { parent, controllers })
}

impl Groups for Two {
    fn of(&self, instance: InstanceId, limits: &Limits) -> Group {
        let folder = self.parent.join(folder_name(instance));
        let setting = |controller: &str, file: &str, value: Option<String>| {
            value
                .filter(|_| self.controllers.contains(&controller))
                .map(|value| (folder.join(file), value))
        };
        let cpu = limits
            .cpu_percent
            .map(|percent| format!("{} {PERIOD_US}", percent * PERIOD_US / 100));
        let settings: Vec<(PathBuf, String)> = [
            setting("memory", "memory.max", limits.memory.map(|bytes| bytes.to_string())),
            setting("pids", "pids.max", limits.processes.map(|count| count.to_string())),
            setting("cpu", "cpu.max", cpu),
        ]
        .into_iter()
        .flatten()
        .collect();
        let folders = if settings.is_empty() { Vec::new() } else { vec![folder] };
        Group { folders, settings }
    }

    fn folders(&self, instance: InstanceId) -> Vec<PathBuf> {
        vec![self.parent.join(folder_name(instance))]
    }

    fn counts_memory(&self) -> bool {
        self.controllers.contains(&"memory")
    }

    fn name(&self) -> String {
        format!("control groups, version 2: {}", self.controllers.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        memory: Some(1 << 30),
        cpu_percent: Some(150),
        processes: Some(99),
        open_files: None,
        home: None,
        tmp: None,
    };

    /// A tree of version 2 with the service's group, and the host where `own` says.
    fn tree(controllers: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        fs::write(root.path().join("cgroup.controllers"), "cpu memory pids io").unwrap();
        let service = root.path().join("system.slice/heliostat.service");
        fs::create_dir_all(service.join(LEAF)).unwrap();
        fs::write(service.join("cgroup.controllers"), controllers).unwrap();
        fs::write(service.join("cgroup.subtree_control"), "").unwrap();
        root
    }

    fn settings(group: &Group, root: &Path) -> Vec<(String, String)> {
        let short = |path: &PathBuf| path.strip_prefix(root).unwrap().display().to_string();
        group
            .settings
            .iter()
            .map(|(path, value)| (short(path), value.clone()))
            .collect()
    }

    #[test]
    fn with_version_2_groups_stand_beside_the_hosts_leaf() {
        let root = tree("memory pids cpu");
        let own = "0::/system.slice/heliostat.service/host\n";
        let groups = detect(root.path(), own).unwrap();
        let id = InstanceId::new();
        let group = groups.of(id, &LIMITS);
        let folder = format!("system.slice/heliostat.service/heliostat-{id}");
        assert_eq!(group.folders, [root.path().join(&folder)]);
        assert_eq!(
            settings(&group, root.path()),
            [
                (format!("{folder}/memory.max"), "1073741824".to_owned()),
                (format!("{folder}/pids.max"), "99".to_owned()),
                (format!("{folder}/cpu.max"), "150000 100000".to_owned()),
            ]
        );
        assert!(groups.counts_memory());
        let passed = root
            .path()
            .join("system.slice/heliostat.service/cgroup.subtree_control");
        assert_eq!(
            fs::read_to_string(passed).unwrap(),
            "+cpu",
            "the last one that was passed on"
        );
    }

    #[test]
    fn a_controller_that_is_not_delegated_limits_nothing() {
        let root = tree("pids");
        let groups = detect(root.path(), "0::/system.slice/heliostat.service/host\n").unwrap();
        assert!(!groups.counts_memory());
        assert_eq!(groups.of(InstanceId::new(), &LIMITS).settings.len(), 1);
    }

    #[test]
    fn a_service_without_a_leaf_of_its_own_is_left_alone() {
        let root = tree("memory pids cpu");
        assert!(detect(root.path(), "0::/system.slice/heliostat.service\n").is_none());
        let passed = root
            .path()
            .join("system.slice/heliostat.service/cgroup.subtree_control");
        assert_eq!(fs::read_to_string(passed).unwrap(), "");
    }

    #[test]
    fn in_a_scope_the_host_makes_its_leaf_itself() {
        let root = tree("memory");
        let scope = root.path().join("user.slice/run-1.scope");
        fs::create_dir_all(&scope).unwrap();
        fs::write(scope.join("cgroup.controllers"), "memory").unwrap();
        let groups = detect(root.path(), "0::/user.slice/run-1.scope\n").unwrap();
        assert!(groups.counts_memory());
        let moved = fs::read_to_string(scope.join("host/cgroup.procs")).unwrap();
        assert_eq!(moved, std::process::id().to_string());
    }

    #[test]
    fn with_version_1_each_controller_has_its_tree() {
        let root = tempfile::tempdir().unwrap();
        for folder in ["memory/a/b", "pids", "cpu,cpuacct", "cpu"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        let own = "9:name=systemd:/\n8:pids:/\n4:memory:/a/b\n1:cpu,cpuacct:/\n0::/\n";
        let groups = detect(root.path(), own).unwrap();
        let id = InstanceId::new();
        let group = groups.of(id, &LIMITS);
        let name = folder_name(id);
        assert_eq!(
            settings(&group, root.path()),
            [
                (
                    format!("memory/a/b/{name}/memory.limit_in_bytes"),
                    "1073741824".to_owned()
                ),
                (format!("pids/{name}/pids.max"), "99".to_owned()),
                (format!("cpu/{name}/cpu.cfs_period_us"), "100000".to_owned()),
                (format!("cpu/{name}/cpu.cfs_quota_us"), "150000".to_owned()),
            ]
        );
        assert_eq!(group.folders.len(), 3);
        assert_eq!(
            groups.of(id, &Limits::default()),
            Group::default(),
            "without limits there is no group"
        );
    }

    #[test]
    fn without_a_tree_there_are_none() {
        let root = tempfile::tempdir().unwrap();
        assert!(detect(root.path(), "0::/\n").is_none());
        assert!(detect(root.path(), "4:memory:/gone\n").is_none());
    }
}
