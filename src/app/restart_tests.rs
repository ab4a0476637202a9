//! Restarts of the supervisor of all instances, by hand.

use std::sync::Arc;

use super::*;
use crate::ids::SessionId;
use crate::instance::Catalogue;
use crate::instance::testing::{self, Running};
use crate::peer::fake::FakeFactory;
use crate::source::Source;
use crate::supervision::{ControlError, Tree};

const PATIENCE: Duration = Duration::from_secs(30);
const INSTANCES: &str = "root/instances";

#[actix_rt::test]
async fn a_refused_restart_of_all_instances_leaves_them_as_they_were_and_one_that_happens_lets_them_go() {
    let folder = tempfile::tempdir().unwrap();
    let services = testing::services(folder.path(), &Arc::new(FakeFactory::default()), 10);
    let instances = SupervisorRef::new();
    let manager = Manager::new(
        Arc::clone(&services),
        Arc::new(Catalogue::new(Vec::new())),
        instances.clone(),
    );
    let running = Running::start(&manager, &services, SessionId::new()).await;
    running.source.comes();
    // Slow to stop, so that a second restart comes while the first is under way.
    let slow = ChildSpec::task("slow", Restart::Temporary, |cx| async move {
        cx.stopping().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        ExitReason::Shutdown
    });
    let tree = Tree::start(
        SupervisorSpec::new(Strategy::OneForOne, ROOT_INTENSITY).child(all_instances(&manager, instances.clone())),
    );
    instances.start_child(slow, PATIENCE).await.unwrap();
    let view = tree.view();

    let first = {
        let view = view.clone();
        actix_rt::spawn(async move { view.restart_child(INSTANCES, PATIENCE).await })
    };
    let begun = tokio::time::Instant::now();
    while !running.source.is_left() {
        assert!(begun.elapsed() < PATIENCE, "it is left to the supervisor that follows");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let meanwhile = Running::start(&manager, &services, SessionId::new()).await;
    assert_eq!(
        view.restart_child(INSTANCES, PATIENCE).await,
        Err(ControlError::AlreadyRestarting)
    );
    assert!(!meanwhile.source.is_left(), "nobody stops it, so it can be ended");
    assert!(first.await.unwrap().is_ok());
    assert!(tree.shutdown(PATIENCE).await);
    assert!(view.restart_child(INSTANCES, PATIENCE).await.is_err());
    assert!(!meanwhile.source.is_left());
}
