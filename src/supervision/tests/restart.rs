//! Restart types × exits, for tasks and for actors.

use super::actors::{Doll, doll};
use super::*;
use crate::supervision::{ChildRef, ChildState, ExitReason, Fault};

/// The ways to end, each brought about for real.
const EXITS: [&str; 7] = [
    "normal",
    "shutdown",
    "error",
    "panic",
    "killed",
    "stalled",
    "dependency",
];

fn told(exit: &str) -> Option<ExitReason> {
    match exit {
        "normal" => Some(ExitReason::Normal),
        "shutdown" => Some(ExitReason::Shutdown),
        "error" => Some(failure()),
        "panic" => Some(panicking()),
        "dependency" => Some(ExitReason::dependency("display_lost")),
        _ => None,
    }
}

/// As the contract says it.
fn is_restarted(restart: Restart, exit: &str) -> bool {
    match restart {
        Restart::Permanent => true,
        Restart::Transient => !matches!(exit, "normal" | "shutdown"),
        Restart::Temporary => false,
    }
}

/// A tree of this child, watched where it is to stall: it makes no progress.
fn start(spec: ChildSpec, exit: &str) -> Tree {
    let spec = if exit == "stalled" {
        spec.stalled_after(secs(10))
    } else {
        spec
    };
    Tree::start(lenient(Strategy::OneForOne).child(spec))
}

/// Ends the only child, and checks what has become of it.
async fn check(tree: &Tree, restart: Restart, exit: &str, end: impl FnOnce(ExitReason)) {
    settle().await;
    match (told(exit), exit) {
        (Some(reason), _) => end(reason),
        (None, "killed") => tree.view().inject("a", Fault::Kill).unwrap(),
        (None, _) => tree.view().inject("a", Fault::Stall).unwrap(),
    }
    tokio::time::sleep(secs(12)).await;
    let seen = tree.view().snapshot().find("a").unwrap().clone();
    let last = seen.last_exit.map(|l| l.reason.to_string()).unwrap_or_default();
    let what = told(exit).map_or_else(|| exit.to_owned(), |r| r.to_string());
    assert_eq!(last, what, "{restart:?} {exit}");
    let (state, generation, total) = if is_restarted(restart, exit) {
        (ChildState::Running, 2, 1)
    } else {
        (ChildState::Ended, 1, 0)
    };
    assert_eq!(
        (seen.state, seen.generation, seen.restarts.total),
        (state, generation, total),
        "{restart:?} {exit}"
    );
}

#[test]
fn every_restart_type_is_kept_for_every_way_a_task_can_end() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for exit in EXITS {
            run(async {
                let puppet = Puppet::new("a", &Diary::default());
                let tree = start(puppet.spec(restart, Manners::Polite), exit);
                check(&tree, restart, exit, |reason| assert!(puppet.end(reason))).await;
            });
        }
    }
}

#[test]
fn every_restart_type_is_kept_for_every_way_an_actor_can_end() {
    for restart in [Restart::Permanent, Restart::Transient, Restart::Temporary] {
        for exit in EXITS {
            run(async {
                let reference = ChildRef::<Doll>::new();
                let tree = start(doll("a", restart, &reference), exit);
                let end = |reason| reference.tell(super::actors::Exit(reason)).unwrap();
                check(&tree, restart, exit, end).await;
            });
        }
    }
}

#[test]
fn a_child_that_cannot_even_be_made_is_restarted_like_any_other_until_the_supervisor_gives_up() {
    run(async {
        let make = |_| -> std::future::Ready<ExitReason> { panic!("cannot be made") };
        let child = ChildSpec::task("a", Restart::Transient, make);
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(3, secs(60))).child(child);
        let mut tree = Tree::start(spec);
        assert_eq!(tree.exited().await.code(), "restart_intensity");
        assert_eq!(tree.view().snapshot().find("a").unwrap().generation, 4);
    });
}
