//! Each strategy × position of the failing child.

use super::*;

/// The diary after the failure of each of three children, in turn.
fn diaries(strategy: Strategy) -> [String; 3] {
    [0, 1, 2].map(|failing| {
        run(async move {
            let t = troupe(3, lenient(strategy), |_, spec| spec);
            settle().await;
            assert_eq!(t.diary.take(), "+a +b +c");
            assert!(t.puppets[failing].end(failure()));
            tokio::time::sleep(secs(1)).await;
            t.diary.take()
        })
    })
}

#[test]
fn one_for_one_restarts_only_the_failed_child() {
    assert_eq!(diaries(Strategy::OneForOne), ["-a +a", "-b +b", "-c +c"]);
}

#[test]
fn rest_for_one_restarts_the_later_children_too_stopped_in_reverse_order() {
    assert_eq!(
        diaries(Strategy::RestForOne),
        ["-a -c -b +a +b +c", "-b -c +b +c", "-c +c"]
    );
}

#[test]
fn one_for_all_restarts_all_children_stopped_in_reverse_order() {
    assert_eq!(
        diaries(Strategy::OneForAll),
        ["-a -c -b +a +b +c", "-b -c -a +a +b +c", "-c -b -a +a +b +c"]
    );
}

#[test]
fn a_temporary_sibling_goes_down_with_its_group_and_stays_down() {
    run(async {
        let diary = Diary::default();
        let [a, b] = ["a", "b"].map(|id| Puppet::new(id, &diary));
        let spec = lenient(Strategy::OneForAll).child(a.spec(Restart::Permanent, Manners::Polite));
        let tree = Tree::start(spec.child(b.spec(Restart::Temporary, Manners::Polite)));
        settle().await;
        a.end(failure());
        tokio::time::sleep(secs(60)).await;
        assert_eq!(diary.take(), "+a +b -a -b +a");
        drop(tree);
    });
}

#[test]
fn a_group_waits_out_the_back_off_of_the_child_that_failed() {
    run(async {
        let t = troupe(2, lenient(Strategy::RestForOne), |_, spec| spec.backoff(SLOW));
        settle().await;
        for _ in 0..2 {
            t.puppets[0].end(failure());
            settle().await;
        }
        assert_eq!(t.diary.take(), "+a +b -a -b +a +b -a -b");
        assert_eq!(t.child("b").state, crate::supervision::ChildState::Restarting);
        tokio::time::sleep(secs(7)).await;
        assert_eq!(t.diary.take(), "");
        tokio::time::sleep(secs(4)).await;
        assert_eq!(t.diary.take(), "+a +b");
    });
}

#[test]
fn a_child_restarted_by_request_still_waits_for_the_earlier_ones_it_depends_on() {
    run(async {
        let t = troupe(2, lenient(Strategy::RestForOne), |_, spec| spec.backoff(SLOW));
        settle().await;
        for _ in 0..2 {
            t.puppets[0].end(failure());
            settle().await;
        }
        t.diary.take();
        t.root.restart_child("b", secs(1)).await.unwrap();
        settle().await;
        assert_eq!(t.diary.take(), "");
        tokio::time::sleep(secs(11)).await;
        assert_eq!(t.diary.take(), "+a +b");
    });
}

#[test]
fn children_start_in_order_each_with_all_that_is_below_it_before_the_next() {
    run(async {
        let diary = Diary::default();
        let [a, b, c] = ["a", "b", "c"].map(|id| Puppet::new(id, &diary));
        let (inner_a, inner_b) = (a.clone(), b.clone());
        let inner = ChildSpec::supervisor("inner", Restart::Permanent, move || {
            lenient(Strategy::OneForOne)
                .child(inner_a.spec(Restart::Permanent, Manners::Polite))
                .child(inner_b.spec(Restart::Permanent, Manners::Polite))
        });
        let spec = lenient(Strategy::OneForOne).child(inner);
        let tree = Tree::start(spec.child(c.spec(Restart::Permanent, Manners::Polite)));
        settle().await;
        assert_eq!(diary.take(), "+a +b +c");
        assert!(tree.shutdown(secs(5)).await);
        assert_eq!(diary.take(), "-c -b -a");
    });
}
