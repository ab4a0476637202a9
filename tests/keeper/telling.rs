//! What a host is told of its processes, and that telling holds up nothing.

use heliostat::protocol::keeper::Exit;
use std::fs;

use super::support::{GRACE, Place, code, command, exit_of, role, shell};

#[tokio::test]
async fn a_killed_child_is_reported_with_its_signal_and_last_words() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let started = keeper
        .ensure(&app, shell("echo out; echo err >&2; kill -KILL $$"), GRACE)
        .await
        .unwrap();
    assert_eq!((started.generation, started.attached), (1, false));
    assert_eq!(
        exit_of(&mut events, &app).await,
        (1, Exit::Signal(9), vec!["out".into(), "err".into()])
    );
    let status = keeper.status().await.unwrap();
    assert_eq!((status.len(), status[0].exit), (1, Some(Exit::Signal(9))));
    assert_eq!(code(keeper.signal(&app, libc::SIGTERM).await), "not_running");

    keeper.ensure(&app, shell("exit 3"), GRACE).await.unwrap();
    assert_eq!(exit_of(&mut events, &app).await, (2, Exit::Code(3), vec![]));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_output_is_drained_capped_and_does_not_hold_up_the_keeper() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let noise = role("noise");
    keeper
        .ensure(&noise, command(&["yes", "an endless line of output"]), GRACE)
        .await
        .unwrap();
    keeper
        .ensure(&app, shell("seq 1 1000000; exit 7"), GRACE)
        .await
        .unwrap();
    let (_, exit, tail) = exit_of(&mut events, &app).await;
    assert_eq!(exit, Exit::Code(7));
    assert_eq!((tail.len(), tail.last().map(String::as_str)), (200, Some("1000000")));
    assert_eq!(keeper.tail(&noise, 5).await.unwrap().len(), 5);
    // While it writes, its log is missing for the moment between rotation and its successor.
    keeper.stop(&noise, GRACE).await.unwrap();
    for name in ["app.log", "app.log.1", "noise.log"] {
        assert!(
            fs::metadata(place.file("logs").join(name)).unwrap().len() <= 1 << 20,
            "{name}"
        );
    }
    let log = fs::read_to_string(place.file("logs/app.log")).unwrap();
    assert!(log.ends_with("1000000\n"));
    keeper.end(GRACE).await.unwrap();
}
