//! Supervisors with a fixed list of children.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::child::{Crew, Exited};
use super::child_spec::guarded;
use super::context::ChildContext;
use super::control::{Command, Commands, ControlError, Request};
use super::dynamic::Dynamic;
use super::event::What;
use super::exit::ExitReason;
use super::intensity::Window;
use super::slot::{Slot, State, Verdict};
use super::snapshot::ChildState;
use super::stop::sleep_until;
use super::strategy::{Plan, plan};
use super::supervisor_spec::{AutoShutdown, SupervisorSpec};

/// The life of a supervisor.
pub(super) async fn supervise(spec: SupervisorSpec, own: ChildContext) -> ExitReason {
    if let Err((id, error)) = spec.check() {
        return ExitReason::error(error.code(), format!("{id}: {error}"));
    }
    let commands = spec.reference.receive().await;
    let control = spec.reference.clone();
    let (node, kind) = (own.node(), spec.kind());
    node.supervises(kind, spec.strategy, spec.intensity, control.clone());
    own.set_mailbox(move || Some(control.waiting()));
    if spec.dynamic {
        Dynamic::new(spec, own, commands).run().await
    } else {
        Supervisor::new(spec, own, commands).run().await
    }
}

struct Supervisor {
    own: ChildContext,
    spec: SupervisorSpec,
    /// Restarts of children without a budget of their own.
    charged: Window,
    /// In start order; the index is the slot's key.
    slots: Vec<Slot>,
    crew: Crew,
    commands: Commands,
}

impl Supervisor {
    fn new(mut spec: SupervisorSpec, own: ChildContext, commands: Commands) -> Self {
        let now = Instant::now();
        let mut places = own.node().take_children();
        let slots = (0..)
            .zip(std::mem::take(&mut spec.children))
            .map(|(key, child)| {
                let place = places.remove(&child.id);
                Slot::new(key, child, &own, place, spec.intensity, now)
            })
            .collect();
        Self {
            own,
            charged: Window::new(spec.intensity),
            spec,
            slots,
            crew: Crew::default(),
            commands,
        }
    }

    async fn run(mut self) -> ExitReason {
        loop {
            if self.own.is_stopping() {
                return self.end(ExitReason::Shutdown).await;
            }
            if let Some(exited) = self.crew.take_deferred() {
                if let Some(reason) = self.on_exit(exited).await {
                    return self.end(reason).await;
                }
                continue;
            }
            if self.start_next().await {
                continue;
            }
            self.own.mark_started();
            let due = self.next_due();
            tokio::select! {
                biased;
                () = self.own.stopping() => {}
                exited = self.crew.next() => self.crew.defer(exited),
                command = self.commands.next() => self.on_command(command).await,
                () = sleep_until(due) => {}
            }
        }
    }

    /// The children whose turn it is to be started when they are due: where children depend on those before them, none
    /// is started while an earlier one waits.
    fn startable(&self) -> impl Iterator<Item = (usize, Instant)> {
        let at_once = if self.spec.strategy.starts_in_turn() {
            1
        } else {
            usize::MAX
        };
        let waiting = |(i, s): (usize, &Slot)| s.due().map(|due| (i, due));
        self.slots.iter().enumerate().filter_map(waiting).take(at_once)
    }

    fn next_due(&self) -> Option<Instant> {
        self.startable().map(|(_, due)| due).min()
    }

    /// Starts the next child that is due, and waits until it has been or has ended; `false` when there is none.
    async fn start_next(&mut self) -> bool {
        let now = Instant::now();
        let Some((index, _)) = self.startable().find(|(_, due)| *due <= now) else {
            return false;
        };
        let started = self.slots[index].start(&mut self.crew, &self.own);
        self.until_started(index, started).await;
        true
    }

    async fn until_started(&mut self, index: usize, started: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = self.own.stopping() => return,
                () = started.cancelled() => return,
                exited = self.crew.next() => {
                    let its_own = exited.key == index as u64 && self.slots[index].expects(&exited);
                    self.crew.defer(exited);
                    if its_own {
                        return;
                    }
                }
            }
        }
    }

    /// Deals with an exit that nobody ordered; the reason to end the supervisor, if it is one.
    async fn on_exit(&mut self, exited: Exited) -> Option<ExitReason> {
        let index = usize::try_from(exited.key).ok()?;
        let slot = self.slots.get_mut(index).filter(|s| s.expects(&exited))?;
        let reason = exited.reason;
        slot.exited(&self.own, &reason, false);
        match slot.judge(&self.own, &reason, &mut self.charged) {
            Verdict::Ended => self.ended_for_good(index),
            Verdict::GiveUp => {
                slot.give_up(&self.own, &reason);
                self.ended_for_good(index)
            }
            Verdict::Escalate => Some(escalate(&self.own, &self.spec, &slot.spec.id, reason)),
            Verdict::Restart(delay) => {
                slot.announce_restart(&self.own, delay);
                // The back-off runs from the failure, not from the moment at which all siblings are down.
                let due = Instant::now() + delay;
                let plan = self.plan(index);
                self.carry_out(&plan, due).await;
                None
            }
        }
    }

    /// Whether the end of this child ends the supervisor.
    fn ended_for_good(&self, index: usize) -> Option<ExitReason> {
        if !self.slots[index].spec.significant {
            return None;
        }
        let mut significant = self.slots.iter().filter(|s| s.spec.significant);
        let over = match self.spec.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => significant.all(Slot::is_over),
        };
        over.then_some(ExitReason::Shutdown)
    }

    fn plan(&self, exiting: usize) -> Plan {
        let views: Vec<_> = self.slots.iter().map(Slot::view).collect();
        plan(self.spec.strategy, &views, exiting)
    }

    async fn carry_out(&mut self, plan: &Plan, due: Instant) {
        for &index in &plan.start {
            if self.slots[index].running().is_none() {
                self.slots[index].node.restarting(due);
            }
        }
        for &index in &plan.stop {
            self.stop(index).await;
            if plan.start.contains(&index) {
                self.slots[index].node.restarting(due);
            }
        }
        for &index in &plan.start {
            self.slots[index].wait_until(due);
        }
    }

    /// Stops a child, if it runs, and waits for its end.
    async fn stop(&mut self, index: usize) {
        let slot = &self.slots[index];
        let Some(running) = slot.running() else {
            return;
        };
        // Should our own stop be ordered meanwhile, or to be over sooner, that holds for the child, too.
        let mut orders = self.own.stop_orders();
        running.stop(slot.spec.shutdown, self.own.stop_deadline());
        let (key, generation) = (slot.key, slot.generation());
        let exited = loop {
            tokio::select! {
                biased;
                exited = self.crew.exit_of(key, generation) => break exited,
                Ok(()) = orders.changed() => self.slots[index].hurry(self.own.stop_deadline()),
            }
        };
        self.slots[index].exited(&self.own, &exited.reason, true);
    }

    async fn end(mut self, reason: ExitReason) -> ExitReason {
        self.own.node().set_state(ChildState::Stopping);
        self.commands.refuse();
        for slot in &mut self.slots {
            if slot.due().is_some() {
                slot.withdraw(ChildState::Stopped);
            }
        }
        for index in (0..self.slots.len()).rev() {
            self.stop(index).await;
        }
        self.commands.refuse();
        reason
    }

    async fn on_command(&mut self, command: Command) {
        let answer = self.answer(command.request).await;
        let _ = command.reply.send(answer);
    }

    async fn answer(&mut self, request: Request) -> Result<(), ControlError> {
        let (Request::Stop(id) | Request::Restart(id, _)) = &request else {
            return Err(ControlError::FixedChildren);
        };
        let found = self.slots.iter().position(|s| s.spec.id == *id);
        let index = found.ok_or(ControlError::NotFound)?;
        match request {
            Request::Restart(_, claim) => {
                // The claim is given back when the child has been started.
                if claim.is_some() {
                    may_restart(&self.slots[index])?;
                }
                let slot = &mut self.slots[index];
                slot.restart_asked(&self.own);
                if slot.spec.once {
                    self.stop_for_good(index).await;
                    return Ok(());
                }
                slot.forgive();
                let mut plan = self.plan(index);
                plan.stop.push(index);
                plan.stop.sort_unstable_by(|a, b| b.cmp(a));
                self.carry_out(&plan, Instant::now()).await;
                while self.start_next().await {}
                drop(claim);
            }
            Request::Stop(_) | Request::Start(_) => self.stop_for_good(index).await,
        }
        Ok(())
    }

    /// Stops a child, which stays down until somebody asks for its start.
    async fn stop_for_good(&mut self, index: usize) {
        let slot = &self.slots[index];
        let had_ended = slot.is_over() && slot.node.state() == ChildState::Ended;
        self.stop(index).await;
        let shown = if had_ended {
            ChildState::Ended
        } else {
            ChildState::Stopped
        };
        self.slots[index].withdraw(shown);
    }
}

/// The supervisor's own end: too many restarts.
pub(super) fn escalate(own: &ChildContext, spec: &SupervisorSpec, id: &Arc<str>, exit: ExitReason) -> ExitReason {
    log::error!("supervisor={} restart intensity exceeded by {id}", own.path());
    let reason = ExitReason::error(
        "restart_intensity",
        format!("too many restarts, the last of {id} after: {exit}"),
    );
    own.events()
        .tell(own.shared_path(), own.generation(), What::Escalated { exit });
    if let Some(hook) = &spec.on_escalation {
        guarded(own.path(), || hook());
    }
    reason
}

/// Whether somebody from outside may restart it.
pub(super) fn may_restart(slot: &Slot) -> Result<(), ControlError> {
    match (&slot.state, slot.node.state()) {
        (State::Waiting(_), _) => Err(ControlError::AlreadyRestarting),
        (State::Running(_), _) | (State::Withdrawn, ChildState::GivenUp) => Ok(()),
        (State::Ended | State::Withdrawn, _) => Err(ControlError::Finished),
    }
}
