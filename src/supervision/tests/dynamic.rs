//! Dynamic supervisors.

use tokio::time::Instant;

use super::*;
use crate::supervision::{ControlError, ExitReason, Shutdown};

/// A tree with one dynamic supervisor.
fn pool(max: usize, intensity: Intensity) -> (Tree, SupervisorRef, Diary) {
    let pool = SupervisorRef::new();
    let inner = pool.clone();
    let child = ChildSpec::supervisor("pool", Restart::Permanent, move || {
        SupervisorSpec::dynamic(intensity, max).reference(&inner)
    });
    let tree = Tree::start(lenient(Strategy::OneForOne).child(child));
    (tree, pool, Diary::default())
}

fn polite(id: &'static str, diary: &Diary) -> (Puppet, ChildSpec) {
    let puppet = Puppet::new(id, diary);
    let spec = puppet.spec(Restart::Temporary, Manners::Polite);
    (puppet, spec)
}

#[test]
fn children_are_refused_beyond_the_maximum_and_welcome_again_when_one_has_ended() {
    run(async {
        let (tree, pool, diary) = pool(2, GENEROUS);
        let [a, b, c] = ["a", "b", "c"].map(|id| polite(id, &diary));
        pool.start_child(a.1, secs(1)).await.unwrap();
        let twin = polite("a", &diary).1;
        assert_eq!(pool.start_child(twin, secs(1)).await, Err(ControlError::AlreadyStarted));
        pool.start_child(b.1, secs(1)).await.unwrap();
        let full = pool.start_child(c.1.clone(), secs(1)).await;
        assert_eq!(full, Err(ControlError::MaxChildren));
        settle().await;
        b.0.end(failure());
        settle().await;
        pool.start_child(c.1, secs(1)).await.unwrap();
        settle().await;
        assert_eq!(diary.take(), "+a +b -b +c");
        let seen = tree.view().snapshot().find("pool").unwrap().clone();
        assert_eq!(
            seen.children.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(),
            ["a", "c"]
        );
    });
}

#[test]
fn a_stopped_child_is_gone_when_the_answer_comes_and_is_forgotten() {
    run(async {
        let (_tree, pool, diary) = pool(2, GENEROUS);
        pool.start_child(polite("a", &diary).1, secs(1)).await.unwrap();
        settle().await;
        pool.stop_child("a", secs(1)).await.unwrap();
        assert_eq!(diary.take(), "+a -a");
        assert_eq!(pool.stop_child("a", secs(1)).await, Err(ControlError::NotFound));
    });
}

#[test]
fn a_slow_stop_holds_up_nobody_else() {
    run(async {
        let (_tree, pool, diary) = pool(10, GENEROUS);
        let slow = Puppet::new("slow", &diary).spec(Restart::Temporary, Manners::Stubborn);
        pool.start_child(slow.shutdown(Shutdown::Timeout(secs(9))), secs(1))
            .await
            .unwrap();
        settle().await;
        let from = Instant::now();
        let others = async {
            settle().await;
            pool.start_child(polite("quick", &diary).1, secs(1)).await.unwrap();
            assert_eq!(from.elapsed().as_secs(), 0);
        };
        let (stopped, ()) = futures::join!(pool.stop_child("slow", secs(20)), others);
        assert_eq!((stopped, from.elapsed().as_secs()), (Ok(()), 9));
    });
}

#[test]
fn a_transient_child_is_restarted_and_too_many_restarts_escalate() {
    run(async {
        let (tree, pool, diary) = pool(10, Intensity::new(2, secs(60)));
        let a = Puppet::new("a", &diary);
        let spec = a.spec(Restart::Transient, Manners::Polite).backoff(Backoff::NONE);
        pool.start_child(spec, secs(1)).await.unwrap();
        settle().await;
        for generation in 1..4 {
            assert_eq!(a.generation(), Some(generation));
            a.end(failure());
            settle().await;
        }
        assert_eq!(a.generation(), None, "the new pool starts empty");
        let seen = tree.view().snapshot().find("pool").unwrap().clone();
        assert_eq!((seen.generation, seen.children.len()), (2, 0));
        assert_eq!(seen.last_exit.unwrap().reason.code(), "restart_intensity");
        pool.start_child(polite("b", &diary).1, secs(1)).await.unwrap();
    });
}

#[test]
fn a_restart_asked_for_replaces_the_child_and_a_stop_wins_over_it() {
    run(async {
        let (_tree, pool, diary) = pool(10, GENEROUS);
        let a = Puppet::new("a", &diary);
        let spec = a.spec(Restart::Temporary, Manners::Tidy(secs(1)));
        pool.start_child(spec, secs(1)).await.unwrap();
        settle().await;
        pool.restart_child("a", secs(5)).await.unwrap();
        settle().await;
        assert_eq!(a.generation(), Some(2));
        let both = futures::join!(pool.restart_child("a", secs(5)), pool.stop_child("a", secs(5)));
        assert_eq!(both, (Ok(()), Ok(())));
        assert_eq!(diary.take(), "+a -a +a -a");
        assert_eq!(pool.restart_child("a", secs(1)).await, Err(ControlError::NotFound));
    });
}

#[test]
fn children_may_be_supervisors_themselves() {
    run(async {
        let (tree, pool, diary) = pool(4, GENEROUS);
        let puppet = Puppet::new("render", &diary);
        let inner = puppet.clone();
        let instance = ChildSpec::supervisor("i1", Restart::Temporary, move || {
            lenient(Strategy::OneForOne).child(inner.spec(Restart::Permanent, Manners::Polite))
        });
        pool.start_child(instance, secs(1)).await.unwrap();
        settle().await;
        puppet.end(failure());
        settle().await;
        tree.view().restart_child("root/pool/i1/render", secs(1)).await.unwrap();
        settle().await;
        assert_eq!(puppet.generation(), Some(3));
        assert!(tree.shutdown(secs(5)).await);
        assert_eq!(diary.take(), "+render -render +render -render +render -render");
    });
}

#[test]
fn ten_thousand_children_stop_together() {
    run(async {
        let (tree, pool, _) = pool(10_000, GENEROUS);
        let wall = std::time::Instant::now();
        for i in 0..10_000 {
            // Each third takes a second, each third ignores the request.
            let child = ChildSpec::task(i.to_string(), Restart::Temporary, move |cx| async move {
                cx.stopping().await;
                match i % 3 {
                    0 => {}
                    1 => tokio::time::sleep(secs(1)).await,
                    _ => std::future::pending().await,
                }
                ExitReason::Shutdown
            });
            let child = child.shutdown(Shutdown::Timeout(secs(2)));
            pool.start_child(child, secs(1)).await.unwrap();
        }
        settle().await;
        assert_eq!(tree.view().snapshot().find("pool").unwrap().children.len(), 10_000);
        let (from, view) = (Instant::now(), tree.view());
        assert!(tree.shutdown(secs(15)).await);
        assert_eq!(from.elapsed().as_secs(), 2);
        assert!(view.snapshot().find("pool").unwrap().children.is_empty());
        // Quadratic work on so many would take minutes.
        assert!(wall.elapsed() < secs(60), "took {:?}", wall.elapsed());
    });
}

#[test]
fn a_supervisor_with_fixed_children_takes_no_more() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        let extra = polite("x", &t.diary).1;
        assert_eq!(
            t.root.start_child(extra, secs(1)).await,
            Err(ControlError::FixedChildren)
        );
    });
}
