//! A budget per child, which OTP lacks: past it, the child alone stays down.

use super::*;
use crate::supervision::{AutoShutdown, ChildState, ExitReason};

const TWICE: Intensity = Intensity::new(2, secs(60));

#[test]
fn past_its_budget_a_child_is_given_up_alone_and_the_hook_hears_why() {
    run(async {
        let heard = Diary::default();
        let strict = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, secs(60)));
        let t = troupe(2, strict, |i, spec| {
            let hear = heard.clone();
            let spec = spec.backoff(Backoff::NONE);
            if i == 0 {
                spec.budget(TWICE, move |reason| hear.note(reason.code()))
            } else {
                spec
            }
        });
        settle().await;
        for generation in 1..4 {
            assert_eq!(t.puppets[0].generation(), Some(generation));
            assert_eq!(heard.take(), "");
            t.puppets[0].end(failure());
            settle().await;
        }
        assert_eq!(heard.take(), "broken");
        assert_eq!((t.puppets[0].generation(), t.puppets[1].generation()), (None, Some(1)));
        assert_eq!(t.child("a").state, ChildState::GivenUp);
        assert_eq!(t.child("a").budget.unwrap().left, 0);

        t.root.restart_child("a", secs(1)).await.unwrap();
        for generation in 4..6 {
            assert_eq!(t.puppets[0].generation(), Some(generation), "a fresh budget");
            t.puppets[0].end(failure());
            settle().await;
        }
        assert_eq!(t.puppets[0].generation(), Some(6));
    });
}

#[test]
fn hooks_that_panic_harm_nobody() {
    run(async {
        let t = troupe(2, lenient(Strategy::OneForOne), |i, spec| {
            let spec = spec
                .on_end(|| panic!("a bad hook"))
                .on_restart(|_| panic!("a bad hook"));
            if i == 0 {
                spec.budget(Intensity::new(0, secs(1)), |_| panic!("a bad hook"))
            } else {
                spec
            }
        });
        settle().await;
        t.puppets[0].end(failure());
        t.puppets[1].end(failure());
        settle().await;
        assert_eq!(t.child("a").last_exit.unwrap().reason, failure());
        assert_eq!(t.child("a").state, ChildState::GivenUp);
        assert_eq!(t.puppets[1].generation(), Some(2));
        assert!(t.tree.shutdown(secs(5)).await);
    });
}

#[test]
fn the_loss_of_a_dependency_never_uses_a_budget_up() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| {
            spec.budget(Intensity::new(0, secs(600)), |_| ())
        });
        settle().await;
        for generation in 1..10 {
            assert_eq!(t.puppets[0].generation(), Some(generation));
            t.puppets[0].end(ExitReason::dependency("display_lost"));
            tokio::time::sleep(secs(11)).await;
        }
    });
}

#[test]
fn a_significant_child_that_is_given_up_ends_its_supervisor() {
    run(async {
        let spec = lenient(Strategy::OneForOne).auto_shutdown(AutoShutdown::AnySignificant);
        let mut t = troupe(1, spec, |_, spec| {
            spec.significant().budget(Intensity::new(0, secs(1)), |_| ())
        });
        settle().await;
        t.puppets[0].end(failure());
        assert_eq!(t.tree.exited().await, ExitReason::Shutdown);
    });
}

#[test]
fn a_given_up_child_does_not_come_back_with_its_group() {
    run(async {
        let t = troupe(2, lenient(Strategy::OneForAll), |i, spec| {
            if i == 1 {
                spec.budget(Intensity::new(0, secs(1)), |_| ())
            } else {
                spec
            }
        });
        settle().await;
        t.puppets[1].end(failure());
        settle().await;
        t.puppets[0].end(failure());
        settle().await;
        assert_eq!(t.diary.take(), "+a +b -b -a +a");
    });
}
