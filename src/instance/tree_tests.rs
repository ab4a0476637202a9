//! The whole tree of an instance, around a source that is no desktop.

use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use super::*;
use crate::ids::SessionId;
use crate::instance::actor::{ActivateWindow, Join};
use crate::instance::testing::{self, Running};
use crate::instance::{Catalogue, Manager, RoleNow};
use crate::peer::fake::FakeFactory;
use crate::protocol::signalling::CloseReason;
use crate::protocol::words::{InstanceStatus, Role};
use crate::source::{EndReason, Source};
use crate::supervision::{ChildSpec, Intensity, Restart, Strategy, SupervisorRef, SupervisorSpec, Tree};

const PATIENCE: Duration = Duration::from_secs(30);

struct Scene {
    running: Running,
    _folder: tempfile::TempDir,
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 10);
        let catalogue = Arc::new(Catalogue::new(Vec::new()));
        let manager = Manager::new(Arc::clone(&services), catalogue, SupervisorRef::new());
        Self {
            running: Running::start(&manager, &services, SessionId::new()).await,
            _folder: folder,
        }
    }

    /// Waits until the instance has come to this.
    async fn is(&self, status: InstanceStatus) {
        let begun = Instant::now();
        while self.running.handle.report().status != status {
            assert!(begun.elapsed() < PATIENCE, "{:?}", self.running.handle.report());
            sleep(Duration::from_millis(5)).await;
        }
    }
}

fn count(of: &std::sync::atomic::AtomicUsize) -> usize {
    of.load(Ordering::Relaxed)
}

#[actix_rt::test]
async fn an_instance_runs_by_what_its_source_says_and_asks_that_for_picture_and_windows() {
    let scene = Scene::new().await;
    let (handle, source) = (&scene.running.handle, &scene.running.source);
    let report = handle.report();
    assert_eq!(report.status, InstanceStatus::Initializing);
    assert_eq!(report.reason.as_deref(), Some("scene_starting"));
    assert_eq!(handle.screenshot().await.unwrap_err().code(), "no_display");
    source.comes();
    scene.is(InstanceStatus::Running).await;
    assert_eq!(handle.screenshot().await.unwrap(), vec![7]);

    let (who, _socket) = testing::tab(handle.spec().owner);
    let role = RoleNow::always(Role::Owner);
    let join = Join {
        who: who.clone(),
        role,
        peer: None,
        claim: None,
    };
    handle.actor().ask(join, PATIENCE).await.unwrap().unwrap();
    let show = ActivateWindow { who, window: 9 };
    handle.actor().ask(show, PATIENCE).await.unwrap().unwrap();
    assert_eq!(*source.shown.lock().unwrap(), Some(9));
}

#[actix_rt::test]
async fn a_source_that_gives_up_fails_its_instance_in_its_own_words_and_a_restart_begins_it_afresh() {
    let scene = Scene::new().await;
    let (handle, source) = (&scene.running.handle, &scene.running.source);
    source.comes();
    scene.is(InstanceStatus::Running).await;
    source.breaks();
    scene.is(InstanceStatus::Failed).await;
    let report = handle.report();
    assert_eq!(report.reason.as_deref(), Some("scene_failed"));
    assert_eq!(report.message.as_deref(), Some("there is nothing to be seen"));
    assert_eq!(report.output, ["its last words"]);
    assert_eq!((count(&source.begun), count(&source.forgiven)), (1, 0));
    handle.restart().await.unwrap();
    scene.is(InstanceStatus::Running).await;
    assert_eq!((count(&source.begun), count(&source.forgiven)), (2, 1));
    assert!(count(&source.ended) > 0, "nothing of before is left");
}

#[actix_rt::test]
async fn an_instance_that_ends_ends_its_source_and_says_so_and_one_that_is_left_to_the_next_host_says_that() {
    let scene = Scene::new().await;
    let (handle, source) = (&scene.running.handle, &scene.running.source);
    source.comes();
    scene.is(InstanceStatus::Running).await;
    assert_eq!(handle.shared.close_reason(), CloseReason::Fault);
    handle.leave_processes();
    assert_eq!(handle.shared.close_reason(), CloseReason::HostShutdown);
    handle.end(EndReason::Requested);
    scene.is(InstanceStatus::Terminated).await;
    assert_eq!(handle.shared.close_reason(), CloseReason::InstanceEnded);
    assert_eq!(count(&source.ended), 1);
    assert!(!source.lives(), "its tree has stopped");
}

#[actix_rt::test]
async fn hundreds_that_wait_for_their_supervisor_are_all_started_by_it() {
    let folder = tempfile::tempdir().unwrap();
    let services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 10);
    let supervisor = SupervisorRef::new();
    let manager = Manager::new(
        Arc::clone(&services),
        Arc::new(Catalogue::new(Vec::new())),
        supervisor.clone(),
    );
    let starting: Vec<_> = (0..200)
        .map(|_| {
            let (manager, handle) = (manager.clone(), testing::handle(&services));
            manager.place(handle.clone());
            actix_rt::spawn(async move { manager.start(&handle).await })
        })
        .collect();
    tokio::task::yield_now().await;
    let none = Intensity::new(0, PATIENCE);
    let instances = ChildSpec::supervisor("instances", Restart::Permanent, move || {
        SupervisorSpec::dynamic(none, 1000).reference(&supervisor)
    });
    let tree = Tree::start(SupervisorSpec::new(Strategy::OneForOne, none).child(instances));
    for started in starting {
        started.await.unwrap().unwrap();
    }
    drop(tree);
}
