//! What belongs to a child goes with it, and nothing of it is left when the next generation starts.

use super::*;
use crate::supervision::{ExitReason, Fault};

/// A tree whose only child is a supervisor over two stubborn puppets.
fn nested(diary: &Diary) -> (Tree, Puppet) {
    let [a, b] = ["a", "b"].map(|id| Puppet::new(id, diary));
    let inner = a.clone();
    let stage = ChildSpec::supervisor("stage", Restart::Permanent, move || {
        lenient(Strategy::OneForOne)
            .child(inner.spec(Restart::Permanent, Manners::Stubborn))
            .child(b.spec(Restart::Permanent, Manners::Stubborn))
    });
    (Tree::start(lenient(Strategy::OneForOne).child(stage)), a)
}

#[test]
fn a_supervisor_that_panics_or_is_killed_takes_its_children_along_before_its_successor_starts() {
    for (fault, code) in [(Fault::Panic, "panic"), (Fault::Kill, "killed")] {
        run(async {
            let diary = Diary::default();
            let (tree, puppet) = nested(&diary);
            settle().await;
            assert_eq!(diary.take(), "+a +b");
            tree.view().inject("stage", fault).unwrap();
            settle().await;
            let stage = tree.view().snapshot().find("stage").unwrap().clone();
            assert_eq!(stage.last_exit.unwrap().reason.code(), code);
            let notes = diary.take();
            assert!(notes == "-a -b +a +b" || notes == "-b -a +a +b", "{notes}");
            assert_eq!(puppet.generation(), Some(2));
            assert_eq!(stage.children[0].last_exit.as_ref().unwrap().reason, ExitReason::Killed);
        });
    }
}

#[test]
fn a_dropped_tree_takes_all_its_children_along() {
    run(async {
        let diary = Diary::default();
        let (tree, puppet) = nested(&diary);
        settle().await;
        diary.take();
        drop(tree);
        settle().await;
        let notes = diary.take();
        assert!(notes == "-a -b" || notes == "-b -a", "{notes}");
        assert_eq!(puppet.generation(), None);
    });
}

#[test]
fn a_panic_in_a_linked_task_is_the_exit_of_its_child() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        t.puppets[0].context().unwrap().link(async { panic!("in a task") });
        settle().await;
        assert_eq!(t.diary.take(), "+a -a +a");
        let message = "in a task".to_owned();
        assert_eq!(t.child("a").last_exit.unwrap().reason, ExitReason::Panic { message });
    });
}

#[test]
fn a_linked_task_that_completes_ends_nothing() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        t.puppets[0].context().unwrap().link(async {});
        settle().await;
        assert_eq!(t.puppets[0].generation(), Some(1));
    });
}

#[test]
fn a_linked_task_is_gone_before_the_next_generation_starts() {
    struct Note(Diary);
    impl Drop for Note {
        fn drop(&mut self) {
            self.0.note("task-gone");
        }
    }
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        let note = Note(t.diary.clone());
        t.puppets[0].context().unwrap().link(async move {
            let _note = note;
            std::future::pending::<()>().await;
        });
        settle().await;
        t.puppets[0].end(panicking());
        settle().await;
        assert_eq!(t.diary.take(), "+a -a task-gone +a");
    });
}
