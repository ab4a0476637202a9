//! A dynamic supervisor whose children of either kind, significant or not, come and go, end, fail and are asked about at random:
//! against a model of the contract; and more requests at once than may wait.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use proptest::prelude::{Just, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;
use crate::supervision::{AutoShutdown, ControlError, ExitReason, Fault};

const IDS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];
/// So many of them there may be.
const MOST: usize = 4;

#[derive(Debug, Clone, Copy)]
enum Act {
    Start(usize),
    Stop(usize),
    Restart(usize),
    Fail(usize),
    Kill(usize),
    Finish(usize),
    /// It fails, and is asked to stop before its restart is due.
    FailAndStop(usize),
}

fn any_act() -> impl Generator<Value = Act> {
    let child = || 0..IDS.len();
    prop_oneof![
        4 => child().prop_map(Act::Start),
        1 => child().prop_map(Act::Stop),
        1 => child().prop_map(Act::Restart),
        2 => child().prop_map(Act::Fail),
        1 => child().prop_map(Act::Kill),
        1 => child().prop_map(Act::Finish),
        1 => child().prop_map(Act::FailAndStop),
    ]
}

/// What a child is: whether it is transient rather than temporary, and whether it is significant.
type Kind = (bool, bool);

fn any_auto_shutdown() -> impl Generator<Value = AutoShutdown> {
    prop_oneof![
        Just(AutoShutdown::Never),
        Just(AutoShutdown::AnySignificant),
        Just(AutoShutdown::AllSignificant)
    ]
}

/// What the contract says.
struct Model {
    auto_shutdown: AutoShutdown,
    kinds: [Kind; 6],
    /// Who runs, in which generation.
    running: BTreeMap<&'static str, u64>,
    ended: bool,
}

impl Model {
    fn is_transient(&self, i: usize) -> bool {
        self.kinds[i].0
    }

    fn is_significant(&self, id: &str) -> bool {
        let at = IDS.iter().position(|one| *one == id).unwrap();
        self.kinds[at].1 && self.auto_shutdown != AutoShutdown::Never
    }

    /// A child is gone by itself.
    fn gone(&mut self, id: &'static str) {
        self.running.remove(id);
        if !self.is_significant(id) {
            return;
        }
        self.ended = match self.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !self.running.keys().any(|other| self.is_significant(other)),
        };
        if self.ended {
            self.running.clear();
        }
    }

    /// What is asked for is answered so.
    fn act(&mut self, act: Act) -> Result<(), ControlError> {
        let there = |model: &Self, i: usize| model.running.contains_key(IDS[i]);
        match act {
            Act::Start(i) if there(self, i) => return Err(ControlError::AlreadyStarted),
            Act::Start(_) if self.running.len() == MOST => return Err(ControlError::MaxChildren),
            Act::Start(i) => drop(self.running.insert(IDS[i], 1)),
            Act::Stop(i) | Act::Restart(i) if !there(self, i) => return Err(ControlError::NotFound),
            Act::Fail(i) | Act::Kill(i) | Act::Finish(i) | Act::FailAndStop(i) if !there(self, i) => {}
            // A stop that was asked for is nobody's end, whatever it came upon.
            Act::FailAndStop(i) if self.is_transient(i) => drop(self.running.remove(IDS[i])),
            Act::Stop(i) => drop(self.running.remove(IDS[i])),
            Act::Fail(i) | Act::Kill(i) if self.is_transient(i) => *self.running.get_mut(IDS[i]).unwrap() += 1,
            Act::Restart(i) => *self.running.get_mut(IDS[i]).unwrap() += 1,
            Act::Fail(i) | Act::Kill(i) | Act::Finish(i) | Act::FailAndStop(i) => self.gone(IDS[i]),
        }
        Ok(())
    }
}

fn spec_of(puppet: &Puppet, (transient, significant): Kind, auto_shutdown: AutoShutdown) -> ChildSpec {
    let restart = if transient {
        Restart::Transient
    } else {
        Restart::Temporary
    };
    let spec = puppet.spec(restart, Manners::Polite);
    if significant && auto_shutdown != AutoShutdown::Never {
        spec.significant()
    } else {
        spec
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_dynamic_supervisor_with_significant_children_does_what_the_model_says(
        auto_shutdown in any_auto_shutdown(),
        kinds in any::<[Kind; 6]>(),
        acts in prop::collection::vec(any_act(), 0..30),
    ) {
        run(async {
            let (pool, diary) = (SupervisorRef::new(), Diary::default());
            let puppets = IDS.map(|id| Puppet::new(id, &diary));
            let spec = SupervisorSpec::dynamic(GENEROUS, MOST).auto_shutdown(auto_shutdown);
            let mut tree = Tree::start(spec.reference(&pool));
            let mut model = Model { auto_shutdown, kinds, running: BTreeMap::new(), ended: false };
            for act in &acts {
                let answer = match *act {
                    Act::Start(i) => pool.start_child(spec_of(&puppets[i], kinds[i], auto_shutdown), secs(9)).await,
                    Act::Stop(i) => pool.stop_child(IDS[i], secs(9)).await,
                    Act::Restart(i) => pool.restart_child(IDS[i], secs(9)).await,
                    Act::Fail(i) => { puppets[i].end(failure()); Ok(()) }
                    Act::Finish(i) => { puppets[i].end(ExitReason::Normal); Ok(()) }
                    Act::Kill(i) => {
                        let _ = tree.view().inject(IDS[i], Fault::Kill);
                        Ok(())
                    }
                    Act::FailAndStop(i) => {
                        puppets[i].end(failure());
                        settle().await;
                        // Who is not restarted is gone by then, and may have taken all with it.
                        let _ = pool.stop_child(IDS[i], secs(9)).await;
                        Ok(())
                    }
                };
                prop_assert_eq!(answer, model.act(*act), "{:?} of {:?}", act, &acts);
                // Longer than any back-off.
                tokio::time::sleep(secs(11)).await;
                let alive = puppets.iter().filter_map(|puppet| Some((puppet.id, puppet.generation()?)));
                prop_assert_eq!(&alive.collect::<BTreeMap<_, _>>(), &model.running, "after {:?} of {:?}", act, &acts);
                if model.ended {
                    prop_assert_eq!(tree.exited().await, ExitReason::Shutdown);
                    return Ok(());
                }
                let children = tree.view().snapshot().children;
                let known: BTreeSet<&str> = children.iter().map(|child| child.id.as_str()).collect();
                prop_assert_eq!(known, model.running.keys().copied().collect::<BTreeSet<_>>(), "who has gone is forgotten");
            }
            prop_assert!(tokio::time::timeout(secs(1), tree.exited()).await.is_err(), "it has not ended");
            Ok(())
        })?;
    }

    #[test]
    fn of_more_requests_than_may_wait_each_is_answered_and_those_granted_are_done(
        starts in prop::collection::vec(0..150_usize, 65..200),
    ) {
        run(async {
            let pool = SupervisorRef::new();
            let tree = Tree::start(SupervisorSpec::dynamic(GENEROUS, 100).reference(&pool));
            settle().await;
            let child = |id: usize| {
                ChildSpec::task(id.to_string(), Restart::Temporary, |context| async move {
                    context.stopping().await;
                    ExitReason::Shutdown
                })
            };
            let answers = join_all(starts.iter().map(|id| pool.start_child(child(*id), secs(9)))).await;
            settle().await;
            let mut granted = BTreeSet::new();
            let mut refused = 0;
            for (id, answer) in starts.iter().zip(answers) {
                match answer {
                    Ok(()) => prop_assert!(granted.insert(id.to_string()), "{id} was started twice"),
                    Err(ControlError::AlreadyStarted) => prop_assert!(granted.contains(&id.to_string())),
                    Err(ControlError::MaxChildren) => prop_assert_eq!(granted.len(), 100),
                    Err(ControlError::Busy) => refused += 1,
                    Err(other) => prop_assert!(false, "{other}"),
                }
            }
            prop_assert!(refused > 0, "all of {} may wait", starts.len());
            let children = tree.view().snapshot().children;
            prop_assert_eq!(children.into_iter().map(|child| child.id).collect::<BTreeSet<_>>(), granted);
            Ok(())
        })?;
    }
}
