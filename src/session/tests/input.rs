//! A button that is held while its viewer loses control.

use std::time::Duration;

use crate::clock::unix_ms;
use crate::ids::{PeerId, SessionId};
use crate::instance::actor::{Control, Join};
use crate::instance::testing::{Running, tab};
use crate::instance::{ControlWish, OutboundTexts, Speaker};
use crate::protocol::words::Role;
use crate::session::testing::Bench;
use crate::session::{Identity, Wish};

pub(super) const SOON: Duration = Duration::from_secs(5);

/// Somebody's tab that watches, with a peer.
pub(super) async fn watching(bench: &Bench, running: &Running, who: &Identity) -> (Speaker, PeerId, OutboundTexts) {
    let (speaker, socket) = tab(who.session);
    let join = Join {
        who: speaker.clone(),
        role: bench.roles.from_now_on(&who.tenure(None), &running.handle),
        peer: None,
        claim: None,
    };
    running.handle.actor().ask(join, SOON).await.unwrap().unwrap();
    let peer = PeerId::new();
    running.roster().set_peer(&speaker, peer).unwrap();
    (speaker, peer, socket)
}

pub(super) async fn owned(bench: &Bench) -> (Identity, Running) {
    let pass = bench.admins.pass(None, Some(&bench.token)).unwrap();
    let (owner, _) = bench.book.create(Some(&pass)).await.unwrap();
    let running = bench.instance(owner.session).await;
    (owner, running)
}

/// Comes by a link that lets steer.
async fn controller(bench: &Bench, running: &Running, session: SessionId) -> crate::ids::LinkId {
    let wish = Wish {
        role: Role::Controller,
        life: SOON * 100,
        uses: None,
    };
    let id = running.handle.spec().id;
    let (link, secret) = bench.roles.links().make(id, wish, unix_ms()).await.unwrap();
    bench.roles.exchange(&secret, session).await.unwrap();
    link.id
}

#[actix_rt::test]
async fn control_handed_on_with_a_button_held_releases_it_and_what_comes_late_goes_nowhere() {
    let bench = Bench::new(false, Some(Role::Spectator)).await;
    let (owner, running) = owned(&bench).await;
    let (guest, _) = bench.book.create(None).await.unwrap();
    let (mine, my_peer, _my_socket) = watching(&bench, &running, &owner).await;
    let (theirs, their_peer, _their_socket) = watching(&bench, &running, &guest).await;
    let input = running.input();
    running.press(mine.viewer, my_peer, input);
    running.press(theirs.viewer, their_peer, input);
    assert_eq!(input.len(), 1, "who has no control presses nothing");
    running.press(mine.viewer, my_peer, input);
    assert_eq!(input.len(), 2);
    let wish = ControlWish::Grant(theirs.viewer);
    let grant = Control {
        who: mine.clone(),
        wish,
    };
    running.handle.actor().ask(grant, SOON).await.unwrap().unwrap();
    assert_eq!(input.len(), 1, "everything is released, and what waited is forgotten");
    running.press(mine.viewer, my_peer, input);
    assert_eq!(input.len(), 1, "what comes late goes nowhere");
    running.press(theirs.viewer, their_peer, input);
    assert_eq!(input.len(), 2);
}

#[actix_rt::test]
async fn a_link_revoked_with_a_button_held_releases_it_and_what_comes_late_goes_nowhere() {
    let bench = Bench::new(false, None).await;
    let (_, running) = owned(&bench).await;
    let (guest, _) = bench.book.create(None).await.unwrap();
    let link = controller(&bench, &running, guest.session).await;
    let (who, peer, _socket) = watching(&bench, &running, &guest).await;
    let input = running.input();
    running.press(who.viewer, peer, input);
    running.press(who.viewer, peer, input);
    assert_eq!(input.len(), 2);
    bench.roles.revoke(running.handle.spec().id, link).await.unwrap();
    assert_eq!(input.len(), 1, "everything is released, and what waited is forgotten");
    running.press(who.viewer, peer, input);
    assert_eq!(input.len(), 1, "what comes late goes nowhere");
    assert_eq!(running.roster().role(who.viewer), None);
}

#[actix_rt::test]
async fn a_session_that_ends_with_a_button_held_releases_it_and_what_comes_late_goes_nowhere() {
    let bench = Bench::new(false, None).await;
    let (owner, running) = owned(&bench).await;
    let (who, peer, _socket) = watching(&bench, &running, &owner).await;
    let input = running.input();
    running.press(who.viewer, peer, input);
    running.press(who.viewer, peer, input);
    bench.book.delete(owner.session).await.unwrap();
    bench.roles.regrade_all();
    assert_eq!(input.len(), 1, "everything is released, and what waited is forgotten");
    running.press(who.viewer, peer, input);
    assert_eq!(input.len(), 1, "what comes late goes nowhere");
}
