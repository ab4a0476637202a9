//! InstanceActor: status, viewers, control, and the end of an instance.
//!
//! Nearly everything it knows lies in [`InstanceShared`], so that the one that follows a panicked one goes on where that
//! stood. It only decides; processes, frames and input go on without it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, ResponseActFuture, StreamHandler, WrapFuture,
};
use futures::stream;

use super::error::InstanceError;
use super::lifecycle::doing::Doing;
use super::lifecycle::events::{InstanceEvent, of_status};
use super::lifecycle::status::StatusReport;
use super::shared::InstanceShared;
use super::viewing::speaker::{RoleNow, Speaker};
use super::viewing::viewers::{ControlError, ControlWish, Viewers};
use crate::clock::unix_ms;
use crate::ids::{Claim, PeerId};
use crate::protocol::signalling::{CloseReason, InstanceStatus, ServerMessage};
use crate::source::{EndReason, Facts, Failure};
use crate::store::StatusChange;
use crate::supervision::{ChildContext, ExitReason};

/// How often viewers are looked at.
const TICK: Duration = Duration::from_secs(1);
/// The same where there are none, of whom hundreds of instances would cost; the end of the idle time is kept all the same.
const TICK_UNWATCHED: Duration = Duration::from_secs(5);
/// A source stops its parts one after the other, each within seconds.
const SOURCE_DEADLINE: Duration = Duration::from_secs(40);

/// The actor.
#[derive(Debug)]
pub struct InstanceActor {
    pub(super) shared: Arc<InstanceShared>,
    context: ChildContext,
    told: Option<StatusReport>,
    /// Of how many characters that could not be typed the viewers know.
    told_not_typed: u32,
    doing: Doing,
}

impl InstanceActor {
    /// An actor that takes up its instance where it stands.
    #[must_use]
    pub fn new(shared: Arc<InstanceShared>, context: &ChildContext) -> Self {
        Self {
            shared,
            context: context.clone(),
            told: None,
            doing: Doing::Nothing,
            told_not_typed: 0,
        }
    }

    fn end(&self, reason: EndReason) {
        log::info!("instance={} ending={}", self.shared.spec.id, reason.code());
        self.shared.facts.update(|f| {
            f.ending.get_or_insert(reason);
        });
    }

    /// Tells what has changed, and does what follows from it.
    fn follow(&mut self, ctx: &mut Context<Self>) {
        let report = self.shared.report();
        let shown = |r: &StatusReport| (r.status, r.reason.clone(), r.message.clone(), r.retry_in.is_some());
        let changed = self.told.as_ref().is_none_or(|told| shown(told) != shown(&report));
        let not_typed = self.shared.facts.get().text_not_typed;
        if std::mem::replace(&mut self.told_not_typed, not_typed) != not_typed && !changed {
            self.shared.announce_status();
        }
        if changed {
            log::info!(
                "instance={} status={} reason={}",
                self.shared.spec.id,
                report.status,
                report.reason.as_deref().unwrap_or("-")
            );
            self.shared.touch(unix_ms());
            self.shared.announce_status();
            self.note(&report);
            if let Some((event, detail)) = of_status(self.shared.tell_status(report.status), &report) {
                self.shared.event(event, detail);
            }
        }
        let status = report.status;
        self.told = Some(report);
        match self.doing.begins(status) {
            Some(Doing::Ending) => self.stop_everything(ctx),
            Some(Doing::Failing) => self.stop_source(ctx),
            _ => {}
        }
    }

    fn note(&self, report: &StatusReport) {
        let now = unix_ms();
        self.shared.services.journal.status(
            self.shared.spec.id,
            StatusChange {
                status: report.status,
                reason: report.reason.clone(),
                message: report.message.clone(),
                output: report.output.clone(),
                restarts: self.shared.facts.get().restarts,
                modified: now,
                ended: (report.status == InstanceStatus::Terminated).then_some(now),
            },
        );
    }

    /// A failed instance keeps its viewers and gives everything else back.
    fn stop_source(&mut self, ctx: &mut Context<Self>) {
        self.doing = Doing::Failing;
        let shared = Arc::clone(&self.shared);
        let work = async move { stop_source(&shared).await };
        ctx.spawn(work.into_actor(self).map(|(), act, ctx| {
            act.doing = act.doing.done(Doing::Failing);
            if act.shared.facts.get().ending.is_some() {
                act.follow(ctx);
            }
        }));
    }

    /// The end: peers are told, processes stopped, folders removed; then the actor's own end takes the tree down.
    fn stop_everything(&mut self, ctx: &mut Context<Self>) {
        self.doing = Doing::Ending;
        let shared = Arc::clone(&self.shared);
        let work = async move {
            stop_source(&shared).await;
            shared.facts.update(|f| f.ended = true);
            let _ = shared.parts.stop_child("peers", SOURCE_DEADLINE).await;
            shared.write_visits(None);
            shared.remove_folders().await;
        };
        ctx.spawn(work.into_actor(self).map(|(), act, ctx| {
            act.follow(ctx);
            act.context.exit_cell().set(ExitReason::Normal);
            actix::ActorContext::stop(ctx);
        }));
    }

    /// Starts the source anew. Whoever follows this actor goes on with it where it was.
    fn begin_restart(&mut self) -> ResponseActFuture<Self, Result<(), InstanceError>> {
        self.doing = Doing::Restarting;
        self.shared.set_restarting(true);
        let work = restart(Arc::clone(&self.shared));
        Box::pin(work.into_actor(self).map(|result, act, ctx| {
            act.doing = act.doing.done(Doing::Restarting);
            act.shared.set_restarting(false);
            act.follow(ctx);
            result
        }))
    }

    fn tick(&self) {
        self.context.progress();
        let now = Instant::now();
        self.shared.write_visits(Some(now));
        for viewer in self
            .shared
            .roster
            .expired(self.shared.services.config.session.resume_grace, now)
        {
            self.shared.put_out(viewer, CloseReason::ResumeExpired);
        }
        if self.shared.reap_at().is_some_and(|at| at <= now) && self.shared.facts.get().ending.is_none() {
            self.end(EndReason::Idle);
        }
    }

    /// Until viewers and the idle time are looked at again.
    fn until_next_tick(&self) -> Duration {
        if !self.shared.roster.with(Viewers::is_empty) {
            return TICK;
        }
        let reaped_in = self
            .shared
            .reap_at()
            .map(|at| at.saturating_duration_since(Instant::now()));
        reaped_in.map_or(TICK_UNWATCHED, |left| left.clamp(TICK, TICK_UNWATCHED))
    }

    fn keep_ticking(&mut self, ctx: &mut Context<Self>) {
        self.tick();
        ctx.run_later(self.until_next_tick(), Self::keep_ticking);
    }
}

/// Stops the source; afterwards nothing of it is left, whatever became of it before.
async fn stop_source(shared: &InstanceShared) {
    if let Err(error) = shared.parts.stop_child(shared.source.name(), SOURCE_DEADLINE).await {
        log::error!(
            "instance={} {} not stopped: {error}",
            shared.spec.id,
            shared.source.name()
        );
    }
    shared.source.end().await;
}

async fn restart(shared: Arc<InstanceShared>) -> Result<(), InstanceError> {
    // Down first, so that nothing of before is attached to.
    stop_source(&shared).await;
    shared.source.forgive().await;
    // Somebody may have ended it meanwhile: that wish stays.
    shared.facts.update(Facts::begin_again);
    if shared.facts.get().ending.is_some() {
        return Err(InstanceError::Ending);
    }
    let begun = shared.parts.restart_child(shared.source.name(), SOURCE_DEADLINE).await;
    begun.map_err(|error| {
        log::error!("instance={} not started again: {error}", shared.spec.id);
        // Nothing of it runs, and nobody is about to change that.
        shared.facts.update(|f| {
            f.failure.get_or_insert(Failure {
                code: "tree_failed".into(),
                message: format!("the host could not start this instance again: {error}"),
                output: Vec::new(),
            });
        });
        InstanceError::Busy
    })
}

impl Actor for InstanceActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        let facts = self.shared.facts.watch();
        ctx.add_stream(stream::unfold(facts, |mut facts| async move {
            facts.changed().await.ok()?;
            Some((FactsChanged, facts))
        }));
        let windows = self.shared.windows.subscribe();
        ctx.add_stream(stream::unfold(windows, |mut windows| async move {
            windows.changed().await.ok()?;
            Some((WindowsChanged, windows))
        }));
        ctx.run_later(TICK, Self::keep_ticking);
        let roster = Arc::clone(&self.shared.roster);
        ctx.spawn(async move { roster.keep_announcing().await }.into_actor(self));
        if self.shared.is_restarting() {
            log::warn!("instance={} goes on with its restart", self.shared.spec.id);
            let work = self.begin_restart();
            // Who has asked was told that the actor is gone.
            ctx.spawn(work.map(|_, _, _| ()));
        }
        self.follow(ctx);
    }
}

/// The facts about the processes are no longer the same.
struct FactsChanged;

impl StreamHandler<FactsChanged> for InstanceActor {
    fn handle(&mut self, _: FactsChanged, ctx: &mut Self::Context) {
        self.follow(ctx);
    }
}

/// There are other windows to choose from. Told at the steward's pace, a few times a second at most.
struct WindowsChanged;

impl StreamHandler<WindowsChanged> for InstanceActor {
    fn handle(&mut self, _: WindowsChanged, _: &mut Context<Self>) {
        self.shared.announce_windows();
    }
}

/// A viewer comes, or comes back by a new door. Answers with the living peer that it may take over; a refusal is told by
/// the door as well.
#[derive(Debug, Message)]
#[rtype(result = "Result<Option<PeerId>, ControlError>")]
pub struct Join {
    /// Who.
    pub who: Speaker,
    /// What it is at this instance.
    pub role: RoleNow,
    /// The peer that the tab believes to have.
    pub peer: Option<PeerId>,
    /// By what a media socket that is there already goes to this viewer.
    pub claim: Option<Claim>,
}

impl Handler<Join> for InstanceActor {
    type Result = Result<Option<PeerId>, ControlError>;

    fn handle(&mut self, msg: Join, _: &mut Self::Context) -> Self::Result {
        let Join {
            who,
            role,
            peer: believed,
            claim,
        } = msg;
        let shared = &self.shared;
        let known = shared.roster.role(who.viewer).is_some();
        let (peer, before) = match shared.roster.join(&who, &role) {
            Ok(joined) => joined,
            Err(error) => {
                log::log!(
                    shared.lines.level(),
                    "instance={} session={} not let in: {error}",
                    shared.spec.id,
                    who.session
                );
                who.door.tell(&ServerMessage::refusal(
                    error.code(),
                    error.to_string(),
                    error.retry_after(),
                ));
                return Err(error);
            }
        };
        if let (Some(before), Some(peer_id), None) = (before, peer, believed) {
            // A copy of the tab has taken its place; the first one has to choose an id of its own.
            before.tell(&ServerMessage::Closed {
                peer_id,
                reason: CloseReason::Superseded,
            });
        }
        log::log!(
            shared.lines.level(),
            "instance={} viewer={} session={} watches",
            shared.spec.id,
            who.viewer,
            who.session
        );
        if !known {
            let role = shared.roster.with(|v| v.role(who.viewer));
            let detail = format!("viewer={} session={} role={role}", who.viewer, who.session);
            shared.visit(InstanceEvent::ViewerJoined, Some(who.session), detail);
        }
        let living = peer.filter(|p| believed == Some(*p) && shared.peer(*p).is_some());
        if let Some(peer_id) = believed.filter(|p| living != Some(*p)) {
            // Of an earlier host, or ended meanwhile: the tab need not find out by itself that nobody hears it.
            who.door.tell(&ServerMessage::Closed {
                peer_id,
                reason: CloseReason::ResumeExpired,
            });
        }
        let role = shared.roster.with(|v| v.role(who.viewer));
        who.door.tell(&ServerMessage::Instance(shared.instance_message(role)));
        if let Some(peer_id) = living {
            who.door.tell(&ServerMessage::Resumed { peer_id });
        }
        if let Some(claim) = claim {
            shared.roster.claim(&who, claim);
        }
        // Who comes need not wait for the others to be told.
        shared.roster.tell_control(who.viewer);
        shared.viewers_changed();
        Ok(living)
    }
}

/// A viewer goes: it said so, or its socket was closed on purpose.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Leave(pub Speaker);

impl Handler<Leave> for InstanceActor {
    type Result = ();

    fn handle(&mut self, msg: Leave, _: &mut Self::Context) {
        self.shared.leave(&msg.0);
    }
}

/// A viewer wants to steer, or no longer, or somebody else to.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct Control {
    /// Who.
    pub who: Speaker,
    /// What.
    pub wish: ControlWish,
}

impl Handler<Control> for InstanceActor {
    type Result = Result<(), InstanceError>;

    fn handle(&mut self, msg: Control, _: &mut Self::Context) -> Self::Result {
        let shared = &self.shared;
        shared.roster.control(&msg.who, msg.wish)?;
        if let ControlWish::Grant(to) = msg.wish {
            // What a spectator was not told of.
            let role = shared.roster.with(|v| v.role(to));
            shared
                .roster
                .tell(to, &ServerMessage::Instance(shared.instance_message(role)));
        }
        shared.viewers_changed();
        Ok(())
    }
}

/// A viewer wants to see another window of the app.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct ActivateWindow {
    /// Who.
    pub who: Speaker,
    /// Which.
    pub window: u32,
}

impl Handler<ActivateWindow> for InstanceActor {
    type Result = Result<(), InstanceError>;

    fn handle(&mut self, msg: ActivateWindow, _: &mut Self::Context) -> Self::Result {
        self.shared.roster.steers(&msg.who)?;
        self.shared.source.activate_window(msg.window);
        Ok(())
    }
}

/// Ends the instance.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct End(pub EndReason);

impl Handler<End> for InstanceActor {
    type Result = ();

    fn handle(&mut self, msg: End, _: &mut Self::Context) {
        self.end(msg.0);
    }
}

/// Starts the app anew: after a failure, or because somebody wants it fresh.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<(), InstanceError>")]
pub struct RestartApp;

impl Handler<RestartApp> for InstanceActor {
    type Result = ResponseActFuture<Self, Result<(), InstanceError>>;

    fn handle(&mut self, _: RestartApp, _: &mut Self::Context) -> Self::Result {
        let ending = self.shared.facts.get().ending.is_some();
        if let Err(error) = self.doing.may_restart(ending) {
            return Box::pin(actix::fut::ready(Err(error)));
        }
        log::info!("instance={} restarted by hand", self.shared.spec.id);
        self.shared.event(InstanceEvent::Restarted, "by hand");
        Box::pin(self.begin_restart())
    }
}
