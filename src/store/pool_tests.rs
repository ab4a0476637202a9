use diesel::sql_query;

use super::super::events::NewEvent;
use super::super::instances::{NewInstance, StatusChange};
use super::super::journal::Batch;
use super::super::peers::{NewPeer, PeerClosed};
use super::super::revision::Revised;
use super::super::servers::ServerRow;
use super::super::sessions::SessionRow;
use super::*;
use crate::ids::{InstanceId, PeerId, ServerId, SessionId, ViewerId};
use crate::protocol::words::{CloseReason, EventClass, InstanceStatus, Role, ServerStatus};

/// A database in a folder of its own, with one server registered.
pub(in super::super) struct Bench {
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub server: ServerId,
}

impl Bench {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:heliostat.db", folder.path()).unwrap();
        let server = ServerId::new();
        store.register_server(server_row(server, 1)).await.unwrap();
        Self { folder, store, server }
    }

    pub async fn instance(&self, session: SessionId, created: i64) -> InstanceId {
        let instance_id = InstanceId::new();
        let new = NewInstance {
            instance_id,
            session_id: session,
            server_id: self.server,
            app: "orrery".to_owned(),
            width: 1280,
            height: 720,
            fps: 60,
            created,
        };
        self.store.insert_instance(new).await.unwrap();
        instance_id
    }

    /// Says something to the database behind the store's back.
    pub fn tell(&self, sql: &str) {
        let mut connection = SqliteConnection::establish(self.store.path().to_str().unwrap()).unwrap();
        connection.batch_execute(sql).unwrap();
    }
}

fn server_row(server_id: ServerId, now: i64) -> ServerRow {
    ServerRow {
        server_id,
        region: "local".to_owned(),
        ip_address: "127.0.0.1".to_owned(),
        port: 8080,
        status: ServerStatus::Online,
        available_instances: 2,
        num_instances: 2,
        ram: 1 << 33,
        graphics_card: "none".to_owned(),
        storage: 1 << 40,
        heartbeat_at: now,
        lease_until: now,
        url: "http://127.0.0.1:8080".to_owned(),
        version: "0.1.0".to_owned(),
        created: now,
        modified: now,
    }
}

pub(in super::super) fn session_row(created: i64) -> SessionRow {
    let session_id = SessionId::new();
    SessionRow {
        session_id,
        secret_hash: format!("hash of {session_id}"),
        created,
        modified: created,
        token_hash: Some(String::new()),
    }
}

pub(in super::super) fn change(status: InstanceStatus, modified: i64) -> StatusChange {
    StatusChange {
        status,
        reason: None,
        message: None,
        output: Vec::new(),
        restarts: 0,
        modified,
        ended: None,
    }
}

pub(in super::super) fn peer(instance_id: InstanceId, session_id: SessionId) -> NewPeer {
    NewPeer {
        peer_id: PeerId::new(),
        instance_id,
        session_id,
        viewer_id: ViewerId::new(),
        role: Role::Owner,
        transport: "webrtc".to_owned(),
        connected_at: 5,
    }
}

#[tokio::test]
async fn what_was_stored_is_there_after_opening_again() {
    let bench = Bench::new().await;
    let session = session_row(7);
    bench.store.create_session(session.clone()).await.unwrap();
    let id = bench.instance(session.session_id, 8).await;
    let Bench { folder, store, server } = bench;
    drop(store);
    let store = Store::open("heliostat.db", folder.path()).unwrap();
    assert_eq!(
        store.find_session(session.secret_hash.clone()).await.unwrap(),
        Some(session)
    );
    let alive = store.instances_not_ended(server).await.unwrap();
    assert_eq!(alive.len(), 1);
    assert_eq!(
        (alive[0].instance_id, alive[0].status),
        (id, InstanceStatus::Initializing)
    );
    assert_eq!((alive[0].width, alive[0].height, alive[0].fps), (1280, 720, 60));
}

#[tokio::test]
async fn the_database_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new().await;
    assert_eq!(
        bench.store.path().metadata().unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_and_left_as_it_is() {
    let bench = Bench::new().await;
    bench.tell("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')");
    let error = Store::open("heliostat.db", bench.folder.path()).unwrap_err();
    assert_eq!(error.code(), "database_newer");
    for part in ["heliostat.db", "99990101000000"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(bench.store.servers().await.unwrap().len(), 1);
}

#[test]
fn what_cannot_be_opened_is_named_with_its_cause() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("text.db"),
        "this is no database, but it is long enough to be read as one".repeat(99),
    )
    .unwrap();
    for (url, cause) in [
        ("text.db", "not a database"),
        ("no/such/folder.db", "No such file"),
        (".", "directory"),
    ] {
        let error = Store::open(url, folder.path()).unwrap_err();
        assert_eq!(error.code(), "database_unavailable", "{error}");
        let text = error.to_string();
        assert!(
            text.contains(folder.path().to_str().unwrap()) && text.contains(cause),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_server_keeps_its_row_over_restarts() {
    let bench = Bench::new().await;
    let later = ServerRow {
        version: "0.2.0".to_owned(),
        ..server_row(bench.server, 50)
    };
    bench.store.register_server(later).await.unwrap();
    bench
        .store
        .heartbeat(bench.server, ServerStatus::Draining, 1, 60, 90)
        .await
        .unwrap();
    let servers = bench.store.servers().await.unwrap();
    assert_eq!(servers.len(), 1);
    let server = &servers[0];
    assert_eq!(
        (server.created, server.modified, server.heartbeat_at, server.lease_until),
        (1, 60, 60, 90)
    );
    assert_eq!((server.version.as_str(), server.available_instances), ("0.2.0", 1));
    assert_eq!(server.status, ServerStatus::Draining);
}

#[tokio::test]
async fn a_session_is_found_by_its_hash_until_it_is_deleted() {
    let bench = Bench::new().await;
    let session = session_row(10);
    bench.store.create_session(session.clone()).await.unwrap();
    assert_eq!(
        bench.store.create_session(session.clone()).await.unwrap_err().code(),
        "database_refused"
    );
    bench.store.touch_session(session.session_id, 20).await.unwrap();
    bench.store.touch_session(session.session_id, 15).await.unwrap();
    let found = bench
        .store
        .find_session(session.secret_hash.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((found.session_id, found.modified), (session.session_id, 20));
    assert!(
        bench
            .store
            .sessions_in_use()
            .await
            .unwrap()
            .contains(&session.session_id)
    );
    assert!(bench.store.delete_session(session.session_id).await.unwrap());
    assert!(bench.store.sessions_in_use().await.unwrap().is_empty());
    bench.instance(session.session_id, 30).await;
    assert_eq!(
        bench.store.sessions_in_use().await.unwrap(),
        [session.session_id].into(),
        "its instance lives on"
    );
    assert!(!bench.store.delete_session(session.session_id).await.unwrap());
    assert_eq!(bench.store.find_session(session.secret_hash).await.unwrap(), None);
}

#[tokio::test]
async fn an_instance_shows_its_last_change_and_ends_only_once_out_of_order_or_not() {
    let bench = Bench::new().await;
    let session = SessionId::new();
    let id = bench.instance(session, 10).await;
    let failed = StatusChange {
        reason: Some("not_ready".to_owned()),
        message: Some("the app was not ready".to_owned()),
        output: vec!["one".to_owned(), "two".to_owned()],
        restarts: 3,
        ..change(InstanceStatus::Failed, 20)
    };
    // Noted before, and stored after it: it comes too late.
    let late = Revised::now(change(InstanceStatus::Running, 25));
    assert!(bench.store.update_instance(id, failed).await.unwrap());
    let late = Batch {
        statuses: vec![(id, late)],
        ..Batch::default()
    };
    bench.store.write(late).await.unwrap();
    let row = bench.store.instance(id).await.unwrap().unwrap();
    assert_eq!(
        (row.status, row.restarts, row.modified),
        (InstanceStatus::Failed, 3, 20)
    );
    assert_eq!(row.exit_reason.as_deref(), Some("not_ready"));
    assert_eq!(row.output_lines(), ["one", "two"]);
    assert_eq!(bench.store.instances_not_ended(bench.server).await.unwrap().len(), 1);
    // By a clock that was put back meanwhile.
    let ended = StatusChange {
        ended: Some(15),
        ..change(InstanceStatus::Terminated, 15)
    };
    assert!(bench.store.update_instance(id, ended).await.unwrap());
    let row = bench.store.instance(id).await.unwrap().unwrap();
    assert_eq!(
        (row.ended, row.exit_reason.as_deref(), row.output_lines().len()),
        (Some(15), None, 2)
    );
    assert!(bench.store.instances_not_ended(bench.server).await.unwrap().is_empty());
    let again = bench
        .store
        .update_instance(id, change(InstanceStatus::Running, 40))
        .await;
    assert!(!again.unwrap(), "what has ended stays so");
    assert!(
        !bench
            .store
            .update_instance(InstanceId::new(), change(InstanceStatus::Running, 1))
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn a_peer_is_closed_once_with_its_first_reason() {
    let bench = Bench::new().await;
    let session = SessionId::new();
    let id = bench.instance(session, 1).await;
    let peers = [peer(id, session), peer(id, session)];
    for peer in peers.clone() {
        bench.store.insert_peer(peer).await.unwrap();
    }
    let closed = |closed_at, reason| PeerClosed { closed_at, reason };
    assert!(
        bench
            .store
            .close_peer(peers[0].peer_id, closed(9, CloseReason::Requested))
            .await
            .unwrap()
    );
    assert!(
        !bench
            .store
            .close_peer(peers[0].peer_id, closed(10, CloseReason::Fault))
            .await
            .unwrap()
    );
    assert_eq!(
        bench
            .store
            .close_left_peers(closed(11, CloseReason::Fault))
            .await
            .unwrap(),
        1
    );
    let rows = bench.store.peers_of(id).await.unwrap();
    let reasons: Vec<_> = rows
        .iter()
        .map(|row| (row.closed_at, row.close_reason.as_deref()))
        .collect();
    assert_eq!(reasons, [(Some(9), Some("requested")), (Some(11), Some("fault"))]);
    let stranger = peer(InstanceId::new(), session);
    assert_eq!(
        bench.store.insert_peer(stranger).await.unwrap_err().code(),
        "database_refused"
    );
}

#[tokio::test]
async fn the_events_of_an_actor_are_its_own_and_those_below_it() {
    let bench = Bench::new().await;
    let event = |actor: &str| NewEvent {
        at: 1,
        actor: actor.to_owned(),
        kind: "test".to_owned(),
        detail: String::new(),
        class: EventClass::Supervision,
    };
    let all = ["root", "root/a", "root/a/b", "root/ab", "root/a%", "root/a0"].map(event);
    bench.store.append_events(all.to_vec()).await.unwrap();
    let of = async |actor: &str| {
        let found = bench.store.events(Some(actor.to_owned()), None, 100).await.unwrap();
        found.into_iter().rev().map(|event| event.actor).collect::<Vec<_>>()
    };
    assert_eq!(of("root/a").await, ["root/a", "root/a/b"]);
    assert_eq!(of("root").await.len(), 6);
    assert_eq!(of("root/a%").await, ["root/a%"]);
    assert!(of("nobody").await.is_empty());
    // By an index: without it this is refused.
    bench.tell("SELECT * FROM events INDEXED BY events_actor WHERE actor = 'root/a'");
}

#[tokio::test]
async fn a_value_that_cannot_be_understood_is_an_error_and_no_panic() {
    let bench = Bench::new().await;
    let id = bench.instance(SessionId::new(), 1).await;
    bench.tell("UPDATE instances SET status = 'SLEEPING'");
    let error = bench.store.instance(id).await.unwrap_err();
    assert_eq!(error.code(), "database_damaged");
    assert!(error.to_string().contains("SLEEPING"), "{error}");
}

#[tokio::test]
async fn many_calls_at_once_all_get_their_turn() {
    let bench = Bench::new().await;
    let calls = (0..100).map(|at| {
        let store = bench.store.clone();
        let event = NewEvent {
            at,
            actor: "root".to_owned(),
            kind: "test".to_owned(),
            detail: String::new(),
            class: EventClass::Supervision,
        };
        async move { store.append_events(vec![event]).await }
    });
    for result in futures::future::join_all(calls).await {
        result.unwrap();
    }
    assert_eq!(bench.store.events(None, None, 1000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn the_database_answers_or_says_that_it_does_not() {
    let bench = Bench::new().await;
    bench.store.ping().await.unwrap();
    bench.tell("PRAGMA foreign_keys = OFF; DROP TABLE servers");
    assert_eq!(bench.store.ping().await.unwrap_err().code(), "database_unavailable");
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = diesel::sql_types::Text)]
    name: String,
}

#[tokio::test]
async fn the_schema_in_the_code_is_that_of_the_migrations() {
    let bench = Bench::new().await;
    let code = include_str!("schema.rs");
    for table in [
        "servers",
        "sessions",
        "instances",
        "peers",
        "links",
        "grants",
        "admissions",
        "events",
    ] {
        let sql = format!("SELECT name FROM pragma_table_info('{table}')");
        let columns = bench
            .store
            .read(move |c| Ok(sql_query(sql).load::<Column>(c)?))
            .await
            .unwrap();
        let start = code.find(&format!("    {table} (")).unwrap();
        let end = start + code[start..].find("\n    }").unwrap();
        let in_code: Vec<&str> = code[start..end]
            .lines()
            .filter_map(|line| Some(line.trim().split_once(" -> ")?.0))
            .collect();
        assert_eq!(
            columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(),
            in_code,
            "{table}"
        );
    }
}

#[test]
fn it_answers_while_every_thread_for_blocking_work_is_taken() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(1)
        .build()
        .unwrap();
    // overflow: never, nothing is sent.
    let (go_on, held) = std::sync::mpsc::sync_channel::<()>(1);
    runtime.block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open("sqlite:heliostat.db", folder.path()).unwrap();
        let holds = tokio::task::spawn_blocking(move || held.recv().is_err());
        store.ping().await.unwrap();
        drop(go_on);
        assert!(holds.await.unwrap());
    });
}
