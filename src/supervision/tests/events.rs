//! The events of a tree.

use super::*;
use crate::supervision::{Events, ExitReason, What};

/// What is there to be read, in short.
async fn read(events: &mut Events) -> Vec<String> {
    let mut read = Vec::new();
    while let Ok(Some(event)) = tokio::time::timeout(Duration::from_millis(1), events.next()).await {
        let event = event.unwrap();
        let what = match &event.what {
            What::Restarting { after_ms } => format!("restarting after {after_ms}"),
            What::Exited { exit } => exit.code().to_owned(),
            _ => event.kind().to_owned(),
        };
        read.push(format!("{}#{} {what}", event.path, event.generation));
    }
    read
}

#[test]
fn a_subscriber_hears_of_every_start_exit_and_restart() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        let mut events = t.tree.view().subscribe();
        assert_eq!(read(&mut events).await, ["root/a#1 started"]);
        t.puppets[0].end(failure());
        assert_eq!(
            read(&mut events).await,
            ["root/a#1 broken", "root/a#1 restarting after 0", "root/a#2 started"]
        );
        t.tree.view().restart_child("a", secs(1)).await.unwrap();
        assert_eq!(
            read(&mut events).await,
            ["root/a#2 restart_asked", "root/a#2 shutdown", "root/a#3 started"]
        );
        t.tree.shutdown(secs(1)).await;
        assert_eq!(read(&mut events).await, ["root/a#3 shutdown"]);
    });
}

#[test]
fn budgets_that_are_used_up_and_escalations_are_events() {
    run(async {
        let puppet = Puppet::new("p", &Diary::default());
        let inner = puppet.clone();
        let stage = ChildSpec::supervisor("stage", Restart::Transient, move || {
            let child = inner.spec(Restart::Permanent, Manners::Polite);
            SupervisorSpec::new(Strategy::OneForOne, Intensity::new(0, secs(1))).child(child)
        });
        let stage = stage.budget(Intensity::new(0, secs(60)), |_| ());
        let tree = Tree::start(lenient(Strategy::OneForOne).child(stage));
        let mut events = tree.view().subscribe();
        settle().await;
        puppet.end(ExitReason::Killed);
        let read = read(&mut events).await;
        assert_eq!(
            read,
            [
                "root/stage#1 started",
                "root/stage/p#1 started",
                "root/stage/p#1 killed",
                "root/stage#1 escalated",
                "root/stage#1 restart_intensity",
                "root/stage#1 given_up"
            ]
        );
    });
}

#[test]
fn a_subscriber_that_never_reads_holds_up_nobody() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec.backoff(Backoff::NONE));
        let mut events = t.tree.view().subscribe();
        for _ in 0..2_000 {
            settle().await;
            t.puppets[0].end(failure());
        }
        settle().await;
        assert_eq!(t.puppets[0].generation(), Some(2_001));
        let missed = events.next().await.unwrap().unwrap_err();
        assert!(missed.0 >= 4_000, "{missed}");
        assert!(events.next().await.unwrap().is_ok(), "and it goes on with what is left");
    });
}
