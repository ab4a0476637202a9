use super::super::pool::tests::{Bench, change};
use super::*;
use crate::protocol::words::InstanceStatus;

/// A link to a new instance: made at 10, ends at 100.
async fn link(bench: &Bench, secret: &str, uses: Option<i32>) -> LinkRow {
    let link = LinkRow {
        link_id: LinkId::new(),
        instance_id: bench.instance(SessionId::new(), 1).await,
        role: Role::Controller,
        expires_at: 100,
        token_hash: secret.to_owned(),
        created: 10,
        uses,
        used: 0,
        revoked: None,
        made_under: None,
    };
    assert!(bench.store.insert_link(link.clone(), 2).await.unwrap());
    link
}

async fn exchange(bench: &Bench, secret: &str, session: SessionId, now: i64) -> Exchanged {
    let (store, secret) = (&bench.store, secret.to_owned());
    store.exchange_link(secret, session, now, 1000).await.unwrap()
}

#[tokio::test]
async fn a_link_is_exchanged_until_it_is_used_up_and_costs_the_same_session_one_use() {
    let bench = Bench::new().await;
    link(&bench, "secret", Some(2)).await;
    let (one, two) = (SessionId::new(), SessionId::new());
    let used = |exchanged| match exchanged {
        Exchanged::Granted { link, used } => Some((link.used, used)),
        _ => None,
    };
    assert_eq!(used(exchange(&bench, "secret", one, 20).await), Some((1, true)));
    assert_eq!(used(exchange(&bench, "secret", one, 20).await), Some((1, false)));
    assert_eq!(used(exchange(&bench, "secret", two, 20).await), Some((2, true)));
    assert_eq!(
        exchange(&bench, "secret", SessionId::new(), 20).await,
        Exchanged::UsedUp
    );
    assert_eq!(used(exchange(&bench, "secret", two, 20).await), Some((2, false)));
    assert_eq!(exchange(&bench, "another", one, 20).await, Exchanged::Unknown);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_come_by_a_one_use_link_at_once_one_is_let_in() {
    let bench = Bench::new().await;
    link(&bench, "secret", Some(1)).await;
    let all = (0..12).map(|_| exchange(&bench, "secret", SessionId::new(), 20));
    let all = futures::future::join_all(all).await;
    let granted = all.iter().filter(|e| matches!(e, Exchanged::Granted { .. })).count();
    let refused = all.iter().filter(|e| **e == Exchanged::UsedUp).count();
    assert_eq!((granted, refused), (1, 11));
}

#[tokio::test]
async fn a_link_says_why_it_has_ended_and_takes_along_what_it_gave() {
    let bench = Bench::new().await;
    let (late, revoked) = (link(&bench, "late", None).await, link(&bench, "revoked", None).await);
    let session = SessionId::new();
    exchange(&bench, "revoked", session, 20).await;
    assert_eq!(exchange(&bench, "late", session, 100).await, Exchanged::Expired);
    let living = bench.store.living_links(None, 20).await.unwrap();
    let holders: Vec<_> = living.iter().map(|(l, s)| (l.link_id, s.clone())).collect();
    assert_eq!(holders, [(late.link_id, vec![]), (revoked.link_id, vec![session])]);

    let revoke =
        async |link: &LinkRow, instance, now| bench.store.revoke_link(instance, link.link_id, now).await.unwrap();
    assert!(
        !revoke(&revoked, late.instance_id, 30).await,
        "it is another instance's"
    );
    assert!(revoke(&revoked, revoked.instance_id, 30).await);
    assert!(!revoke(&revoked, revoked.instance_id, 30).await, "once is enough");
    assert!(!revoke(&late, late.instance_id, 100).await, "it has ended by itself");
    assert_eq!(exchange(&bench, "revoked", session, 40).await, Exchanged::Revoked);
    assert_eq!(
        exchange(&bench, "late", session, 20).await,
        Exchanged::Revoked,
        "by a clock that was put back it has not expired"
    );
    let living = bench.store.living_links(Some(revoked.instance_id), 40).await.unwrap();
    assert!(living.is_empty());
}

#[tokio::test]
async fn an_instance_has_so_many_living_links_and_no_more() {
    let bench = Bench::new().await;
    let first = link(&bench, "1", None).await;
    let more = async |secret: &str, created| {
        let link = LinkRow {
            link_id: LinkId::new(),
            token_hash: secret.to_owned(),
            created,
            expires_at: 500,
            ..first.clone()
        };
        bench.store.insert_link(link, 2).await.unwrap()
    };
    assert!(more("2", 20).await);
    assert!(!more("3", 20).await);
    assert!(more("4", 100).await, "the first one has expired by then");
}

#[tokio::test]
async fn links_end_with_their_instance_and_not_with_a_failure() {
    let bench = Bench::new().await;
    let link = link(&bench, "secret", None).await;
    let to = async |status, at| {
        let changed = bench.store.update_instance(link.instance_id, change(status, at)).await;
        assert!(changed.unwrap());
    };
    to(InstanceStatus::Failed, 20).await;
    let there = exchange(&bench, "secret", SessionId::new(), 30).await;
    assert!(matches!(there, Exchanged::Granted { .. }));
    // The clock was put back before it ended.
    to(InstanceStatus::Terminated, 5).await;
    assert_eq!(
        exchange(&bench, "secret", SessionId::new(), 50).await,
        Exchanged::Unknown
    );
}
