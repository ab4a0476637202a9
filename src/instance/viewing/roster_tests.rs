use futures::FutureExt;
use tokio::task::unconstrained;

use super::*;
use crate::ids::SessionId;
use crate::instance::testing::tab;
use crate::instance::viewing::door::Door;
use crate::instance::viewing::outbound::{OutboundTexts, outbound};

fn is_refused<T>(result: Result<T, ControlError>, code: &str) -> bool {
    result.err().map(ControlError::code) == Some(code)
}

#[test]
fn who_is_let_in_by_nothing_does_not_come_in() {
    let roster = Roster::new(8, InputQueue::new().unwrap(), Instant::now());
    for (why, code) in [
        (ControlError::NoAccess, "not_allowed"),
        (ControlError::Ended, "signed_out"),
    ] {
        let (who, _socket) = tab(SessionId::new());
        assert!(is_refused(roster.join(&who, &RoleNow::new(move || Err(why))), code));
        assert_eq!(roster.role(who.viewer), None);
        assert!(is_refused(roster.heard(&who), "not_watching"));
    }
}

#[test]
fn nothing_is_heard_of_who_was_refused_or_says_it_for_somebody_else() {
    let roster = Roster::new(8, InputQueue::new().unwrap(), Instant::now());
    let ((owner, _owners_socket), (other, _others_socket)) = (tab(SessionId::new()), tab(SessionId::new()));
    roster.join(&owner, &RoleNow::always(Role::Owner)).unwrap();
    // A spectator that says it is the owner, by its own socket, and even for the owner's session.
    let as_owner = Speaker {
        viewer: owner.viewer,
        ..other.clone()
    };
    let of_owner = Speaker {
        session: owner.session,
        ..as_owner.clone()
    };
    assert!(is_refused(
        roster.join(&as_owner, &RoleNow::always(Role::Spectator)),
        "not_allowed"
    ));
    roster.join(&other, &RoleNow::always(Role::Spectator)).unwrap();
    for who in [&as_owner, &of_owner] {
        for wish in [
            ControlWish::Grant(other.viewer),
            ControlWish::Release,
            ControlWish::Request,
        ] {
            assert!(is_refused(roster.control(who, wish), "not_watching"));
        }
        assert!(is_refused(roster.set_peer(who, PeerId::new()), "not_watching"));
        assert_eq!(roster.leave(who, Instant::now()), None);
    }
    assert_eq!(roster.with(|v| v.holder()), Some(owner.viewer));
    assert_eq!(roster.role(owner.viewer), Some(Role::Owner));
}

#[test]
fn what_was_handed_on_falls_back_when_who_did_it_may_do_so_no_longer() {
    let roster = Roster::new(8, InputQueue::new().unwrap(), Instant::now());
    let ((admin, _a), (guest, _g)) = (tab(SessionId::new()), tab(SessionId::new()));
    let holds = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let now = Arc::clone(&holds);
    let role = RoleNow::new(move || match now.load(std::sync::atomic::Ordering::Relaxed) {
        true => Ok(Role::Admin),
        false => Err(ControlError::Ended),
    });
    roster.join(&admin, &role).unwrap();
    roster.join(&guest, &RoleNow::always(Role::Spectator)).unwrap();
    roster.control(&admin, ControlWish::Grant(guest.viewer)).unwrap();
    roster.regrade();
    assert!(roster.with(|v| v.may_steer(guest.viewer)));
    roster.leave(&admin, Instant::now());
    roster.regrade();
    assert!(
        roster.with(|v| v.may_steer(guest.viewer)),
        "whoever handed it on may be gone"
    );
    holds.store(false, std::sync::atomic::Ordering::Relaxed);
    assert!(roster.regrade().changed);
    assert!(!roster.with(|v| v.may_steer(guest.viewer)));
}

#[test]
fn a_viewer_that_comes_back_in_time_finds_its_peer() {
    let now = Instant::now();
    let roster = Roster::new(8, InputQueue::new().unwrap(), now);
    let (peer, owner) = (PeerId::new(), RoleNow::always(Role::Owner));
    let (who, socket) = tab(SessionId::new());
    assert_eq!(roster.join(&who, &owner).unwrap().0, None);
    roster.set_peer(&who, peer).unwrap();
    drop(socket);
    let grace = Duration::from_secs(8);
    assert!(roster.expired(grace, now).is_empty());
    assert!(roster.expired(grace, now + Duration::from_secs(7)).is_empty());
    let (out, _socket) = outbound();
    assert_eq!(
        roster
            .join(
                &Speaker {
                    door: Door::Socket(out),
                    ..who
                },
                &owner
            )
            .unwrap()
            .0,
        Some(peer)
    );
    assert!(roster.expired(grace, now + Duration::from_secs(60)).is_empty());
}

#[test]
fn a_viewer_that_stays_away_expires() {
    let now = Instant::now();
    let roster = Roster::new(8, InputQueue::new().unwrap(), now);
    let (who, socket) = tab(SessionId::new());
    roster.join(&who, &RoleNow::always(Role::Spectator)).unwrap();
    drop(socket);
    roster.expired(Duration::from_secs(8), now);
    assert_eq!(
        roster.expired(Duration::from_secs(8), now + Duration::from_secs(8)),
        [who.viewer]
    );
}

#[test]
fn an_old_sockets_end_does_not_take_away_a_viewer_that_moved_to_a_new_one() {
    let now = Instant::now();
    let roster = Roster::new(8, InputQueue::new().unwrap(), now);
    let owner = RoleNow::always(Role::Owner);
    let (old, _old_socket) = tab(SessionId::new());
    let (out, _new_socket) = outbound();
    let new = Speaker {
        door: Door::Socket(out),
        ..old.clone()
    };
    roster.join(&old, &owner).unwrap();
    let before = roster.join(&new, &owner).unwrap().1;
    assert!(before.is_some_and(|before| before.is_same(&old.door)));
    assert_eq!(roster.leave(&old, now), None);
    assert!(
        is_refused(roster.heard(&old), "not_watching"),
        "what it says no longer counts"
    );
    assert!(roster.with(|v| v.may_steer(new.viewer)));
}

/// What a socket has been told, without waiting for more.
async fn told(socket: &mut OutboundTexts) -> Vec<serde_json::Value> {
    let mut told = Vec::new();
    while let Some(Some(text)) = unconstrained(socket.next()).now_or_never() {
        told.push(serde_json::from_str(&text).unwrap());
    }
    told
}

#[tokio::test(start_paused = true)]
async fn of_hundreds_who_come_at_once_everybody_is_told_a_few_times_and_the_last_time_of_all() {
    const MANY: usize = 300;
    // Tokio's clock is the one that is paused, so it is asked here.
    let now = || tokio::time::Instant::now().into_std();
    let roster = Arc::new(Roster::new(MANY, InputQueue::new().unwrap(), now()));
    let announcer = Arc::clone(&roster);
    let announcing = tokio::spawn(async move { announcer.keep_announcing().await });
    let mut sockets = Vec::new();
    for number in 0..MANY {
        let role = if number == MANY / 2 {
            Role::Owner
        } else {
            Role::Spectator
        };
        let (who, socket) = tab(SessionId::new());
        roster.join(&who, &RoleNow::always(role)).unwrap();
        sockets.push(socket);
        roster.announce(now());
        tokio::time::advance(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut messages = 0;
    for socket in &mut sockets {
        let told = told(socket).await;
        messages += told.len();
        let list = told.iter().rfind(|m| m["type"] == "viewers").unwrap();
        assert_eq!(list["count"], MANY);
        let named = list["viewers"].as_array().unwrap();
        assert_eq!(named.len(), MOST_NAMED);
        assert_eq!(named[0]["role"], "owner", "the one that matters is named first");
    }
    assert!(messages < MANY * 10, "{messages} messages to {MANY}");
    announcing.abort();
}

#[tokio::test(start_paused = true)]
async fn a_claim_leads_to_the_viewer_of_the_same_session_that_makes_it_once() {
    let roster = Arc::new(Roster::new(8, InputQueue::new().unwrap(), Instant::now()));
    let claim = Claim::new();
    let ((mine, _socket), (other, _others_socket)) = (tab(SessionId::new()), tab(SessionId::new()));
    let waits = |session| {
        let roster = Arc::clone(&roster);
        let soon = Duration::from_secs(1);
        async move { tokio::time::timeout(soon, roster.claimed(claim, session)).await.ok() }
    };
    // Before the viewer is here, and before it says so.
    let early = tokio::spawn(waits(mine.session));
    tokio::task::yield_now().await;
    roster.claim(&mine, claim);
    for who in [&mine, &other] {
        roster.join(who, &RoleNow::always(Role::Spectator)).unwrap();
    }
    roster.claim(&other, claim);
    tokio::task::yield_now().await;
    assert!(
        !early.is_finished(),
        "what another session claims, or nobody, is nothing"
    );
    roster.claim(&mine, claim);
    assert_eq!(early.await.unwrap(), Some(mine.viewer));
    assert_eq!(waits(mine.session).await, None, "it was worth something once");
    assert_eq!(
        waits(other.session).await,
        Some(other.viewer),
        "each session has its own"
    );
    // Made before it is asked for; another one replaces it, and so does a door that comes in its place.
    roster.claim(&mine, claim);
    roster.claim(&mine, Claim::new());
    assert_eq!(waits(mine.session).await, None);
    roster.claim(&mine, claim);
    let (elsewhere, _new_socket) = tab(mine.session);
    let elsewhere = Speaker {
        viewer: mine.viewer,
        ..elsewhere
    };
    roster.join(&elsewhere, &RoleNow::always(Role::Spectator)).unwrap();
    assert_eq!(waits(mine.session).await, None);
    // By a door that is no longer its viewer's.
    roster.claim(&mine, claim);
    assert_eq!(waits(mine.session).await, None);
    roster.claim(&elsewhere, claim);
    assert_eq!(waits(mine.session).await, Some(mine.viewer));
}
