use super::*;

mod properties;
mod table;

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
            let asked = peer.step(Input::CloseAsked(*reason), SECOND);
            let told = peer.step(Input::OperationFinished, SECOND);
            let effects = [first, asked, told].concat();
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
        [Effect::DetachFeeder, Effect::Farewell(CloseReason::Requested)]
    );
    assert_eq!(peer.step(Input::OperationFinished, SECOND), []);
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
    assert_eq!(
        peer.step(Input::CloseAsked(CloseReason::Superseded), SECOND),
        [Effect::Farewell(CloseReason::Superseded)]
    );
    assert_eq!(peer.step(Input::OperationAsked, SECOND), [Effect::DenyOperation]);
    assert_eq!(peer.step(Input::OperationFinished, SECOND), []);
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
    peer.step(Input::OperationFinished, SECOND * 3);
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
