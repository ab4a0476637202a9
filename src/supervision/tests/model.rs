//! A supervisor within a supervisor, children of every restart type, with budgets and without, stopped and restarted by hand and
//! failing at random: against a model of the contract. Each act has its time.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::{Just, prop, prop_assert_eq, prop_oneof, proptest};
use proptest::strategy::Strategy as Generator;

use super::*;
use crate::supervision::{ChildState, ExitReason, Fault};

/// Children of the root, in their order; the supervisor is between them.
const OUTER: [&str; 3] = ["a", "inner", "b"];
/// Its children.
const INNER: [&str; 3] = ["x", "y", "z"];
/// Workers, as acts number them.
const WORKERS: [&str; 5] = ["a", "b", "x", "y", "z"];
/// Budgets are of this time.
const PERIOD: u64 = 60;
/// Between two acts: longer than any back-off, and no whole part of the period.
const STEP: u64 = 11;

#[derive(Debug, Clone, Copy)]
enum Act {
    Fail(usize),
    Kill(usize),
    Lose(usize),
    Finish(usize),
    Restart(usize),
    Stop(usize),
    RestartInner,
    KillInner,
}

fn any_act() -> impl Generator<Value = Act> {
    let worker = || 0..WORKERS.len();
    prop_oneof![
        3 => worker().prop_map(Act::Fail),
        1 => worker().prop_map(Act::Kill),
        1 => worker().prop_map(Act::Lose),
        2 => worker().prop_map(Act::Finish),
        1 => worker().prop_map(Act::Restart),
        1 => worker().prop_map(Act::Stop),
        1 => Just(Act::RestartInner),
        1 => Just(Act::KillInner),
    ]
}

fn any_strategy() -> impl Generator<Value = Strategy> {
    prop_oneof![
        Just(Strategy::OneForOne),
        Just(Strategy::RestForOne),
        Just(Strategy::OneForAll)
    ]
}

/// What a worker is: its restart type, and so many restarts within the period where it has a budget of its own.
type Part = (Restart, Option<usize>);

fn any_part() -> impl Generator<Value = Part> {
    let restart = prop_oneof![
        Just(Restart::Permanent),
        Just(Restart::Transient),
        Just(Restart::Temporary)
    ];
    (restart, prop::option::of(0..3_usize))
}

/// How a tree is made.
#[derive(Debug, Clone)]
struct Cast {
    outer: Strategy,
    inner: Strategy,
    /// Restarts that the inner supervisor survives.
    most: usize,
    parts: [Part; 5],
}

fn any_cast() -> impl Generator<Value = Cast> {
    let parts = [any_part(), any_part(), any_part(), any_part(), any_part()];
    (any_strategy(), any_strategy(), 0..4_usize, parts).prop_map(|(outer, inner, most, parts)| Cast {
        outer,
        inner,
        most,
        parts,
    })
}

/// What is known of a worker, and what the contract says of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Known {
    state: ChildState,
    generation: u64,
}

/// What the contract says of the whole tree.
#[derive(Debug, Clone)]
struct Model {
    cast: Cast,
    now: u64,
    workers: BTreeMap<&'static str, Known>,
    /// Those that only a request brings back.
    withdrawn: BTreeSet<&'static str>,
    /// When restarts were charged: to a worker's own budget, and to the inner supervisor.
    charged: BTreeMap<&'static str, Vec<u64>>,
    inner_generation: u64,
}

impl Model {
    fn new(cast: &Cast) -> Self {
        let begun = Known {
            state: ChildState::Running,
            generation: 1,
        };
        Self {
            cast: cast.clone(),
            now: 0,
            workers: WORKERS.map(|id| (id, begun)).into(),
            withdrawn: BTreeSet::new(),
            charged: BTreeMap::new(),
            inner_generation: 1,
        }
    }

    fn part(&self, id: &str) -> Part {
        let at = WORKERS.iter().position(|worker| *worker == id).unwrap();
        self.cast.parts[at]
    }

    /// One more restart that counts; whether that is too many.
    fn is_too_much(&mut self, whose: &'static str, most: usize) -> bool {
        let now = self.now;
        let charged = self.charged.entry(whose).or_default();
        charged.retain(|at| now - at <= PERIOD);
        charged.push(now);
        charged.len() > most
    }

    fn start(&mut self, id: &'static str) {
        self.withdrawn.remove(id);
        let worker = self.workers.get_mut(id).unwrap();
        worker.state = ChildState::Running;
        worker.generation += 1;
    }

    fn withdraw(&mut self, id: &'static str, shown: ChildState) {
        self.withdrawn.insert(id);
        self.workers.get_mut(id).unwrap().state = shown;
    }

    /// A supervisor that is begun anew knows nothing of the one before.
    fn start_inner(&mut self) {
        self.inner_generation += 1;
        self.charged.remove("inner");
        for id in INNER {
            self.charged.remove(id);
            self.start(id);
        }
    }

    /// Restarts a child with its group.
    fn restart(&mut self, id: &'static str) {
        let (siblings, strategy) = if INNER.contains(&id) {
            (INNER, self.cast.inner)
        } else {
            (OUTER, self.cast.outer)
        };
        let at = siblings.iter().position(|sibling| *sibling == id).unwrap();
        for (n, sibling) in siblings.into_iter().enumerate() {
            let in_group = match strategy {
                Strategy::OneForOne => n == at,
                Strategy::RestForOne => n >= at,
                Strategy::OneForAll => true,
            };
            if !in_group {
                continue;
            }
            if sibling == "inner" {
                self.start_inner();
                continue;
            }
            if n == at {
                self.start(sibling);
            } else if self.part(sibling).0 == Restart::Temporary {
                let worker = self.workers.get_mut(sibling).unwrap();
                if worker.state == ChildState::Running {
                    worker.state = ChildState::Stopped;
                }
            } else if !self.withdrawn.contains(sibling) {
                self.start(sibling);
            }
        }
    }

    fn exit(&mut self, id: &'static str, abnormal: bool, counted: bool) {
        if self.workers[id].state != ChildState::Running {
            return;
        }
        let (restart, budget) = self.part(id);
        let again = match restart {
            Restart::Permanent => true,
            Restart::Transient => abnormal,
            Restart::Temporary => false,
        };
        if !again {
            self.workers.get_mut(id).unwrap().state = ChildState::Ended;
            return;
        }
        match budget {
            Some(most) if counted && self.is_too_much(id, most) => {
                self.withdraw(id, ChildState::GivenUp);
                return;
            }
            // The root survives any number.
            None if counted && INNER.contains(&id) && self.is_too_much("inner", self.cast.most) => {
                return self.restart("inner");
            }
            _ => {}
        }
        self.restart(id);
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Fail(i) | Act::Kill(i) => self.exit(WORKERS[i], true, true),
            Act::Lose(i) => self.exit(WORKERS[i], true, false),
            Act::Finish(i) => self.exit(WORKERS[i], false, true),
            Act::Restart(i) => {
                self.charged.remove(WORKERS[i]);
                self.restart(WORKERS[i]);
            }
            Act::Stop(i) => {
                let shown = match self.workers[WORKERS[i]].state {
                    ChildState::Ended => ChildState::Ended,
                    _ => ChildState::Stopped,
                };
                self.withdraw(WORKERS[i], shown);
            }
            Act::RestartInner | Act::KillInner => self.restart("inner"),
        }
    }
}

/// The tree itself.
struct Stage {
    tree: Tree,
    root: SupervisorRef,
    inner: SupervisorRef,
    puppets: Vec<Puppet>,
}

impl Stage {
    fn set(cast: &Cast) -> Self {
        let diary = Diary::default();
        let puppets: Vec<Puppet> = WORKERS.map(|id| Puppet::new(id, &diary)).into();
        let worker = {
            let (puppets, parts) = (puppets.clone(), cast.parts);
            move |id: &str| {
                let at = WORKERS.iter().position(|worker| *worker == id).unwrap();
                let (restart, budget) = parts[at];
                let spec = puppets[at].spec(restart, Manners::Polite);
                match budget {
                    Some(most) => spec.budget(Intensity::new(most, secs(PERIOD)), |_| {}),
                    None => spec,
                }
            }
        };
        let (root, inner) = (SupervisorRef::new(), SupervisorRef::new());
        let nested = {
            let (worker, inner, cast) = (worker.clone(), inner.clone(), cast.clone());
            ChildSpec::supervisor("inner", Restart::Permanent, move || {
                let spec = SupervisorSpec::new(cast.inner, Intensity::new(cast.most, secs(PERIOD)));
                INNER
                    .iter()
                    .fold(spec.reference(&inner), |spec, id| spec.child(worker(id)))
            })
        };
        let spec = lenient(cast.outer)
            .reference(&root)
            .child(worker("a"))
            .child(nested)
            .child(worker("b"));
        Self {
            tree: Tree::start(spec),
            root,
            inner,
            puppets,
        }
    }

    fn supervisor(&self, id: &str) -> &SupervisorRef {
        if INNER.contains(&id) { &self.inner } else { &self.root }
    }

    fn path(id: &str) -> String {
        if INNER.contains(&id) {
            format!("inner/{id}")
        } else {
            id.to_owned()
        }
    }

    async fn carry_out(&self, act: Act) {
        // A child that does not run does not hear it.
        let end = |i: usize, reason| {
            self.puppets[i].end(reason);
        };
        match act {
            Act::Fail(i) => end(i, failure()),
            Act::Kill(i) => drop(self.tree.view().inject(&Self::path(WORKERS[i]), Fault::Kill)),
            Act::Lose(i) => end(i, ExitReason::dependency("display_lost")),
            Act::Finish(i) => end(i, ExitReason::Normal),
            Act::Restart(i) => {
                let id = WORKERS[i];
                self.supervisor(id).restart_child(id, secs(9)).await.unwrap();
            }
            Act::Stop(i) => {
                let id = WORKERS[i];
                self.supervisor(id).stop_child(id, secs(9)).await.unwrap();
            }
            Act::RestartInner => self.root.restart_child("inner", secs(9)).await.unwrap(),
            Act::KillInner => drop(self.tree.view().inject("inner", Fault::Kill)),
        }
    }

    fn seen(&self) -> (u64, BTreeMap<&'static str, Known>) {
        let snapshot = self.tree.view().snapshot();
        let worker = |id| {
            let child = snapshot.find(&Self::path(id)).unwrap();
            let known = Known {
                state: child.state,
                generation: child.generation,
            };
            (id, known)
        };
        let inner = snapshot.find("inner").unwrap().generation;
        (inner, WORKERS.map(worker).into())
    }
}

proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(256))]

    #[test]
    fn a_supervisor_in_a_supervisor_with_children_of_every_kind_does_what_the_model_says(
        cast in any_cast(), acts in prop::collection::vec(any_act(), 0..25),
    ) {
        run(async {
            let (stage, mut model) = (Stage::set(&cast), Model::new(&cast));
            settle().await;
            for act in &acts {
                stage.carry_out(*act).await;
                model.act(*act);
                tokio::time::sleep(secs(STEP)).await;
                model.now += STEP;
                let (inner, workers) = stage.seen();
                prop_assert_eq!(&workers, &model.workers, "after {:?} of {:?}", act, &acts);
                prop_assert_eq!(inner, model.inner_generation, "after {:?} of {:?}", act, &acts);
                for puppet in &stage.puppets {
                    let runs = model.workers[puppet.id].state == ChildState::Running;
                    prop_assert_eq!(puppet.generation().is_some(), runs, "{} after {:?}", puppet.id, act);
                }
            }
            Ok(())
        })?;
    }
}
