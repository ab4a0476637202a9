use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

fn two() -> (Viewers, ViewerId, ViewerId) {
    let mut viewers = Viewers::new(8, Instant::now());
    let (mine, other) = (ViewerId::new(), ViewerId::new());
    assert_eq!(viewers.join(mine, SessionId::new(), Role::Owner), Ok(Role::Owner));
    assert_eq!(
        viewers.join(other, SessionId::new(), Role::Spectator),
        Ok(Role::Spectator)
    );
    (viewers, mine, other)
}

#[test]
fn the_owner_steers_and_spectators_watch() {
    let (mut viewers, mine, other) = two();
    assert!(viewers.may_steer(mine) && !viewers.may_steer(other));
    assert_eq!(viewers.request(other), Err(ControlError::MayNotSteer));
    assert_eq!(viewers.grant(other, other), Err(ControlError::MayNotGive));
    assert_eq!(viewers.release(other), Err(ControlError::NotHeld));
}

#[test]
fn a_viewer_id_that_was_overheard_opens_nothing() {
    let (mut viewers, mine, _) = two();
    let taken = viewers.join(mine, SessionId::new(), Role::Admin);
    assert_eq!(taken, Err(ControlError::OthersId));
    assert_eq!(viewers.role(mine), Role::Owner);
}

#[test]
fn no_more_come_than_may_but_the_owner_and_administrators_do_and_spectators_keep_no_controller_out() {
    let mut viewers = Viewers::new(2, Instant::now());
    let (owner, guest) = (SessionId::new(), SessionId::new());
    let mut here = Vec::new();
    for role in [Role::Spectator, Role::Controller] {
        for _ in 0..2 {
            here.push(ViewerId::new());
            viewers.join(here[here.len() - 1], guest, role).unwrap();
        }
        let full = viewers.join(ViewerId::new(), guest, role);
        assert_eq!(full.unwrap_err().code(), "too_many_viewers", "{role}");
    }
    viewers.join(ViewerId::new(), owner, Role::Owner).unwrap();
    viewers.join(ViewerId::new(), SessionId::new(), Role::Admin).unwrap();
    assert_eq!(viewers.len(), 6);
    viewers.join(here[0], guest, Role::Spectator).unwrap();
    assert!(viewers.join(ViewerId::new(), guest, Role::Spectator).is_err());
    viewers.leave(here[0], Instant::now());
    assert!(viewers.join(ViewerId::new(), guest, Role::Controller).is_err());
    viewers.join(ViewerId::new(), guest, Role::Spectator).unwrap();
}

#[test]
fn control_can_be_given_to_a_spectator_and_taken_back() {
    let (mut viewers, mine, other) = two();
    viewers.grant(mine, other).unwrap();
    assert_eq!(viewers.role(other), Role::Controller);
    assert!(viewers.may_steer(other) && !viewers.may_steer(mine));
    viewers.request(mine).unwrap();
    assert!(viewers.may_steer(mine) && !viewers.may_steer(other));
    assert_eq!(viewers.role(other), Role::Spectator);
}

#[test]
fn controllers_and_admins_take_control_by_asking_and_leave_it_to_the_owner_until_then() {
    for role in [Role::Controller, Role::Admin] {
        let (mut viewers, mine, _) = two();
        let guest = ViewerId::new();
        assert_eq!(viewers.join(guest, SessionId::new(), role), Ok(role));
        assert!(viewers.may_steer(mine) && !viewers.may_steer(guest), "{role}");
        viewers.request(guest).unwrap();
        assert!(viewers.may_steer(guest) && !viewers.may_steer(mine), "{role}");
        viewers.request(mine).unwrap();
        assert!(viewers.may_steer(mine) && !viewers.may_steer(guest), "{role}");
        assert_eq!(viewers.grant(guest, mine).is_ok(), role == Role::Admin);
    }
}

#[test]
fn a_controller_steers_at_once_where_nobody_does() {
    let mut viewers = Viewers::new(8, Instant::now());
    let guest = ViewerId::new();
    viewers.join(guest, SessionId::new(), Role::Controller).unwrap();
    assert!(viewers.may_steer(guest));
}

#[test]
fn control_falls_back_to_the_owner_when_its_holder_leaves() {
    let (mut viewers, mine, other) = two();
    viewers.grant(mine, other).unwrap();
    viewers.leave(other, Instant::now());
    assert_eq!(viewers.holder(), Some(mine));
}

#[test]
fn who_is_lowered_loses_control_and_who_has_no_role_left_is_named() {
    let (mut viewers, mine, other) = two();
    let (guest, session) = (ViewerId::new(), SessionId::new());
    viewers.join(guest, session, Role::Controller).unwrap();
    viewers.request(guest).unwrap();
    let was = |v: &Viewers| v.iter().map(|(id, v)| (id, v.role)).collect::<BTreeMap<_, _>>();
    let before = was(&viewers);
    let regraded = viewers.regrade(&|id| Ok(if id == guest { Role::Spectator } else { before[&id] }));
    assert_eq!((regraded.changed, regraded.out), (true, vec![]));
    assert_eq!((viewers.holder(), viewers.role(guest)), (Some(mine), Role::Spectator));
    let regraded = viewers.regrade(&|id| match before[&id] {
        Role::Owner => Ok(Role::Owner),
        _ => Err(ControlError::NoAccess),
    });
    let mut out: Vec<_> = regraded.out.iter().map(|(id, _)| *id).collect();
    out.sort();
    let mut expected = vec![other, guest];
    expected.sort();
    assert_eq!(out, expected);
    assert!(!regraded.changed);
}

#[test]
fn who_comes_back_as_less_than_it_was_loses_the_control_that_it_had_by_itself() {
    let (mut viewers, mine, other) = two();
    let (guest, session) = (ViewerId::new(), SessionId::new());
    viewers.join(guest, session, Role::Admin).unwrap();
    viewers.request(guest).unwrap();
    viewers.join(guest, session, Role::Spectator).unwrap();
    assert_eq!(viewers.holder(), Some(mine));
    assert!(!viewers.may_steer(guest));
    viewers.grant(mine, other).unwrap();
    let others = viewers.session_of(other).unwrap();
    viewers.join(other, others, Role::Spectator).unwrap();
    assert!(viewers.may_steer(other), "what it was handed it keeps");
}

#[test]
fn a_spectator_who_was_given_control_keeps_it_when_roles_are_looked_at_again() {
    let (mut viewers, mine, other) = two();
    viewers.grant(mine, other).unwrap();
    let before = viewers.clone();
    let role = |id| before.iter().find(|(i, _)| *i == id).unwrap().1.role;
    viewers.regrade(&|id| Ok(role(id)));
    assert!(viewers.may_steer(other));
    assert!(viewers.take_back(other), "who handed it on may do so no longer");
    assert_eq!(viewers.holder(), Some(mine));
    assert!(!viewers.take_back(mine), "what is one's own is not taken back");
}

#[test]
fn the_time_without_viewers_is_counted_from_the_last_ones_leaving() {
    let (mut viewers, mine, other) = two();
    let now = Instant::now();
    assert_eq!(viewers.empty_since(), None);
    viewers.leave(mine, now);
    assert_eq!(viewers.empty_since(), None);
    viewers.leave(other, now);
    assert_eq!(viewers.empty_since(), Some(now));
}

proptest! {
    #[test]
    fn at_most_one_other_viewer_ever_steers(steps in prop::collection::vec((0u8..9, 0usize..5, 0usize..5), 0..60)) {
        let owner = SessionId::new();
        let others = [(); 3].map(|()| SessionId::new());
        let sessions = [owner, owner, others[0], others[1], others[2]];
        let roles = [Role::Owner, Role::Owner, Role::Controller, Role::Spectator, Role::Admin];
        let ids = [(); 5].map(|()| ViewerId::new());
        let now = Instant::now();
        let mut viewers = Viewers::new(8, now);
        for (step, a, b) in steps {
            match step {
                0 | 1 => { let _ = viewers.join(ids[a], sessions[b], roles[b]); }
                2 => { viewers.leave(ids[a], now); }
                3 => { let _ = viewers.request(ids[a]); }
                4 => { let _ = viewers.release(ids[a]); }
                5 => { let _ = viewers.grant(ids[a], ids[b]); }
                6 | 7 => {
                    let before: BTreeMap<_, _> = viewers.iter().map(|(id, v)| (id, v.clone())).collect();
                    let regraded = viewers.regrade(&|id| match before[&id].clone() {
                        v if v.session != sessions[a] => Ok(v.role),
                        v if step == 6 => Ok(v.role.min(Role::Spectator)),
                        _ => Err(ControlError::NoAccess),
                    });
                    for (out, _) in regraded.out {
                        viewers.leave(out, now);
                    }
                }
                _ => { viewers.take_back(ids[a]); }
            }
            let steering: Vec<_> = viewers.iter().filter(|(id, _)| viewers.may_steer(*id)).collect();
            let foreign = steering.iter().filter(|(_, v)| v.role != Role::Owner).count();
            prop_assert!(foreign <= 1);
            prop_assert!(foreign == 0 || steering.len() == 1);
            prop_assert!(viewers.holder().is_none_or(|h| viewers.iter().any(|(id, _)| id == h)));
            for (id, viewer) in viewers.iter() {
                prop_assert!(viewer.role > Role::Spectator || !viewers.may_steer(id) || viewers.holder() == Some(id));
            }
        }
    }
}
