//! Shutdown: brutal kill, timeout, infinity; the order, and the one deadline for all.

use tokio::time::Instant;

use super::*;
use crate::supervision::{ChildState, ControlError, ExitReason, Shutdown, SpecError};

/// A tree of puppets with these manners and ways of shutdown, called a, b, ….
fn mannered<const N: usize>(of: [(Manners, Shutdown); N]) -> (Tree, Vec<Puppet>, Diary) {
    let diary = Diary::default();
    let puppets: Vec<Puppet> = ["a", "b", "c"]
        .into_iter()
        .take(N)
        .map(|id| Puppet::new(id, &diary))
        .collect();
    let spec = puppets
        .iter()
        .zip(of)
        .fold(lenient(Strategy::OneForOne), |spec, (puppet, (manners, shutdown))| {
            spec.child(puppet.spec(Restart::Permanent, manners).shutdown(shutdown))
        });
    (Tree::start(spec), puppets, diary)
}

const POLITE: (Manners, Shutdown) = (Manners::Polite, Shutdown::Timeout(secs(5)));

#[test]
fn children_start_in_order_and_stop_in_reverse_order() {
    run(async {
        let (tree, _, diary) = mannered([POLITE, POLITE, POLITE]);
        settle().await;
        assert_eq!(diary.take(), "+a +b +c");
        assert!(tree.shutdown(secs(15)).await);
        assert_eq!(diary.take(), "-c -b -a");
    });
}

#[test]
fn a_child_that_ignores_shutdown_is_killed_at_its_timeout_while_siblings_stop_in_order() {
    run(async {
        let (tree, _, diary) = mannered([
            POLITE,
            (Manners::Stubborn, Shutdown::Timeout(secs(3))),
            (Manners::Tidy(secs(1)), Shutdown::Timeout(secs(2))),
        ]);
        settle().await;
        diary.take();
        let (from, view) = (Instant::now(), tree.view());
        let notes = async {
            tokio::time::sleep(secs(2)).await;
            assert_eq!(view.snapshot().find("b").unwrap().state, ChildState::Stopping);
            diary.take()
        };
        let (in_time, after_two) = futures::join!(tree.shutdown(secs(15)), notes);
        assert!(in_time);
        assert_eq!((after_two.as_str(), diary.take().as_str()), ("-c", "-b -a"));
        assert_eq!(from.elapsed().as_secs(), 4);
        assert_eq!(
            view.snapshot().find("b").unwrap().last_exit.as_ref().unwrap().reason,
            ExitReason::Killed
        );
    });
}

#[test]
fn a_brutally_killed_child_is_not_asked() {
    run(async {
        let (tree, _, diary) = mannered([(Manners::Tidy(secs(60)), Shutdown::BrutalKill)]);
        settle().await;
        let from = Instant::now();
        assert!(tree.shutdown(secs(15)).await);
        assert_eq!((from.elapsed().as_secs(), diary.take().as_str()), (0, "+a -a"));
    });
}

#[test]
fn one_deadline_holds_for_the_whole_tree() {
    run(async {
        let (diary, mut tree) = (Diary::default(), Vec::new());
        let stage = |name: &'static str| {
            let puppet = Puppet::new(name, &diary);
            let inner = move || {
                let stubborn = puppet.spec(Restart::Permanent, Manners::Stubborn);
                lenient(Strategy::OneForOne).child(stubborn.shutdown(Shutdown::Timeout(secs(500))))
            };
            ChildSpec::supervisor(format!("stage of {name}"), Restart::Permanent, inner)
        };
        let polite = Puppet::new("polite", &diary).spec(Restart::Permanent, Manners::Polite);
        let spec = lenient(Strategy::OneForOne)
            .child(polite)
            .child(stage("a"))
            .child(stage("b"));
        tree.push(Tree::start(spec));
        settle().await;
        let from = Instant::now();
        // The last is killed at the deadline of the whole, and whoever is left then, polite or not, is cut off with it.
        tree.pop().unwrap().shutdown(secs(15)).await;
        assert_eq!(from.elapsed().as_secs(), 15);
        let diary = diary.take();
        let (began, ended) = diary.split_at("+polite +a +b ".len());
        let mut ended: Vec<&str> = ended.split(' ').collect();
        ended.sort_unstable();
        assert_eq!((began, ended), ("+polite +a +b ", vec!["-a", "-b", "-polite"]));
    });
}

#[test]
fn infinity_is_for_supervisors_only() {
    run(async {
        let puppet = Puppet::new("a", &Diary::default());
        let spec = || {
            puppet
                .spec(Restart::Permanent, Manners::Polite)
                .shutdown(Shutdown::Infinity)
        };
        let mut tree = Tree::start(lenient(Strategy::OneForOne).child(spec()));
        assert_eq!(tree.exited().await.code(), "infinity_for_worker");
        let pool = SupervisorRef::new();
        let _tree = Tree::start(SupervisorSpec::dynamic(GENEROUS, 5).reference(&pool));
        let refused = pool.start_child(spec(), secs(1)).await;
        assert_eq!(refused, Err(ControlError::Spec(SpecError::InfinityForWorker)));
        assert_eq!(puppet.generation(), None);
    });
}

#[test]
fn a_supervisor_with_infinity_is_waited_for_as_long_as_its_children_take() {
    run(async {
        let diary = Diary::default();
        let slow = Puppet::new("slow", &diary);
        let root = SupervisorRef::new();
        let inner = slow.clone();
        let stage = ChildSpec::supervisor("stage", Restart::Permanent, move || {
            let tidy = inner.spec(Restart::Permanent, Manners::Tidy(secs(300)));
            lenient(Strategy::OneForOne).child(tidy.shutdown(Shutdown::Timeout(secs(400))))
        });
        let _tree = Tree::start(lenient(Strategy::OneForOne).reference(&root).child(stage));
        settle().await;
        let from = Instant::now();
        root.stop_child("stage", secs(1_000)).await.unwrap();
        assert_eq!((from.elapsed().as_secs(), diary.take().as_str()), (300, "+slow -slow"));
    });
}

#[test]
fn a_child_knows_how_long_it_has_to_clean_up() {
    run(async {
        let (tree, puppets, _) = mannered([(Manners::Stubborn, Shutdown::Timeout(secs(3)))]);
        settle().await;
        let context = puppets[0].context().unwrap();
        assert_eq!(context.stop_deadline(), None);
        let look = async {
            context.stopping().await;
            context.stop_deadline().unwrap() - Instant::now()
        };
        let (_, left) = futures::join!(tree.shutdown(secs(15)), look);
        assert_eq!(left, secs(3));
    });
}

#[test]
fn a_deadline_that_comes_closer_twice_reaches_all_that_is_below() {
    for dynamic in [false, true] {
        run(async {
            let puppet = Puppet::new("a", &Diary::default());
            let (root, child) = (SupervisorRef::new(), puppet.clone());
            let inner = move || {
                let child = child.spec(Restart::Temporary, Manners::Stubborn);
                let child = child.shutdown(Shutdown::Timeout(secs(50)));
                if dynamic {
                    SupervisorSpec::dynamic(GENEROUS, 9).child(child)
                } else {
                    lenient(Strategy::OneForOne).child(child)
                }
            };
            let outer = ChildSpec::supervisor("outer", Restart::Permanent, move || {
                let inner = ChildSpec::supervisor("inner", Restart::Permanent, inner.clone());
                lenient(Strategy::OneForOne).child(inner)
            });
            let spec = lenient(Strategy::OneForOne).child(outer.shutdown(Shutdown::Timeout(secs(40))));
            let tree = Tree::start(spec.reference(&root));
            settle().await;
            let context = puppet.context().unwrap();
            let left = || context.stop_deadline().unwrap() - Instant::now();
            let look = async {
                settle().await;
                assert_eq!(left().as_secs(), 39);
                let closer = async {
                    settle().await;
                    assert_eq!(left().as_secs(), 4);
                };
                futures::join!(tree.shutdown(secs(5)), closer)
            };
            let from = Instant::now();
            let _ = futures::join!(root.stop_child("outer", secs(60)), look);
            assert_eq!(from.elapsed().as_secs(), 5);
        });
    }
}

#[test]
fn a_shutdown_does_not_wait_for_a_restart_that_is_due_later() {
    run(async {
        let t = troupe(2, lenient(Strategy::OneForOne), |_, spec| spec.backoff(SLOW));
        settle().await;
        for _ in 0..2 {
            t.puppets[0].end(failure());
            settle().await;
        }
        let from = Instant::now();
        assert!(t.tree.shutdown(secs(15)).await);
        assert_eq!(from.elapsed().as_secs(), 0);
        assert_eq!(t.diary.take(), "+a +b -a +a -a -b");
    });
}

#[test]
fn a_shutdown_does_not_wait_for_a_restart_that_is_stopping_a_stubborn_sibling() {
    run(async {
        let diary = Diary::default();
        let [a, b] = ["a", "b"].map(|id| Puppet::new(id, &diary));
        let stubborn = b
            .spec(Restart::Permanent, Manners::Stubborn)
            .shutdown(Shutdown::Timeout(secs(50)));
        let spec = lenient(Strategy::RestForOne).child(a.spec(Restart::Permanent, Manners::Polite));
        let tree = Tree::start(spec.child(stubborn));
        settle().await;
        a.end(failure());
        settle().await;
        let from = Instant::now();
        tree.shutdown(secs(2)).await;
        assert_eq!((from.elapsed().as_secs(), diary.take().as_str()), (2, "+a +b -a -b"));
    });
}
