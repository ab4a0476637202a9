//! Stopping a role: whatever belongs to it ends.

use heliostat::protocol::keeper::Exit;
use std::time::{Duration, Instant};

use super::support::{GRACE, Place, command, exit_of, lives, pid_in, role, shell, until};

#[tokio::test]
async fn stopping_a_role_ends_daemons_that_left_group_session_and_environment() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let app = role("app");
    let (a, b, c) = (place.file("a"), place.file("b"), place.file("c"));
    // a: another session, orphaned; b: still a descendant, without the marks; c: orphaned in the session, unmarked.
    let script = format!(
        "(setsid sh -c 'echo $$ > {a}; exec sleep 1000' &) ; env -i setsid sh -c 'echo $$ > {b}; exec sleep 1000' & \
         (env -i sh -c 'echo $$ > {c}; exec sleep 1000' &) ; exec sleep 1000",
        a = a.display(),
        b = b.display(),
        c = c.display(),
    );
    let other = keeper
        .ensure(&role("other"), command(&["sleep", "1000"]), GRACE)
        .await
        .unwrap();
    let started = keeper.ensure(&app, shell(&script), GRACE).await.unwrap();
    until("daemons", || [&a, &b, &c].iter().all(|path| pid_in(path).is_some())).await;
    let pids = [&a, &b, &c].map(|path| pid_in(path).unwrap());
    assert!(pids.iter().all(|&pid| lives(pid)));
    keeper.stop(&app, GRACE).await.unwrap();
    assert!(!pids.iter().any(|&pid| lives(pid)) && !lives(started.pid));
    assert!(lives(other.pid), "another role is not touched");
    keeper.end(GRACE).await.unwrap();
    assert!(!lives(other.pid));
}

#[tokio::test]
async fn what_outlives_its_main_process_is_stopped_too() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let left = place.file("left");
    let script = format!("setsid sh -c 'echo $$ > {}; exec sleep 1000' & exit 0", left.display());
    keeper.ensure(&app, shell(&script), GRACE).await.unwrap();
    assert_eq!(exit_of(&mut events, &app).await.1, Exit::Code(0));
    until("daemon", || pid_in(&left).is_some()).await;
    let pid = pid_in(&left).unwrap();
    assert!(lives(pid), "an exit of the main process alone ends nobody");
    keeper.stop(&app, GRACE).await.unwrap();
    assert!(!lives(pid));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn who_ignores_term_is_killed_after_the_grace_and_others_are_served_meanwhile() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let stubborn = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
    keeper.ensure(&app, stubborn, GRACE).await.unwrap();
    let mut ready = false;
    while !ready {
        ready = !keeper.tail(&app, 1).await.unwrap().is_empty();
    }
    let begin = Instant::now();
    let grace = Duration::from_millis(700);
    let (stopped, ()) = tokio::join!(keeper.stop(&app, grace), async {
        keeper
            .ensure(&role("other"), command(&["sleep", "1000"]), GRACE)
            .await
            .unwrap();
        assert!(begin.elapsed() < grace, "not held up by the stop");
    });
    stopped.unwrap();
    assert!(begin.elapsed() >= grace);
    assert_eq!(exit_of(&mut events, &app).await.1, Exit::Signal(9));
    keeper.end(GRACE).await.unwrap();
}
