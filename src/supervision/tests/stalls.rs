//! Stalls: alive, and doing nothing.

use actix::AsyncContext;

use super::actors::{Call, Ping, doll};
use super::*;
use crate::supervision::{ChildRef, ExitReason, Fault};

#[test]
fn a_task_that_marks_no_progress_is_aborted_as_stalled_and_restarted() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec.stalled_after(secs(2)));
        settle().await;
        for _ in 0..10 {
            t.puppets[0].context().unwrap().progress();
            tokio::time::sleep(secs(1)).await;
        }
        assert_eq!(t.puppets[0].generation(), Some(1));
        tokio::time::sleep(secs(2)).await;
        assert_eq!(t.puppets[0].generation(), Some(2));
        assert_eq!(t.child("a").last_exit.unwrap().reason, ExitReason::Stalled);
        assert_eq!(t.child("a").restarts.in_period, 1, "a stall is counted");
    });
}

#[test]
fn an_actor_that_beats_lives_until_it_waits_for_something_that_never_comes() {
    run(async {
        let reference = ChildRef::new();
        let spec = doll("a", Restart::Permanent, &reference).stalled_after(secs(5));
        let tree = Tree::start(lenient(Strategy::OneForOne).child(spec));
        settle().await;
        let beat = Call::new(|_, ctx| {
            ctx.run_interval(secs(1), |doll, _| doll.context.progress());
        });
        reference.tell(beat).unwrap();
        tokio::time::sleep(secs(60)).await;
        assert_eq!(reference.ask(Ping, secs(1)).await, Ok(1));
        let stuck = Call::new(|_, ctx| ctx.wait(actix::fut::wrap_future(std::future::pending())));
        reference.tell(stuck).unwrap();
        tokio::time::sleep(secs(7)).await;
        let seen = tree.view().snapshot().find("a").unwrap().clone();
        assert_eq!(seen.last_exit.unwrap().reason, ExitReason::Stalled);
        assert_eq!(reference.ask(Ping, secs(1)).await, Ok(2));
    });
}

#[test]
fn a_child_that_is_being_stopped_is_not_stalled() {
    run(async {
        let puppet = Puppet::new("a", &Diary::default());
        let root = SupervisorRef::new();
        let spec = puppet
            .spec(Restart::Permanent, Manners::Tidy(secs(4)))
            .stalled_after(secs(2));
        let tree = Tree::start(lenient(Strategy::OneForOne).reference(&root).child(spec));
        settle().await;
        root.stop_child("a", secs(9)).await.unwrap();
        let seen = tree.view().snapshot().find("a").unwrap().clone();
        assert_eq!(seen.last_exit.unwrap().reason, ExitReason::Shutdown);
    });
}

#[test]
fn a_stalled_child_without_a_limit_is_killed_when_it_is_stopped() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        t.tree.view().inject("a", Fault::Stall).unwrap();
        tokio::time::sleep(secs(3_600)).await;
        assert_eq!(t.puppets[0].generation(), Some(1), "nobody watches it");
        t.root.stop_child("a", secs(9)).await.unwrap();
        assert_eq!(t.child("a").last_exit.unwrap().reason, ExitReason::Killed);
    });
}

#[test]
fn time_during_which_the_whole_host_stood_still_is_nobodys_stall() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec.stalled_after(secs(5)));
        settle().await;
        // As after SIGSTOP and SIGCONT: the clock has gone on, and every timer is late.
        tokio::time::advance(secs(3_600)).await;
        settle().await;
        assert_eq!(t.puppets[0].generation(), Some(1));
        tokio::time::sleep(secs(6)).await;
        assert_eq!(t.puppets[0].generation(), Some(2), "but from then on it has to go on");
    });
}
