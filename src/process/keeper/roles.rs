//! All roles of the instance: carries out what is asked for them and tells what happens to them.
//!
//! Nothing here waits: whatever takes time is a state with a moment at which it wants to be looked at again.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use super::super::proc::Identity;
use super::belonging::{Census, Traits};
use super::folder::LockedFolder;
use super::slot::{Asker, Slot};
use crate::files::Folder;
use crate::ids::InstanceId;
use crate::protocol::keeper::{Event, Exit, Failure, FailureCode, Group, MAX_TAIL_LINES, Manifest, Reply, Role};

mod carry_out;
mod requests;
mod streams;
mod whole;

/// What the hosts are to be told.
#[derive(Debug)]
pub(super) enum Out {
    /// To one that asked.
    Reply(Asker, Result<Reply, Failure>),
    /// To the one in control.
    Event(Event),
}

/// A descriptor of a role that wants to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Source {
    /// What it writes.
    Output(Role),
    /// Its display number.
    Display(Role),
}

/// The roles.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) folder: LockedFolder,
    /// In which the roles' output is kept.
    logs: Arc<Folder>,
    instance: InstanceId,
    keeper: Identity,
    mark: String,
    slots: BTreeMap<Role, Slot>,
    whole: Option<whole::Whole>,
    over: bool,
    out: Vec<Out>,
    /// Control groups that were made.
    groups: Vec<Group>,
}

impl Roles {
    pub(super) fn new(folder: LockedFolder, logs: Folder, manifest: &Manifest) -> Self {
        Self {
            folder,
            logs: Arc::new(logs),
            instance: manifest.instance,
            keeper: Identity {
                pid: manifest.pid,
                start_time: manifest.start_time,
            },
            mark: manifest.mark.clone().unwrap_or_default(),
            slots: BTreeMap::new(),
            whole: None,
            over: false,
            out: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// What is to be told since the last call.
    pub(super) fn take_out(&mut self) -> Vec<Out> {
        std::mem::take(&mut self.out)
    }

    /// The instance was ended, and nothing of it is left.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// When [`Roles::tick`] wants to be called.
    pub(super) fn wake_us(&self) -> Option<u64> {
        let slots = self.slots.values().filter_map(|slot| slot.wake_us);
        let looks = self.slots.values().filter_map(streams::look_us);
        slots
            .chain(looks)
            .chain(self.whole.as_ref().map(|whole| whole.wake_us))
            .min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now_us: u64) {
        self.reap(now_us);
        for slot in self.slots.values_mut() {
            streams::look(slot, now_us, &mut self.out);
        }
        if self.whole.is_some() {
            return self.end_step(now_us);
        }
        let due: Vec<Role> = self
            .slots
            .values()
            .filter(|slot| {
                slot.wake_us.is_some_and(|at| at <= now_us) || (slot.current.is_none() && !slot.tasks.is_empty())
            })
            .map(|slot| slot.role.clone())
            .collect();
        for role in due {
            // Out of the map for as long as it is at work, so that the others can be looked at.
            let Some(mut slot) = self.slots.remove(&role) else {
                continue;
            };
            self.advance(&mut slot, now_us);
            let idle = slot.current.is_none() && slot.tasks.is_empty();
            let nothing_started = slot.main.is_none() && slot.listening.is_none();
            if !(idle && (slot.once || nothing_started)) {
                self.slots.insert(role, slot);
            }
        }
    }

    /// Takes the exits of all children that ended, and hears which were stopped or continued.
    fn reap(&mut self, now_us: u64) {
        loop {
            let mut status = 0;
            let what = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
            // SAFETY: plain system call. (nix cannot express an end by a real-time signal.)
            let pid = unsafe { libc::waitpid(-1, &mut status, what) };
            if pid <= 0 {
                return;
            }
            if libc::WIFSTOPPED(status) || libc::WIFCONTINUED(status) {
                if let Some(slot) = self.slots.values_mut().find(|slot| slot.running() == Some(pid)) {
                    streams::held(slot, libc::WIFSTOPPED(status), &mut self.out);
                }
                continue;
            }
            let exit = if libc::WIFSIGNALED(status) {
                Exit::Signal(libc::WTERMSIG(status))
            } else {
                Exit::Code(libc::WEXITSTATUS(status))
            };
            if let Some(slot) = self.slots.values().find(|slot| slot.serves(pid)) {
                log::warn!("role={} its network has ended ({exit}), ending it", slot.role);
                send(
                    &HashSet::new(),
                    &[],
                    &slot
                        .main
                        .iter()
                        .filter_map(|main| Identity::of(main.pid))
                        .collect::<Vec<_>>(),
                );
            }
            // Anybody else is an orphan that came to us.
            if let Some(slot) = self.slots.values_mut().find(|slot| slot.running() == Some(pid)) {
                streams::exited(slot, exit, now_us, &mut self.out);
            }
        }
    }

    /// What is to be polled for reading.
    pub(super) fn sources(&self) -> impl Iterator<Item = (Source, BorrowedFd<'_>)> {
        use std::os::fd::AsFd;
        self.slots.values().flat_map(|slot| {
            let outputs = slot
                .outputs
                .iter()
                .map(|fd| (Source::Output(slot.role.clone()), fd.as_fd()));
            let display = slot
                .display_pipe
                .iter()
                .map(|fd| (Source::Display(slot.role.clone()), fd.as_fd()));
            outputs.chain(display)
        })
    }

    /// Reads what is ready of this.
    pub(super) fn read(&mut self, source: &Source) {
        let (Source::Output(role) | Source::Display(role)) = source;
        let Some(slot) = self.slots.get_mut(role) else { return };
        match source {
            Source::Output(_) => streams::read_output(slot),
            Source::Display(_) => streams::read_display(slot, &mut self.out),
        }
    }

    fn members(&self, slot: &Slot) -> Vec<Identity> {
        let others: HashSet<i32> = self.slots.values().filter_map(Slot::running).collect();
        let latest = slot.main.as_ref().map(|main| main.pid);
        Census::take(self.keeper).of_role(&Traits {
            name: slot.role.as_str(),
            main: slot.running(),
            session: latest.filter(|pid| !others.contains(pid)),
            others: &others,
            known: &slot.known,
        })
    }
}

/// A child that is dead is reaped within this time.
const REAP_SOON_US: u64 = 2_000;

fn fail<T>(code: FailureCode, text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(code, text))
}

fn unkillable(count: usize) -> Failure {
    Failure::new(FailureCode::Unkillable, format!("{count} processes outlive their KILL"))
}

/// `makers` of sandboxes are not asked: what is in them would be killed at once.
fn send(makers: &HashSet<i32>, term: &[Identity], kill: &[Identity]) {
    use nix::sys::signal::Signal;
    for identity in term.iter().filter(|identity| !makers.contains(&identity.pid)) {
        identity.signal(Signal::SIGTERM);
    }
    for identity in kill {
        identity.signal(Signal::SIGKILL);
    }
}

/// The whole tail.
const ALL: usize = MAX_TAIL_LINES;
