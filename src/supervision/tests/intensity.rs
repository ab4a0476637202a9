//! Restart intensity, and escalation.

use super::*;
use crate::supervision::ExitReason;

/// The root's exit after `failures` of its child within the period, if it exits.
fn after_failures(failures: u32) -> Option<ExitReason> {
    run(async move {
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(3, secs(60)));
        let mut t = troupe(2, spec, |_, spec| spec.backoff(Backoff::NONE));
        settle().await;
        for _ in 0..failures {
            assert!(t.puppets[0].end(failure()));
            settle().await;
        }
        tokio::time::timeout(secs(1), t.tree.exited()).await.ok()
    })
}

#[test]
fn max_restarts_within_the_period_are_survived_and_one_more_escalates() {
    assert_eq!(after_failures(3), None);
    assert_eq!(after_failures(4).unwrap().code(), "restart_intensity");
}

#[test]
fn restarts_further_apart_than_the_period_never_escalate() {
    run(async {
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(1, secs(10)));
        let t = troupe(1, spec, |_, spec| spec);
        settle().await;
        for generation in 1..20 {
            assert_eq!(t.puppets[0].generation(), Some(generation));
            t.puppets[0].end(failure());
            tokio::time::sleep(secs(11)).await;
        }
    });
}

#[test]
fn an_escalation_stops_the_siblings_in_reverse_order_after_its_hook() {
    run(async {
        let hook = Diary::default();
        let note = hook.clone();
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, secs(1)));
        let mut t = troupe(3, spec.on_escalation(move || note.note("escalates")), |_, spec| spec);
        settle().await;
        t.puppets[1].end(panicking());
        assert_eq!(t.tree.exited().await.code(), "restart_intensity");
        assert_eq!(
            (t.diary.take().as_str(), hook.take().as_str()),
            ("+a +b +c -b -c -a", "escalates")
        );
    });
}

#[test]
fn a_nested_supervisor_that_escalates_is_restarted_by_its_parent_with_fresh_children() {
    run(async {
        let diary = Diary::default();
        let puppet = Puppet::new("p", &diary);
        let inner = puppet.clone();
        let stage = ChildSpec::supervisor("stage", Restart::Transient, move || {
            let child = inner.spec(Restart::Permanent, Manners::Polite).backoff(Backoff::NONE);
            SupervisorSpec::new(Strategy::OneForOne, Intensity::new(1, secs(10))).child(child)
        });
        let tree = Tree::start(lenient(Strategy::OneForOne).child(stage));
        settle().await;
        for _ in 0..2 {
            puppet.end(failure());
            settle().await;
        }
        assert_eq!(
            puppet.generation(),
            Some(3),
            "generations go on over the supervisor's restart"
        );
        let stage = tree.view().snapshot().find("stage").unwrap().clone();
        assert_eq!(stage.generation, 2);
        assert_eq!(stage.last_exit.unwrap().reason.code(), "restart_intensity");
        let p = &stage.children[0];
        assert_eq!((p.generation, p.restarts.in_period, p.restarts.total), (3, 0, 1));
    });
}

#[test]
fn escalation_goes_up_as_far_as_it_must() {
    run(async {
        let puppet = Puppet::new("p", &Diary::default());
        let strict = || SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, secs(60)));
        let inner = puppet.clone();
        let stage = ChildSpec::supervisor("stage", Restart::Permanent, move || {
            strict().child(inner.spec(Restart::Permanent, Manners::Polite))
        });
        let mut tree = Tree::start(strict().child(stage));
        settle().await;
        puppet.end(failure());
        assert_eq!(tree.exited().await.code(), "restart_intensity");
    });
}

#[test]
fn the_loss_of_a_dependency_counts_against_nothing_but_is_never_retried_at_once() {
    run(async {
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, secs(600)));
        let t = troupe(1, spec, |_, spec| spec);
        settle().await;
        for generation in 1..8 {
            assert_eq!(t.puppets[0].generation(), Some(generation));
            t.puppets[0].end(ExitReason::dependency("display_lost"));
            settle().await;
            assert_eq!(t.puppets[0].generation(), None);
            tokio::time::sleep(secs(10)).await;
        }
        assert_eq!(t.child("a").restarts.in_period, 0);
    });
}
