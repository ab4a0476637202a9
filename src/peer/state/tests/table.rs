//! Every place a peer can be in × everything that can happen there. A new state, input or phase does not compile until
//! its rows are written.

use super::*;

const NOW: Duration = Duration::from_secs(3);

/// Where a peer can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Open, in this state of the connection.
    Open(ConnectionState),
    /// Draining; `last`: all but this is settled.
    Draining { last: Waits },
    /// Closing.
    Closing,
    /// Closed.
    Closed,
}

/// What a draining peer waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Waits {
    Operation,
    Feeder,
    Connecting,
    /// More than one thing.
    Several,
}

/// What a step comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It runs the operation.
    Runs,
    /// It denies the operation.
    Denies,
    /// It notes the fact, and nothing follows.
    Notes,
    /// The end begins, for this reason; nothing of it is settled yet or all of it, as the place says.
    Drains(CloseReason),
    /// The last thing has settled: the connection is closed.
    Closes,
    /// The peer has ended.
    Ends,
}

const WAITS: [Waits; 4] = [Waits::Operation, Waits::Feeder, Waits::Connecting, Waits::Several];

fn places() -> Vec<Place> {
    let mut all: Vec<Place> = ConnectionState::ALL.into_iter().map(Place::Open).collect();
    all.extend(WAITS.map(|last| Place::Draining { last }));
    all.extend([Place::Closing, Place::Closed]);
    all
}

/// Every input with every value that it can have.
fn inputs() -> Vec<Input> {
    let mut all = vec![Input::OperationAsked];
    // Each input names the next, so that none is left out: a new one does not compile until it stands here.
    while let Some(last) = all.last() {
        match last {
            Input::OperationAsked => all.push(Input::OperationFinished),
            Input::OperationFinished => all.extend(ConnectionState::ALL.map(Input::Connection)),
            Input::Connection(_) => all.push(Input::FeederDetached),
            Input::FeederDetached => all.push(Input::FeederBroke),
            Input::FeederBroke => all.push(Input::ReaderBroke),
            Input::ReaderBroke => all.extend(CloseReason::ALL.iter().copied().map(Input::CloseAsked)),
            Input::CloseAsked(_) => all.push(Input::CloseFinished),
            Input::CloseFinished => all.push(Input::Tick),
            Input::Tick => break,
        }
    }
    all
}

/// A peer in that place, with one operation running, fed, unless the place says otherwise.
fn peer_at(place: Place) -> PeerState {
    let until = NOW + Duration::from_secs(1);
    let reason = CloseReason::Superseded;
    let (phase, connection, operations, feeding) = match place {
        Place::Open(connection) => (Phase::Open, connection, 1, true),
        Place::Draining { last } => {
            let (connection, operations, feeding) = match last {
                Waits::Operation => (ConnectionState::Connected, 1, false),
                Waits::Feeder => (ConnectionState::Connected, 0, true),
                Waits::Connecting => (ConnectionState::Connecting, 0, false),
                Waits::Several => (ConnectionState::Connecting, 2, true),
            };
            (Phase::Draining { reason, until }, connection, operations, feeding)
        }
        Place::Closing => (Phase::Closing { reason, until }, ConnectionState::Connected, 0, false),
        Place::Closed => (Phase::Closed { reason }, ConnectionState::Connected, 0, false),
    };
    PeerState {
        phase,
        connection,
        ever_connected: connection == ConnectionState::Connected,
        operations,
        feeding,
    }
}

/// What has to come of it: the specification.
fn expected(place: Place, input: Input) -> Outcome {
    match (place, input) {
        (Place::Open(_), Input::OperationAsked) => Outcome::Runs,
        (Place::Open(_), Input::Connection(ConnectionState::Failed)) => Outcome::Drains(CloseReason::IceFailed),
        (Place::Open(_), Input::Connection(ConnectionState::Closed)) => Outcome::Drains(CloseReason::Requested),
        (Place::Open(_), Input::FeederBroke | Input::ReaderBroke) => Outcome::Drains(CloseReason::Fault),
        (Place::Open(_), Input::CloseAsked(reason)) => Outcome::Drains(reason),
        (
            Place::Open(_),
            Input::OperationFinished
            | Input::Connection(_)
            | Input::FeederDetached
            | Input::CloseFinished
            | Input::Tick,
        ) => Outcome::Notes,

        (Place::Draining { .. } | Place::Closing | Place::Closed, Input::OperationAsked) => Outcome::Denies,

        (Place::Draining { last: Waits::Operation }, Input::OperationFinished) => Outcome::Closes,
        (Place::Draining { last: Waits::Feeder }, Input::FeederDetached | Input::FeederBroke) => Outcome::Closes,
        (
            Place::Draining {
                last: Waits::Connecting,
            },
            Input::Connection(state),
        ) if state != ConnectionState::Connecting => Outcome::Closes,
        (
            Place::Draining { .. },
            Input::OperationFinished
            | Input::Connection(_)
            | Input::FeederDetached
            | Input::FeederBroke
            | Input::ReaderBroke
            | Input::CloseAsked(_)
            | Input::CloseFinished
            | Input::Tick,
        ) => Outcome::Notes,

        (Place::Closing, Input::CloseFinished) => Outcome::Ends,
        (
            Place::Closing | Place::Closed,
            Input::OperationFinished
            | Input::Connection(_)
            | Input::FeederDetached
            | Input::FeederBroke
            | Input::ReaderBroke
            | Input::CloseAsked(_)
            | Input::CloseFinished
            | Input::Tick,
        ) => Outcome::Notes,
    }
}

#[test]
fn every_input_in_every_place_comes_to_what_the_table_says() {
    let mut met = 0;
    for place in places() {
        for input in inputs() {
            let before = peer_at(place);
            let mut peer = before;
            let effects = peer.step(input, NOW);
            let case = format!("{place:?} × {input:?}");
            met += 1;
            match expected(place, input) {
                Outcome::Runs => {
                    assert_eq!(effects, [Effect::RunOperation], "{case}");
                    assert_eq!(peer.operations, before.operations + 1, "{case}");
                }
                Outcome::Denies => {
                    assert_eq!(effects, [Effect::DenyOperation], "{case}");
                    assert_eq!(peer, before, "{case}");
                }
                Outcome::Notes => {
                    assert_eq!(effects, [], "{case}");
                    assert_eq!(peer.phase, before.phase, "{case}");
                }
                Outcome::Drains(reason) => {
                    let detach = (input != Input::FeederBroke).then_some(Effect::DetachFeeder);
                    let farewell = (peer.connection == ConnectionState::Connected).then_some(Effect::Farewell(reason));
                    let all: Vec<_> = detach.into_iter().chain(farewell).collect();
                    assert_eq!(effects, all, "{case}");
                    let wait = if reason == CloseReason::HostShutdown {
                        DRAIN_WITHIN_SHUTDOWN
                    } else {
                        DRAIN_WITHIN
                    };
                    assert_eq!(peer.deadline(), Some(NOW + wait), "{case}");
                }
                Outcome::Closes => {
                    assert_eq!(effects, [Effect::Close], "{case}");
                    assert_eq!(peer.deadline(), Some(NOW + CLOSE_WITHIN), "{case}");
                }
                Outcome::Ends => assert_eq!(effects, [Effect::Report(CloseReason::Superseded)], "{case}"),
            }
        }
    }
    assert_eq!(
        met,
        places().len() * (8 + ConnectionState::ALL.len() + CloseReason::ALL.len() - 1)
    );
}

#[test]
fn in_every_place_time_alone_leads_to_the_next_and_never_back() {
    for place in places() {
        let mut peer = peer_at(place);
        let late = Duration::from_secs(60);
        let effects = peer.step(Input::Tick, late);
        match place {
            Place::Open(ConnectionState::Connected) => assert_eq!(effects, []),
            Place::Open(_) => assert_eq!(effects, [Effect::DetachFeeder]),
            Place::Draining { .. } => assert_eq!(effects, [Effect::Close]),
            Place::Closing => {
                assert_eq!(effects, [Effect::Abandon, Effect::Report(CloseReason::Superseded)]);
            }
            Place::Closed => assert_eq!(effects, []),
        }
    }
}
