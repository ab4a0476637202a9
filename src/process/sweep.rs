//! What the keepers of an earlier host left: those that live are to be adopted, what dead ones left is ended.
//!
//! A folder is an instance's if an [`InstanceId`] is its name, and its keeper lives as long as the folder is locked. A
//! process is ended only if it carries the keeper's mark in its environment, looked at again when it cannot be mistaken any
//! more, and does not descend from a keeper that lives: without sandboxes, apps of one user can read each other's mark.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use super::keeper::display_files;
use super::keeper::folder::{LockedFolder, MANIFEST, lock, manifest};
use super::proc::{DEEPEST, Identity, Mark, Process, is_foreign};
use crate::files::Folder;
use crate::ids::InstanceId;
use crate::protocol::keeper::{Manifest, VERSION};

/// A keeper that is just starting or ending gets so long to be one or none.
const SETTLE: Duration = Duration::from_secs(1);
/// A keeper of another version ends its instance within this time after TERM.
const KEEPER_ENDS_WITHIN: Duration = Duration::from_secs(8);
/// Between TERM and KILL.
const GRACE: Duration = Duration::from_secs(1);
/// After KILL.
const DIES_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepReport {
    /// Instances whose keeper lives: connect to it.
    pub adoptable: Vec<InstanceId>,
    /// Instances whose keeper is gone; nothing of them runs any more.
    pub swept: Vec<InstanceId>,
    /// Those of them whose keeper was of another version, and was ended.
    pub replaced: Vec<InstanceId>,
}

/// What is known of a folder.
#[derive(Debug)]
struct Found<'a> {
    /// Somebody has its lock.
    locked: bool,
    manifest: Option<&'a Manifest>,
    /// The process that it names lives: pid and start time fit.
    named_lives: bool,
    instance: InstanceId,
}

/// What is to be done with it.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    /// A host can connect to its keeper.
    Adopt,
    /// There is no keeper: end what it left.
    Sweep,
    /// A keeper of ours that no host of this version can talk to: end it, then sweep.
    Replace,
    /// A keeper that is just starting or ending, or somebody else's: look again, then leave it.
    Unclear,
}

fn judge(found: &Found<'_>) -> Verdict {
    if !found.locked {
        return Verdict::Sweep;
    }
    match found.manifest {
        Some(manifest) if !found.named_lives || manifest.instance != found.instance => Verdict::Unclear,
        Some(manifest) if manifest.version == VERSION => Verdict::Adopt,
        Some(_) => Verdict::Replace,
        None => Verdict::Unclear,
    }
}

/// Sweeps the instances' folders. Blocks, for seconds at worst per instance that has to be ended.
#[must_use]
pub fn sweep(instances: &Path) -> SweepReport {
    let mut report = SweepReport::default();
    let entries = match fs::read_dir(instances) {
        Ok(entries) => entries,
        Err(error) => {
            log::debug!("{} cannot be swept: {error}", instances.display());
            return report;
        }
    };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let id = name
            .to_str()
            .and_then(|name| Some((name, name.parse::<InstanceId>().ok()?)));
        // Only the one spelling that the host itself uses, and no links.
        let Some(id) = id.filter(|(name, id)| id.to_string() == *name).map(|(_, id)| id) else {
            continue;
        };
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            sweep_one(&entry.path(), id, &mut report);
        }
    }
    // Also of what an earlier sweep ended too soon after its start.
    display_files::free_unheard();
    report.adoptable.sort();
    report.swept.sort();
    report.replaced.sort();
    report
}

/// Sweeps the folder of one instance whose keeper is gone, or of no more use: one that lives on is ended, if it carries
/// the instance's mark. Blocks, for seconds at worst.
pub fn sweep_instance(folder: &Path, instance: InstanceId) {
    let until = Instant::now() + DIES_WITHIN;
    loop {
        let mut report = SweepReport::default();
        sweep_one(folder, instance, &mut report);
        if report.adoptable.is_empty() {
            return;
        }
        // A process that is being killed closes its sockets before it lets its lock go.
        if Instant::now() >= until {
            break;
        }
        sleep(LOOK_EVERY);
    }
    let Ok(open) = Folder::open(folder) else { return };
    if let Ok(manifest) = manifest(&open) {
        let (keeper, mark) = (named(&manifest), Mark::of(&manifest));
        if mark.is_on(keeper.pid) {
            log::warn!(
                "instance={instance} keeper={} lives on and is of no use, ending it",
                keeper.pid
            );
            end_keeper(keeper, &mark);
        } else {
            let pid = keeper.pid;
            log::warn!("instance={instance} pid={pid} says that it is its keeper, and is none of ours; left alone");
        }
        // Whoever has the folder: what carries the mark is ours.
        end_marked(folder, instance, &mark);
    }
    if let Ok(Some(locked)) = lock(open) {
        clear(&locked, folder);
    }
}

/// Whether the folder of an instance has a keeper that lives, or says that it has. Blocks for a moment.
#[must_use]
pub fn is_kept(folder: &Path) -> bool {
    let manifest = Folder::open(folder).and_then(|folder| manifest(&folder));
    manifest.is_ok_and(|manifest| named(&manifest).lives())
}

/// Who a manifest says the keeper is.
fn named(manifest: &Manifest) -> Identity {
    Identity {
        pid: manifest.pid,
        start_time: manifest.start_time,
    }
}

fn sweep_one(path: &Path, instance: InstanceId, report: &mut SweepReport) {
    let until = Instant::now() + SETTLE;
    let mut replaced = false;
    loop {
        let Ok(folder) = Folder::open(path) else { return };
        let manifest = manifest(&folder).ok();
        let keeper = manifest.as_ref().map(|m| (named(m), Mark::of(m)));
        let lives = |(named, _): &(Identity, Mark)| Identity::of(named.pid) == Some(*named);
        let Ok(lock) = lock(folder) else { return };
        let found = Found {
            locked: lock.is_none(),
            manifest: manifest.as_ref(),
            named_lives: keeper.as_ref().is_some_and(lives),
            instance,
        };
        match (judge(&found), lock, keeper) {
            (Verdict::Adopt, ..) => return report.adoptable.push(instance),
            (Verdict::Sweep, Some(folder), keeper) => {
                // Without a manifest it had started nobody yet.
                if let Some((_, mark)) = keeper {
                    end_marked(path, instance, &mark);
                }
                clear(&folder, path);
                log::info!("instance={instance} swept");
                if replaced {
                    report.replaced.push(instance);
                }
                return report.swept.push(instance);
            }
            (Verdict::Replace, _, Some((keeper, mark))) if !replaced => {
                let version = manifest.as_ref().map_or(0, |m| m.version);
                log::warn!("instance={instance} code=wrong_version its keeper speaks version {version}, ending it");
                replaced = true;
                end_keeper(keeper, &mark);
            }
            _ if Instant::now() >= until => {
                log::warn!("instance={instance} has a keeper that cannot be adopted, left alone");
                return;
            }
            _ => sleep(LOOK_EVERY),
        }
    }
}

/// Asks every living keeper to end its instance, and does not wait for it.
pub fn end_keepers(instances: &Path) {
    let Ok(entries) = fs::read_dir(instances) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(manifest) = Folder::open(&path).ok().and_then(|folder| manifest(&folder).ok()) else {
            continue;
        };
        let (keeper, mark) = (named(&manifest), Mark::of(&manifest));
        keeper.signal_if(Signal::SIGTERM, || mark.is_on(keeper.pid));
    }
}

/// Ends a keeper and with it, if it still can, its instance.
fn end_keeper(keeper: Identity, mark: &Mark) {
    let is_marked = || mark.is_on(keeper.pid);
    if keeper.signal_if(Signal::SIGTERM, is_marked) && !wait_for(KEEPER_ENDS_WITHIN, || !keeper.lives()) {
        keeper.signal_if(Signal::SIGKILL, is_marked);
        wait_for(DIES_WITHIN, || !keeper.lives());
    }
}

/// Ends all processes that carry the mark of the keeper of this folder, which is dead.
fn end_marked(folder: &Path, instance: InstanceId, mark: &Mark) {
    let others = keepers_beside(folder);
    let mut killed = Vec::new();
    for (signal, time) in [(Signal::SIGTERM, GRACE), (Signal::SIGKILL, DIES_WITHIN)] {
        wait_for(time, || {
            let left = marked(mark, &others);
            for identity in &left {
                let user = fs::metadata(format!("/proc/{}", identity.pid)).map(|found| found.uid());
                // TERM again to the same does no harm, and reaches who came since.
                if identity.signal_if(signal, || mark.is_on(identity.pid)) {
                    killed.extend(user.ok().map(|user| (identity.pid, Uid::from_raw(user))));
                }
            }
            left.is_empty()
        });
    }
    let left = marked(mark, &others);
    if !left.is_empty() {
        log::error!("instance={instance} processes={left:?} outlive their KILL");
    }
    killed.sort_unstable_by_key(|&(pid, user)| (pid, user.as_raw()));
    killed.dedup();
    display_files::free_all(&killed);
    display_files::free_unheard();
}

/// Those that carry the mark, but for what a living keeper ends itself, whatever it carries.
fn marked(mark: &Mark, others: &HashSet<i32>) -> Vec<Identity> {
    let all = Process::all();
    let parents: HashMap<i32, i32> = all
        .iter()
        .map(|process| (process.identity.pid, process.parent))
        .collect();
    // What a table tells costs nothing, so that nobody's environment is read without need.
    let is_anothers = |pid| {
        let line = std::iter::successors(Some(pid), |pid| parents.get(pid).copied());
        line.take(DEEPEST).any(|pid| others.contains(&pid))
    };
    let left = all
        .iter()
        .filter(|process| process.alive)
        .map(|process| process.identity);
    left.filter(|identity| !is_anothers(identity.pid))
        .filter(|identity| mark.is_on(identity.pid))
        .filter(|identity| others.iter().all(|&keeper| is_foreign(identity.pid, keeper)))
        .collect()
}

/// The living keepers of the other instances.
fn keepers_beside(folder: &Path) -> HashSet<i32> {
    let entries = folder.parent().and_then(|parent| fs::read_dir(parent).ok());
    let beside = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    beside
        .filter(|path| path != folder)
        .filter_map(|path| Some(named(&manifest(&Folder::open(&path).ok()?).ok()?)))
        .filter(|keeper| keeper.lives())
        .map(|keeper| keeper.pid)
        .collect()
}

/// Removes sockets and the manifest; logs and the app's files stay.
pub(super) fn clear(folder: &LockedFolder, path: &Path) {
    folder.remove(MANIFEST);
    let Ok(entries) = fs::read_dir(path) else { return };
    for entry in entries.flatten() {
        let is_socket = entry.file_type().is_ok_and(|kind| kind.is_socket());
        if let Some(name) = entry
            .file_name()
            .to_str()
            .filter(|name| is_socket && name.ends_with(".sock"))
        {
            folder.remove(name);
        }
    }
}

/// Looks until it holds; false if it does not in time.
fn wait_for(time: Duration, mut holds: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + time;
    loop {
        if holds() {
            return true;
        }
        if Instant::now() >= until {
            return false;
        }
        sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(instance: InstanceId, version: u32) -> Manifest {
        Manifest {
            pid: 1,
            start_time: 1,
            instance,
            version,
            mark: None,
        }
    }

    #[test]
    fn a_folder_without_a_lock_has_no_keeper_whatever_its_manifest_says() {
        let instance = InstanceId::new();
        let manifest = manifest(instance, VERSION);
        for manifest in [None, Some(&manifest)] {
            for named_lives in [false, true] {
                assert_eq!(
                    judge(&Found {
                        locked: false,
                        manifest,
                        named_lives,
                        instance
                    }),
                    Verdict::Sweep
                );
            }
        }
    }

    #[test]
    fn only_a_living_keeper_of_this_instance_and_version_is_adopted() {
        let instance = InstanceId::new();
        let judge = |manifest: Option<&Manifest>, named_lives| {
            judge(&Found {
                locked: true,
                manifest,
                named_lives,
                instance,
            })
        };
        assert_eq!(judge(Some(&manifest(instance, VERSION)), true), Verdict::Adopt);
        assert_eq!(judge(Some(&manifest(instance, VERSION + 1)), true), Verdict::Replace);
        assert_eq!(judge(Some(&manifest(instance, VERSION)), false), Verdict::Unclear);
        assert_eq!(
            judge(Some(&manifest(InstanceId::new(), VERSION)), true),
            Verdict::Unclear
        );
        assert_eq!(judge(None, false), Verdict::Unclear);
    }

    #[test]
    fn folders_that_are_no_instances_are_not_touched() {
        let state = tempfile::tempdir().unwrap();
        for name in ["other", "keeper.sock", &InstanceId::new().to_string().to_uppercase()] {
            fs::create_dir(state.path().join(name)).unwrap();
            fs::write(state.path().join(name).join(MANIFEST), "{}").unwrap();
        }
        assert_eq!(sweep(state.path()), SweepReport::default());
        for entry in fs::read_dir(state.path()).unwrap() {
            assert!(entry.unwrap().path().join(MANIFEST).exists());
        }
        assert_eq!(sweep(&state.path().join("nowhere")), SweepReport::default());
    }

    #[test]
    fn what_a_dead_keeper_left_on_disk_goes_and_logs_stay() {
        let state = tempfile::tempdir().unwrap();
        let id = InstanceId::new();
        let folder = state.path().join(id.to_string());
        fs::create_dir_all(folder.join("logs")).unwrap();
        fs::write(folder.join(MANIFEST), "{}").unwrap();
        fs::write(folder.join("notes.sock"), "a file, not a socket").unwrap();
        drop(std::os::unix::net::UnixListener::bind(folder.join("keeper.sock")).unwrap());
        assert_eq!(
            sweep(state.path()),
            SweepReport {
                swept: vec![id],
                ..SweepReport::default()
            }
        );
        assert!(!folder.join(MANIFEST).exists());
        assert!(!folder.join("keeper.sock").exists());
        assert!(folder.join("logs").exists() && folder.join("notes.sock").exists());
    }
}
