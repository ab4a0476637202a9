//! The last resort: a host that stops has waited for its instances as long as it may, and kills what is left.
//!
//! Keepers end their instances in order, and the host waits for that. One that hangs, is stopped by a signal, or is late
//! because hundreds end at once, would go on without a host until `instances.host_absence` is over.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Uid;

use super::keeper::display_files;
use super::keeper::folder::{lock, manifest};
use super::proc::{Identity, Mark, Process};
use super::sweep::clear;
use crate::files::Folder;
use crate::ids::InstanceId;

const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A keeper that lives.
struct Keeper {
    folder: PathBuf,
    instance: InstanceId,
    identity: Identity,
    mark: Mark,
}

/// Kills every living keeper of these folders with all that descends from it, and says whose it was. What is left when
/// `within` is over loses its keeper all the same, and is for the next host's sweep. Blocks.
#[must_use]
pub fn kill_left(instances: &Path, within: Duration) -> Vec<InstanceId> {
    let until = Instant::now() + within;
    let mut left = living(instances);
    let all: Vec<_> = left
        .iter()
        .map(|keeper| (keeper.instance, keeper.folder.clone()))
        .collect();
    let mut killed = Vec::new();
    while !left.is_empty() {
        let late = Instant::now() >= until;
        let below = descendants(&left);
        for keeper in &left {
            let below = below.get(&keeper.identity.pid).map_or(&[][..], Vec::as_slice);
            for process in below {
                let user = fs::metadata(format!("/proc/{}", process.pid)).map(|found| found.uid());
                if process.signal(Signal::SIGKILL) {
                    killed.extend(user.ok().map(|user| (process.pid, Uid::from_raw(user))));
                }
            }
            // It is the one to which orphans go: as long as there are any, it stays.
            if below.is_empty() || late {
                let keeper = (keeper.identity, &keeper.mark);
                keeper.0.signal_if(Signal::SIGKILL, || keeper.1.is_on(keeper.0.pid));
            }
        }
        if late {
            break;
        }
        sleep(LOOK_EVERY);
        left.retain(|keeper| keeper.identity.lives());
    }
    killed.sort_unstable_by_key(|&(pid, user)| (pid, user.as_raw()));
    killed.dedup();
    display_files::free_all(&killed);
    display_files::free_unheard();
    for (_, folder) in &all {
        // One that lives on has its lock.
        if let Ok(Some(locked)) = Folder::open(folder).and_then(lock) {
            clear(&locked, folder);
        }
    }
    all.into_iter().map(|(instance, _)| instance).collect()
}

/// The keepers that live. Nothing without the mark of its manifest is one.
fn living(instances: &Path) -> Vec<Keeper> {
    let entries = fs::read_dir(instances).into_iter().flatten().flatten();
    let keepers = entries.filter_map(|entry| {
        let folder = entry.path();
        let manifest = manifest(&Folder::open(&folder).ok()?).ok()?;
        Some(Keeper {
            folder,
            instance: manifest.instance,
            identity: Identity {
                pid: manifest.pid,
                start_time: manifest.start_time,
            },
            mark: Mark::of(&manifest),
        })
    });
    keepers
        .filter(|keeper| keeper.identity.lives() && keeper.mark.is_on(keeper.identity.pid))
        .collect()
}

/// What lives below each of them, by one look at the table of processes.
fn descendants(keepers: &[Keeper]) -> HashMap<i32, Vec<Identity>> {
    let all = Process::all();
    let mut children: HashMap<i32, Vec<&Process>> = HashMap::new();
    for process in &all {
        children.entry(process.parent).or_default().push(process);
    }
    let mut below = |keeper: i32| {
        let (mut found, mut next) = (Vec::new(), vec![keeper]);
        while let Some(pid) = next.pop() {
            // Taken away, so that a table that changed while it was read is no circle.
            for child in children.remove(&pid).unwrap_or_default() {
                next.push(child.identity.pid);
                // Of a zombie there is nothing to be killed, but its children may live.
                found.extend(child.alive.then_some(child.identity));
            }
        }
        found
    };
    let pids = keepers.iter().map(|keeper| keeper.identity.pid);
    pids.map(|pid| (pid, below(pid))).collect()
}
