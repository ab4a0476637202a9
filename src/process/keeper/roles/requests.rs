//! Requests: each is answered at once, or becomes a task of its role.

use std::sync::Arc;

use super::super::ending::Ending;
use super::super::output::LogFile;
use super::super::slot::{Asker, MAX_TASKS, Slot, Task, Work};
use super::{Out, Roles, fail};
use crate::protocol::keeper::{Failure, FailureCode, Reply, Request, Role};

/// More than an instance ever has.
const MAX_ROLES: usize = 32;

impl Roles {
    /// Takes a request; its answer comes out at once or later.
    pub(in crate::process::keeper) fn request(&mut self, asker: Asker, request: Request, now_us: u64) {
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
                let log = LogFile::new(Arc::clone(&self.logs), format!("{role}.log"));
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
        let app = slot.main.as_ref().and_then(|main| main.inside.as_ref()?.app);
        let both = signal == libc::SIGCONT;
        if let Some(app) = app
            && let Ok(signal) = nix::sys::signal::Signal::try_from(signal)
            && app.signal(signal)
            && !both
        {
            return Ok(Some(Reply::Done));
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
}

fn us(ms: u64) -> u64 {
    ms.saturating_mul(1000)
}

fn unknown<T>(role: &Role) -> Result<T, Failure> {
    fail(FailureCode::UnknownRole, format!("role {role} was never started"))
}
