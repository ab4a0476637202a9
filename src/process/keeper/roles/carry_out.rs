//! The tasks of one role, one after the other.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use super::super::display_files;
use super::super::ending::{Ending, Step};
use super::super::look::Look;
use super::super::sandbox;
use super::super::slot::{Main, Slot, Task, Work};
use super::super::spawn::{Given, Marking, spawn};
use super::{ALL, Out, REAP_SOON_US, Roles, fail, send, unkillable};
use crate::clock;
use crate::protocol::keeper::{Failure, FailureCode, Reply, Spec};

/// What a `Run` left running has so long to end by itself.
const LEFTOVER_GRACE_US: u64 = 500_000;

impl Roles {
    /// Goes as far as it can now; `slot` is not in the map.
    pub(super) fn advance(&mut self, slot: &mut Slot, now_us: u64) {
        loop {
            if slot.ending.is_some() {
                if slot.wake_us.is_some_and(|at| at > now_us) {
                    return;
                }
                match self.end_role(slot, now_us) {
                    None => return,
                    Some(result) => self.ended(slot, result, now_us),
                }
            } else if slot.current.is_some() {
                // A run: it ended, or its time is up.
                let ended = slot.running().is_none();
                if !ended && slot.wake_us.is_some_and(|at| at > now_us) {
                    return;
                }
                slot.timed_out = !ended;
                begin_ending(slot, now_us, if ended { LEFTOVER_GRACE_US } else { 0 });
            } else if let Some(task) = slot.tasks.pop_front() {
                self.begin(slot, task, now_us);
            } else {
                slot.wake_us = None;
                return;
            }
        }
    }

    fn begin(&mut self, slot: &mut Slot, task: Task, now_us: u64) {
        match &task.work {
            Work::Ensure(spec)
                if slot.running().is_some() && slot.main.as_ref().is_some_and(|main| main.spec == *spec) =>
            {
                self.answer(&task, slot.started(true).map(Reply::Started).ok_or_else(never_started));
            }
            _ => {
                begin_ending(slot, now_us, task.grace_us);
                slot.current = Some(task);
            }
        }
    }

    /// None while some are left.
    fn end_role(&mut self, slot: &mut Slot, now_us: u64) -> Option<Result<(), Failure>> {
        let left = self.members(slot);
        let ending = slot.ending.as_mut()?;
        slot.known = left.iter().copied().collect();
        let running = slot.main.as_ref().is_some_and(|main| main.exit.is_none());
        if left.is_empty() && running {
            slot.wake_us = Some(now_us + REAP_SOON_US);
            return None;
        }
        match ending.step(now_us, &left) {
            Step::Done => Some(Ok(())),
            Step::Unkillable => Some(Err(unkillable(left.len()))),
            Step::Wait {
                term,
                kill,
                again_at_us,
            } => {
                send(&slot.makers().collect(), &term, &kill);
                slot.wake_us = Some(again_at_us);
                None
            }
        }
    }

    /// What comes after nothing is left of what ran before.
    fn ended(&mut self, slot: &mut Slot, result: Result<(), Failure>, now_us: u64) {
        slot.ending = None;
        slot.wake_us = None;
        let Some(task) = slot.current.take() else { return };
        if let Err(failure) = result {
            return self.answer(&task, Err(failure));
        }
        match &task.work {
            Work::Stop => self.answer(&task, Ok(Reply::Done)),
            Work::Ensure(spec) => {
                let result = self.start(slot, spec.clone());
                let result = result.and_then(|()| slot.started(false).ok_or_else(never_started));
                self.answer(&task, result.map(Reply::Started));
            }
            Work::Run { spec, timeout_us } if slot.main.is_none() => match self.start(slot, spec.clone()) {
                Ok(()) => {
                    slot.wake_us = Some(now_us.saturating_add(*timeout_us));
                    slot.current = Some(task);
                }
                Err(failure) => self.answer(&task, Err(failure)),
            },
            Work::Run { .. } => {
                let exit = slot.main.as_ref().and_then(|main| main.exit).map(|(exit, _)| exit);
                let result = match exit {
                    _ if slot.timed_out => fail(FailureCode::TimedOut, "it did not end in its time and was killed"),
                    Some(exit) => Ok(Reply::Ran {
                        exit,
                        tail: slot.tail.newest(ALL),
                    }),
                    None => Err(never_started()),
                };
                self.answer(&task, result);
            }
        }
    }

    fn start(&mut self, slot: &mut Slot, spec: Spec) -> Result<(), Failure> {
        self.listen(slot, &spec)?;
        let listening = slot
            .listening
            .as_ref()
            .filter(|_| spec.listen_socket.is_some())
            .map(|(_, fd)| fd.as_fd());
        let given = Given {
            listening,
            join: self.namespaces(&spec)?,
        };
        if let Some(group) = &spec.group {
            self.groups.retain(|known| known != group);
            self.groups.push(group.clone());
        }
        if spec.display_fd
            && let Err(error) = display_files::make_folder()
        {
            log::warn!("displays have nowhere to put their sockets: {error}");
            if error.kind() == io::ErrorKind::Other {
                return Err(Failure::new(FailureCode::SpawnFailed, error.to_string()));
            }
        }
        let spawned = spawn(
            &spec,
            &Marking {
                role: &slot.role,
                instance: self.instance,
                mark: &self.mark,
            },
            &given,
        )
        .inspect_err(|failure| log::warn!("role={} code={} {failure}", slot.role, failure.code.as_str()))?;
        slot.generation += 1;
        slot.tail.clear();
        slot.add_output(spawned.output);
        slot.display_pipe = spawned.display;
        slot.display_text.clear();
        slot.known.clear();
        let started_ms = clock::unix_ms();
        let inside = spawned.inside;
        let main = Main {
            pid: spawned.pid,
            look: inside
                .as_ref()
                .and_then(|inside| Look::at(inside.app?, clock::monotonic_us())),
            inside,
            spec,
            started_ms,
            exit: None,
            display: None,
            held: false,
            stopped: false,
        };
        log::info!(
            "role={} pid={} generation={} started",
            slot.role,
            main.program(),
            slot.generation
        );
        slot.main = Some(main);
        Ok(())
    }

    /// What is to be entered of the sandbox of another role.
    fn namespaces(&self, spec: &Spec) -> Result<Vec<OwnedFd>, Failure> {
        let Some(role) = &spec.within else {
            return Ok(Vec::new());
        };
        let main = self.slots.get(role).and_then(|slot| slot.main.as_ref());
        match main.filter(|main| main.exit.is_none()) {
            None => fail(FailureCode::NotRunning, format!("role {role} does not run")),
            Some(main) => match main.inside.as_ref().and_then(|inside| inside.app) {
                None => Ok(Vec::new()),
                Some(app) => sandbox::namespaces(app).map_err(|error| {
                    Failure::new(
                        FailureCode::SpawnFailed,
                        format!("the sandbox of {role} cannot be entered: {error}"),
                    )
                }),
            },
        }
    }

    /// Binds the role's socket, once.
    fn listen(&mut self, slot: &mut Slot, spec: &Spec) -> Result<(), Failure> {
        let Some(name) = &spec.listen_socket else { return Ok(()) };
        if slot.listening.as_ref().is_some_and(|(bound, _)| bound == name) {
            return Ok(());
        }
        if self
            .slots
            .values()
            .any(|other| other.listening.as_ref().is_some_and(|(bound, _)| bound == name))
        {
            return fail(FailureCode::Busy, format!("{name} is another role's"));
        }
        if let Some((bound, _)) = slot.listening.take() {
            self.folder.remove(&bound);
        }
        let socket = self.folder.listen(name);
        let socket =
            socket.map_err(|e| Failure::new(FailureCode::SpawnFailed, format!("{name} cannot be bound: {e}")))?;
        slot.listening = Some((name.clone(), socket.into()));
        Ok(())
    }

    fn answer(&mut self, task: &Task, result: Result<Reply, Failure>) {
        self.out.push(Out::Reply(task.asker, result));
    }
}

fn begin_ending(slot: &mut Slot, now_us: u64, grace_us: u64) {
    slot.ending = Some(Ending::new(now_us, grace_us));
    slot.wake_us = Some(now_us);
}

fn never_started() -> Failure {
    Failure::new(FailureCode::SpawnFailed, "it did not start")
}
