//! Whatever happens, in whatever order, at whatever time.

use proptest::prelude::*;

use super::*;

fn inputs() -> impl Strategy<Value = Input> {
    prop_oneof![
        3 => Just(Input::OperationAsked),
        3 => Just(Input::OperationFinished),
        4 => prop::sample::select(&ConnectionState::ALL[..]).prop_map(Input::Connection),
        1 => Just(Input::FeederDetached),
        1 => Just(Input::FeederBroke),
        1 => Just(Input::ReaderBroke),
        1 => prop::sample::select(CloseReason::ALL).prop_map(Input::CloseAsked),
        1 => Just(Input::CloseFinished),
        4 => Just(Input::Tick),
    ]
}

fn drain_within(reason: CloseReason) -> Duration {
    if reason == CloseReason::HostShutdown {
        DRAIN_WITHIN_SHUTDOWN
    } else {
        DRAIN_WITHIN
    }
}

/// One peer as its task drives it, and what has come of it so far.
struct Driven {
    peer: PeerState,
    /// When it stopped being open, and when its connection was to be closed.
    draining: Option<Duration>,
    closing: Option<Duration>,
    all: Vec<Effect>,
}

impl Driven {
    fn new() -> Self {
        Self {
            peer: PeerState::new(),
            draining: None,
            closing: None,
            all: Vec::new(),
        }
    }

    /// Ticks as they fall due before `now`, as the task's timer does.
    fn time_passes(&mut self, now: Duration) -> Result<(), TestCaseError> {
        while let Some(at) = self.peer.deadline().filter(|at| *at < now) {
            self.take(Input::Tick, at)?;
        }
        Ok(())
    }

    fn take(&mut self, input: Input, now: Duration) -> Result<(), TestCaseError> {
        let before = self.peer;
        let effects = self.peer.step(input, now);
        let ran = effects.contains(&Effect::RunOperation);
        prop_assert_eq!(ran, before.is_open() && input == Input::OperationAsked);
        if before.is_open() && !self.peer.is_open() {
            self.draining = Some(now);
        }
        if effects.contains(&Effect::Close) {
            self.closing = Some(now);
        } else if !before.is_open() && self.peer.closed().is_none() {
            prop_assert_eq!(before.deadline(), self.peer.deadline(), "a deadline moved");
        }
        if before.closed().is_some() {
            prop_assert_eq!(before.phase, self.peer.phase, "it rose from the dead");
            prop_assert!(effects.iter().all(|e| *e == Effect::DenyOperation));
        }
        if let Some(reason) = self.peer.closed().filter(|_| before.closed().is_none()) {
            let (draining, closing) = (self.draining.unwrap_or(now), self.closing.unwrap_or(now));
            prop_assert!(closing - draining <= drain_within(reason), "drained too long");
            prop_assert!(now - closing <= CLOSE_WITHIN, "closed too long");
        }
        self.all.extend(effects);
        Ok(())
    }

    fn count(&self, effect: fn(&Effect) -> bool) -> usize {
        self.all.iter().filter(|e| effect(e)).count()
    }

    fn position(&self, effect: fn(&Effect) -> bool) -> Option<usize> {
        self.all.iter().position(effect)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn whatever_happens_a_peer_closes_once_in_time_and_runs_nothing_after_draining_began(
        steps in prop::collection::vec((inputs(), 0u64..1500), 0..60),
        reason in prop::sample::select(CloseReason::ALL),
    ) {
        let mut driven = Driven::new();
        let mut now = Duration::ZERO;
        for (input, ms) in steps {
            now += Duration::from_millis(ms);
            driven.time_passes(now)?;
            driven.take(input, now)?;
        }
        driven.take(Input::CloseAsked(reason), now)?;
        // From here on nothing answers any more: deadlines alone must bring the peer to its end.
        while let Some(at) = driven.peer.deadline() {
            now = now.max(at);
            driven.take(Input::Tick, now)?;
        }
        prop_assert!(driven.peer.closed().is_some());
        prop_assert_eq!(driven.count(|e| *e == Effect::Close), 1);
        prop_assert_eq!(driven.count(|e| matches!(e, Effect::Report(_))), 1);
        prop_assert!(driven.count(|e| *e == Effect::DetachFeeder) <= 1);
        prop_assert!(driven.count(|e| matches!(e, Effect::Farewell(_))) <= 1);
        let closed = driven.position(|e| *e == Effect::Close);
        prop_assert!(driven.position(|e| *e == Effect::DetachFeeder) < closed);
        prop_assert!(driven.position(|e| matches!(e, Effect::Farewell(_))) < closed);
        let last = driven.all.iter().rfind(|e| **e != Effect::DenyOperation);
        prop_assert!(matches!(last, Some(Effect::Report(_))));
    }

    #[test]
    fn asked_again_however_often_it_ends_when_it_would_have_and_for_the_first_reason(
        ops in 0usize..4,
        state in prop::sample::select(&ConnectionState::ALL[..4]),
        reasons in prop::collection::vec((prop::sample::select(CloseReason::ALL), 0u64..3000), 1..20),
    ) {
        let mut once = PeerState::new();
        for _ in 0..ops {
            once.step(Input::OperationAsked, SECOND);
        }
        once.step(Input::Connection(state), SECOND);
        let first = reasons[0].0;
        once.step(Input::CloseAsked(first), SECOND);
        let mut often = once;
        let mut now = SECOND;
        for (reason, ms) in reasons {
            now += Duration::from_millis(ms);
            while let Some(at) = often.deadline().filter(|at| *at < now) {
                often.step(Input::Tick, at);
            }
            often.step(Input::CloseAsked(reason), now);
        }
        let end = |peer: &mut PeerState| {
            while let Some(at) = peer.deadline() {
                peer.step(Input::Tick, at);
            }
            peer.closed()
        };
        prop_assert_eq!(once.deadline(), Some(SECOND + drain_within(first)));
        prop_assert_eq!(end(&mut once), Some(first));
        prop_assert_eq!(end(&mut often), Some(first));
        prop_assert_eq!(once, often);
    }
}
