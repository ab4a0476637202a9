//! All roles of the instance: carries out what is asked for them and tells what happens to them.
//!
//! Nothing here waits: whatever takes time is a state with a moment at which it wants to be looked at again.

use std::collections::{BTreeMap, HashSet};
use std::os::fd::BorrowedFd;

use super::super::proc::Identity;
use super::belonging::{Census, Traits};
use super::ending::{Ending, Step};
use super::folder::LockedFolder;
use super::output::LogFile;
use super::slot::{Asker, MAX_TASKS, Slot, Task, Work};
use crate::ids::InstanceId;
use crate::protocol::keeper::{Event, Exit, Failure, FailureCode, MAX_TAIL_LINES, Reply, Request, Role};

mod carry_out;
mod streams;

/// More than an instance ever has.
const MAX_ROLES: usize = 32;

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

/// The instance is being ended.
#[derive(Debug)]
struct Whole {
    ending: Ending,
    wake_us: u64,
    askers: Vec<Asker>,
}

/// The roles.
#[derive(Debug)]
pub(super) struct Roles {
    pub(super) folder: LockedFolder,
    instance: InstanceId,
    keeper: Identity,
    slots: BTreeMap<Role, Slot>,
    whole: Option<Whole>,
    over: bool,
    out: Vec<Out>,
}

impl Roles {
    pub(super) fn new(folder: LockedFolder, instance: InstanceId, keeper: Identity) -> Self {
        Self {
            folder,
            instance,
            keeper,
            slots: BTreeMap::new(),
            whole: None,
            over: false,
            out: Vec::new(),
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

    /// Takes a request; its answer comes out at once or later.
    pub(super) fn request(&mut self, asker: Asker, request: Request, now_us: u64) {
        let ending = self.whole.is_some();
        let answer = match request {
            Request::Hello { .. } => fail(FailureCode::BadRequest, "hello was said"),
            Request::Status => Ok(Some(Reply::Status {
                roles: self.slots.values().filter_map(Slot::status).collect(),
            })),
            Request::Tail { role, lines } => match self.slots.get(&role) {
                Some(slot) => Ok(Some(Reply::Tail {
                    lines: slot.tail.newest(lines),
                })),
                None => unknown(&role),
            },
            Request::End { grace_ms } => {
                self.end(Some(asker), us(grace_ms), now_us);
                Ok(None)
            }
            _ if ending => fail(FailureCode::Ending, "the instance is being ended"),
            Request::Signal { role, signal } => self.signal(&role, signal),
            Request::Stop { role, grace_ms } => self.stop(
                &role,
                Task {
                    asker,
                    work: Work::Stop,
                    grace_us: us(grace_ms),
                },
                now_us,
            ),
            Request::Ensure { role, spec, grace_ms } => self.add(
                role,
                Task {
                    asker,
                    work: Work::Ensure(spec),
                    grace_us: us(grace_ms),
                },
            ),
            Request::Run { role, spec, timeout_ms } => self.add(
                role,
                Task {
                    asker,
                    work: Work::Run {
                        spec,
                        timeout_us: us(timeout_ms),
                    },
                    grace_us: 0,
                },
            ),
        };
        match answer {
            Ok(None) => {}
            Ok(Some(reply)) => self.out.push(Out::Reply(asker, Ok(reply))),
            Err(failure) => self.out.push(Out::Reply(asker, Err(failure))),
        }
    }

    fn add(&mut self, role: Role, task: Task) -> Result<Option<Reply>, Failure> {
        let (spec, once) = match &task.work {
            Work::Ensure(spec) => (spec, false),
            Work::Run { spec, .. } => (spec, true),
            Work::Stop => return fail(FailureCode::BadRequest, "nothing to start"),
        };
        spec.check()
            .map_err(|text| Failure::new(FailureCode::BadRequest, text))?;
        let full = self.slots.len() >= MAX_ROLES;
        match self.slots.get_mut(&role) {
            Some(slot) if once || slot.once || slot.tasks.len() >= MAX_TASKS => {
                return fail(FailureCode::Busy, format!("role {role} is in use"));
            }
            Some(slot) => slot.tasks.push_back(task),
            None if full => {
                return fail(FailureCode::TooManyRoles, format!("there are {MAX_ROLES} roles"));
            }
            None => {
                let log = LogFile::new(self.folder.path(&format!("logs/{role}.log")));
                let mut slot = Slot::new(role.clone(), log, once);
                slot.tasks.push_back(task);
                self.slots.insert(role, slot);
            }
        }
        Ok(None)
    }

    fn stop(&mut self, role: &Role, task: Task, now_us: u64) -> Result<Option<Reply>, Failure> {
        // Nothing of it is left, as asked.
        let Some(slot) = self.slots.get_mut(role) else {
            return Ok(Some(Reply::Done));
        };
        // Starting what is to be stopped right away would help nobody.
        let (starts, others): (Vec<Task>, Vec<Task>) =
            slot.tasks.drain(..).partition(|task| !matches!(task.work, Work::Stop));
        slot.tasks.extend(others);
        let waits = slot
            .current
            .take_if(|current| slot.ending.is_some() && matches!(current.work, Work::Ensure(_)));
        for start in starts.into_iter().chain(waits) {
            self.out.push(Out::Reply(
                start.asker,
                fail(FailureCode::Superseded, "a stop came after it").map(|()| Reply::Done),
            ));
        }
        if slot.tasks.len() >= MAX_TASKS {
            return fail(FailureCode::Busy, format!("role {role} is in use"));
        }
        if let Some(ending) = &mut slot.ending {
            ending.hasten(now_us, task.grace_us);
            slot.wake_us = Some(now_us);
        } else if slot.current.is_some() {
            slot.ending = Some(Ending::new(now_us, task.grace_us));
            slot.wake_us = Some(now_us);
        }
        if slot.current.is_none() && slot.ending.is_some() {
            slot.current = Some(task);
        } else {
            slot.tasks.push_back(task);
        }
        Ok(None)
    }

    fn signal(&mut self, role: &Role, signal: i32) -> Result<Option<Reply>, Failure> {
        let Some(slot) = self.slots.get(role) else {
            return unknown(role);
        };
        let Some(pid) = slot.running() else {
            return fail(FailureCode::NotRunning, format!("role {role} does not run"));
        };
        if !(1..=libc::SIGRTMAX()).contains(&signal) {
            return fail(FailureCode::BadRequest, format!("{signal} is no signal"));
        }
        // SAFETY: plain system call; the pid is that of a child that was not reaped.
        if unsafe { libc::kill(pid, signal) } == -1 {
            let error = std::io::Error::last_os_error();
            return fail(
                FailureCode::BadRequest,
                format!("signal {signal} cannot be sent: {error}"),
            );
        }
        Ok(Some(Reply::Done))
    }

    /// Begins to end the instance, or hastens it.
    pub(super) fn end(&mut self, asker: Option<Asker>, grace_us: u64, now_us: u64) {
        if let Some(whole) = &mut self.whole {
            whole.ending.hasten(now_us, grace_us);
            whole.wake_us = now_us;
            whole.askers.extend(asker);
            return;
        }
        log::info!("instance={} is being ended", self.instance);
        for slot in self.slots.values_mut() {
            slot.ending = None;
            slot.wake_us = None;
            for task in slot.current.take().into_iter().chain(slot.tasks.drain(..)) {
                let failure = Failure::new(FailureCode::Ending, "the instance is being ended");
                self.out.push(Out::Reply(task.asker, Err(failure)));
            }
        }
        let ending = Ending::new(now_us, grace_us);
        self.whole = Some(Whole {
            ending,
            wake_us: now_us,
            askers: asker.into_iter().collect(),
        });
    }

    /// When [`Roles::tick`] wants to be called.
    pub(super) fn wake_us(&self) -> Option<u64> {
        let slots = self.slots.values().filter_map(|slot| slot.wake_us);
        slots.chain(self.whole.as_ref().map(|whole| whole.wake_us)).min()
    }

    /// Does what is due.
    pub(super) fn tick(&mut self, now_us: u64) {
        self.reap(now_us);
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

    fn end_step(&mut self, now_us: u64) {
        let Some(whole) = self
            .whole
            .as_mut()
            .filter(|whole| whole.wake_us <= now_us && !self.over)
        else {
            return;
        };
        let left = Census::take(self.keeper, &self.instance.to_string()).everybody();
        // Dead but not yet reaped: its exit is still to be told.
        if left.is_empty() && self.slots.values().any(|slot| slot.running().is_some()) {
            whole.wake_us = now_us + REAP_SOON_US;
            return;
        }
        match whole.ending.step(now_us, &left) {
            Step::Wait {
                term,
                kill,
                again_at_us,
            } => {
                whole.wake_us = again_at_us;
                send(&term, &kill);
            }
            Step::Unkillable => {
                log::error!("instance={} processes={left:?} outlive their KILL", self.instance);
                for asker in whole.askers.drain(..) {
                    self.out.push(Out::Reply(asker, Err(unkillable(left.len()))));
                }
                whole.ending = Ending::new(now_us, 0);
            }
            Step::Done => {
                self.over = true;
                whole.wake_us = u64::MAX;
                for (name, _) in self.slots.values().filter_map(|slot| slot.listening.as_ref()) {
                    self.folder.remove(name);
                }
                self.out
                    .extend(whole.askers.drain(..).map(|asker| Out::Reply(asker, Ok(Reply::Done))));
            }
        }
    }

    /// Takes the exits of all children that ended.
    fn reap(&mut self, now_us: u64) {
        loop {
            let mut status = 0;
            // SAFETY: plain system call. (nix cannot express an end by a real-time signal.)
            let pid = unsafe { libc::waitpid(-1, &mut status, libc::WNOHANG) };
            if pid <= 0 {
                return;
            }
            let exit = if libc::WIFSIGNALED(status) {
                Exit::Signal(libc::WTERMSIG(status))
            } else {
                Exit::Code(libc::WEXITSTATUS(status))
            };
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
        Census::take(self.keeper, &self.instance.to_string()).of_role(&Traits {
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

fn us(ms: u64) -> u64 {
    ms.saturating_mul(1000)
}

fn fail<T>(code: FailureCode, text: impl Into<String>) -> Result<T, Failure> {
    Err(Failure::new(code, text))
}

fn unknown<T>(role: &Role) -> Result<T, Failure> {
    fail(FailureCode::UnknownRole, format!("role {role} was never started"))
}

fn unkillable(count: usize) -> Failure {
    Failure::new(FailureCode::Unkillable, format!("{count} processes outlive their KILL"))
}

fn send(term: &[Identity], kill: &[Identity]) {
    use nix::sys::signal::Signal;
    for identity in term {
        identity.signal(Signal::SIGTERM);
    }
    for identity in kill {
        identity.signal(Signal::SIGKILL);
    }
}

/// The whole tail.
const ALL: usize = MAX_TAIL_LINES;
