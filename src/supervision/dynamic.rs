//! Supervisors whose children come and go (Elixir `DynamicSupervisor`, OTP `simple_one_for_one`).
//!
//! Children, usually `temporary` or `transient`, are strangers to each other (`one_for_one`) and stopped all at once.
//! Nothing here waits for one child: a slow stop holds up nobody else. A child that has ended for good is forgotten.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::child::{Crew, Exited};
use super::child_spec::ChildSpec;
use super::context::ChildContext;
use super::control::{Command, Commands, ControlError, Reply, Request};
use super::exit::ExitReason;
use super::intensity::Window;
use super::node::RestartClaim;
use super::slot::{Slot, State, Verdict};
use super::snapshot::ChildState;
use super::stop::sleep_until;
use super::supervisor::{escalate, may_restart};
use super::supervisor_spec::{AutoShutdown, SupervisorSpec};

/// A child and who waits for something of it.
struct Member {
    slot: Slot,
    on_end: Vec<(Reply, Option<RestartClaim>)>,
    /// Asked to stop by request.
    stopping: bool,
    /// Having been stopped, it is to be started again.
    again: bool,
}

pub(super) struct Dynamic {
    own: ChildContext,
    spec: SupervisorSpec,
    members: HashMap<u64, Member>,
    keys: HashMap<Arc<str>, u64>,
    next_key: u64,
    due: BTreeSet<(Instant, u64)>,
    crew: Crew,
    charged: Window,
    commands: Commands,
}

impl Dynamic {
    pub(super) fn new(mut spec: SupervisorSpec, own: ChildContext, commands: Commands) -> Self {
        own.node().take_children();
        let children = std::mem::take(&mut spec.children);
        let mut this = Self {
            own,
            members: HashMap::new(),
            keys: HashMap::new(),
            next_key: 0,
            due: BTreeSet::new(),
            crew: Crew::default(),
            charged: Window::new(spec.intensity),
            spec,
            commands,
        };
        for child in children {
            this.add(child);
        }
        this
    }

    pub(super) async fn run(mut self) -> ExitReason {
        self.own.mark_started();
        loop {
            if self.own.is_stopping() {
                return self.end(ExitReason::Shutdown).await;
            }
            let due = self.due.first().map(|(at, _)| *at);
            tokio::select! {
                biased;
                () = self.own.stopping() => {}
                exited = self.crew.next() => if let Some(reason) = self.on_exit(exited) {
                    return self.end(reason).await;
                },
                () = sleep_until(due) => self.start_due(),
                command = self.commands.next() => self.on_command(command),
            }
        }
    }

    fn start_due(&mut self) {
        let now = Instant::now();
        while let Some(&(at, key)) = self.due.first().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, key));
            if let Some(member) = self.members.get_mut(&key) {
                member.slot.start(&mut self.crew, &self.own);
            }
        }
    }

    /// Deals with an exit, ordered or not; the reason to end the supervisor, if it is one.
    fn on_exit(&mut self, exited: Exited) -> Option<ExitReason> {
        let key = exited.key;
        let member = self.members.get_mut(&key).filter(|m| m.slot.expects(&exited))?;
        let reason = exited.reason;
        member.slot.exited(&self.own, &reason, member.stopping);
        let verdict = match (member.stopping, member.again) {
            (true, true) => Verdict::Restart(Duration::ZERO),
            (true, false) => Verdict::Ended,
            (false, _) => member.slot.judge(&self.own, &reason, &mut self.charged),
        };
        match verdict {
            Verdict::Restart(delay) => {
                if !member.stopping {
                    member.slot.announce_restart(&self.own, delay);
                }
                (member.stopping, member.again) = (false, false);
                let waiting = std::mem::take(&mut member.on_end);
                self.wait(key, Instant::now() + delay);
                if delay.is_zero() {
                    self.start_due();
                }
                for (reply, claim) in waiting {
                    drop(claim);
                    let _ = reply.send(Ok(()));
                }
                None
            }
            Verdict::Escalate => Some(escalate(&self.own, &self.spec, &member.slot.spec.id, reason)),
            Verdict::GiveUp => {
                member.slot.give_up(&self.own, &reason);
                self.ended_for_good(key)
            }
            Verdict::Ended if member.stopping => {
                self.forget(key);
                None
            }
            Verdict::Ended => self.ended_for_good(key),
        }
    }

    /// A child that is not started again is forgotten; where it was significant, the supervisor may end.
    fn ended_for_good(&mut self, key: u64) -> Option<ExitReason> {
        let significant = self.members.get(&key).is_some_and(|m| m.slot.spec.significant);
        self.forget(key);
        let over = significant
            && match self.spec.auto_shutdown {
                AutoShutdown::Never => false,
                AutoShutdown::AnySignificant => true,
                AutoShutdown::AllSignificant => !self.members.values().any(|m| m.slot.spec.significant),
            };
        over.then_some(ExitReason::Shutdown)
    }

    fn wait(&mut self, key: u64, due: Instant) {
        if let Some(member) = self.members.get_mut(&key) {
            member.slot.wait_until(due);
            self.due.insert((due, key));
        }
    }

    fn forget(&mut self, key: u64) {
        let Some(member) = self.members.remove(&key) else {
            return;
        };
        if let Some(due) = member.slot.due() {
            self.due.remove(&(due, key));
        }
        self.keys.remove(&member.slot.spec.id);
        self.own.node().remove_child(key);
        for (reply, _) in member.on_end {
            let _ = reply.send(Ok(()));
        }
    }

    fn on_command(&mut self, Command { request, reply }: Command) {
        match request {
            Request::Start(spec) => {
                let result = self.may_add(&spec);
                if result.is_ok() {
                    self.add(*spec);
                }
                let _ = reply.send(result);
            }
            Request::Stop(id) => self.stop(&id, reply),
            Request::Restart(id, claim) => self.restart(&id, claim, reply),
        }
    }

    fn stop(&mut self, id: &str, reply: Reply) {
        let Some((&key, member)) = self.keys.get(id).and_then(|k| Some((k, self.members.get_mut(k)?))) else {
            let _ = reply.send(Err(ControlError::NotFound));
            return;
        };
        member.on_end.push((reply, None));
        if let Some(running) = member.slot.running() {
            if !member.stopping {
                running.stop(member.slot.spec.shutdown, None);
            }
            // A stop is never undone by a restart asked for before or after it.
            (member.stopping, member.again) = (true, false);
        } else {
            self.forget(key);
        }
    }

    fn restart(&mut self, id: &str, claim: Option<RestartClaim>, reply: Reply) {
        let Some((&key, member)) = self.keys.get(id).and_then(|k| Some((k, self.members.get_mut(k)?))) else {
            let _ = reply.send(Err(ControlError::NotFound));
            return;
        };
        if claim.is_some()
            && let Err(refusal) = may_restart(&member.slot)
        {
            let _ = reply.send(Err(refusal));
            return;
        }
        member.slot.restart_asked(&self.own);
        member.slot.forgive();
        if let Some(running) = member.slot.running() {
            member.on_end.push((reply, claim));
            if !member.stopping {
                running.stop(member.slot.spec.shutdown, None);
                (member.stopping, member.again) = (true, !member.slot.spec.once);
            }
        } else {
            if let Some(due) = member.slot.due() {
                self.due.remove(&(due, key));
            }
            self.wait(key, Instant::now());
            self.start_due();
            let _ = reply.send(Ok(()));
        }
    }

    fn may_add(&self, spec: &ChildSpec) -> Result<(), ControlError> {
        self.spec.check_child(spec)?;
        if self.keys.contains_key(&spec.id) {
            return Err(ControlError::AlreadyStarted);
        }
        if self.members.len() >= self.spec.max_children {
            return Err(ControlError::MaxChildren);
        }
        Ok(())
    }

    fn add(&mut self, spec: ChildSpec) {
        let key = self.next_key;
        self.next_key += 1;
        self.keys.insert(Arc::clone(&spec.id), key);
        let slot = Slot::new(key, spec, &self.own, None, self.spec.intensity, Instant::now());
        let mut member = Member {
            slot,
            on_end: Vec::new(),
            stopping: false,
            again: false,
        };
        member.slot.start(&mut self.crew, &self.own);
        self.members.insert(key, member);
    }

    /// Stops all children at once and waits for them.
    async fn end(mut self, reason: ExitReason) -> ExitReason {
        self.own.node().set_state(ChildState::Stopping);
        self.commands.refuse();
        let mut orders = self.own.stop_orders();
        let deadline = self.own.stop_deadline();
        for member in self.members.values_mut() {
            match &member.slot.state {
                State::Running(running) => running.stop(member.slot.spec.shutdown, deadline),
                _ => member.slot.withdraw(ChildState::Stopped),
            }
        }
        while !self.crew.is_empty() {
            let exited = tokio::select! {
                biased;
                exited = self.crew.next() => exited,
                // To be over sooner, which holds for all below.
                Ok(()) = orders.changed() => {
                    let deadline = self.own.stop_deadline();
                    self.members.values().for_each(|member| member.slot.hurry(deadline));
                    continue;
                }
            };
            if let Some(member) = self.members.get_mut(&exited.key).filter(|m| m.slot.expects(&exited)) {
                member.slot.exited(&self.own, &exited.reason, true);
                self.forget(exited.key);
            }
        }
        self.commands.refuse();
        reason
    }
}
