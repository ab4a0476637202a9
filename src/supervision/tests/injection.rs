//! Faults on demand.

use super::*;
use crate::supervision::{ControlError, ExitReason, Fault};

#[test]
fn an_injected_panic_is_a_panic_of_that_child_alone() {
    run(async {
        let t = troupe(2, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        t.tree.view().inject_panic("root/a").unwrap();
        settle().await;
        let message = "injected".to_owned();
        assert_eq!(t.child("a").last_exit.unwrap().reason, ExitReason::Panic { message });
        assert_eq!(
            (t.puppets[0].generation(), t.puppets[1].generation()),
            (Some(2), Some(1))
        );
    });
}

#[test]
fn only_what_lives_can_be_befallen() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        let view = t.tree.view();
        assert_eq!(view.inject_panic("x"), Err(ControlError::NotFound));
        t.root.stop_child("a", secs(1)).await.unwrap();
        assert_eq!(view.inject("a", Fault::Kill), Err(ControlError::Finished));
    });
}

#[test]
fn a_panic_of_the_root_takes_everything_down_and_says_so() {
    run(async {
        let mut t = troupe(2, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        t.tree.view().inject_panic("root").unwrap();
        assert_eq!(t.tree.exited().await.code(), "panic");
        settle().await;
        assert!(t.puppets.iter().all(|p| p.generation().is_none()));
    });
}
