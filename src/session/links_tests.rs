use super::*;
use crate::config::{Config, Sources};
use crate::ids::ServerId;
use crate::protocol::words::InstanceStatus;
use crate::store::{Machine, NewInstance, ServerRow, StatusChange};

const HOUR: Duration = Duration::from_secs(3600);
const NOW: i64 = 1_000_000;

struct Bench {
    folder: tempfile::TempDir,
    instance: InstanceId,
}

impl Bench {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let sources = Sources {
            folder: folder.path().to_owned(),
            env: [("HOME".into(), folder.path().into())].into(),
            ..Sources::default()
        };
        let (config, _) = Config::load(&sources).unwrap();
        let (server, instance) = (ServerId::new(), InstanceId::new());
        let bench = Self { folder, instance };
        let store = bench.store();
        let row = ServerRow::of_this(server, &config.server, 1, Machine::probe(bench.folder.path()), 0);
        store.register_server(row).await.unwrap();
        let new = NewInstance {
            instance_id: instance,
            session_id: SessionId::new(),
            server_id: server,
            app: "demo".into(),
            width: 64,
            height: 64,
            fps: 30,
            created: 0,
        };
        store.insert_instance(new).await.unwrap();
        bench
    }

    fn store(&self) -> Store {
        Store::open("sqlite:test.db", self.folder.path()).unwrap()
    }

    /// A host that starts on the same database, with the same token.
    async fn links(&self) -> Links {
        self.links_under(&SecretHash::parse(&"0".repeat(64)).unwrap()).await
    }

    async fn links_under(&self, token: &SecretHash) -> Links {
        Links::load(self.store(), token.clone(), NOW).await.unwrap()
    }
}

fn wish(role: Role, uses: Option<u32>) -> Wish {
    Wish { role, life: HOUR, uses }
}

fn code<T>(result: Result<T, LinkError>) -> &'static str {
    result.err().map_or("granted", |error| error.code())
}

#[tokio::test]
async fn what_a_link_gave_is_so_still_after_the_host_was_started_anew() {
    let bench = Bench::new().await;
    let links = bench.links().await;
    let (made, secret) = links
        .make(bench.instance, wish(Role::Controller, Some(1)), NOW)
        .await
        .unwrap();
    let session = SessionId::new();
    let (granted, used) = links.exchange(&secret, session, NOW).await.unwrap();
    assert_eq!((granted.id, granted.uses_left(), used), (made.id, Some(0), true));
    for links in [&links, &bench.links().await] {
        assert_eq!(links.role_of(session, bench.instance, NOW), Some(Role::Controller));
        let (_, used) = links.exchange(&secret, session, NOW).await.unwrap();
        assert!(!used, "the same browser again");
        assert_eq!(
            code(links.exchange(&secret, SessionId::new(), NOW).await),
            "link_used_up"
        );
        assert_eq!(links.of(bench.instance)[0].uses_left(), Some(0));
    }
}

#[tokio::test]
async fn the_secret_of_a_link_is_stored_nowhere() {
    let bench = Bench::new().await;
    let (_, secret) = bench
        .links()
        .await
        .make(bench.instance, wish(Role::Spectator, None), NOW)
        .await
        .unwrap();
    for file in std::fs::read_dir(bench.folder.path()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        let found = bytes
            .windows(secret.expose().len())
            .any(|w| w == secret.expose().as_bytes());
        assert!(!found);
    }
}

#[tokio::test]
async fn a_revoked_link_gives_nothing_more_and_says_so() {
    let bench = Bench::new().await;
    let links = bench.links().await;
    let (made, secret) = links
        .make(bench.instance, wish(Role::Spectator, None), NOW)
        .await
        .unwrap();
    let session = SessionId::new();
    links.exchange(&secret, session, NOW).await.unwrap();
    assert_eq!(
        code(links.revoke(InstanceId::new(), made.id, NOW).await),
        "unknown_link"
    );
    links.revoke(bench.instance, made.id, NOW).await.unwrap();
    assert_eq!(links.role_of(session, bench.instance, NOW), None);
    assert_eq!(code(links.exchange(&secret, session, NOW).await), "link_revoked");
    assert_eq!(code(links.revoke(bench.instance, made.id, NOW).await), "unknown_link");
    assert_eq!(bench.links().await.role_of(session, bench.instance, NOW), None);
}

#[tokio::test]
async fn a_link_ends_when_its_time_is_over() {
    let bench = Bench::new().await;
    let links = bench.links().await;
    let (made, secret) = links
        .make(bench.instance, wish(Role::Controller, None), NOW)
        .await
        .unwrap();
    let session = SessionId::new();
    links.exchange(&secret, session, NOW).await.unwrap();
    let end = NOW + 3_600_000;
    assert_eq!(links.next_end(), Some(end));
    assert_eq!(links.role_of(session, bench.instance, end - 1), Some(Role::Controller));
    assert_eq!(links.role_of(session, bench.instance, end), None);
    assert_eq!(
        code(links.exchange(&secret, SessionId::new(), end).await),
        "link_expired"
    );
    assert!(links.expire(end - 1).is_empty());
    assert_eq!(links.expire(end).iter().map(|l| l.id).collect::<Vec<_>>(), [made.id]);
    assert_eq!(links.next_end(), None);
}

#[tokio::test]
async fn links_go_with_their_instance() {
    let bench = Bench::new().await;
    let links = bench.links().await;
    let (_, secret) = links
        .make(bench.instance, wish(Role::Controller, None), NOW)
        .await
        .unwrap();
    let session = SessionId::new();
    links.exchange(&secret, session, NOW).await.unwrap();
    links.tidy(|_| false, NOW).await.unwrap();
    assert_eq!(links.of(bench.instance).len(), 1, "it is not here, and may come back");
    let change = StatusChange {
        status: InstanceStatus::Terminated,
        reason: None,
        message: None,
        output: Vec::new(),
        restarts: 0,
        modified: NOW,
        ended: Some(NOW),
    };
    bench.store().update_instance(bench.instance, change).await.unwrap();
    links.tidy(|_| true, NOW).await.unwrap();
    assert_eq!(links.of(bench.instance).len(), 1);
    links.tidy(|_| false, NOW).await.unwrap();
    assert!(links.of(bench.instance).is_empty());
    assert_eq!(code(links.exchange(&secret, session, NOW).await), "unknown_link");
}

#[tokio::test]
async fn a_wish_beyond_what_a_link_may_be_is_refused() {
    let bench = Bench::new().await;
    let links = bench.links().await;
    let usual = wish(Role::Spectator, None);
    for bad in [
        Wish {
            role: Role::Owner,
            ..usual
        },
        Wish {
            role: Role::Admin,
            ..usual
        },
        Wish {
            life: Duration::from_secs(9),
            ..usual
        },
        Wish {
            life: LONGEST + SHORTEST,
            ..usual
        },
        Wish { uses: Some(0), ..usual },
        Wish {
            uses: Some(MOST_USES + 1),
            ..usual
        },
    ] {
        assert_eq!(
            code(links.make(bench.instance, bad, NOW).await),
            "out_of_range",
            "{bad:?}"
        );
    }
    for _ in 0..MOST_LINKS {
        links.make(bench.instance, usual, NOW).await.unwrap();
    }
    assert_eq!(code(links.make(bench.instance, usual, NOW).await), "too_many_links");
}

#[tokio::test]
async fn with_another_token_all_links_end_here_and_at_the_next_host() {
    let bench = Bench::new().await;
    let tokens = [(); 3].map(|()| Secret::generate().unwrap().hash());
    let links = bench.links_under(&tokens[0]).await;
    let session = SessionId::new();
    let usual = wish(Role::Controller, None);
    let (_, secret) = links.make(bench.instance, usual, NOW).await.unwrap();
    links.exchange(&secret, session, NOW).await.unwrap();

    // At once, whether or not the database has been told yet.
    let told = links.end_all(tokens[1].clone());
    assert_eq!(links.role_of(session, bench.instance, NOW), None);
    assert_eq!(code(links.exchange(&secret, session, NOW).await), "link_revoked");
    assert_eq!(told.await.unwrap(), 1);
    let (_, newer) = links.make(bench.instance, usual, NOW).await.unwrap();
    links.exchange(&newer, session, NOW).await.unwrap();

    // A host that starts with the same token knows them, one that starts with another does not.
    let same = bench.links_under(&tokens[1]).await;
    assert_eq!(same.role_of(session, bench.instance, NOW), Some(Role::Controller));
    let other = bench.links_under(&tokens[2]).await;
    assert_eq!(other.role_of(session, bench.instance, NOW), None);
    assert_eq!(code(other.exchange(&newer, session, NOW).await), "link_revoked");
}
