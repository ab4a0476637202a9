//! The tree as it is shown.

use super::actors::{Call, Ping, doll};
use super::*;
use crate::supervision::{ChildKind, ChildRef};

#[test]
fn a_snapshot_says_everything_that_there_is_to_know_of_a_child() {
    run(async {
        let t = troupe(
            2,
            SupervisorSpec::new(Strategy::RestForOne, Intensity::new(3, secs(60))),
            |i, spec| {
                if i == 0 { spec.stalled_after(secs(30)) } else { spec }
            },
        );
        settle().await;
        t.puppets[1].end(failure());
        settle().await;
        let a = t.puppets[0].context().unwrap();
        a.set_pid(Some(4711));
        a.tell("display", ":3");
        a.set_mailbox(|| Some(2));
        a.progress();
        tokio::time::sleep(secs(2)).await;
        let mut json = serde_json::to_value(t.tree.view().snapshot()).unwrap();
        json["children"][1]["last_exit"]["at_ms"] = 7.into();
        assert_eq!(
            json["children"],
            serde_json::json!([
                {
                    "id": "a", "path": "root/a", "kind": "worker", "restart": "permanent", "significant": false,
                    "once": false, "state": "running", "strategy": null, "generation": 1,
                    "restarts": { "in_period": 0, "total": 0 },
                    "budget": { "own": false, "max": 3, "period_ms": 60_000, "left": 2 },
                    "last_exit": null, "uptime_ms": 2_002, "restart_in_ms": null,
                    "progress": { "since_ms": 2_000, "limit_ms": 30_000 },
                    "mailbox": 2, "pid": 4711, "facts": { "display": ":3" }, "children": [],
                },
                {
                    "id": "b", "path": "root/b", "kind": "worker", "restart": "permanent", "significant": false,
                    "once": false, "state": "running", "strategy": null, "generation": 2,
                    "restarts": { "in_period": 1, "total": 1 },
                    "budget": { "own": false, "max": 3, "period_ms": 60_000, "left": 2 },
                    "last_exit": { "reason": "error", "code": "broken", "message": "told to fail", "at_ms": 7 },
                    "uptime_ms": 2_001, "restart_in_ms": null, "progress": null,
                    "mailbox": null, "pid": null, "facts": {}, "children": [],
                },
            ])
        );
        assert_eq!(
            (&json["id"], &json["strategy"]),
            (&"root".into(), &"rest_for_one".into())
        );
        assert_eq!((&json["kind"], &json["mailbox"]), (&"supervisor".into(), &0.into()));
    });
}

#[test]
fn what_a_child_told_of_itself_is_forgotten_with_it() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec);
        settle().await;
        let context = t.puppets[0].context().unwrap();
        context.set_pid(Some(1));
        for key in [
            "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        ] {
            context.tell(key, "x");
        }
        assert_eq!(t.child("a").facts.len(), 16, "no more than this");
        t.puppets[0].end(failure());
        settle().await;
        assert_eq!((t.child("a").pid, t.child("a").facts.len()), (None, 0));
    });
}

#[test]
fn a_restart_that_is_due_later_says_when() {
    run(async {
        let t = troupe(1, lenient(Strategy::OneForOne), |_, spec| spec.backoff(SLOW));
        settle().await;
        for _ in 0..2 {
            t.puppets[0].end(failure());
            settle().await;
        }
        let due = t.child("a").restart_in_ms.unwrap();
        assert!((7_400..=10_000).contains(&due), "{due}");
        assert_eq!(t.child("a").uptime_ms, None);
    });
}

#[test]
fn the_mailbox_of_an_actor_counts_every_message_that_is_not_dealt_with_yet() {
    run(async {
        let reference = ChildRef::new();
        let tree = Tree::start(lenient(Strategy::OneForOne).child(doll("a", Restart::Permanent, &reference)));
        settle().await;
        let wait =
            Call::new(|_, ctx| actix::AsyncContext::wait(ctx, actix::fut::wrap_future(tokio::time::sleep(secs(5)))));
        reference.tell(wait).unwrap();
        reference.tell(Ping).unwrap();
        let depth = || tree.view().snapshot().find("a").unwrap().mailbox;
        let look = async {
            tokio::time::sleep(secs(1)).await;
            depth()
        };
        let asked = futures::join!(reference.ask(Ping, secs(9)), reference.ask(Ping, secs(9)), look);
        assert_eq!(asked, (Ok(1), Ok(1), Some(3)));
        assert_eq!(depth(), Some(0));
    });
}

#[test]
fn a_dynamic_supervisor_says_that_it_is_one() {
    run(async {
        let pool = ChildSpec::supervisor("pool", Restart::Permanent, || SupervisorSpec::dynamic(GENEROUS, 1));
        let tree = Tree::start(lenient(Strategy::OneForOne).child(pool));
        settle().await;
        assert_eq!(tree.view().snapshot().find("pool").unwrap().kind, ChildKind::Dynamic);
    });
}
