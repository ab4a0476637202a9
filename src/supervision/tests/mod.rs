//! The contract, one test a sentence. Time is paused: it jumps whenever everybody waits.

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix::{Actor, ActorContext, AsyncContext, Context, Handler, Message};
use tokio::time::{Instant, pause, sleep};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What happened, in order.
#[derive(Clone, Default)]
struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Notes when it is dropped, however its life ends.
struct Grave(Journal, String);

impl Drop for Grave {
    fn drop(&mut self) {
        self.0.note(format!("-{}", self.1));
    }
}

/// A worker that runs until it is told to stop.
fn steady(id: &str, journal: &Journal) -> ChildSpec {
    let (name, journal) = (id.to_owned(), journal.clone());
    ChildSpec::task(id, Restart::Permanent, move |cx| {
        let (name, journal) = (name.clone(), journal.clone());
        async move {
            journal.note(format!("+{name}"));
            let _grave = Grave(journal, name);
            cx.stopping().await;
            ExitReason::Shutdown
        }
    })
}

/// A worker that ends after a second in the way that is named.
fn ending(id: &str, restart: Restart, journal: &Journal, how: &'static str) -> ChildSpec {
    let (name, journal) = (id.to_owned(), journal.clone());
    ChildSpec::task(id, restart, move |_| {
        let (name, journal) = (name.clone(), journal.clone());
        async move {
            journal.note(format!("+{name}"));
            sleep(SECOND).await;
            match how {
                "normal" => ExitReason::Normal,
                "shutdown" => ExitReason::Shutdown,
                "error" => ExitReason::error("broken", "it broke"),
                "panic" => panic!("as the test wants"),
                _ => ExitReason::dependency("display_lost"),
            }
        }
    })
}

const MANY: Intensity = Intensity::new(1000, SECOND);

fn one_for_one() -> SupervisorSpec {
    SupervisorSpec::new(Strategy::OneForOne, MANY)
}

fn child<'a>(tree: &'a [ChildSnapshot], id: &str) -> &'a ChildSnapshot {
    tree.iter().find(|c| c.id == id).unwrap()
}

#[actix_rt::test]
async fn a_child_is_restarted_as_its_restart_type_says_for_every_way_to_end() {
    pause();
    for (restart, how, again) in [
        (Restart::Permanent, "normal", true),
        (Restart::Permanent, "shutdown", true),
        (Restart::Permanent, "error", true),
        (Restart::Permanent, "panic", true),
        (Restart::Permanent, "dependency", true),
        (Restart::Transient, "normal", false),
        (Restart::Transient, "shutdown", false),
        (Restart::Transient, "error", true),
        (Restart::Transient, "panic", true),
        (Restart::Transient, "dependency", true),
        (Restart::Temporary, "normal", false),
        (Restart::Temporary, "shutdown", false),
        (Restart::Temporary, "error", false),
        (Restart::Temporary, "panic", false),
        (Restart::Temporary, "dependency", false),
    ] {
        let journal = Journal::default();
        let tree = Tree::start(one_for_one().child(ending("a", restart, &journal, how)));
        sleep(Duration::from_millis(1500)).await;
        let starts = journal.take().len();
        assert_eq!(starts, if again { 2 } else { 1 }, "{restart:?} {how}");
        tree.shutdown(SECOND).await;
    }
}

#[actix_rt::test]
async fn each_strategy_restarts_those_it_names_in_order() {
    pause();
    for (strategy, expected) in [
        (Strategy::OneForOne, vec!["+b"]),
        (Strategy::RestForOne, vec!["-c", "+b", "+c"]),
        (Strategy::OneForAll, vec!["-c", "-a", "+a", "+b", "+c"]),
    ] {
        let journal = Journal::default();
        let spec = SupervisorSpec::new(strategy, MANY)
            .child(steady("a", &journal))
            .child(ending("b", Restart::Permanent, &journal, "error"))
            .child(steady("c", &journal));
        let tree = Tree::start(spec);
        sleep(SECOND / 2).await;
        assert_eq!(journal.take(), ["+a", "+b", "+c"]);
        sleep(SECOND).await;
        assert_eq!(journal.take(), expected, "{strategy:?}");
        assert!(tree.shutdown(SECOND).await);
    }
}

#[actix_rt::test]
async fn children_are_stopped_in_reverse_order() {
    pause();
    let journal = Journal::default();
    let spec = ["a", "b", "c"]
        .into_iter()
        .fold(one_for_one(), |spec, id| spec.child(steady(id, &journal)));
    let tree = Tree::start(spec);
    sleep(SECOND).await;
    journal.take();
    assert!(tree.shutdown(SECOND).await);
    assert_eq!(journal.take(), ["-c", "-b", "-a"]);
}

#[actix_rt::test]
async fn as_many_restarts_as_allowed_are_survived_and_one_more_escalates() {
    pause();
    let journal = Journal::default();
    let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(3, SECOND * 60))
        .child(steady("sibling", &journal))
        .child(ending("a", Restart::Permanent, &journal, "error"));
    let mut tree = Tree::start(spec);
    sleep(Duration::from_millis(3900)).await;
    assert_eq!(child(&tree.view().snapshot().children, "a").restarts.total, 3);
    let reason = tree.exited().await;
    assert!(matches!(reason, ExitReason::Error { code, .. } if code == "restart_intensity"));
    assert_eq!(journal.take().iter().filter(|e| *e == "-sibling").count(), 1);
}

#[actix_rt::test]
async fn lost_dependencies_are_charged_to_nobody() {
    pause();
    let journal = Journal::default();
    let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(1, SECOND * 600)).child(ending(
        "a",
        Restart::Permanent,
        &journal,
        "dependency",
    ));
    let tree = Tree::start(spec);
    sleep(SECOND * 60).await;
    assert!(child(&tree.view().snapshot().children, "a").restarts.total > 4);
    tree.shutdown(SECOND).await;
}

#[actix_rt::test]
async fn whoever_waits_for_a_child_is_told_when_it_is_started_again() {
    pause();
    let (journal, told) = (Journal::default(), Journal::default());
    let note = told.clone();
    let spec = one_for_one().child(
        ending("a", Restart::Permanent, &journal, "error")
            .backoff(Backoff {
                base: SECOND,
                max: SECOND,
                healthy_after: SECOND * 60,
            })
            .on_restart(move |delay| note.note(if delay.is_zero() { "at once" } else { "later" })),
    );
    let tree = Tree::start(spec);
    sleep(Duration::from_millis(2500)).await;
    assert_eq!(told.take(), ["at once", "later"]);
    tree.shutdown(SECOND).await;
}

#[actix_rt::test]
async fn a_child_past_its_own_budget_stays_down_until_it_is_restarted_by_hand() {
    pause();
    let journal = Journal::default();
    let (gave_up, control) = (journal.clone(), SupervisorRef::new());
    let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, SECOND))
        .reference(&control)
        .child(steady("sibling", &journal))
        .child(
            ending("a", Restart::Permanent, &journal, "error").budget(Intensity::new(2, SECOND * 60), move |reason| {
                gave_up.note(format!("gave up: {reason}"))
            }),
        );
    let tree = Tree::start(spec);
    sleep(SECOND * 30).await;
    assert_eq!(
        journal.take(),
        ["+sibling", "+a", "+a", "+a", "gave up: broken: it broke"]
    );
    assert!(matches!(
        child(&tree.view().snapshot().children, "a").state,
        ChildState::GivenUp
    ));
    control.restart_child("a", SECOND).await.unwrap();
    sleep(SECOND / 2).await;
    assert_eq!(journal.take(), ["+a"]);
    assert_eq!(
        control.restart_child("nobody", SECOND).await,
        Err(ControlError::NotFound)
    );
    tree.shutdown(SECOND).await;
}

#[actix_rt::test]
async fn a_child_that_ignores_its_shutdown_is_killed_at_its_timeout() {
    pause();
    let journal = Journal::default();
    let deaf = {
        let journal = journal.clone();
        ChildSpec::task("deaf", Restart::Permanent, move |_| {
            let journal = journal.clone();
            async move {
                let _grave = Grave(journal, "deaf".into());
                pending().await
            }
        })
    };
    let spec = one_for_one()
        .child(steady("a", &journal))
        .child(deaf.shutdown(Shutdown::Timeout(SECOND * 3)))
        .child(steady("c", &journal));
    let tree = Tree::start(spec);
    sleep(SECOND).await;
    journal.take();
    let begin = Instant::now();
    assert!(tree.shutdown(SECOND * 10).await);
    assert_eq!(begin.elapsed().as_secs(), 3);
    assert_eq!(journal.take(), ["-c", "-deaf", "-a"]);
}

#[actix_rt::test]
async fn an_aborted_supervisor_takes_its_children_along() {
    pause();
    let journal = Journal::default();
    let inner = {
        let journal = journal.clone();
        ChildSpec::supervisor("inner", Restart::Temporary, move || {
            one_for_one().child(steady("leaf", &journal))
        })
    };
    let tree = Tree::start(one_for_one().child(inner.shutdown(Shutdown::BrutalKill)));
    sleep(SECOND).await;
    assert!(tree.view().snapshot().find("inner/leaf").is_some());
    drop(tree);
    sleep(SECOND).await;
    assert_eq!(journal.take(), ["+leaf", "-leaf"]);
}

#[actix_rt::test]
async fn a_supervisor_that_fails_is_restarted_by_its_own_supervisor_with_fresh_children() {
    pause();
    let journal = Journal::default();
    let inner = {
        let journal = journal.clone();
        ChildSpec::supervisor("inner", Restart::Permanent, move || {
            SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, SECOND)).child(ending(
                "leaf",
                Restart::Permanent,
                &journal,
                "panic",
            ))
        })
    };
    let tree = Tree::start(one_for_one().child(inner));
    sleep(Duration::from_millis(1500)).await;
    assert_eq!(journal.take(), ["+leaf", "+leaf"]);
    assert_eq!(tree.view().snapshot().children[0].generation, 2);
    tree.shutdown(SECOND).await;
}

#[actix_rt::test]
async fn the_end_of_a_significant_child_ends_its_supervisor() {
    pause();
    let journal = Journal::default();
    let spec = one_for_one()
        .auto_shutdown(AutoShutdown::AnySignificant)
        .child(steady("a", &journal))
        .child(ending("b", Restart::Transient, &journal, "normal").significant());
    let mut tree = Tree::start(spec);
    assert_eq!(tree.exited().await, ExitReason::Shutdown);
    assert_eq!(journal.take(), ["+a", "+b", "-a"]);
}

#[actix_rt::test]
async fn a_dynamic_supervisor_refuses_more_children_than_it_may_have() {
    pause();
    let journal = Journal::default();
    let control = SupervisorRef::new();
    let tree = Tree::start(SupervisorSpec::dynamic(MANY, 2).reference(&control));
    control.start_child(steady("a", &journal), SECOND).await.unwrap();
    assert_eq!(
        control.start_child(steady("a", &journal), SECOND).await,
        Err(ControlError::AlreadyStarted)
    );
    control
        .start_child(ending("b", Restart::Temporary, &journal, "normal"), SECOND)
        .await
        .unwrap();
    assert_eq!(
        control.start_child(steady("c", &journal), SECOND).await,
        Err(ControlError::MaxChildren)
    );
    sleep(SECOND * 2).await;
    control.start_child(steady("c", &journal), SECOND).await.unwrap();
    control.stop_child("a", SECOND).await.unwrap();
    assert_eq!(tree.view().snapshot().children.len(), 1);
    tree.shutdown(SECOND).await;
}

#[actix_rt::test]
async fn a_thousand_dynamic_children_stop_together() {
    pause();
    let control = SupervisorRef::new();
    let tree = Tree::start(SupervisorSpec::dynamic(MANY, usize::MAX).reference(&control));
    for n in 0..1_000 {
        let slow = ChildSpec::task(n.to_string(), Restart::Temporary, |cx| async move {
            cx.stopping().await;
            sleep(SECOND).await;
            ExitReason::Shutdown
        });
        control.start_child(slow, SECOND).await.unwrap();
    }
    let begin = Instant::now();
    assert!(tree.shutdown(SECOND * 60).await);
    assert!(begin.elapsed() < SECOND * 2);
}

struct Echo(u64);

impl Actor for Echo {
    type Context = Context<Self>;
}

#[derive(Message)]
#[rtype(result = "u64")]
struct Who;

#[derive(Message)]
#[rtype(result = "()")]
struct Die;

impl Handler<Who> for Echo {
    type Result = u64;

    fn handle(&mut self, _: Who, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

impl Handler<Die> for Echo {
    type Result = ();

    fn handle(&mut self, _: Die, ctx: &mut Context<Self>) {
        ctx.run_later(SECOND, |_, ctx| ctx.stop());
        panic!("as the test wants");
    }
}

#[actix_rt::test]
async fn a_reference_follows_a_panicked_actor_to_its_next_generation() {
    pause();
    let reference = ChildRef::<Echo>::new();
    assert_eq!(reference.ask(Who, SECOND).await, Err(CallError::Down));
    let spec = ChildSpec::actor("echo", Restart::Permanent, reference.clone(), |cx| {
        Echo(cx.generation())
    });
    let tree = Tree::start(one_for_one().child(spec));
    assert!(reference.started_after(0, SECOND).await);
    assert_eq!(reference.ask(Who, SECOND).await, Ok(1));
    assert_eq!(reference.ask(Die, SECOND).await, Err(CallError::Ended));
    assert!(reference.started_after(1, SECOND).await);
    assert_eq!(reference.ask(Who, SECOND).await, Ok(2));
    let last = child(&tree.view().snapshot().children, "echo").last_exit.clone();
    assert_eq!(
        last.map(|l| l.reason),
        Some(ExitReason::Panic {
            message: "as the test wants".into()
        })
    );
    tree.shutdown(SECOND).await;
    assert_eq!(reference.tell(Who), Err(CallError::Down));
}
