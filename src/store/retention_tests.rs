use super::super::events::NewEvent;
use super::super::instances::StatusChange;
use super::super::peers::PeerClosed;
use super::super::pool::tests::{Bench, change, peer, session_row};
use super::super::sessions::SessionRow;
use super::*;
use crate::ids::{PeerId, SessionId};
use crate::protocol::words::{CloseReason, InstanceStatus, Role};

fn event(class: EventClass, at: i64) -> NewEvent {
    NewEvent {
        at,
        actor: "root".to_owned(),
        kind: "test".to_owned(),
        detail: String::new(),
        class,
    }
}

/// What began or ended before is old; so many events stay.
fn keep(before: i64, events: u32) -> Keep {
    Keep {
        ended_before: before,
        unused_since: before,
        events,
        ..Keep::ALL
    }
}

async fn delete(bench: &Bench, keep: Keep) -> Removed {
    let (removed, outcome) = bench.store.delete_old(keep).await;
    outcome.unwrap();
    removed
}

#[tokio::test]
async fn retention_deletes_what_ended_and_leaves_what_lives() {
    let bench = Bench::new().await;
    let (gone, living) = (session_row(1), session_row(1));
    for session in [&gone, &living] {
        bench.store.create_session(session.clone()).await.unwrap();
    }
    let old = bench.instance(gone.session_id, 1).await;
    bench.store.insert_peer(peer(old, gone.session_id)).await.unwrap();
    let end = StatusChange {
        ended: Some(10),
        ..change(InstanceStatus::Terminated, 10)
    };
    bench.store.update_instance(old, end).await.unwrap();
    let alive = bench.instance(living.session_id, 1).await;
    let open = peer(alive, living.session_id);
    bench.store.insert_peer(open.clone()).await.unwrap();
    let event = |at| event(EventClass::Supervision, at);
    bench.store.append_events(vec![event(5), event(500)]).await.unwrap();
    let removed = delete(&bench, keep(100, 50)).await;
    assert_eq!(
        (removed.instances, removed.sessions, removed.events, removed.peers),
        (1, 1, 1, 0)
    );
    assert!(bench.store.instance(old).await.unwrap().is_none());
    assert!(bench.store.peers_of(old).await.unwrap().is_empty());
    assert!(bench.store.instance(alive).await.unwrap().is_some());
    assert_eq!(bench.store.peers_of(alive).await.unwrap().len(), 1);
    assert!(bench.store.find_session(living.secret_hash).await.unwrap().is_some());
    assert_eq!(bench.store.events(None, None, 10).await.unwrap(), vec![event(500)]);
}

#[tokio::test]
async fn of_events_only_the_newest_stay_when_there_are_too_many() {
    let bench = Bench::new().await;
    let event = |at| event(EventClass::Supervision, at);
    bench.store.append_events((0..10).map(event).collect()).await.unwrap();
    assert_eq!(delete(&bench, keep(0, 15)).await.events, 7);
    assert_eq!(
        bench.store.events(None, None, 100).await.unwrap(),
        vec![event(9), event(8), event(7)]
    );
    assert_eq!(delete(&bench, keep(0, 15)).await.events, 0);
    assert_eq!(delete(&bench, keep(0, 0)).await.events, 3);
    assert_eq!(bench.store.events(None, None, 100).await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_hundred_thousand_visits_leave_every_event_of_the_audit() {
    const FLOOD: i64 = 100_000;
    let bench = Bench::new().await;
    let audit: Vec<NewEvent> = (0..500).map(|at| event(EventClass::Audit, at)).collect();
    bench.store.append_events(audit.clone()).await.unwrap();
    bench.tell(&format!(
        "WITH RECURSIVE n(at) AS (SELECT 1000 UNION ALL SELECT at + 1 FROM n WHERE at < {})
         INSERT INTO events (at, actor, kind, detail, class) SELECT at, 'root', 'viewer_joined', '', 'visits' FROM n",
        999 + FLOOD
    ));
    let removed = delete(&bench, keep(0, 10_000)).await;
    assert_eq!(removed.events, usize::try_from(FLOOD).unwrap() - 2000);
    let mut left = bench.store.events(None, Some(EventClass::Audit), 1000).await.unwrap();
    left.reverse();
    assert_eq!(left, audit);
    let visits = bench
        .store
        .events(None, Some(EventClass::Visits), 10_000)
        .await
        .unwrap();
    assert_eq!(visits.len(), 2000);
}

#[tokio::test]
async fn much_that_is_old_goes_bit_by_bit_and_others_write_meanwhile() {
    const MUCH: usize = 60_000;
    let bench = Bench::new().await;
    bench.tell(&format!(
        "WITH RECURSIVE n(at) AS (SELECT 1 UNION ALL SELECT at + 1 FROM n WHERE at < {MUCH})
         INSERT INTO events (at, actor, kind, detail, class) SELECT at, 'root', 'viewer_joined', '', 'visits' FROM n",
    ));
    let store = bench.store.clone();
    let deleting = tokio::spawn(async move { store.delete_old(keep(1_000_000, u32::MAX)).await });
    let mut written = 0;
    while !deleting.is_finished() {
        let new = event(EventClass::Audit, 2_000_000 + written);
        bench.store.append_events(vec![new]).await.unwrap();
        written += 1;
    }
    let (removed, outcome) = deleting.await.unwrap();
    outcome.unwrap();
    assert_eq!(removed.events, MUCH);
    assert!(written > 3, "{written} between {} transactions", MUCH / BATCH);
    let left = bench.store.events(None, None, 1000).await.unwrap();
    assert_eq!(left.len(), usize::try_from(written).unwrap().min(1000));
}

#[test]
fn the_shares_of_all_classes_are_no_more_than_there_may_be() {
    for most in [0, 1, 4, 99, 100, 100_000, u32::MAX] {
        let all: u64 = EventClass::ALL.iter().map(|class| u64::from(share(*class, most))).sum();
        assert_eq!(all, u64::from(most));
    }
}

#[tokio::test]
async fn spectators_who_connect_again_and_again_displace_only_each_others_rows() {
    let bench = Bench::new().await;
    let session = SessionId::new();
    let (one, other) = (bench.instance(session, 1).await, bench.instance(session, 1).await);
    let come_and_gone = async |instance, role, at: i64| -> PeerId {
        let new = super::super::peers::NewPeer {
            role,
            ..peer(instance, session)
        };
        let id = new.peer_id;
        bench.store.insert_peer(new).await.unwrap();
        let end = PeerClosed {
            closed_at: at,
            reason: CloseReason::Requested,
        };
        bench.store.close_peer(id, end).await.unwrap();
        id
    };
    come_and_gone(one, Role::Owner, 1).await;
    come_and_gone(other, Role::Spectator, 1).await;
    for at in 2..22 {
        come_and_gone(one, Role::Spectator, at).await;
    }
    bench.store.insert_peer(peer(one, session)).await.unwrap();
    let removed = delete(&bench, Keep { peers: 5, ..Keep::ALL }).await;
    assert_eq!(removed.peers, 15);
    assert_eq!(
        bench.store.peers_of(one).await.unwrap().len(),
        5 + 2,
        "the owner's stay"
    );
    assert_eq!(bench.store.peers_of(other).await.unwrap().len(), 1);
}

#[tokio::test]
async fn of_too_many_guests_those_who_were_here_last_stay_and_so_does_who_launched_or_was_invited() {
    let bench = Bench::new().await;
    let sessions: Vec<SessionRow> = (1..=10).map(session_row).collect();
    let member = SessionRow {
        token_hash: Some("of a token".to_owned()),
        ..session_row(0)
    };
    for session in sessions.iter().chain([&member]) {
        bench.store.create_session(session.clone()).await.unwrap();
    }
    let instance = bench.instance(sessions[0].session_id, 1).await;
    bench.tell(&format!(
        "INSERT INTO links (link_id, instance_id, role, expires_at, token_hash, created)
         VALUES ('a', '{instance}', 'spectator', 99, 'a', 1);
         INSERT INTO grants (link_id, session_id, created) VALUES ('a', '{}', 1)",
        sessions[1].session_id
    ));
    let removed = delete(&bench, Keep { guests: 3, ..Keep::ALL }).await;
    assert_eq!(removed.sessions, 5);
    for (n, session) in sessions.iter().enumerate() {
        let stays = bench
            .store
            .find_session(session.secret_hash.clone())
            .await
            .unwrap()
            .is_some();
        assert_eq!(stays, !(2..7).contains(&n), "{n}");
    }
    assert!(bench.store.find_session(member.secret_hash).await.unwrap().is_some());
}

#[tokio::test]
async fn a_database_of_before_there_were_classes_has_its_events_told_apart() {
    let bench = Bench::new().await;
    // As an earlier program left it.
    bench.tell(
        "DROP INDEX peers_closed; DROP INDEX events_class; ALTER TABLE events DROP COLUMN class;
         DELETE FROM __diesel_schema_migrations WHERE version = '00000000000003';
         INSERT INTO events (at, actor, kind, detail) VALUES
            (1, 'root', 'link_made', ''), (2, 'root', 'viewer_left', ''), (3, 'root', 'restarting', ''),
            (4, 'root', 'link_used', '')",
    );
    let store = Store::open("sqlite:heliostat.db", bench.folder.path()).unwrap();
    let classes: Vec<EventClass> = store
        .events(None, None, 10)
        .await
        .unwrap()
        .iter()
        .rev()
        .map(|event| event.class)
        .collect();
    assert_eq!(
        classes,
        [
            EventClass::Audit,
            EventClass::Visits,
            EventClass::Supervision,
            EventClass::Entry
        ]
    );
}
