use std::time::Duration;

use super::*;

struct Bench {
    folder: tempfile::TempDir,
    token: Secret,
}

impl Bench {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            token: Secret::generate().unwrap(),
        }
    }

    /// A host that starts on the same database.
    async fn admins(&self, token: &Secret, former: Option<Secret>) -> Admins {
        let store = Store::open("sqlite:test.db", self.folder.path()).unwrap();
        Admins::load(store, token.hash(), former, false).await.unwrap()
    }
}

#[tokio::test]
async fn the_token_is_exchanged_for_cookies_that_outlive_the_host() {
    let bench = Bench::new();
    let admins = bench.admins(&bench.token, None).await;
    assert!(admins.sign_in(&Secret::generate().unwrap()).await.unwrap().is_none());
    let cookie = admins.sign_in(&bench.token).await.unwrap().unwrap();
    let another = admins.sign_in(&bench.token).await.unwrap().unwrap();
    assert!(!cookie.matches(&another) && !cookie.matches(&bench.token));
    assert!(admins.pass(Some(&cookie), None).is_some());
    assert!(admins.pass(None, Some(&bench.token)).is_some());
    assert!(
        admins.pass(Some(&bench.token), Some(&cookie)).is_none(),
        "each is good in its place"
    );
    let next = bench.admins(&bench.token, None).await;
    assert!(next.pass(Some(&cookie), None).is_some());
}

#[tokio::test]
async fn a_ticket_signs_in_once_and_not_as_a_bearer() {
    let bench = Bench::new();
    let admins = bench.admins(&bench.token, None).await;
    let ticket = admins.ticket().unwrap();
    assert!(admins.pass(None, Some(&ticket)).is_none());
    let cookie = admins.sign_in(&ticket).await.unwrap().unwrap();
    assert!(admins.pass(Some(&cookie), None).is_some());
    assert!(admins.sign_in(&ticket).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_token_ends_what_was_got_by_the_old_one_here_and_at_the_next_host() {
    let bench = Bench::new();
    let admins = bench.admins(&bench.token, None).await;
    let cookie = admins.sign_in(&bench.token).await.unwrap().unwrap();
    let ticket = admins.ticket().unwrap();
    let mut pass = admins.pass(Some(&cookie), None).unwrap();
    assert!(pass.holds());

    let new = Secret::generate().unwrap();
    admins.replace(new.hash());
    assert!(!pass.holds());
    tokio::time::timeout(Duration::from_secs(5), pass.ended())
        .await
        .unwrap();
    assert!(admins.pass(Some(&cookie), Some(&bench.token)).is_none());
    assert!(admins.sign_in(&bench.token).await.unwrap().is_none());
    assert!(admins.sign_in(&ticket).await.unwrap().is_none());
    let fresh = admins.sign_in(&new).await.unwrap().unwrap();
    assert!(admins.pass(Some(&fresh), None).is_some_and(|p| p.holds()));

    let next = bench.admins(&new, None).await;
    assert!(next.pass(Some(&fresh), None).is_some());
    assert!(next.pass(Some(&cookie), None).is_none());
}

#[tokio::test]
async fn a_token_that_is_replaced_during_a_sign_in_signs_nobody_in() {
    let bench = Bench::new();
    let admins = bench.admins(&bench.token, None).await;
    let signing = admins.sign_in(&bench.token);
    tokio::pin!(signing);
    // Begun, and waiting for the database.
    assert!(futures::poll!(signing.as_mut()).is_pending());
    admins.replace(Secret::generate().unwrap().hash());
    assert!(signing.await.unwrap().is_none());
}

#[tokio::test]
async fn the_cookie_of_a_host_of_before_stays_good_when_its_token_is_hashed() {
    let bench = Bench::new();
    let cookie = bench.token.derive(FORMER_COOKIE);
    let admins = bench.admins(&bench.token, Some(bench.token.clone())).await;
    assert!(admins.pass(Some(&cookie), None).is_some());
    let next = bench.admins(&bench.token, None).await;
    assert!(next.pass(Some(&cookie), None).is_some());
}
