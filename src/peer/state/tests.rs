use proptest::prelude::*;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn connected() -> PeerState {
    let mut peer = PeerState::new();
    assert_eq!(peer.step(Input::Connection(ConnectionState::Connecting), SECOND), []);
    assert_eq!(peer.step(Input::Connection(ConnectionState::Connected), SECOND), []);
    peer
}

#[test]
fn a_settled_peer_closes_at_once_in_every_safe_state_and_waits_only_while_connecting() {
    for state in ConnectionState::ALL {
        for reason in CloseReason::ALL {
            let mut peer = PeerState::new();
            peer.step(Input::FeederDetached, SECOND);
            let first = peer.step(Input::Connection(state), SECOND);
            let effects = [first, peer.step(Input::CloseAsked(*reason), SECOND)].concat();
            let waits = state == ConnectionState::Connecting;
            assert_eq!(effects.contains(&Effect::Close), !waits, "{state:?} {reason}");
            if waits {
                let bound = if *reason == CloseReason::HostShutdown {
                    SECOND * 2
                } else {
                    SECOND * 6
                };
                assert_eq!(peer.step(Input::Tick, bound - Duration::from_nanos(1)), []);
                assert_eq!(peer.step(Input::Tick, bound), [Effect::Close]);
            }
        }
    }
}

#[test]
fn the_feeder_lets_go_before_the_connection_is_closed() {
    let mut peer = connected();
    assert_eq!(
        peer.step(Input::CloseAsked(CloseReason::Requested), SECOND),
        [Effect::DetachFeeder]
    );
    assert_eq!(peer.step(Input::FeederDetached, SECOND), [Effect::Close]);
    assert_eq!(
        peer.step(Input::CloseFinished, SECOND),
        [Effect::Report(CloseReason::Requested)]
    );
    assert_eq!(peer.closed(), Some(CloseReason::Requested));
}

#[test]
fn an_operation_in_flight_holds_the_close_and_new_ones_are_denied() {
    let mut peer = connected();
    peer.step(Input::FeederDetached, SECOND);
    assert_eq!(peer.step(Input::OperationAsked, SECOND), [Effect::RunOperation]);
    assert_eq!(peer.step(Input::CloseAsked(CloseReason::Superseded), SECOND), []);
    assert_eq!(peer.step(Input::OperationAsked, SECOND), [Effect::DenyOperation]);
    assert_eq!(peer.step(Input::OperationFinished, SECOND), [Effect::Close]);
}

#[test]
fn an_operation_that_hangs_does_not_hold_the_close_for_ever() {
    let mut peer = connected();
    peer.step(Input::OperationAsked, SECOND);
    peer.step(Input::CloseAsked(CloseReason::Requested), SECOND);
    assert_eq!(peer.step(Input::Tick, SECOND + DRAIN_WITHIN), [Effect::Close]);
    let end = SECOND + DRAIN_WITHIN + CLOSE_WITHIN;
    assert_eq!(
        peer.step(Input::Tick, end),
        [Effect::Abandon, Effect::Report(CloseReason::Requested)]
    );
}

#[test]
fn asking_again_neither_moves_the_deadline_nor_changes_the_reason() {
    let mut peer = connected();
    peer.step(Input::CloseAsked(CloseReason::Superseded), SECOND);
    let deadline = peer.deadline();
    for reason in CloseReason::ALL {
        assert_eq!(peer.step(Input::CloseAsked(*reason), SECOND * 2), []);
        assert_eq!(peer.deadline(), deadline);
    }
    peer.step(Input::FeederDetached, SECOND * 3);
    peer.step(Input::CloseFinished, SECOND * 3);
    assert_eq!(peer.closed(), Some(CloseReason::Superseded));
}

#[test]
fn a_peer_that_never_connects_ends_as_ice_failed() {
    let mut peer = PeerState::new();
    peer.step(Input::Connection(ConnectionState::Connecting), SECOND);
    assert_eq!(peer.deadline(), Some(CONNECT_WITHIN));
    assert_eq!(peer.step(Input::Tick, CONNECT_WITHIN), [Effect::DetachFeeder]);
    assert!(!peer.is_open());
    assert_eq!(connected().deadline(), None);
}

#[test]
fn a_lost_path_may_come_back_but_a_failed_one_ends_the_peer() {
    let mut peer = connected();
    assert_eq!(peer.step(Input::Connection(ConnectionState::Disconnected), SECOND), []);
    assert_eq!(peer.step(Input::Connection(ConnectionState::Connected), SECOND), []);
    assert_eq!(
        peer.step(Input::Connection(ConnectionState::Failed), SECOND),
        [Effect::DetachFeeder]
    );
    assert_eq!(peer.step(Input::FeederDetached, SECOND), [Effect::Close]);
    assert_eq!(
        peer.step(Input::CloseFinished, SECOND),
        [Effect::Report(CloseReason::IceFailed)]
    );
}

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => Just(Input::OperationAsked),
        3 => Just(Input::OperationFinished),
        4 => prop::sample::select(&ConnectionState::ALL[..]).prop_map(Input::Connection),
        1 => Just(Input::FeederDetached),
        1 => prop::sample::select(CloseReason::ALL).prop_map(Input::CloseAsked),
        1 => Just(Input::CloseFinished),
        4 => Just(Input::Tick),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_a_peer_closes_once_in_time_and_runs_nothing_after_draining_began(
        steps in prop::collection::vec((inputs(), 0u64..1500), 0..60),
        reason in prop::sample::select(CloseReason::ALL),
    ) {
        let mut peer = PeerState::new();
        let mut now = Duration::ZERO;
        let mut asked_at: Option<Duration> = None;
        let mut all = Vec::new();
        let mut take = |peer: &mut PeerState, input, now: Duration| {
            let was_open = peer.is_open();
            let before = peer.deadline();
            let effects = peer.step(input, now);
            prop_assert!(was_open || !effects.contains(&Effect::RunOperation));
            prop_assert!(!was_open || input != Input::OperationAsked || effects.contains(&Effect::RunOperation));
            if was_open && !peer.is_open() {
                asked_at = Some(now);
            } else if !was_open && !effects.contains(&Effect::Close) && peer.closed().is_none() {
                prop_assert_eq!(before, peer.deadline(), "a deadline moved");
            }
            all.extend(effects);
            Ok(())
        };
        for (input, ms) in steps {
            now += Duration::from_millis(ms);
            take(&mut peer, input, now)?;
        }
        take(&mut peer, Input::CloseAsked(reason), now)?;
        // From here on nothing answers any more: deadlines alone must bring the peer to its end.
        while let Some(at) = peer.deadline() {
            now = now.max(at);
            take(&mut peer, Input::Tick, now)?;
        }
        prop_assert!(peer.closed().is_some());
        let count = |effect: fn(&Effect) -> bool| all.iter().filter(|e| effect(e)).count();
        prop_assert_eq!(count(|e| *e == Effect::Close), 1);
        prop_assert_eq!(count(|e| matches!(e, Effect::Report(_))), 1);
        prop_assert!(matches!(all.iter().rfind(|e| **e != Effect::DenyOperation), Some(Effect::Report(_))));
        prop_assert!(count(|e| *e == Effect::DetachFeeder) <= 1);
        prop_assert!(asked_at.is_some());
    }

    #[test]
    fn from_being_asked_to_the_end_it_takes_seven_seconds_at_most(
        ops in 0usize..4, connecting: bool, reason in prop::sample::select(CloseReason::ALL), at_ms in 0u64..15_000,
    ) {
        let mut peer = PeerState::new();
        let asked = Duration::from_millis(at_ms);
        for _ in 0..ops {
            peer.step(Input::OperationAsked, asked);
        }
        if connecting {
            peer.step(Input::Connection(ConnectionState::Connecting), asked);
        }
        peer.step(Input::CloseAsked(reason), asked);
        let mut now = asked;
        while let Some(at) = peer.deadline() {
            now = at;
            peer.step(Input::Tick, now);
        }
        let drain = if reason == CloseReason::HostShutdown { DRAIN_WITHIN_SHUTDOWN } else { DRAIN_WITHIN };
        prop_assert!(now - asked <= drain + CLOSE_WITHIN);
        prop_assert_eq!(peer.closed(), Some(reason));
    }
}
