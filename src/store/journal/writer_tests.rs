use tokio::task::JoinHandle;

use super::super::super::peers::PeerClosed;
use super::super::super::pool::tests::{Bench, change, peer};
use super::super::super::sessions::SessionRow;
use super::super::Journal;
use super::super::pending::tests::event;
use super::*;
use crate::ids::{InstanceId, SessionId};
use crate::protocol::words::{CloseReason, InstanceStatus};

const SOON: Duration = Duration::from_secs(10);

fn start(journal: &Journal, store: &Store) -> JoinHandle<()> {
    let (journal, store) = (journal.clone(), store.clone());
    tokio::spawn(async move { journal.write_to(store).await })
}

#[tokio::test]
async fn what_is_noted_is_stored() {
    let bench = Bench::new().await;
    let journal = Journal::new();
    let session = SessionRow {
        session_id: SessionId::new(),
        secret_hash: "hash".to_owned(),
        created: 1,
        modified: 1,
        token_hash: None,
    };
    bench.store.create_session(session.clone()).await.unwrap();
    let id = bench.instance(session.session_id, 1).await;
    let peer = peer(id, session.session_id);
    journal.event(event(3));
    journal.status(id, change(InstanceStatus::Running, 2));
    journal.peer_connected(peer.clone());
    journal.peer_closed(
        peer.peer_id,
        PeerClosed {
            closed_at: 8,
            reason: CloseReason::Requested,
        },
    );
    journal.session_used(session.session_id, 9);
    let writer = start(&journal, &bench.store);
    assert!(journal.flush(SOON).await);
    writer.abort();
    assert_eq!(bench.store.events(None, None, 10).await.unwrap(), vec![event(3)]);
    assert_eq!(
        bench.store.instance(id).await.unwrap().unwrap().status,
        InstanceStatus::Running
    );
    assert_eq!(
        bench.store.peers_of(id).await.unwrap()[0].close_reason.as_deref(),
        Some("requested")
    );
    assert_eq!(
        bench
            .store
            .find_session("hash".to_owned())
            .await
            .unwrap()
            .unwrap()
            .modified,
        9
    );
    assert_eq!(journal.stats().waiting, 0);
}

#[tokio::test]
async fn while_the_database_fails_notes_wait_and_are_stored_when_it_is_back() {
    let bench = Bench::new().await;
    bench.tell("ALTER TABLE events RENAME TO hidden");
    let journal = Journal::new();
    let writer = start(&journal, &bench.store);
    journal.event(event(1));
    assert!(!journal.flush(Duration::from_millis(300)).await);
    journal.event(event(2));
    bench.tell("ALTER TABLE hidden RENAME TO events");
    assert!(journal.flush(SOON).await);
    writer.abort();
    let stored: Vec<i64> = bench
        .store
        .events(None, None, 10)
        .await
        .unwrap()
        .iter()
        .map(|event| event.at)
        .collect();
    assert_eq!(stored, [2, 1]);
}

#[tokio::test]
async fn a_row_that_is_refused_does_not_hold_up_the_others() {
    let bench = Bench::new().await;
    let journal = Journal::new();
    journal.event(event(1));
    journal.peer_connected(peer(InstanceId::new(), SessionId::new()));
    journal.event(event(2));
    let writer = start(&journal, &bench.store);
    assert!(journal.flush(SOON).await);
    writer.abort();
    assert_eq!(bench.store.events(None, None, 10).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_writer_that_is_ended_at_any_moment_loses_nothing() {
    let bench = Bench::new().await;
    let journal = Journal::new();
    for round in 0..10 {
        journal.event(event(round));
        let writer = start(&journal, &bench.store);
        tokio::time::sleep(GATHER + Duration::from_millis(round.unsigned_abs() % 4)).await;
        writer.abort();
    }
    let writer = start(&journal, &bench.store);
    assert!(journal.flush(SOON).await);
    writer.abort();
    let mut stored: Vec<i64> = bench
        .store
        .events(None, None, 1000)
        .await
        .unwrap()
        .iter()
        .map(|event| event.at)
        .collect();
    stored.sort_unstable();
    stored.dedup();
    assert_eq!(stored, (0..10).collect::<Vec<_>>());
}
