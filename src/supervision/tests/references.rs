//! References that follow restarts.

use actix::AsyncContext;

use super::actors::{Call, Doll, Exit, Ping, doll};
use super::*;
use crate::supervision::{CallError, ChildRef, Restart};

fn follow() -> (Tree, SupervisorRef, ChildRef<Doll>) {
    let (root, reference) = (SupervisorRef::new(), ChildRef::new());
    let spec = doll("a", Restart::Permanent, &reference).backoff(Backoff::NONE);
    let tree = Tree::start(lenient(Strategy::OneForOne).reference(&root).child(spec));
    (tree, root, reference)
}

#[test]
fn a_reference_follows_its_child_over_restarts() {
    run(async {
        let (_tree, _, a) = follow();
        assert_eq!(a.ask(Ping, secs(1)).await, Err(CallError::Down), "not started yet");
        for generation in 1..5 {
            assert!(a.started_after(generation - 1, secs(60)).await);
            assert_eq!(a.ask(Ping, secs(1)).await, Ok(generation));
            a.tell(Exit(if generation % 2 == 0 { failure() } else { panicking() }))
                .unwrap();
            settle().await;
        }
    });
}

#[test]
fn a_dead_generation_cannot_be_talked_to() {
    run(async {
        let (_tree, root, a) = follow();
        settle().await;
        a.tell_generation(1, Exit(failure())).unwrap();
        settle().await;
        assert_eq!(a.generation(), Some(2));
        assert_eq!(a.tell_generation(1, Exit(failure())), Err(CallError::Stale));
        settle().await;
        assert_eq!(a.generation(), Some(2), "what was meant for the first is dropped");
        root.stop_child("a", secs(1)).await.unwrap();
        assert_eq!(a.tell(Ping), Err(CallError::Down));
        assert_eq!(a.tell_generation(2, Ping), Err(CallError::Down));
        assert_eq!(a.ask(Ping, secs(1)).await, Err(CallError::Down));
        assert!(!a.started_after(2, secs(1)).await);
    });
}

#[test]
fn what_waits_in_the_mailbox_of_a_generation_dies_with_it() {
    run(async {
        let (_tree, _, a) = follow();
        settle().await;
        let diary = Diary::default();
        a.tell(Call::new(|_, ctx| {
            ctx.wait(actix::fut::wrap_future(std::future::pending()))
        }))
        .unwrap();
        let note = diary.clone();
        a.tell(Call::new(move |_, _| note.note("late"))).unwrap();
        let fail = async { _tree.view().restart_child("a", secs(5)).await.unwrap() };
        let (answer, _) = futures::join!(a.ask(Ping, secs(30)), fail);
        assert_eq!(answer, Err(CallError::Ended));
        tokio::time::sleep(secs(5)).await;
        assert_eq!((diary.take().as_str(), a.ask(Ping, secs(1)).await), ("", Ok(2)));
    });
}

#[test]
fn a_question_that_is_not_answered_ends_with_its_deadline() {
    run(async {
        let (_tree, _, a) = follow();
        settle().await;
        let wait = Call::new(|_, ctx| ctx.wait(actix::fut::wrap_future(tokio::time::sleep(secs(60)))));
        a.tell(wait).unwrap();
        assert_eq!(a.ask(Ping, secs(1)).await, Err(CallError::Timeout));
    });
}

#[test]
fn messages_come_in_their_order_and_wait_while_the_actor_does() {
    run(async {
        let (_tree, _, a) = follow();
        settle().await;
        let diary = Diary::default();
        for number in 0..5 {
            let note = diary.clone();
            a.tell(Call::new(move |_, ctx| {
                note.note(number.to_string());
                if number == 2 {
                    ctx.wait(actix::fut::wrap_future(tokio::time::sleep(secs(5))));
                }
            }))
            .unwrap();
        }
        settle().await;
        assert_eq!(diary.take(), "0 1 2");
        tokio::time::sleep(secs(5)).await;
        assert_eq!(diary.take(), "3 4");
    });
}

#[test]
fn more_messages_than_may_wait_are_refused() {
    run(async {
        let (_tree, _, a) = follow();
        settle().await;
        a.tell(Call::new(|_, ctx| {
            ctx.wait(actix::fut::wrap_future(tokio::time::sleep(secs(5))))
        }))
        .unwrap();
        settle().await;
        let refused = (0..1030).filter(|_| a.tell(Ping) == Err(CallError::Full)).count();
        assert_eq!(refused, 6);
        assert_eq!(a.ask(Ping, secs(1)).await, Err(CallError::Full));
        tokio::time::sleep(secs(5)).await;
        assert_eq!(a.ask(Ping, secs(1)).await, Ok(1), "it has caught up");
    });
}

#[test]
fn generations_never_come_twice_even_when_the_supervisor_is_new_and_the_old_end_comes_late() {
    run(async {
        let reference = ChildRef::new();
        let inner = reference.clone();
        let stage = ChildSpec::supervisor("stage", Restart::Permanent, move || {
            SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, secs(1))).child(doll(
                "a",
                Restart::Permanent,
                &inner,
            ))
        });
        let tree = Tree::start(lenient(Strategy::OneForOne).child(stage.backoff(Backoff::NONE)));
        settle().await;
        for generation in 1..6 {
            assert_eq!(reference.ask(Ping, secs(1)).await, Ok(generation));
            if generation % 2 == 0 {
                tree.view().inject_panic("stage").unwrap();
            } else {
                reference.tell(Exit(panicking())).unwrap();
            }
            settle().await;
        }
        // A child of the same reference that is made anew, elsewhere, goes on counting.
        drop(tree);
        settle().await;
        let _tree = Tree::start(lenient(Strategy::OneForOne).child(doll("b", Restart::Permanent, &reference)));
        settle().await;
        assert_eq!(reference.ask(Ping, secs(1)).await, Ok(7));
    });
}
