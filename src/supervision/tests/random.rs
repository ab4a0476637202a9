//! Random faults against a whole tree, and against a model of it.

use std::collections::BTreeSet;

use proptest::prelude::{Just, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;
use crate::supervision::{ChildState, ExitReason, Fault};

const IDS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Debug, Clone)]
enum Act {
    Fail(usize),
    Panic(usize),
    Kill(usize),
    Lose(usize),
    Finish(usize),
    Restart(usize),
    Sleep(u64),
}

fn any_act() -> impl Generator<Value = Act> {
    let child = 0..IDS.len();
    prop_oneof![
        child.clone().prop_map(Act::Fail),
        child.clone().prop_map(Act::Panic),
        child.clone().prop_map(Act::Kill),
        child.clone().prop_map(Act::Lose),
        child.clone().prop_map(Act::Finish),
        child.prop_map(Act::Restart),
        (0u64..3_000).prop_map(Act::Sleep),
    ]
}

fn any_strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne),
        Just(Strategy::OneForAll)
    ]
}

async fn carry_out(act: &Act, root: &SupervisorRef, tree: &Tree, puppets: &[Puppet]) {
    // A child that does not run at the moment does not hear it.
    let end = |i: usize, reason| {
        puppets[i].end(reason);
    };
    match *act {
        Act::Fail(i) => end(i, failure()),
        Act::Panic(i) => end(i, panicking()),
        Act::Kill(i) => drop(tree.view().inject(IDS[i], Fault::Kill)),
        Act::Lose(i) => end(i, ExitReason::dependency("display_lost")),
        Act::Finish(i) => end(i, ExitReason::Normal),
        Act::Restart(i) => root.restart_child(IDS[i], secs(60)).await.unwrap(),
        Act::Sleep(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
    }
}

/// Four transient children.
fn cast(strategy: Strategy, tidy: [bool; 4], diary: &Diary) -> (Tree, SupervisorRef, Vec<Puppet>) {
    let puppets: Vec<_> = IDS.map(|id| Puppet::new(id, diary)).into();
    let root = SupervisorRef::new();
    let spec = puppets
        .iter()
        .zip(tidy)
        .fold(lenient(strategy), |spec, (puppet, tidy)| {
            let manners = if tidy { Manners::Tidy(secs(1)) } else { Manners::Polite };
            spec.child(puppet.spec(Restart::Transient, manners))
        });
    (Tree::start(spec.reference(&root)), root, puppets)
}

/// The diary of the children under these acts, and what has become of them a minute later.
fn play(strategy: Strategy, tidy: [bool; 4], acts: &[Act]) -> (String, Vec<ChildState>) {
    run(async move {
        let diary = Diary::default();
        let (tree, root, puppets) = cast(strategy, tidy, &diary);
        settle().await;
        for act in acts {
            carry_out(act, &root, &tree, &puppets).await;
        }
        tokio::time::sleep(secs(60)).await;
        let states = tree.view().snapshot().children.iter().map(|c| c.state).collect();
        assert!(tree.shutdown(secs(60)).await);
        (diary.take(), states)
    })
}

/// What the contract says of a whole tree, where each act has its time: who runs, and in which generation.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Model {
    strategy: Strategy,
    generations: [u64; 4],
    running: [bool; 4],
}

impl Model {
    const fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            generations: [1; 4],
            running: [true; 4],
        }
    }

    /// The group of a child, as the three strategies are defined.
    fn group(&self, child: usize) -> std::ops::Range<usize> {
        match self.strategy {
            Strategy::OneForOne => child..child + 1,
            Strategy::RestForOne => child..4,
            Strategy::OneForAll => 0..4,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Finish(i) => self.running[i] = false,
            Act::Fail(i) | Act::Panic(i) | Act::Kill(i) | Act::Lose(i) if !self.running[i] => {}
            Act::Fail(i) | Act::Panic(i) | Act::Kill(i) | Act::Lose(i) | Act::Restart(i) => {
                for sibling in self.group(i) {
                    // A transient sibling that had ended comes back with its group, as in OTP.
                    self.running[sibling] = true;
                    self.generations[sibling] += 1;
                }
            }
            Act::Sleep(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(128))]

    #[test]
    fn whatever_fails_no_child_runs_twice_none_starts_before_an_earlier_one_and_all_come_back(
        strategy in any_strategy(), tidy in any::<[bool; 4]>(), acts in prop::collection::vec(any_act(), 0..25),
    ) {
        let (diary, states) = play(strategy, tidy, &acts);
        let mut up = BTreeSet::new();
        for entry in diary.split(' ') {
            let (what, id) = entry.split_at(1);
            if what == "+" {
                prop_assert!(up.insert(id), "{id} runs twice: {diary}");
                if strategy != Strategy::OneForOne {
                    prop_assert_eq!(up.last(), Some(&id), "a later sibling of {} runs: {}", id, diary);
                }
            } else {
                prop_assert!(up.remove(id), "{id} stopped twice: {diary}");
            }
        }
        prop_assert!(up.is_empty(), "{up:?} outlived the tree");
        let may_end = acts.iter().any(|a| matches!(a, Act::Finish(_)));
        prop_assert!(may_end || states.iter().all(|s| *s == ChildState::Running), "{states:?}");
        prop_assert!(states.iter().all(|s| matches!(s, ChildState::Running | ChildState::Ended)), "{states:?}");
    }

    #[test]
    fn a_tree_under_random_faults_does_what_the_model_says(
        strategy in any_strategy(), acts in prop::collection::vec(any_act(), 0..25),
    ) {
        run(async {
            let (tree, root, puppets) = cast(strategy, [false; 4], &Diary::default());
            let mut model = Model::new(strategy);
            settle().await;
            for act in &acts {
                carry_out(act, &root, &tree, &puppets).await;
                model.act(act);
                // Longer than any back-off.
                tokio::time::sleep(secs(11)).await;
                let children = tree.view().snapshot().children;
                let seen = Model {
                    strategy,
                    generations: std::array::from_fn(|i| children[i].generation),
                    running: std::array::from_fn(|i| children[i].state == ChildState::Running),
                };
                prop_assert_eq!(&seen, &model, "after {:?} of {:?}", act, &acts);
                let alive: [bool; 4] = std::array::from_fn(|i| puppets[i].generation().is_some());
                prop_assert_eq!(alive, model.running);
            }
            Ok(())
        })?;
    }
}
