//! Significant children and auto-shutdown.

use super::*;
use crate::supervision::{AutoShutdown, ControlError, ExitReason, SpecError};

/// What a tree has come to after these children of `a`, `b`, `c` ended normally; all but `a` are significant.
fn after_ends(auto_shutdown: AutoShutdown, ends: &'static [usize]) -> Option<ExitReason> {
    run(async move {
        let diary = Diary::default();
        let puppets = ["a", "b", "c"].map(|id| Puppet::new(id, &diary));
        let spec = lenient(Strategy::OneForOne).auto_shutdown(auto_shutdown);
        let spec = puppets.iter().fold(spec, |spec, puppet| {
            let child = puppet.spec(Restart::Transient, Manners::Polite);
            let matters = puppet.id != "a" && auto_shutdown != AutoShutdown::Never;
            spec.child(if matters { child.significant() } else { child })
        });
        let mut tree = Tree::start(spec);
        settle().await;
        for &i in ends {
            puppets[i].end(ExitReason::Normal);
            settle().await;
        }
        let ended = tokio::time::timeout(secs(1), tree.exited()).await.ok();
        if ended.is_some() {
            assert!(
                puppets.iter().all(|p| p.generation().is_none()),
                "all children are gone"
            );
        }
        ended
    })
}

#[test]
fn a_supervisor_ends_with_its_significant_children_as_auto_shutdown_says() {
    let ended = Some(ExitReason::Shutdown);
    assert_eq!(after_ends(AutoShutdown::Never, &[0, 1, 2]), None);
    assert_eq!(after_ends(AutoShutdown::AnySignificant, &[0]), None);
    assert_eq!(after_ends(AutoShutdown::AnySignificant, &[2]), ended);
    assert_eq!(after_ends(AutoShutdown::AllSignificant, &[0, 2]), None);
    assert_eq!(after_ends(AutoShutdown::AllSignificant, &[2, 1]), ended);
}

#[test]
fn a_dynamic_supervisor_ends_with_the_last_of_its_significant_children() {
    run(async {
        let (pool, diary) = (SupervisorRef::new(), Diary::default());
        let spec = SupervisorSpec::dynamic(GENEROUS, 9).auto_shutdown(AutoShutdown::AllSignificant);
        let mut tree = Tree::start(spec.reference(&pool));
        let puppets = ["a", "b"].map(|id| Puppet::new(id, &diary));
        for puppet in &puppets {
            let child = puppet.spec(Restart::Temporary, Manners::Polite).significant();
            pool.start_child(child, secs(1)).await.unwrap();
        }
        puppets[0].end(failure());
        assert!(tokio::time::timeout(secs(9), tree.exited()).await.is_err());
        puppets[1].end(failure());
        assert_eq!(tree.exited().await, ExitReason::Shutdown);
    });
}

#[test]
fn a_significant_child_that_is_restarted_or_stopped_by_request_ends_nobody() {
    run(async {
        let (root, puppet) = (SupervisorRef::new(), Puppet::new("a", &Diary::default()));
        let child = puppet.spec(Restart::Transient, Manners::Polite).significant();
        let spec = lenient(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant);
        let mut tree = Tree::start(spec.reference(&root).child(child));
        settle().await;
        puppet.end(failure());
        settle().await;
        root.restart_child("a", secs(1)).await.unwrap();
        assert_eq!(puppet.generation(), Some(3));
        root.stop_child("a", secs(1)).await.unwrap();
        assert!(tokio::time::timeout(secs(9), tree.exited()).await.is_err());
    });
}

#[test]
fn combinations_that_make_no_sense_are_refused_with_their_word() {
    run(async {
        let spec = |restart| Puppet::new("a", &Diary::default()).spec(restart, Manners::Polite);
        let any = || lenient(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant);
        let supervisor = ChildSpec::supervisor("s", Restart::Permanent, || lenient(Strategy::OneForOne));
        let nameless = ChildSpec::task("a/b", Restart::Permanent, |_| async { ExitReason::Normal });
        for (senseless, word) in [
            (
                any().child(spec(Restart::Permanent).significant()),
                "significant_permanent",
            ),
            (
                lenient(Strategy::OneForOne).child(spec(Restart::Transient).significant()),
                "significant_for_nothing",
            ),
            (
                any().child(spec(Restart::Transient)).child(spec(Restart::Transient)),
                "duplicate_child",
            ),
            (any().child(supervisor.stalled_after(secs(1))), "stall_of_supervisor"),
            (any().child(nameless), "bad_child_id"),
            (any().child(spec(Restart::Transient).once()), "once_again"),
        ] {
            assert_eq!(Tree::start(senseless).exited().await.code(), word);
        }
        let pool = SupervisorRef::new();
        let _tree = Tree::start(SupervisorSpec::dynamic(GENEROUS, 5).reference(&pool));
        let refused = pool.start_child(spec(Restart::Transient).significant(), secs(1)).await;
        assert_eq!(refused, Err(ControlError::Spec(SpecError::SignificantForNothing)));
    });
}
