//! A tree like the one the kernel was made for: what runs on a display, and the display itself.

use super::*;
use crate::supervision::{AutoShutdown, ChildState, ExitReason};

const STRICT: Intensity = Intensity::new(1, secs(60));

/// The puppets of one instance, from which its whole tree is specified.
#[derive(Clone)]
struct Instance {
    stage: SupervisorRef,
    display: Puppet,
    render: Puppet,
    input: Puppet,
    status: Puppet,
    diary: Diary,
}

impl Instance {
    fn new() -> Self {
        let diary = Diary::default();
        let [display, render, input, status] =
            ["display", "render", "input", "status"].map(|id| Puppet::new(id, &diary));
        Self {
            stage: SupervisorRef::new(),
            display,
            render,
            input,
            status,
            diary,
        }
    }

    fn stage(&self) -> SupervisorSpec {
        let notes = self.diary.clone();
        let render = self.render.spec(Restart::Transient, Manners::Polite);
        SupervisorSpec::new(Strategy::OneForOne, STRICT)
            .reference(&self.stage)
            .child(render.budget(STRICT, move |reason| notes.note(format!("failed:{}", reason.code()))))
            .child(self.input.spec(Restart::Permanent, Manners::Polite))
    }

    fn spec(&self) -> ChildSpec {
        let it = self.clone();
        ChildSpec::supervisor("one", Restart::Temporary, move || {
            let inner = it.clone();
            let desktop = ChildSpec::supervisor("desktop", Restart::Transient, move || {
                let stage = inner.clone();
                SupervisorSpec::new(Strategy::RestForOne, STRICT)
                    .child(inner.display.spec(Restart::Permanent, Manners::Polite))
                    .child(ChildSpec::supervisor("stage", Restart::Permanent, move || {
                        stage.stage()
                    }))
            });
            SupervisorSpec::new(Strategy::OneForOne, STRICT)
                .auto_shutdown(AutoShutdown::AnySignificant)
                .child(desktop)
                .child(it.status.spec(Restart::Transient, Manners::Polite).significant())
        })
    }
}

async fn launched() -> (Tree, Instance) {
    let instances = SupervisorRef::new();
    let pool = instances.clone();
    let dynamic = ChildSpec::supervisor("instances", Restart::Permanent, move || {
        SupervisorSpec::dynamic(STRICT, 2).reference(&pool)
    });
    let tree = Tree::start(SupervisorSpec::new(Strategy::OneForOne, STRICT).child(dynamic));
    let instance = Instance::new();
    instances.start_child(instance.spec(), secs(1)).await.unwrap();
    settle().await;
    assert_eq!(instance.diary.take(), "+display +render +input +status");
    (tree, instance)
}

#[test]
fn when_the_display_dies_all_that_lost_it_comes_back_with_it_and_nothing_is_counted_against_it() {
    run(async {
        let (tree, one) = launched().await;
        let lost = || ExitReason::dependency("display_lost");
        // Its clients notice first, as they do when a socket closes before the process is reaped.
        one.render.end(lost());
        one.input.end(lost());
        settle().await;
        one.display.end(failure());
        settle().await;
        assert_eq!(one.diary.take(), "-render -input -display +display +render +input");
        let stage = tree
            .view()
            .snapshot()
            .find("instances/one/desktop/stage")
            .unwrap()
            .clone();
        let unharmed = |c: &ChildSnapshot| c.restarts.in_period == 0 && c.state == ChildState::Running;
        assert!(stage.children.iter().all(unharmed));
        assert_eq!(one.status.generation(), Some(1), "who watches keeps watching");
    });
}

#[test]
fn a_crash_loop_of_the_app_fails_it_alone_and_a_request_starts_it_again() {
    run(async {
        let (tree, one) = launched().await;
        for _ in 0..2 {
            one.render.end(failure());
            settle().await;
        }
        assert_eq!(one.diary.take(), "-render +render -render failed:broken");
        let path = "instances/one/desktop/stage/render";
        assert_eq!(tree.view().snapshot().find(path).unwrap().state, ChildState::GivenUp);
        one.stage.restart_child("render", secs(1)).await.unwrap();
        settle().await;
        assert_eq!(one.render.generation(), Some(3));
        let others = [&one.input, &one.status, &one.display].map(Puppet::generation);
        assert_eq!(others, [Some(1); 3]);
    });
}

#[test]
fn an_instance_ends_with_its_status_actor_and_leaves_its_place_free() {
    run(async {
        let (tree, one) = launched().await;
        one.status.end(ExitReason::Normal);
        settle().await;
        assert_eq!(one.diary.take(), "-status -input -render -display");
        let instances = tree.view().snapshot().find("instances").unwrap().clone();
        assert!(instances.children.is_empty());
        assert_eq!(instances.state, ChildState::Running);
    });
}
