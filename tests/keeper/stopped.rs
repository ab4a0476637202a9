//! Processes, and keepers, that a signal has stopped.

use std::time::Duration;

use heliostat::process::KeeperEvent;
use heliostat::protocol::keeper::Event;
use tokio::time::timeout;

use super::support::{GRACE, LONG, Place, command, kill, lives, role, until};

#[tokio::test]
async fn a_host_is_told_when_a_process_is_stopped_and_when_it_goes_on() {
    let place = Place::new();
    let keeper = place.keeper().await;
    let mut events = keeper.events();
    let app = role("app");
    let started = keeper.ensure(&app, command(&["sleep", "1000"]), GRACE).await.unwrap();
    assert!(!started.stopped);
    for (signal, expected) in [(libc::SIGSTOP, true), (libc::SIGCONT, false)] {
        kill(started.pid, signal);
        let told = timeout(LONG, async {
            loop {
                if let KeeperEvent::Said(Event::Stopped { role, stopped, .. }) = events.recv().await.unwrap() {
                    return (role, stopped);
                }
            }
        });
        assert_eq!(told.await.unwrap(), (app.clone(), expected));
        // Also who comes later learns it.
        let again = keeper.ensure(&app, command(&["sleep", "1000"]), GRACE).await.unwrap();
        assert_eq!((again.attached, again.stopped), (true, expected));
    }
    // One that is stopped can still be ended.
    kill(started.pid, libc::SIGSTOP);
    keeper.stop(&app, Duration::ZERO).await.unwrap();
    assert!(!lives(started.pid));
    keeper.end(GRACE).await.unwrap();
}

#[tokio::test]
async fn a_keeper_that_is_stopped_does_not_answer_until_it_is_woken() {
    let place = Place::new();
    let keeper = place.keeper().await;
    assert!(!keeper.wake(), "it was not stopped");
    kill(keeper.pid(), libc::SIGSTOP);
    assert!(!keeper.answers_within(Duration::from_millis(300)).await);
    until("it is woken", || keeper.wake()).await;
    assert!(keeper.answers_within(LONG).await);
    // One that does not answer at all is killed, and its end is noticed.
    kill(keeper.pid(), libc::SIGSTOP);
    keeper.kill();
    timeout(LONG, keeper.gone()).await.unwrap();
}
