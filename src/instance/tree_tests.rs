//! The whole tree of an instance, around a source that is no desktop.

use std::sync::atomic::Ordering;

use tokio::time::{Instant, sleep};

use super::*;
use crate::ids::SessionId;
use crate::instance::actor::{ActivateWindow, Join};
use crate::instance::fake::FakeSource;
use crate::instance::testing::{self, Running};
use crate::instance::{Catalogue, InstanceHandle, Manager, RoleNow};
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

/// A manager whose instances are children of a tree, which can be made to lose their supervisor.
struct House {
    manager: Manager,
    services: Arc<crate::instance::Services>,
    tree: Tree,
    _folder: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 10);
        let supervisor = SupervisorRef::new();
        let catalogue = Arc::new(Catalogue::new(Vec::new()));
        let manager = Manager::new(Arc::clone(&services), catalogue, supervisor.clone());
        let instances = ChildSpec::supervisor("instances", Restart::Permanent, move || {
            SupervisorSpec::dynamic(Intensity::new(0, PATIENCE), 1000).reference(&supervisor)
        });
        let mending = manager.clone();
        let mending = ChildSpec::task("mending", Restart::Permanent, move |cx| {
            let manager = mending.clone();
            async move {
                cx.unless_stopping(manager.mend()).await;
                crate::supervision::ExitReason::Shutdown
            }
        });
        let spec = SupervisorSpec::new(Strategy::OneForOne, Intensity::new(9, PATIENCE));
        Self {
            manager,
            services,
            tree: Tree::start(spec.child(instances).child(mending)),
            _folder: folder,
        }
    }

    /// One that runs, unless its scene is not to come.
    async fn instance(&self, comes: bool) -> (InstanceHandle, Arc<FakeSource>) {
        let (handle, source) = testing::handle_with_source(&self.services);
        if comes {
            source.comes();
        }
        self.manager.place(handle.clone());
        self.manager.start(&handle).await.unwrap();
        if comes {
            until(|| source.lives()).await;
        }
        (handle, source)
    }

    fn lose_all_trees(&self) {
        let kill = crate::supervision::Fault::Kill;
        self.tree.view().inject("root/instances", kill).unwrap();
    }
}

#[actix_rt::test]
async fn a_restart_goes_on_when_the_actor_that_is_about_it_is_lost() {
    let house = House::new();
    let (handle, source) = house.instance(true).await;
    source.ends_after_ms.store(300, Ordering::Relaxed);
    let restarting = {
        let handle = handle.clone();
        actix_rt::spawn(async move { handle.restart().await })
    };
    until(|| handle.shared.is_restarting() && !source.lives()).await;
    let actor = format!("root/instances/{}/actor", handle.spec().id);
    house.tree.view().inject_panic(&actor).unwrap();
    assert!(
        restarting.await.unwrap().is_err(),
        "who has asked is told that it is uncertain"
    );
    until(|| handle.report().status == InstanceStatus::Running).await;
    assert_eq!((count(&source.begun), handle.shared.is_restarting()), (2, false));
    // As one that nothing has befallen.
    handle.restart().await.unwrap();
    until(|| handle.report().status == InstanceStatus::Running && count(&source.begun) == 3).await;
}

async fn until(holds: impl Fn() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "in vain");
        sleep(Duration::from_millis(5)).await;
    }
}

#[actix_rt::test]
async fn a_hundred_that_have_lost_their_supervisor_are_mended_together() {
    let house = House::new();
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(house.instance(true).await);
    }
    let begun = Instant::now();
    house.lose_all_trees();
    until(|| all.iter().all(|(_, source)| count(&source.begun) == 2)).await;
    // One after the other, 20 s went by in pauses alone.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    assert_eq!(house.manager.capacity().used, 100);
    for (handle, source) in &all {
        assert!(source.lives() && handle.actor().started_after(0, PATIENCE).await);
        assert_eq!(count(&source.ended), 0);
    }
}

#[actix_rt::test]
async fn one_that_lives_does_not_wait_for_those_that_are_given_up() {
    let house = House::new();
    for _ in 0..40 {
        let (_, source) = house.instance(false).await;
        source.ends_after_ms.store(1000, Ordering::Relaxed);
    }
    let (_, lives) = house.instance(true).await;
    let begun = Instant::now();
    house.lose_all_trees();
    until(|| count(&lives.begun) == 2).await;
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    until(|| house.manager.capacity().used == 1).await;
}

#[actix_rt::test]
async fn a_launch_that_fails_after_its_row_was_made_leaves_no_row_that_seems_to_live() {
    use crate::config::AppEntry;
    use crate::instance::spec::LaunchRequest;
    use crate::store::{Machine, ServerRow};
    let folder = tempfile::tempdir().unwrap();
    let services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 10);
    let machine = Machine::probe(services.state.path());
    let server = ServerRow::of_this(services.server, &services.config.server, 1, machine, 0);
    services.store.register_server(server).await.unwrap();
    let (journal, store) = (Arc::clone(&services.journal), services.store.clone());
    let writer = actix_rt::spawn(async move { journal.write_to(store).await });
    let catalogue = Arc::new(Catalogue::new(vec![AppEntry::new("demo", "true")]));
    // Nobody runs its supervisor.
    let manager = Manager::new(Arc::clone(&services), catalogue, SupervisorRef::new());
    let request = LaunchRequest {
        app: "demo".into(),
        width: None,
        height: None,
        fps: None,
        region: None,
    };
    let error = manager.launch(&request, SessionId::new()).await.unwrap_err();
    assert_eq!(error.code(), "setup_failed");
    assert_eq!(manager.capacity().used, 0);
    assert!(services.journal.flush(PATIENCE).await);
    assert!(
        services
            .store
            .instances_not_ended(services.server)
            .await
            .unwrap()
            .is_empty()
    );
    writer.abort();
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

#[actix_rt::test]
async fn an_instance_whose_supervisor_comes_late_is_begun_all_the_same_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 10);
    let supervisor = SupervisorRef::new();
    let manager = Manager::new(
        Arc::clone(&services),
        Arc::new(Catalogue::new(Vec::new())),
        supervisor.clone(),
    );
    let (handle, source) = testing::handle_with_source(&services);
    source.comes();
    manager.place(handle.clone());
    tokio::time::pause();
    let (trying, tried) = (manager.clone(), handle.clone());
    let starting = actix_rt::spawn(async move { trying.starts(tried.spec().id, &tried).await });
    // Long enough that no answer to the first try is waited for any more.
    sleep(Duration::from_secs(45)).await;
    assert!(!starting.is_finished());
    let none = Intensity::new(0, PATIENCE);
    let instances = ChildSpec::supervisor("instances", Restart::Permanent, move || {
        SupervisorSpec::dynamic(none, 1000).reference(&supervisor)
    });
    let _tree = Tree::start(SupervisorSpec::new(Strategy::OneForOne, none).child(instances));
    assert!(starting.await.unwrap());
    tokio::time::resume();
    until(|| source.lives()).await;
    assert_eq!(count(&source.begun), 1);
    assert_eq!(manager.capacity().used, 1, "nobody has forgotten it");
}
