//! Requests to supervisors, from their owners and from an admin.

use super::*;
use crate::supervision::{ByHand, ChildState, ControlError, ExitReason};

/// What an admin hears of a restart that went well.
const RESTARTED: Result<ByHand, ControlError> = Ok(ByHand::Restarted);

#[test]
fn owners_stop_and_restart_children_with_those_that_hang_on_them() {
    run(async {
        let t = troupe(3, lenient(Strategy::RestForOne), |_, spec| spec);
        settle().await;
        assert_eq!(t.diary.take(), "+a +b +c");
        t.root.restart_child("b", secs(1)).await.unwrap();
        settle().await;
        assert_eq!(t.diary.take(), "-c -b +b +c");
        t.root.stop_child("b", secs(1)).await.unwrap();
        assert_eq!(t.diary.take(), "-b");
        assert_eq!(t.child("b").state, ChildState::Stopped);
        t.puppets[0].end(failure());
        settle().await;
        assert_eq!(t.diary.take(), "-a -c +a +c", "what was stopped on purpose stays down");
        t.root.restart_child("b", secs(1)).await.unwrap();
        settle().await;
        assert_eq!(t.diary.take(), "-c +b +c");
        assert_eq!(t.root.restart_child("x", secs(1)).await, Err(ControlError::NotFound));
        assert_eq!(t.root.stop_child("x", secs(1)).await, Err(ControlError::NotFound));
    });
}

#[test]
fn an_admin_restarts_a_child_by_its_path_and_its_budget_is_fresh() {
    run(async {
        let t = troupe(2, lenient(Strategy::OneForOne), |_, spec| {
            spec.budget(Intensity::new(1, secs(60)), |_| ())
        });
        settle().await;
        t.puppets[0].end(failure());
        settle().await;
        assert_eq!(t.child("a").budget.unwrap().left, 0);
        let view = t.tree.view();
        assert_eq!(view.restart_child("root/a", secs(1)).await, RESTARTED);
        assert_eq!(
            (t.puppets[0].generation(), t.child("a").budget.unwrap().left),
            (Some(3), 1)
        );
        assert_eq!(
            view.restart_child("a", secs(1)).await,
            RESTARTED,
            "without the root's id"
        );
        for _ in 0..2 {
            t.puppets[1].end(failure());
            settle().await;
        }
        assert_eq!(t.child("b").state, ChildState::GivenUp);
        assert_eq!(
            view.restart_child("b", secs(1)).await,
            RESTARTED,
            "what was given up, too"
        );
        assert_eq!(t.puppets[1].generation(), Some(3));
    });
}

#[test]
fn an_admin_is_told_why_a_child_cannot_be_restarted() {
    run(async {
        let diary = Diary::default();
        let puppets = ["gone", "spent", "back"].map(|id| Puppet::new(id, &diary));
        let restarts = [Restart::Transient, Restart::Temporary, Restart::Permanent];
        let root = SupervisorRef::new();
        let spec = puppets
            .iter()
            .zip(restarts)
            .fold(lenient(Strategy::OneForOne), |spec, (puppet, restart)| {
                spec.child(puppet.spec(restart, Manners::Polite).backoff(SLOW))
            });
        let tree = Tree::start(spec.reference(&root));
        let view = tree.view();
        let restart = |path: &'static str| view.restart_child(path, secs(1));
        settle().await;
        for unknown in ["nobody", "root/nobody", "gone/below", "", "/", "root/", "root//"] {
            assert_eq!(restart(unknown).await, Err(ControlError::NotFound), "{unknown}");
        }
        assert_eq!(restart("root").await, Err(ControlError::NotRestartable));
        puppets[0].end(ExitReason::Normal);
        puppets[1].end(failure());
        for _ in 0..2 {
            puppets[2].end(failure());
            settle().await;
        }
        assert_eq!(restart("gone").await, Err(ControlError::Finished));
        assert_eq!(restart("spent").await, Err(ControlError::Finished));
        assert_eq!(
            restart("back").await,
            Err(ControlError::AlreadyRestarting),
            "it waits for its back-off"
        );
        root.stop_child("back", secs(1)).await.unwrap();
        assert_eq!(restart("back").await, Err(ControlError::Finished), "stopped on purpose");
    });
}

#[test]
fn a_temporary_child_is_restarted_by_hand_from_the_same_spec_as_any_other() {
    for dynamic in [false, true] {
        run(async {
            let diary = Diary::default();
            let puppet = Puppet::new("short", &diary);
            let spec = if dynamic {
                SupervisorSpec::dynamic(GENEROUS, 9)
            } else {
                lenient(Strategy::OneForOne)
            };
            let tree = Tree::start(spec.child(puppet.spec(Restart::Temporary, Manners::Tidy(secs(1)))));
            let view = tree.view();
            settle().await;
            assert_eq!(view.restart_child("short", secs(9)).await, RESTARTED);
            settle().await;
            assert_eq!(
                (diary.take().as_str(), puppet.generation()),
                ("+short -short +short", Some(2))
            );
            puppet.end(failure());
            settle().await;
            assert_eq!(diary.take(), "-short", "nobody asked this time");
        });
    }
}

#[test]
fn a_child_that_lives_once_is_ended_by_hand_in_its_own_time_and_says_so() {
    for dynamic in [false, true] {
        run(async {
            let diary = Diary::default();
            let puppet = Puppet::new("once", &diary);
            let spec = if dynamic {
                SupervisorSpec::dynamic(GENEROUS, 9)
            } else {
                lenient(Strategy::OneForOne)
            };
            let child = puppet.spec(Restart::Temporary, Manners::Tidy(secs(3))).once();
            let tree = Tree::start(spec.child(child));
            let view = tree.view();
            settle().await;
            assert!(view.snapshot().find("once").unwrap().once);
            let restart = || view.restart_child("once", secs(9));
            let answers = futures::join!(restart(), restart());
            assert_eq!(answers, (Ok(ByHand::Ended), Err(ControlError::AlreadyRestarting)));
            assert_eq!(diary.take(), "+once -once");
            let gone = if dynamic {
                ControlError::NotFound
            } else {
                ControlError::Finished
            };
            assert_eq!(restart().await, Err(gone));
        });
    }
}

#[test]
fn a_restart_asked_for_twice_happens_once() {
    for dynamic in [false, true] {
        run(async {
            let diary = Diary::default();
            let slow = Puppet::new("slow", &diary);
            let spec = if dynamic {
                SupervisorSpec::dynamic(GENEROUS, 9)
            } else {
                lenient(Strategy::OneForOne)
            };
            let tree = Tree::start(spec.child(slow.spec(Restart::Permanent, Manners::Tidy(secs(3)))));
            let view = tree.view();
            settle().await;
            let restart = || view.restart_child("slow", secs(10));
            let later = async {
                tokio::time::sleep(secs(1)).await;
                restart().await
            };
            let answers = futures::join!(restart(), restart(), later);
            let refused = Err(ControlError::AlreadyRestarting);
            assert_eq!(answers, (RESTARTED, refused, refused));
            settle().await;
            assert_eq!(diary.take(), "+slow -slow +slow");
            assert_eq!(restart().await, RESTARTED, "and again when it is done");
        });
    }
}

#[test]
fn a_child_hears_that_its_restart_was_asked_for_before_it_is_stopped_and_of_no_request_that_is_refused() {
    run(async {
        let diary = Diary::default();
        let slow = Puppet::new("slow", &diary);
        let (heard, root) = (diary.clone(), SupervisorRef::new());
        let spec = slow
            .spec(Restart::Permanent, Manners::Tidy(secs(2)))
            .on_restart_asked(move || heard.note("asked"));
        let tree = Tree::start(lenient(Strategy::OneForOne).child(spec).reference(&root));
        let view = tree.view();
        settle().await;
        let (first, second) = futures::join!(view.restart_child("slow", secs(9)), view.restart_child("slow", secs(9)));
        assert_eq!((first, second), (RESTARTED, Err(ControlError::AlreadyRestarting)));
        assert_eq!(diary.take(), "+slow asked -slow +slow");
        // Of a restart that nobody has asked for there is nothing to be heard.
        slow.end(failure());
        settle().await;
        assert_eq!(diary.take(), "-slow +slow");
        root.restart_child("slow", secs(9)).await.unwrap();
        assert_eq!(diary.take(), "asked -slow +slow");
        root.stop_child("slow", secs(9)).await.unwrap();
        assert_eq!(view.restart_child("slow", secs(1)).await, Err(ControlError::Finished));
        assert_eq!(diary.take(), "-slow");
    });
}

#[test]
fn a_tree_that_ends_refuses_requests() {
    run(async {
        let diary = Diary::default();
        let slow = Puppet::new("slow", &diary);
        let root = SupervisorRef::new();
        let spec = lenient(Strategy::OneForOne).reference(&root);
        let tree = Tree::start(spec.child(slow.spec(Restart::Permanent, Manners::Tidy(secs(3)))));
        let view = tree.view();
        settle().await;
        let late = async {
            tokio::time::sleep(secs(1)).await;
            futures::join!(view.restart_child("slow", secs(9)), root.restart_child("slow", secs(9)))
        };
        let (_, answers) = futures::join!(tree.shutdown(secs(15)), late);
        assert_eq!(
            answers,
            (Err(ControlError::ShuttingDown), Err(ControlError::ShuttingDown))
        );
        assert_eq!(view.restart_child("slow", secs(1)).await, Err(ControlError::Finished));
        assert_eq!(diary.take(), "+slow -slow");
    });
}

#[test]
fn a_request_waits_for_a_supervisor_that_is_not_there_yet_but_not_longer_than_its_asker() {
    run(async {
        let (pool, diary) = (SupervisorRef::new(), Diary::default());
        let spec = |id| Puppet::new(id, &diary).spec(Restart::Temporary, Manners::Polite);
        assert_eq!(
            pool.start_child(spec("impatient"), secs(1)).await,
            Err(ControlError::Timeout)
        );
        let begin = async {
            tokio::time::sleep(secs(2)).await;
            Tree::start(SupervisorSpec::dynamic(GENEROUS, 9).reference(&pool))
        };
        let (started, _tree) = futures::join!(pool.start_child(spec("patient"), secs(9)), begin);
        settle().await;
        assert_eq!((started, diary.take().as_str()), (Ok(()), "+patient"));
    });
}

#[test]
fn more_requests_than_may_wait_are_refused() {
    run(async {
        let pool = SupervisorRef::new();
        let asks = (0..65).map(|_| pool.stop_child("x", secs(1)));
        let answers = futures::future::join_all(asks).await;
        let busy = answers.iter().filter(|a| **a == Err(ControlError::Busy)).count();
        assert_eq!(busy, 1);
    });
}
