use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MOST: usize = 64;

/// Places, and the roles of those who ask for them.
struct Scene {
    places: Places,
    roles: BTreeMap<ViewerId, Role>,
    now: Instant,
}

impl Scene {
    fn new(most: usize) -> Self {
        Self {
            places: Places::new(most),
            roles: BTreeMap::new(),
            now: Instant::now(),
        }
    }

    fn asker(&mut self, role: Role, session: SessionId, address: u8) -> Asker {
        let viewer = ViewerId::new();
        self.roles.insert(viewer, role);
        Asker {
            viewer,
            session,
            from: [192, 0, 2, address].into(),
        }
    }

    fn asks(&mut self, asker: Asker) -> Result<(PeerId, Option<PeerId>), NoPlace> {
        let (peer, roles) = (PeerId::new(), &self.roles);
        let out = self.places.ask(peer, asker, &|id| roles[&id], self.now)?;
        Ok((peer, out))
    }

    /// A tab of a session of its own.
    fn comes(&mut self, role: Role, address: u8) -> Result<(PeerId, Option<PeerId>), NoPlace> {
        let asker = self.asker(role, SessionId::new(), address);
        self.asks(asker)
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }
}

#[test]
fn who_was_to_leave_for_one_of_whom_nothing_came_has_its_place_again_unless_another_has_it() {
    let mut scene = Scene::new(1);
    let (first, _) = scene.comes(Role::Spectator, 1).unwrap();
    let (second, out) = scene.comes(Role::Owner, 2).unwrap();
    assert_eq!(out, Some(first));
    assert!(!scene.places.stays(first), "the second one has its place");
    scene.places.gone(second);
    assert!(scene.places.stays(first));
    assert!(!scene.places.stays(first), "it is there already");
    assert_eq!(scene.comes(Role::Spectator, 3), Err(NoPlace));
    scene.places.gone(first);
    assert!(!scene.places.stays(first), "it has gone");
    assert!(scene.comes(Role::Spectator, 3).is_ok());
}

#[test]
fn four_guests_who_never_connect_take_no_place_from_anybody() {
    let mut scene = Scene::new(MOST);
    for _ in 0..4 {
        let session = SessionId::new();
        for _ in 0..16 {
            let asker = scene.asker(Role::Spectator, session, 1);
            let _ = scene.asks(asker);
        }
    }
    for role in [Role::Owner, Role::Controller, Role::Admin] {
        assert!(scene.comes(role, 2).is_ok());
    }
    let (_, out) = scene.comes(Role::Spectator, 1).unwrap();
    assert!(out.is_some(), "another guest has the place of one of theirs");
}

#[test]
fn controllers_who_come_again_and_again_keep_neither_owner_nor_administrators_out() {
    let mut scene = Scene::new(MOST);
    for session in 0..12 {
        let id = SessionId::new();
        for _ in 0..16 {
            let asker = scene.asker(Role::Controller, id, 1);
            let _ = scene.asks(asker);
            scene.pass(Duration::from_millis(session * 100));
            // Each tab offers anew, and its peer before is still being closed.
            let _ = scene.asks(asker);
        }
    }
    assert_eq!(
        scene.comes(Role::Controller, 1),
        Err(NoPlace),
        "they have all that is theirs"
    );
    for _ in 0..8 {
        assert!(scene.comes(Role::Owner, 2).is_ok());
        assert!(scene.comes(Role::Admin, 2).is_ok());
    }
}

#[test]
fn sixty_who_watch_from_one_address_are_let_in_and_stay() {
    let mut scene = Scene::new(MOST);
    for _ in 0..60 {
        let (peer, out) = scene.comes(Role::Spectator, 1).unwrap();
        assert_eq!(out, None);
        scene.places.connected(peer);
    }
    assert_eq!(scene.comes(Role::Spectator, 1), Err(NoPlace));
    assert_eq!(scene.comes(Role::Spectator, 2), Err(NoPlace));
    for _ in 0..4 {
        assert_eq!(scene.comes(Role::Controller, 1).map(|(_, out)| out), Ok(None));
    }
}

#[test]
fn an_owner_gets_the_place_of_who_waits_then_of_the_spectator_that_came_last() {
    let mut scene = Scene::new(4);
    let mut peers = Vec::new();
    for _ in 0..3 {
        peers.push(scene.comes(Role::Spectator, 1).unwrap().0);
        scene.pass(Duration::from_secs(1));
    }
    scene.places.connected(peers[0]);
    scene.places.connected(peers[1]);
    assert_eq!(scene.comes(Role::Owner, 1).map(|(_, out)| out), Ok(None));
    let mut out = || scene.comes(Role::Owner, 1).map(|(_, out)| out);
    assert_eq!(out(), Ok(Some(peers[2])));
    assert_eq!(out(), Ok(Some(peers[1])));
    assert_eq!(out(), Ok(Some(peers[0])));
    assert_eq!(out(), Err(NoPlace), "all are the owner's");
}

#[test]
fn who_has_waited_for_long_gives_way_to_whoever_comes() {
    let mut scene = Scene::new(3);
    let (first, _) = scene.comes(Role::Spectator, 1).unwrap();
    scene.pass(Duration::from_secs(1));
    scene.comes(Role::Spectator, 1).unwrap();
    assert_eq!(scene.comes(Role::Spectator, 1), Err(NoPlace), "as many of each");
    scene.pass(PATIENCE - Duration::from_secs(1));
    assert_eq!(scene.comes(Role::Spectator, 1).map(|(_, out)| out), Ok(Some(first)));
    assert_eq!(scene.comes(Role::Spectator, 1), Err(NoPlace));
}

#[test]
fn a_viewers_next_connection_takes_the_place_of_the_one_before() {
    let mut scene = Scene::new(2);
    let asker = scene.asker(Role::Spectator, SessionId::new(), 1);
    let (first, _) = scene.asks(asker).unwrap();
    scene.places.connected(first);
    for _ in 0..3 {
        assert_eq!(scene.asks(asker).map(|(_, out)| out), Ok(None));
    }
    assert_eq!(
        scene.asks(asker),
        Err(NoPlace),
        "too many of them are still being closed"
    );
    scene.places.gone(first);
    assert!(scene.asks(asker).is_ok());
}

#[derive(Clone, Debug)]
enum Step {
    Ask { viewer: usize },
    Connected(usize),
    Leaves(usize),
    Gone(usize),
    Becomes { viewer: usize, role: usize },
    Pause(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0usize..40).prop_map(|viewer| Step::Ask { viewer }),
        4 => any::<usize>().prop_map(Step::Connected),
        1 => any::<usize>().prop_map(Step::Leaves),
        3 => any::<usize>().prop_map(Step::Gone),
        1 => (0usize..40, 0usize..4).prop_map(|(viewer, role)| Step::Becomes { viewer, role }),
        2 => (0u64..6000).prop_map(Step::Pause),
    ];
    prop::collection::vec(step, 1..400)
}

proptest! {
    #[test]
    fn nobody_with_a_right_to_steer_is_kept_out_by_spectators_and_nobody_connected_is_put_out_by_equals(
        most in 1usize..24,
        steps in steps(),
    ) {
        let mut scene = Scene::new(most);
        // Most of them are spectators, as in an attack.
        let askers: Vec<Asker> = (0..40u8)
            .map(|n| {
                let role = if n < 24 { Role::Spectator } else if n < 34 { Role::Controller } else { Role::ALL[usize::from(n) % 4] };
                scene.asker(role, SessionId::new(), n % 5)
            })
            .collect();
        // Every child of the tree, with the rank it came with.
        let mut children: BTreeMap<PeerId, u8> = BTreeMap::new();
        let some = |children: &BTreeMap<PeerId, u8>, n: usize| children.keys().nth(n % children.len().max(1)).copied();
        for step in steps {
            match step {
                Step::Ask { viewer } => {
                    let asker = askers[viewer];
                    let before = scene.places.held.clone();
                    let ranks: BTreeMap<PeerId, u8> =
                        before.iter().map(|(id, p)| (*id, rank(scene.roles[&p.of.viewer]))).collect();
                    let own = rank(scene.roles[&asker.viewer]);
                    match scene.asks(asker) {
                        Ok((peer, out)) => {
                            children.insert(peer, own);
                            if let Some(out) = out {
                                prop_assert!(ranks[&out] < own || (ranks[&out] == own && !before[&out].connected));
                            }
                        }
                        Err(NoPlace) if own > 0 => {
                            let equals = children.values().filter(|rank| **rank >= own).count();
                            prop_assert!(
                                equals >= SPARE / 2 || ranks.values().all(|rank| *rank >= own),
                                "kept out by lower ones: {ranks:?}"
                            );
                        }
                        Err(NoPlace) => {}
                    }
                }
                Step::Connected(n) => if let Some(peer) = some(&children, n) {
                    scene.places.connected(peer);
                },
                Step::Leaves(n) => if let Some(peer) = some(&children, n) {
                    scene.places.leaves(peer);
                },
                Step::Gone(n) => if let Some(peer) = some(&children, n) {
                    scene.places.gone(peer);
                    children.remove(&peer);
                },
                Step::Becomes { viewer, role } => {
                    scene.roles.insert(askers[viewer].viewer, Role::ALL[role]);
                }
                Step::Pause(ms) => scene.pass(Duration::from_millis(ms)),
            }
            let (held, all) = (scene.places.held.len(), scene.places.held.len() + scene.places.leaving.len());
            prop_assert!(held <= most);
            prop_assert!(all <= Places::children(most));
            prop_assert_eq!(all, children.len(), "every child is known");
        }
    }
}

#[test]
fn a_viewer_tries_another_way_beside_the_one_it_has_and_takes_nobodys_place_for_it() {
    let (mut places, now) = (Places::new(3), Instant::now());
    let roles = |_: ViewerId| Role::Owner;
    let asker = |viewer, session| Asker {
        viewer,
        session,
        from: [127, 0, 0, 1].into(),
    };
    let one = asker(ViewerId::new(), SessionId::new());
    let (first, beside, again) = (PeerId::new(), PeerId::new(), PeerId::new());
    assert_eq!(places.ask(first, one, &roles, now), Ok(None));
    places.connected(first);
    assert_eq!(places.ask_beside(beside, one, &roles, now), Ok(()));
    assert!(places.held.contains_key(&first), "it goes on meanwhile");
    assert_eq!(places.ask_beside(again, one, &roles, now), Ok(()));
    assert!(
        !places.held.contains_key(&beside) && places.held.len() == 2,
        "one at a time"
    );
    let other = asker(ViewerId::new(), SessionId::new());
    assert_eq!(places.ask(PeerId::new(), other, &roles, now), Ok(None));
    let third = asker(ViewerId::new(), SessionId::new());
    assert_eq!(places.ask_beside(PeerId::new(), third, &roles, now), Err(NoPlace));
    // A peer in their place ends both.
    let next = PeerId::new();
    assert_eq!(places.ask(next, one, &roles, now), Ok(None));
    assert!(!places.held.contains_key(&first) && !places.held.contains_key(&again));
}
